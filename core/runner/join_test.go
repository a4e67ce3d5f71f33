package runner_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// restarting is a ledger whose database does not answer the first few calls of
// a runner that starts.
type restarting struct {
	core.Store
	fail func(call string) error
}

func (s *restarting) Join(ctx context.Context, owner string, lease time.Duration) error {
	if err := s.fail("join"); err != nil {
		return err
	}
	return s.Store.Join(ctx, owner, lease)
}

func (s *restarting) PutSites(ctx context.Context, owner string, sites []core.SiteLimits) error {
	if err := s.fail("sites"); err != nil {
		return err
	}
	return s.Store.PutSites(ctx, owner, sites)
}

// away is what a ledger says of a database that may come back.
type away struct{ error }

func (away) Temporary() bool { return true }

func TestARunnerStartsWhileItsDatabaseIsRestarted(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	calls := map[string]int{}
	h.opts.Store = &restarting{Store: h.store, fail: func(call string) error {
		if calls[call]++; calls[call] <= 2 {
			return away{errors.New("the database is starting up")}
		}
		return nil
	}}
	h.add(task("t1"))
	h.run()
	if got := h.record("t1").State; got != core.Reported {
		t.Errorf("the task is %s", got)
	}
	// Two joins fail, and two more go with sites that fail.
	if calls["join"] != 5 {
		t.Errorf("joined %d times", calls["join"])
	}
}

func TestARunnerDoesNotStartOnALedgerThatRefusesIt(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Store = &restarting{Store: h.store, fail: func(string) error { return errors.New("another master key") }}
	r, err := runner.New(h.opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "another master key") {
		t.Errorf("the run ended with %v", err)
	}
}
