package runner_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/entity"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// TestAnswersThatGetLost breaks the first start and the first report in every
// way; the effect happens once all the same.
func TestAnswersThatGetLost(t *testing.T) {
	for _, kind := range sandbox.FaultKinds {
		if kind == sandbox.Unauthorized || kind == sandbox.Forbidden {
			continue // these pause the runner: TestRefusedKeyStopsARunOnce
		}
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, sandbox.Options{})
			client, err := entity.New(entity.Options{BaseURL: h.sb.Manager.URL, Key: core.Secret(h.sb.Manager.APIKey),
				Timeout: 300 * time.Millisecond, ListLimitBytes: 64 << 10, ItemLimitBytes: 64 << 10})
			if err != nil {
				t.Fatal(err)
			}
			h.opts.Manager = client
			h.sb.Manager.Fault(func(c sandbox.Call) sandbox.Fault {
				if (c.Name == sandbox.CallStart || c.Name == sandbox.CallComplete) && c.Nth == 1 {
					return sandbox.Fault{Kind: kind, Delay: 20 * time.Millisecond, Location: "http://127.0.0.1:1/elsewhere"}
				}
				return sandbox.Fault{}
			})
			h.add(task("t1"), task("t2"))
			h.run()
			for _, id := range []string{"t1", "t2"} {
				snap, _ := h.sb.Manager.Task(id)
				if snap.Status != sandbox.StateProfiled || snap.Count(sandbox.CallStart) != 1 || snap.Count(sandbox.CallComplete) != 1 {
					t.Errorf("%s: %s, %d starts, %d completes", id, snap.Status, snap.Count(sandbox.CallStart), snap.Count(sandbox.CallComplete))
				}
				if n := h.site.submits["user"+id]; n != 1 {
					t.Errorf("%s: %d submits", id, n)
				}
				if got := h.record(id).State; got != core.Reported {
					t.Errorf("%s is %s here", id, got)
				}
			}
		})
	}
}

func TestRefusedKeyStopsARunOnce(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.sb.Manager.Fault(func(sandbox.Call) sandbox.Fault { return sandbox.Fault{Kind: sandbox.Unauthorized} })
	h.add(task("t1"))
	r, err := runner.New(h.opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context(), nil); err == nil {
		t.Fatal("a run with a key that is not accepted ended well")
	}
	if len(h.site.phases) != 0 {
		t.Error("the site was visited")
	}
}

// TestAPersonMovesTheTask: the state at the task manager changes in the middle.
func TestAPersonMovesTheTask(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.site.phase = func(_ context.Context, p core.Phase, _ core.Task, _ core.Session) (core.Outcome, error, bool) {
		if p == core.Profile {
			if err := h.sb.Manager.Edit("t1", sandbox.StateRegisterFailed); err != nil {
				t.Error(err)
			}
		}
		return core.Outcome{}, nil, false
	}
	h.add(task("t1"))
	h.run()
	if got := h.record("t1").State; got != core.Overtaken {
		t.Errorf("state %s, want overtaken", got)
	}
}

func TestTaskThatIsGone(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.sb.Manager.Fault(func(c sandbox.Call) sandbox.Fault {
		if c.Name == sandbox.CallStart {
			if err := h.sb.Manager.Delete("t1"); err != nil {
				t.Error(err)
			}
		}
		return sandbox.Fault{}
	})
	h.add(task("t1"))
	h.run()
	if got := h.record("t1").State; got != core.Dropped {
		t.Errorf("state %s, want dropped", got)
	}
}

func TestAnotherWorkersTaskIsLeftAlone(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Exclusive = false
	taken := task("t1")
	taken.Taken = true
	h.add(taken, task("t2"))
	h.run()
	if got := h.record("t1").State; got != core.Dropped {
		t.Errorf("state %s, want dropped", got)
	}
	if h.site.count("t1 register") != 0 {
		t.Error("the site was visited for it")
	}
	if got := h.status("t2"); got != sandbox.StateProfiled {
		t.Errorf("the other task is %s", got)
	}
}

// TestLostLeaseStopsTheVisit: another runner took the task while this one slept.
func TestLostLeaseStopsTheVisit(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Once = false
	entered, stolen := make(chan struct{}), make(chan struct{})
	var after error
	h.site.phase = func(ctx context.Context, p core.Phase, _ core.Task, s core.Session) (core.Outcome, error, bool) {
		if p != core.Register {
			return core.Outcome{}, nil, false
		}
		close(entered)
		<-stolen
		after = s.Services.Commit(ctx, "sign up", nil)
		return core.Outcome{}, after, true
	}
	h.add(task("t1"))
	r, err := runner.New(h.opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, nil) }()
	<-entered
	// On SQLite a new owner ends every older lease.
	if err := h.store.Join(t.Context(), "thief", time.Minute); err != nil {
		t.Fatal(err)
	}
	close(stolen)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if after == nil {
		t.Error("the gate opened for a runner that had lost the task")
	}
	if len(h.site.submits) != 0 {
		t.Error("something was submitted")
	}
}

// TestTheLastReportsGoOutOnAStop: the report under way is let end, and what is
// due besides goes out before the runner does.
func TestTheLastReportsGoOutOnAStop(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Once = false
	first, open := make(chan string, 1), make(chan struct{})
	release := sync.OnceFunc(func() { close(open) })
	t.Cleanup(release)
	h.sb.Manager.Fault(func(c sandbox.Call) sandbox.Fault {
		if c.Name == sandbox.CallComplete {
			select {
			case first <- c.TaskID:
			default:
			}
			<-open
		}
		return sandbox.Fault{}
	})
	h.add(task("t1"), task("t2"))
	stop := h.background()
	other := map[string]string{"t1": "t2", "t2": "t1"}[<-first]
	h.waitState(other, core.Reporting)
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	release()
	<-stopped
	for _, id := range []string{"t1", "t2"} {
		if got := h.record(id).State; got != core.Reported {
			t.Errorf("%s is %s in the ledger", id, got)
		}
	}
}

// TestReportsGoSideBySide: a report whose answer is late holds up no other one.
func TestReportsGoSideBySide(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Slots = 1
	const n = 3
	var arrived sync.WaitGroup
	arrived.Add(n)
	h.sb.Manager.Fault(func(c sandbox.Call) sandbox.Fault {
		if c.Name == sandbox.CallComplete && c.Nth == 1 {
			arrived.Done()
			arrived.Wait() // none is answered before all are there
		}
		return sandbox.Fault{}
	})
	h.add(task("t1"), task("t2"), task("t3"))
	h.run()
	for _, id := range []string{"t1", "t2", "t3"} {
		snap, _ := h.sb.Manager.Task(id)
		calls := 0
		for _, c := range snap.Calls {
			if c.Name == sandbox.CallComplete {
				calls++
			}
		}
		if snap.Status != sandbox.StateProfiled || calls != 1 {
			t.Errorf("%s is %s after %d calls of complete, want one that was answered in time", id, snap.Status, calls)
		}
	}
}

// stopStore is a ledger in whose middle the runner is told to stop.
type stopStore struct {
	core.Store
	stop func()
}

func (s *stopStore) TakeList(ctx context.Context, owner string, lease time.Duration) (bool, error) {
	s.stop()
	return false, ctx.Err()
}

func TestAStopWhileTheLedgerIsAskedForTheListEndsTheRun(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h.opts.Once, h.opts.Store = false, &stopStore{Store: h.store, stop: cancel}
	r, err := runner.New(h.opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(ctx, nil); err != nil {
		t.Fatal(err)
	}
}

// TestStopCostsNoAttempt: a runner that is stopped in the middle leaves the task as it was.
func TestStopCostsNoAttempt(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Once, h.opts.Limits.Drain = false, time.Millisecond
	entered := make(chan struct{})
	h.site.phase = func(ctx context.Context, p core.Phase, _ core.Task, _ core.Session) (core.Outcome, error, bool) {
		if p == core.Register {
			close(entered)
			<-ctx.Done()
			return core.Outcome{}, ctx.Err(), true
		}
		return core.Outcome{}, nil, false
	}
	h.add(task("t1"))
	r, err := runner.New(h.opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, nil) }()
	<-entered
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	rec := h.record("t1")
	if rec.State != core.Prepared || rec.Broken != 0 {
		t.Errorf("state %s, %d broken attempts", rec.State, rec.Broken)
	}
	h.site.phase, h.opts.Once, h.opts.Owner = nil, true, "test-2"
	h.run()
	if got := h.status("t1"); got != sandbox.StateProfiled {
		t.Errorf("status %s", got)
	}
}

// TestStaleListStartsNothingAgain: the list still shows a task that was reported since.
func TestStaleListStartsNothingAgain(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.add(task("t1"))
	h.run()
	h.sb.Manager.ListAlso("t1")
	h.opts.Owner = "test-2"
	h.run()
	rec := h.record("t1")
	if rec.State != core.Reported || rec.Round != 1 || !rec.Done {
		t.Errorf("state %s, round %d, done %v", rec.State, rec.Round, rec.Done)
	}
	if n := h.site.submits["usert1"]; n != 1 {
		t.Errorf("%d submits", n)
	}
}

// TestASleeperJoinsAgain: the registration ran out while the runner slept, and
// new work must reach it all the same.
func TestASleeperJoinsAgain(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Once, h.opts.Limits.Heartbeat = false, 50*time.Millisecond
	r, err := runner.New(h.opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, nil) }()
	h.add(task("t1"))
	if _, err := h.sb.Manager.WaitTask(t.Context(), "t1", func(s sandbox.Snapshot) bool { return s.Status == sandbox.StateProfiled }); err != nil {
		t.Fatal(err)
	}
	if err := h.store.Leave(t.Context(), h.opts.Owner); err != nil {
		t.Fatal(err)
	}
	h.add(task("t2"))
	if _, err := h.sb.Manager.WaitTask(t.Context(), "t2", func(s sandbox.Snapshot) bool { return s.Status == sandbox.StateProfiled }); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
