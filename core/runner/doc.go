// Package runner is the life of a task: it lists, claims, starts, runs a
// driver's phases, settles what the site answered, and reports. It reaches
// every other room through the ports of package core.
//
// # The effect protocol
//
// A sign-up has one irreversible action. The driver asks for it by
// Services.Commit; the runner makes an intent durable, with everything that was
// chosen, and only then lets the action happen. From there on the action is
// never repeated: after a crash, a time-out or a lost page the way out is a
// probe (confirm, login, verify), and a probe that proves nothing leaves the
// task unknown, for a person. An unknown task is never reported as failed,
// because the task manager would hand out a second sign-up.
//
// # Who may act
//
// A visit holds a task by a lease. The heartbeat renews every lease of the
// process in one transaction; the moment up to which a renewal holds is taken
// before it is asked for, on a clock that goes on in suspend, and is set as the
// fence of the slot's egress port. A visit that lost its lease is cancelled, its
// browser context closed, and nothing of it is written.
//
// # A ledger that is older than the world
//
// A copy made by backup says that it is one. A runner that works on it, or that
// finds a task under way which its ledger never started, signs in with the task's
// credentials before a sign-up that may be the second one; see look.
//
// # What decides
//
// visit.step looks at the task's state alone, so that a task that was claimed
// after a crash goes on by the same code as one that never stopped.
package runner
