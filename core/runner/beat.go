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

// rejoin registers a runner again that slept past its registration: what it held
// is others' now, and it goes on with new work.
func (r *Runner) rejoin(ctx context.Context) {
	r.o.Log.Warn("this runner slept past its leases; it joins again with new work")
	r.mu.Lock()
	for _, v := range r.visits {
		v.cancel(core.ErrLeaseLost)
	}
	r.mu.Unlock()
	err := r.o.Store.Join(ctx, r.o.Owner, r.o.Limits.Lease)
	if err == nil {
		err = r.putSites(ctx)
	}
	if err != nil && ctx.Err() == nil {
		r.o.Log.Warn("joining again failed; the next heartbeat tries again", "err", err)
		return
	}
	r.nudge()
}
