package main_test

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// state matches the line that a task enters a state.
func state(id, to string) func(entry) bool {
	return func(e entry) bool { return e.is("msg", "state", "task", id, "state", to) }
}

func TestTwoRunnersOnOnePostgresShareTheWork(t *testing.T) {
	w := newWorld(t, settings{slots: 2, concurrency: 4, store: ledgertest.Postgres(t), scripts: own(t, "300ms", "20s")})
	one, two := w.start(w.config("one")), w.start(w.config("two"))
	for _, r := range []*running{one, two} {
		r.browser() // both are ready before there is work
	}
	w.add(w.sb.Board, sandbox.StateRegister, 25)
	w.add(w.sb.Community, sandbox.StateRegister, 10)
	w.add(w.sb.Board, sandbox.StateConnect, 5)
	w.await(one)
	for _, r := range []*running{one, two} {
		r.stop()
		if n := r.count(func(e entry) bool { return e.is("msg", "state", "state", "reporting") }); n < 5 {
			t.Errorf("a runner did %d of 40 tasks\n%s", n, r.tail())
		}
	}
	w.checkDone()
	for _, task := range w.tasks {
		if n := one.count(state(task.ID, "prepared")) + two.count(state(task.ID, "prepared")); n != 1 {
			t.Errorf("task %s was prepared %d times", task.ID, n)
		}
	}
}

// TestARunnerThatSleptPastItsLeaseDoesNothingMore holds a sign-up at the site,
// stops its runner, lets the other one take over, and wakes the first.
func TestARunnerThatSleptPastItsLeaseDoesNothingMore(t *testing.T) {
	w := newWorld(t, settings{slots: 1, store: ledgertest.Postgres(t), scripts: own(t, "8s", "40s")})
	g := newGate(t)
	var first atomic.Bool
	w.sb.Board.OnCommit(func(sandbox.Submit) sandbox.CommitFault {
		if first.CompareAndSwap(false, true) {
			g.hold()
			return sandbox.CommitFault{} // an answer, which the sleeper must not act on
		}
		return sandbox.CommitFault{}
	})
	task := w.add(w.sb.Board, sandbox.StateRegister, 1)[0]
	sleeper := w.start(w.config("one"))
	g.await(t, sleeper, "the sign-up")
	other := w.start(w.config("two"))
	other.browser()
	if !sleeper.freeze() {
		t.Fatalf("the runner ended\n%s", sleeper.tail())
	}
	frozen, _ := sleeper.log()
	other.await("that the other runner probes", func(e entry) bool { return e.is("msg", "phase", "task", task.ID, "phase", "login") })
	g.open()
	w.await(other)
	before := w.sb.Board.Accounts()
	calls := len(w.sb.Manager.Calls())
	sleeper.signal(syscall.SIGCONT)
	sleeper.await("that the task is another runner's", message("the task is another runner's now"))
	sleeper.stop()
	other.stop()
	w.checkDone()
	after, _ := sleeper.log()
	for _, e := range after[len(frozen):] {
		if e.is("msg", "state", "task", task.ID) {
			t.Errorf("the woken runner moved the task: %s", e.text)
		}
	}
	if got := w.sb.Board.Accounts(); len(got) != len(before) || got[0].Saves != before[0].Saves {
		t.Errorf("the woken runner changed the site: %+v, before %+v", got, before)
	}
	for _, c := range w.sb.Manager.Calls()[calls:] {
		if c.TaskID != "" {
			t.Errorf("the woken runner called %s on the task", c.Name)
		}
	}
}

func TestASecondRunnerOnOneSQLiteFileIsRefused(t *testing.T) {
	w := newWorld(t, settings{})
	one := w.start(w.config("one"))
	one.browser()
	w.add(w.sb.Board, sandbox.StateRegister, 2)
	two := w.start(w.config("two"))
	code := two.end(patience)
	lines, _ := two.log()
	if code != exitFailed || len(lines) == 0 || !strings.Contains(lines[len(lines)-1].text, "has "+w.path("ledger/rollcall.db")+" open; stop it first") {
		t.Errorf("ended with %d and said\n%s", code, two.tail())
	}
	w.await(one)
	one.stop()
	w.checkDone()
}

// TestARunnerThatSleptWhileItReportedGoesOn lets the other runner deliver the
// report, so that the sleeper wakes with an answer that is not its own any more.
func TestARunnerThatSleptWhileItReportedGoesOn(t *testing.T) {
	w := newWorld(t, settings{slots: 1, store: ledgertest.Postgres(t)})
	g := newGate(t)
	task := w.add(w.sb.Board, sandbox.StateRegister, 1)[0]
	w.sb.Manager.Fault(func(c sandbox.Call) sandbox.Fault {
		if c.Name == sandbox.CallComplete && c.Nth == 1 && c.TaskID == task.ID {
			g.hold()
		}
		return sandbox.Fault{}
	})
	sleeper := w.start(w.config("one"))
	g.await(t, sleeper, "the report")
	if !sleeper.freeze() {
		t.Fatalf("the runner ended\n%s", sleeper.tail())
	}
	other := w.start(w.config("two"))
	w.await(other)
	other.await("that it reported the task", state(task.ID, "reported"))
	other.stop()
	g.open()
	sleeper.signal(syscall.SIGCONT)
	w.add(w.sb.Board, sandbox.StateRegister, 1)
	w.await(sleeper)
	sleeper.stop()
	w.checkDone()
}

// TestARunWaitsForAShortCommand: a command has the SQLite file open when a run starts.
func TestARunWaitsForAShortCommand(t *testing.T) {
	w := newWorld(t, settings{})
	w.add(w.sb.Board, sandbox.StateRegister, 1)
	l := w.ledger()
	r := w.start(w.config("one"), "--once")
	r.await("the run waits", message("another process has the ledger; waiting for it"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if code := r.end(patience); code != exitDone {
		t.Fatalf("ended with %d\n%s", code, r.tail())
	}
	w.checkDone()
}
