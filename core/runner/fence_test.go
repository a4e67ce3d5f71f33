package runner_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// shutFirst fails the test when a task is given back while the slot's gate still
// forwards to its site.
type shutFirst struct {
	core.Store
	t     *testing.T
	site  *site
	given int
}

func (s *shutFirst) look(id string, to any) {
	s.given++
	if s.site.forwards.Load() {
		s.t.Errorf("task %s is given back for %v while its gate is open", id, to)
	}
}

func (s *shutFirst) Advance(ctx context.Context, l core.Lease, moves ...core.Move) (core.Record, error) {
	if to := moves[len(moves)-1].To; to.Releases() {
		s.look(l.TaskID, to)
	}
	return s.Store.Advance(ctx, l, moves...)
}

func (s *shutFirst) Defer(ctx context.Context, l core.Lease, due time.Time, broken bool, ev core.Event) error {
	s.look(l.TaskID, "later")
	return s.Store.Defer(ctx, l, due, broken, ev)
}

// TestNothingFlowsOnceATaskIsGivenBack: whoever takes the task next is alone at its site.
func TestNothingFlowsOnceATaskIsGivenBack(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Slots = 1
	watch := &shutFirst{Store: h.store, t: t, site: h.site}
	h.opts.Store = watch
	failed := map[string]bool{}
	h.site.phase = func(_ context.Context, p core.Phase, task core.Task, _ core.Session) (core.Outcome, error, bool) {
		switch {
		case task.ID == "breaks" && p == core.Register && !failed[task.ID]:
			failed[task.ID] = true
			return core.Outcome{}, errors.New("the page went away"), true
		case task.ID == "refused" && p == core.Register:
			return core.Outcome{Status: core.Rejected, Code: core.Banned, Reason: "no"}, nil, true
		}
		return core.Outcome{}, nil, false
	}
	h.add(task("plain"), task("breaks"), task("refused"))
	h.run()
	for id, want := range map[string]string{"plain": sandbox.StateProfiled, "breaks": sandbox.StateProfiled, "refused": sandbox.StateRegisterFailed} {
		if got := h.status(id); got != want {
			t.Errorf("task %s is %s, not %s", id, got, want)
		}
	}
	if watch.given < 4 {
		t.Errorf("tasks were given back %d times", watch.given)
	}
}
