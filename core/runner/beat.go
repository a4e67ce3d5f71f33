package runner

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// beat renews the leases and moves the fences.
func (r *Runner) beat(ctx context.Context) error {
	tick := time.NewTicker(r.o.Limits.Heartbeat)
	defer tick.Stop()
	var unclaimed map[string]int64
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		asked := r.o.Egress.Now()
		call, cancel := context.WithTimeout(ctx, r.o.Limits.Lease/2)
		held, err := r.o.Store.Beat(call, r.o.Owner, r.o.Limits.Lease)
		cancel()
		switch {
		case err == nil:
			unclaimed = r.stray(held, unclaimed)
			r.giveBack(ctx, held)
		case errors.Is(err, core.ErrNotJoined):
			r.rejoin(ctx)
		case ctx.Err() == nil:
			r.o.Log.Warn("the leases were not renewed", "err", err)
		}
		now := r.o.Egress.Now()
		r.mu.Lock()
		for id, v := range r.visits {
			if err == nil {
				if epoch, ok := held[id]; ok && epoch == v.epoch() {
					v.extend(asked + r.o.Limits.Lease)
					continue
				}
			}
			// A visit that was claimed while Beat ran is not in its answer.
			if now >= v.fence() || err == nil && v.since < asked {
				v.cancel(core.ErrLeaseLost)
			}
		}
		r.mu.Unlock()
	}
}

// stray finds leases that no visit of this runner uses, at two heartbeats in a
// row: a clock that jumped on and back ended the visit and left the lease alive,
// and the heartbeat would renew it for ever.
func (r *Runner) stray(held, before map[string]int64) (now map[string]int64) {
	now = map[string]int64{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, epoch := range held {
		if _, known := r.adrift[id]; known || r.visits[id] != nil {
			continue
		}
		now[id] = epoch
		if before[id] == epoch {
			lease := core.Lease{TaskID: id, Owner: r.o.Owner, Epoch: epoch}
			r.adrift[id] = adrift{lease: lease, due: time.Now(), ev: core.Event{Kind: "log", Level: "WARN", Text: "the lease had no visit any more; the task goes on"}}
		}
	}
	return now
}

// rejoin registers a runner again that slept past its registration: what it held
// is others' now, and it goes on with new work.
func (r *Runner) rejoin(ctx context.Context) {
	r.o.Log.Warn("this runner slept past its leases; it joins again with new work")
	r.mu.Lock()
	r.era++ // no kept page is used again
	for _, v := range r.visits {
		v.cancel(core.ErrLeaseLost)
	}
	r.mu.Unlock()
	err := r.o.Store.Join(ctx, r.o.Owner, r.o.Limits.Lease)
	if err == nil {
		err = r.putSites(ctx, false)
	}
	if err != nil && ctx.Err() == nil {
		r.o.Log.Warn("joining again failed; the next heartbeat tries again", "err", err)
		return
	}
	r.nudge()
}
