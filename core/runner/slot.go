package runner

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-run/rollcall/core"
)

// slot is a worker process and an egress port, used by one visit at a time.
type slot struct {
	name   string
	gate   core.Gate
	worker core.Worker
	kept   *kept // guarded by Runner.mu while the slot is idle, else the visit's
}

// slot returns an idle slot, the best for a task of the domain, or a new one.
// There are never more than the tasks that run and the tasks that are held.
func (r *Runner) slot(ctx context.Context, domain string) (*slot, error) {
	r.mu.Lock()
	if len(r.idle) > 0 {
		i := r.best(domain)
		s := r.idle[i]
		r.idle = slices.Delete(r.idle, i, i+1)
		s.rouse()
		r.mu.Unlock()
		return s, nil
	}
	r.made++
	name := fmt.Sprintf("slot-%d", r.made)
	r.mu.Unlock()
	gate, err := r.o.Egress.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the egress port of %s: %w", name, err)
	}
	return &slot{name: name, gate: gate, worker: r.o.Workers.Slot(name)}, nil
}

// leave takes a visit off the books and its slot back.
func (r *Runner) leave(v *visit) {
	v.slot.gate.Shut()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.visits[v.rec.ID] == v {
		delete(r.visits, v.rec.ID)
	}
	r.tally.Tasks[v.rec.ID] = v.rec.State
	r.idle = append(r.idle, v.slot)
	r.rest(v.slot)
	ping(r.left)
}

func (r *Runner) closeSlots() {
	r.mu.Lock()
	idle := r.idle
	r.idle = nil
	for _, s := range idle {
		s.rouse()
	}
	r.mu.Unlock()
	for _, s := range idle {
		if s.kept != nil {
			if err := s.kept.Close(); err != nil {
				r.o.Log.Warn("a browser context did not close", "slot", s.name, "err", err)
			}
		}
		if err := s.worker.Close(); err != nil {
			r.o.Log.Warn("a worker did not end cleanly", "slot", s.name, "err", err)
		}
		if err := s.gate.Close(); err != nil {
			r.o.Log.Warn("an egress port did not close", "slot", s.name, "err", err)
		}
	}
}

// busy is how many visits are under way, held ones included.
func (r *Runner) busy() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.visits)
}

// unhold lets every held visit park at once: a stopping runner waits for nobody.
func (r *Runner) unhold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.visits {
		v.unhold()
	}
}

// permit is a visit's right to run: a token of Runner.run, or while a person is
// asked one of Runner.hld.
type permit struct{ held bool }

func (p *permit) release(r *Runner) {
	if p.held {
		r.hld <- struct{}{}
	} else {
		r.run <- struct{}{}
	}
}

// hold swaps the running token for a holding one; false when too many are held.
func (p *permit) hold(r *Runner) bool {
	select {
	case <-r.hld:
	default:
		return false
	}
	p.held = true
	r.run <- struct{}{}
	r.nudge()
	return true
}

// resume swaps back, waiting for a task to end where all slots run.
func (p *permit) resume(ctx context.Context, r *Runner) error {
	select {
	case <-r.run:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.held = false
	r.hld <- struct{}{}
	return nil
}
