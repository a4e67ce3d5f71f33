// Package hoola speaks Hoola's call that makes many accounts, and reads and
// writes the files of users that go through it.
//
// # The call
//
// A call carries at most MaxUsers users and its answer names each of them. Rows
// are matched by username and e-mail, never by position. Only a 4xx, or an
// answer whose respCode is not "00", means that nothing was made; whatever else
// goes wrong leaves it open, and Send says so with core.BulkCallUncertain.
//
// The token is part of the address. It is in no error, log line or trace: errors
// of the network are stripped of the address, and what the server says is masked.
//
// # Rules
//
// A user is checked before it is sent. Characters are counted as characters:
// "Nữ" is two. A username is never altered to make it fit.
package hoola
