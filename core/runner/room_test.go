package runner_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

func TestFewerSlotsTakeFewerTasksAndMoreTakeMore(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Slots = 3
	var mu sync.Mutex
	running, peak := 0, 0
	in, out := make(chan string), make(chan bool)
	h.site.phase = func(ctx context.Context, p core.Phase, t core.Task, _ core.Session) (core.Outcome, error, bool) {
		if p != core.Register {
			return core.Outcome{}, nil, false
		}
		mu.Lock()
		running++
		peak = max(peak, running)
		mu.Unlock()
		defer func() {
			mu.Lock()
			running--
			mu.Unlock()
		}()
		for _, c := range []func() bool{
			func() bool {
				select {
				case in <- t.ID:
					return true
				case <-ctx.Done():
					return false
				}
			},
			func() bool {
				select {
				case <-out:
					return true
				case <-ctx.Done():
					return false
				}
			},
		} {
			if !c() {
				return core.Outcome{}, ctx.Err(), true
			}
		}
		return core.Outcome{}, nil, false
	}
	for i := range 6 {
		h.add(task(fmt.Sprint("t", i)))
	}
	r, err := runner.New(h.opts)
	if err != nil {
		t.Fatal(err)
	}
	r.SetSlots(-5) // means one
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, nil) }()
	arrive := func() {
		t.Helper()
		select {
		case <-in:
		case <-ctx.Done():
			h.dump()
			t.Fatal("no further task was claimed")
		}
	}
	for range 3 {
		arrive()
		out <- true
	}
	mu.Lock()
	if peak != 1 {
		t.Errorf("%d tasks ran at once in one slot", peak)
	}
	mu.Unlock()
	r.SetSlots(100) // means three
	for range 3 {
		arrive() // all three are inside together
	}
	for range 3 {
		out <- true
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if got := h.status(fmt.Sprint("t", i)); got != sandbox.StateProfiled {
			t.Errorf("t%d is %s", i, got)
		}
	}
}
