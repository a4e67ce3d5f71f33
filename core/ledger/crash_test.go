package ledger_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// wander moves tasks at random in several goroutines. It prints "try ID STATE"
// before each transaction and "ok ID STATE" once it was acknowledged.
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
	say := func(word, id string, s core.State) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(word, id, s)
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

func wanderOnce(ctx context.Context, l core.Store, owner, id string, say func(string, string, core.State)) error {
	task := lifeTask(1, 1)
	task.ID = id
	task.Entity = task.Entity.With(core.FieldEmail, core.Text(id+"@mail.example")).With(core.FieldUsername, core.Text(id))
	say("try", id, core.Ready)
	if _, err := l.Admit(ctx, task, time.Time{}); err != nil {
		return err
	}
	say("ok", id, core.Ready)
	rec, err := l.Claim(ctx, owner, time.Hour)
	if errors.Is(err, core.ErrNothing) {
		return nil
	}
	if err != nil {
		return err
	}
	for rec.Lease.Owner != "" {
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
		say("try", rec.ID, m.To)
		if rec, err = l.Advance(ctx, rec.Lease, m); err != nil {
			return err
		}
		say("ok", rec.ID, rec.State)
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
	say("try", it.TaskID, to)
	if err := l.SettleReport(ctx, it, to, core.Event{}); err != nil {
		return err
	}
	say("ok", it.TaskID, to)
	return nil
}

// TestKilledAtAnyMoment kills a runner again and again and looks at what it left.
func TestKilledAtAnyMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	acked, tried := map[string]core.State{}, map[string]core.State{}
	for range 12 {
		runUntilKilled(t, path, 20+rand.IntN(600), acked, tried)
		inspect(t, path, acked, tried)
	}
	if len(acked) < 50 {
		t.Errorf("only %d tasks were seen", len(acked))
	}
}

// runUntilKilled runs a wanderer and kills it after some lines.
func runUntilKilled(t *testing.T, path string, lines int, acked, tried map[string]core.State) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashEnv+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	scan := bufio.NewScanner(out)
	for n := 0; scan.Scan(); n++ {
		word, rest, _ := strings.Cut(scan.Text(), " ")
		id, state, _ := strings.Cut(rest, " ")
		switch word {
		case "try":
			tried[id] = core.State(state)
		case "ok":
			acked[id] = core.State(state)
			delete(tried, id)
		default:
			t.Errorf("the runner says: %s", scan.Text())
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
func inspect(t *testing.T, path string, acked, tried map[string]core.State) {
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
	for id, state := range acked {
		r, ok := stored[id]
		switch {
		case !ok:
			t.Errorf("%s is lost; it was acknowledged as %s", id, state)
		case r.State != state && r.State != tried[id]:
			t.Errorf("%s is %s; acknowledged was %s, tried %q", id, r.State, state, tried[id])
		default:
			acked[id] = r.State
		}
	}
	for id := range stored {
		if _, ok := acked[id]; !ok {
			acked[id] = stored[id].State // stored, and killed before it was said
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
