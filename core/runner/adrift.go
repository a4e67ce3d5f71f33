package runner

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// adrift is a lease whose visit is over and which the ledger, away at that
// moment, did not take back. The heartbeat would renew it for ever.
type adrift struct {
	lease  core.Lease
	due    time.Time
	broken bool
	ev     core.Event
}

// giveBack tries again to give the leases back that are still held.
func (r *Runner) giveBack(ctx context.Context, held map[string]int64) {
	r.mu.Lock()
	all := maps.Clone(r.adrift)
	r.mu.Unlock()
	for id, a := range all {
		if held[id] == a.lease.Epoch {
			call, cancel := context.WithTimeout(ctx, r.o.Limits.Lease/2)
			err := r.o.Store.Defer(call, a.lease, a.due, a.broken, a.ev)
			cancel()
			if err != nil && !errors.Is(err, core.ErrLeaseLost) {
				r.o.Log.Warn("the task was not given back", "task", id, "err", err)
				break // the leases under way must be renewed in time
			}
		}
		r.mu.Lock()
		if r.adrift[id].lease == a.lease {
			delete(r.adrift, id)
		}
		r.mu.Unlock()
	}
	if len(all) > 0 {
		r.nudge()
	}
}
