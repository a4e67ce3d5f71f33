package runner_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// listGate opens when the nth list was given.
type listGate struct {
	core.TaskManager
	n    atomic.Int32
	open chan struct{}
}

func (g *listGate) List(ctx context.Context, limit int) (core.Listing, error) {
	page, err := g.TaskManager.List(ctx, limit)
	if g.n.Add(-1) == 0 {
		close(g.open)
	}
	return page, err
}

// TestALongListIsAskedForAgainBeforeItsTime: the pause between two lists is an
// hour, and one task is behind the longest list that there is.
func TestALongListIsAskedForAgainBeforeItsTime(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Once = false
	h.opts.Limits.Poll, h.opts.Limits.ListLimit = time.Hour, runner.MaxList
	listed := make(chan string, 2*runner.MaxList)
	// Nothing is started until two lists were full of the same tasks.
	gate := &listGate{TaskManager: h.opts.Manager, open: make(chan struct{})}
	gate.n.Store(2)
	h.opts.Manager = gate
	h.sb.Manager.Fault(func(c sandbox.Call) sandbox.Fault {
		if c.Name == sandbox.CallStart {
			<-gate.open
		}
		return sandbox.Fault{}
	})
	h.opts.Observe = func(n runner.Notice) {
		if n.State == core.Ready {
			listed <- n.Task
		}
	}
	for i := range runner.MaxList + 1 {
		h.add(task(fmt.Sprintf("t%04d", i)))
	}
	stop := h.background()
	defer stop()
	seen := map[string]bool{}
	for late := time.After(3 * time.Minute); len(seen) <= runner.MaxList; {
		select {
		case id := <-listed:
			seen[id] = true
		case <-late:
			t.Fatalf("%d tasks were listed", len(seen))
		}
	}
}
