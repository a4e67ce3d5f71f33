// Package ledger is the one state of rollcall: tasks with their place in the
// chart, intents, accounts, the outbox, sites with their limits, questions to
// people and time lines. It implements core.Store over SQLite, for one runner,
// and over PostgreSQL, for a fleet.
//
// # Leases and limits
//
// A task is moved by the holder of its lease only: owner, epoch and expiry are
// compared in the transaction that moves it. A lease that expired makes the
// task due at once; the epoch of the next lease is higher, so the former owner
// is refused for good. How many visits of a site are under way is not counted
// anywhere: it is the number of live leases.
//
// A site's row has ready_at, before which no claim on the site can succeed.
// Everything that may let one succeed earlier lowers it under the row's lock; a
// claim that finds nothing raises it. So a claim looks at sites in the order in
// which they became ready, which is also what keeps one site's backlog from
// starving the others, and never reads finished tasks.
//
// # Secrets
//
// Entities, facts, answers, intents, accounts and reports are sealed, each
// bound to its table, row and field. Names that must be compared without being
// stored are keyed hashes under a key of the ledger's own, which is sealed
// itself and survives a change of the master key.
//
// # Errors
//
// A method that fails has changed nothing, with one exception: when the commit
// itself fails, the change may have been stored. Read again before repeating.
package ledger
