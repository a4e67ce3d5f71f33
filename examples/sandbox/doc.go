// Package sandbox is a small world on loopback to try rollcall and its drivers
// on: a strict task manager, a mailbox, an image host and four sites that behave
// as real ones do, faults included. Everything runs in the caller's process.
//
// Nothing of it is used by rollcall when it works on real sites.
package sandbox
