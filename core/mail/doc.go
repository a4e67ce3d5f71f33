// Package mail waits for messages over IMAP. It is the only user of a mailbox's
// credentials; what it returns of a message is a secret.
//
// A mark is taken before the action that makes a site send mail: UIDVALIDITY and
// UIDNEXT of the inbox and of the junk folder. Only messages with a UID from the
// mark on count. Where a folder's UIDVALIDITY is no longer the mark's, or the
// junk folder did not exist then, UIDs say nothing and the messages that arrived
// from the mark's time on count (less two minutes, for the clocks may differ).
//
// All waiters of one mailbox share one connection, used by one at a time, and
// one look at the folders' UIDNEXT; it is closed when nobody has waited for a
// while. The first looks follow one another quickly, later ones at the poll
// interval. IDLE is not used: the client library waits without end on a silent
// server, so every operation has a deadline on the connection itself, and ending
// the context ends the operation. Folders are opened read-only and messages are
// peeked at: no flag changes.
package mail
