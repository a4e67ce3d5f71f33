package ledger_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

// crashEnv makes the test binary a runner that moves tasks until it is killed.
const crashEnv = "ROLLCALL_LEDGER_CRASH"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		if err := wander(path); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// wander moves tasks at random in several goroutines. It prints "try ID STEP STATE"
// before each transaction and "ok ID STEP STATE" once it was acknowledged. The
// steps of a task rise, also where another goroutine goes on with it before the
// first has spoken.
func wander(path string) error {
	ctx := context.Background()
	l, err := openFile(path)
	if err != nil {
		return err
	}
	owner := fmt.Sprint("pid ", os.Getpid())
	if err := l.Join(ctx, owner, time.Hour); err != nil {
		return err
	}
	if err := l.PutSites(ctx, owner, []core.SiteLimits{{Domain: "s0.org", Driver: "d", Concurrency: 100}}); err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(word, id string, step int64, s core.State) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(word, id, step, s)
	}
	failed := make(chan error)
	for slot := range 4 {
		go func() {
			for n := 0; ; n++ {
				if err := wanderOnce(ctx, l, owner, fmt.Sprintf("p%d-%d-%d", os.Getpid(), slot, n), say); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

func wanderOnce(ctx context.Context, l core.Store, owner, id string, say func(string, string, int64, core.State)) error {
	task := lifeTask(1, 1)
	task.ID = id
	task.Entity = task.Entity.With(core.FieldEmail, core.Text(id+"@mail.example")).With(core.FieldUsername, core.Text(id))
	say("try", id, 0, core.Ready)
	if _, err := ledgertest.Admit(ctx, l, task, time.Time{}); err != nil {
		return err
	}
	say("ok", id, 0, core.Ready)
	rec, err := l.Claim(ctx, owner, time.Hour, nil)
	if errors.Is(err, core.ErrNothing) {
		return nil
	}
	if err != nil {
		return err
	}
	for step := rec.Lease.Epoch * 1000; rec.Lease.Owner != ""; {
		next := rec.State.Next()
		m := core.Move{To: next[rand.IntN(len(next))], Event: core.Event{Text: "wandering"}}
		open := rec.Intent != nil && rec.Intent.State == core.IntentOpen
		switch m.To {
		case core.Delayed, core.Unknown:
			m.Due = time.Now()
		case core.Intended:
			if open {
				continue // held with an open intent: its way is another
			}
			m.Intent = &core.Intent{Name: "submit", Username: core.Text(rec.ID), Password: core.Secret("p")}
		case core.Submitted:
			m.Committed = open
		case core.Confirmed:
			m.Account = &core.Account{Username: core.Text(rec.ID)}
			if open {
				m.End = core.IntentDone
			}
		case core.Refused:
			if open {
				m.End = core.IntentRefused
			}
		case core.Prepared:
			if open {
				m.End = core.IntentAbsent
			}
		case core.Reporting:
			m.Report = &core.Report{Message: "x"}
		case core.Ready:
			if open {
				continue
			}
		}
		step++
		say("try", rec.ID, step, m.To)
		if rec, err = l.Advance(ctx, rec.Lease, m); err != nil {
			return err
		}
		say("ok", rec.ID, step, rec.State)
	}
	if rec.State == core.Parked && rand.IntN(2) == 0 {
		if err := l.Retry(ctx, rec.ID, "ann"); err != nil {
			return err
		}
	}
	it, err := l.ClaimReport(ctx, owner, time.Hour)
	if errors.Is(err, core.ErrNothing) || rand.IntN(4) == 0 {
		return nil // the lease of a report ends with the next runner
	}
	if err != nil {
		return err
	}
	to := []core.State{core.Reported, core.Overtaken}[rand.IntN(2)]
	const last = math.MaxInt64
	say("try", it.TaskID, last, to)
	if err := l.SettleReport(ctx, it, to, core.Event{}); err != nil {
		return err
	}
	say("ok", it.TaskID, last, to)
	return nil
}

// step is the nth state of a task.
type step struct {
	n     int64
	state core.State
}

// TestKilledAtAnyMoment kills a runner again and again and looks at what it left.
func TestKilledAtAnyMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	acked, tried := map[string]step{}, map[string][]step{}
	for range 3 + 9/slower {
		runUntilKilled(t, path, 20+rand.IntN(600), acked, tried)
		inspect(t, path, acked, tried)
	}
	if len(acked) < 20 {
		t.Errorf("only %d tasks were seen", len(acked))
	}
}

// runUntilKilled runs a wanderer and kills it after some lines.
func runUntilKilled(t *testing.T, path string, lines int, acked map[string]step, tried map[string][]step) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashEnv+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	scan := bufio.NewScanner(out)
	for n := 0; scan.Scan(); n++ {
		var word, id string
		var s step
		if got, err := fmt.Sscan(scan.Text(), &word, &id, &s.n, &s.state); got != 4 || err != nil {
			t.Errorf("the runner says: %s", scan.Text())
			continue
		}
		switch {
		case word == "try":
			tried[id] = append(tried[id], s)
		case s.n >= acked[id].n:
			acked[id] = s
		}
		if n == lines {
			must(t, child.Process.Kill())
		}
	}
	must(t, scan.Err())
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("the runner was not killed: %v", err)
	}
}

// inspect checks the ledger that a killed runner left.
func inspect(t *testing.T, path string, acked map[string]step, tried map[string][]step) {
	t.Helper()
	l, err := openFile(path)
	must(t, err)
	defer func() { must(t, l.Close()) }()
	recs, err := l.Tasks(t.Context(), core.TaskFilter{Limit: 1_000_000})
	must(t, err)
	stored := map[string]core.Record{}
	reporting := 0
	for _, r := range recs {
		stored[r.ID] = r
		evs, err := l.Events(t.Context(), r.ID)
		must(t, err)
		last := ""
		for _, ev := range evs {
			if ev.Kind == "state" {
				last = string(ev.State)
			}
		}
		if last != string(r.State) {
			t.Errorf("%s is %s, its time line ends in %s", r.ID, r.State, last)
		}
		if r.State == core.Reporting {
			reporting++
		}
		if r.Intent != nil && r.Intent.State == core.IntentOpen {
			switch r.State {
			case core.Starting, core.Prepared, core.Refused, core.Confirmed, core.Profiled:
				t.Errorf("%s is %s with an open intent", r.ID, r.State)
			}
		}
		if (r.State == core.Confirmed || r.State == core.Profiled) && r.Account == nil {
			t.Errorf("%s is %s without an account", r.ID, r.State)
		}
		if r.Entity.Get(core.FieldPassword).Empty() {
			t.Errorf("%s lost its entity", r.ID)
		}
	}
	for id, sure := range acked {
		r, ok := stored[id]
		// More than one step may have been tried since: the next one begins as soon as
		// the ledger shows the one before, which may not have been spoken of yet.
		now, last := sure.state == r.State, sure.n
		for _, s := range tried[id] {
			now = now || s.n > sure.n && s.state == r.State
			last = max(last, s.n)
		}
		switch {
		case !ok:
			t.Errorf("%s is lost; it was acknowledged as %s", id, sure.state)
		case !now:
			t.Errorf("%s is %s; acknowledged was %v, tried %v", id, r.State, sure, tried[id])
		}
		acked[id] = step{last, r.State}
	}
	for id := range stored {
		if _, ok := acked[id]; !ok {
			acked[id] = step{0, stored[id].State} // stored, and killed before it was said
		}
	}
	clear(tried)
	// Join ends the leases of the dead, and each task in reporting has one report.
	must(t, l.Join(t.Context(), "inspector", time.Hour))
	seen := map[string]bool{}
	for {
		it, err := l.ClaimReport(t.Context(), "inspector", time.Hour)
		if errors.Is(err, core.ErrNothing) {
			break
		}
		must(t, err)
		if stored[it.TaskID].State != core.Reporting || seen[it.TaskID] {
			t.Errorf("a report of %s, which is %s", it.TaskID, stored[it.TaskID].State)
		}
		seen[it.TaskID] = true
	}
	if len(seen) != reporting {
		t.Errorf("%d tasks are in reporting, %d have a report", reporting, len(seen))
	}
}

// openFile opens a SQLite ledger outside a test.
func openFile(path string) (core.Store, error) {
	return ledger.Open(context.Background(), ledger.Options{URL: "sqlite:" + path, Keys: ledgertest.NewKey("test")})
}
