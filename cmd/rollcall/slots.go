package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/rollcall-run/rollcall/core/machine"
	"github.com/rollcall-run/rollcall/core/runner"
)

// mostSlots is the largest number that the configuration takes.
const mostSlots = 256

// slots is how many tasks a run works on at once.
type slots struct {
	machine.Slots
	most  int  // what it may grow to
	fixed bool // the operator gave the number
}

// chooseSlots is the configured number, or where that is 0 the one that suits the
// machine.
func chooseSlots(configured int, f machine.Figures) slots {
	if configured > 0 {
		return slots{machine.Slots{N: configured, Why: "[browser] slots"}, configured, true}
	}
	s := machine.Choose(f)
	s.N = min(s.N, mostSlots)
	return slots{s, min(machine.Most(f), mostSlots), false}
}

// follow says which number was chosen, and adapts it to the machine's memory until
// stop is called. A number that the operator gave stays.
func (s slots) follow(ctx context.Context, r *runner.Runner, log *slog.Logger) (stop func()) {
	if s.fixed {
		return func() {}
	}
	log.Info("slots chosen", "slots", s.N, "most", s.most, "why", s.Why)
	r.SetSlots(s.N)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	tick := time.NewTicker(machine.LookEvery)
	go func() {
		defer close(done)
		defer tick.Stop()
		machine.Follow(ctx, s.Slots, tick.C, machine.Reader{}.Figures, r.SetSlots, log)
	}()
	return func() { cancel(); <-done }
}
