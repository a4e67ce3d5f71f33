// Package core holds the words that every room of rollcall shares, and the
// ports through which the runner reaches the other rooms. It imports the
// standard library only.
//
// # Life of a task
//
// A task moves along these edges and no other. Each line is a state and the
// states it may be left to; TestChart compares the lines with the code.
//
//	ready     → starting parked dropped
//	starting  → prepared dropped
//	prepared  → intent confirmed connected unknown failed waiting held parked
//	intent    → submitted unknown
//	submitted → confirmed refused unknown waiting held parked
//	refused   → prepared failed
//	confirmed → profiled failed waiting held parked
//	profiled  → reporting
//	connected → reporting
//	failed    → reporting
//	unknown   → confirmed prepared failed waiting held parked
//	waiting   → prepared submitted confirmed unknown
//	held      → prepared intent submitted confirmed unknown parked
//	parked    → ready prepared submitted confirmed unknown failed
//	reporting → reported overtaken
//	reported  → ready
//	overtaken → ready
//	dropped   → ready
//
// What each state means, and what is durable when it is entered:
//
//   - ready: listed by the task manager, and runnable here: the site is allowed,
//     a driver serves it, its needs are met.
//   - starting: the intent to start is durable; POST start may have been sent.
//   - prepared: the task manager counts the task as ours; identities are reserved.
//   - intent: what will be submitted (username, password, driver digest, mailbox
//     mark) is durable; the submit may have been sent. It is never sent again:
//     after a crash the way out is a probe.
//   - submitted: the site answered the submit.
//   - refused: the site said no in its own words, and no older intent is open.
//   - confirmed: the account is proved, by confirm or by a login.
//   - profiled, connected: the links are there and the profile was read back.
//   - failed: with register_failed before the account is proved, profile_failed
//     after, connect_failed for Connect.
//   - unknown: an intent without an outcome. Only a probe or a person leaves it.
//   - waiting: entered again at a due time; no slot, no lease.
//   - held: a person is asked while the page stays open.
//   - parked: a person is asked and the page is gone; the phase is entered again
//     when one comes.
//   - reporting: the report to the task manager is durable and is sent until it
//     is settled.
//   - reported, overtaken, dropped: nothing is left to do. overtaken: the task
//     manager's state was no longer ours when the report came. dropped: it
//     refused the start, or no longer knows the task. All three go back to ready
//     when the task manager lists the task again.
package core
