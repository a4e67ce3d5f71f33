// Package secret keeps secrets where they belong: sealed at rest, and out of
// every text that leaves the process.
//
// A [Keyring] seals what the ledger stores. Each sealed text has a data key of
// its own, which is wrapped under the master key; both layers are AES-256-GCM
// and both are bound to the caller's words (task and field), so that a sealed
// text moved to another row does not open.
//
// A [Redactor] knows the secrets in use and removes them from text, however
// they are encoded. [Handler] puts it before a log/slog handler, [Writer] before
// a byte stream. [Clean] makes hostile text harmless to a log or a terminal.
package secret
