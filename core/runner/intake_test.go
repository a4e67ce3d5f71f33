package runner_test

import (
	"context"
	"fmt"
	"sync"
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
	// Nothing is started until the list was full.
	gate := &listGate{TaskManager: h.opts.Manager, open: make(chan struct{})}
	gate.n.Store(1)
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

// lateAnswer answers the first report, with which its task is queued anew, when a
// list with that task has been looked at, and gives the look when it is settled.
type lateAnswer struct {
	core.TaskManager
	core.Store
	failed atomic.Bool
	answer chan struct{}
	once   sync.Once
}

func (l *lateAnswer) Fail(ctx context.Context, id string, r core.Report) error {
	err := l.TaskManager.Fail(ctx, id, r)
	l.failed.Store(true)
	<-l.answer
	return err
}

func (l *lateAnswer) Look(ctx context.Context, tasks []core.Task) (map[string]core.Known, error) {
	changed, cancel := l.Subscribe()
	defer cancel()
	queued := l.failed.Load() && len(tasks) > 0
	known, err := l.Store.Look(ctx, tasks)
	if queued {
		l.once.Do(func() {
			close(l.answer)
			for {
				rec, err := l.Store.Task(ctx, tasks[0].ID)
				if err != nil || rec.State == core.Reported {
					return
				}
				<-changed
			}
		})
	}
	return known, err
}

// TestATaskThatIsQueuedAnewByTheLastReportRuns: the last list was asked for before
// the report was settled.
func TestATaskThatIsQueuedAnewByTheLastReportRuns(t *testing.T) {
	h := newHouse(t, sandbox.Options{MaxRetries: 1})
	h.site.accounts["usert1"] = "someone else's"
	h.add(task("t1"))
	late := &lateAnswer{TaskManager: h.opts.Manager, Store: h.opts.Store, answer: make(chan struct{})}
	h.opts.Manager, h.opts.Store = late, late
	h.run()
	if snap, _ := h.sb.Manager.Task("t1"); snap.Status != sandbox.StateRegisterFailed || snap.Retries != 1 {
		t.Errorf("the task is %s after %d retries: the run ended with it queued", snap.Status, snap.Retries)
	}
}

// movedTask lists a task that ended as waiting again, for another site.
type movedTask struct {
	core.TaskManager
	id, domain string
}

func (m *movedTask) List(ctx context.Context, limit int) (core.Listing, error) {
	page, err := m.TaskManager.List(ctx, limit)
	if err != nil {
		return page, err
	}
	l, err := m.Get(ctx, m.id)
	page.Tasks = append([]core.Listed{l}, page.Tasks...)
	return page, err
}

func (m *movedTask) Get(ctx context.Context, id string) (core.Listed, error) {
	l, err := m.TaskManager.Get(ctx, id)
	if id == m.id {
		l.Task.Domain, l.Status = m.domain, sandbox.StateRegister
	}
	return l, err
}

// TestATaskThatMovedToAnotherSiteIsNoObstacle: it is left alone, the others are run.
func TestATaskThatMovedToAnotherSiteIsNoObstacle(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.add(task("moved"))
	h.run()
	h.add(task("t1"), task("t2"))
	h.opts.Manager = &movedTask{TaskManager: h.opts.Manager, id: "moved", domain: "www." + domain}
	h.run()
	for _, id := range []string{"t1", "t2"} {
		if got := h.status(id); got != sandbox.StateProfiled {
			t.Errorf("task %s is %s", id, got)
		}
	}
	if rec, err := h.store.Task(t.Context(), "moved"); err != nil || rec.Domain != domain || rec.Round != 1 {
		t.Errorf("the moved task is on %s in round %d, %v", rec.Domain, rec.Round, err)
	}
}
