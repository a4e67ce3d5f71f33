package runner

import "time"

// rest is how long after a look at the ledger the next one is for a change. Most
// changes are steps of tasks that are under way, a dozen for each, and in a fleet
// those of all runners: some are looked at together.
const rest = 20 * time.Millisecond

// await waits until d has passed since now, or, once the ledger has changed, until
// rest has passed since looked. wait is called with the moment and the changes that
// are waited for; it returns true when it was woken by a change.
func await(d time.Duration, looked time.Time, changed <-chan struct{}, wait func(due <-chan time.Time, changed <-chan struct{}) bool) {
	at := time.Now().Add(d)
	t := time.NewTimer(d)
	defer t.Stop()
	for wait(t.C, changed) {
		changed = nil
		t.Reset(min(time.Until(at), rest-time.Since(looked)))
	}
}
