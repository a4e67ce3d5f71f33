// Package control is how commands reach the ledger of a running runner: a unix
// socket of mode 0600 in the state directory, on which the runner serves
// core.Admin.
//
// # Who may talk
//
// The kernel says who is at the other end. A runner answers its own user and
// root; a command sends nothing to a runner of another user, unless root runs
// the command. Secrets don't cross: a record's passwords arrive as •••, and only
// Client.RevealAccounts asks for the real ones.
//
// # The protocol
//
// HTTP/1.1, a POST per method of core.Admin to /1/METHOD with one JSON object.
// The answer is a stream of JSON lines: {"item":…} for each thing, and at last
// {"end":true} or {"fail":{…}}. A stream without its last line was cut, which is
// an error. Both sides refuse fields that they don't know: a command and a runner
// are of one version, or say so.
package control
