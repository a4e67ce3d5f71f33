// Package entity is the client of the task manager's Entity API, which
// docs/protocol.md describes.
//
// Each method of [Client] is one call: the client never repeats one by itself,
// because only the runner knows whether a call may have taken effect and what to
// read before it is made again. The error says which it is: *core.Refusal, the
// server's clear no; core.ErrGone, a task that it does not know; *core.AuthError,
// a key that it does not take; *core.TransientError, anything that may go better
// later, with Ambiguous set when a POST may have taken effect. Every other error
// is a wrong argument. [Backoff] says how long to wait before a repeat.
//
// What the server sends is decoded strictly, because a password that changes on
// the way is worse than a task that is not read: names are compared in their
// exact case, a name that comes twice in one object, bytes that are not UTF-8,
// half surrogate pairs and text after the answer's end are refused. Unknown
// fields are kept for the driver. One item of a list that can't be read is
// reported and costs no other.
package entity
