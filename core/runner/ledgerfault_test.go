package runner_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// sickStore is a ledger that fails some calls, and works again.
type sickStore struct {
	core.Store
	left    atomic.Int64 // how often it fails yet
	advance func([]core.Move) bool
	note    func(core.Facts) bool
}

var errSick = errors.New("the disk failed")

func (s *sickStore) sick() bool { return s.left.Add(-1) >= 0 }

func (s *sickStore) Advance(ctx context.Context, l core.Lease, moves ...core.Move) (core.Record, error) {
	if s.advance != nil && s.advance(moves) && s.sick() {
		return core.Record{}, errSick
	}
	return s.Store.Advance(ctx, l, moves...)
}

func (s *sickStore) Note(ctx context.Context, l core.Lease, f core.Facts, ev ...core.Event) error {
	if s.note != nil && s.note(f) && s.sick() {
		return errSick
	}
	return s.Store.Note(ctx, l, f, ev...)
}

// deadStore fails every write once dead is set: the ledger as a killed runner leaves it.
type deadStore struct {
	core.Store
	dead atomic.Bool
}

var errDead = errors.New("killed")

func (d *deadStore) Advance(ctx context.Context, l core.Lease, moves ...core.Move) (core.Record, error) {
	if d.dead.Load() {
		return core.Record{}, errDead
	}
	return d.Store.Advance(ctx, l, moves...)
}

func (d *deadStore) Defer(ctx context.Context, l core.Lease, due time.Time, broken bool, ev core.Event) error {
	if d.dead.Load() {
		return errDead
	}
	return d.Store.Defer(ctx, l, due, broken, ev)
}

func (d *deadStore) Note(ctx context.Context, l core.Lease, f core.Facts, ev ...core.Event) error {
	if d.dead.Load() {
		return errDead
	}
	return d.Store.Note(ctx, l, f, ev...)
}

func (d *deadStore) Leave(context.Context, string) error { return errDead }

func to(s core.State) func([]core.Move) bool {
	return func(moves []core.Move) bool {
		return slices.ContainsFunc(moves, func(m core.Move) bool { return m.To == s })
	}
}

func has(fact string) func(core.Facts) bool {
	return func(f core.Facts) bool { return !f[fact].Empty() }
}

// TestALedgerThatFailsCostsNoAttempt: what the ledger fails at inside a phase is
// neither the driver's fault nor the site's. Where that can happen more than once,
// the ledger fails more often than a phase may break and a site may fail.
func TestALedgerThatFailsCostsNoAttempt(t *testing.T) {
	const often = 4
	enrols := func(ctx context.Context, _ *site, p core.Phase, _ core.Task, ses core.Session) (core.Outcome, error, bool) {
		if p == core.Profile {
			_ = ses.Services.EnrolTOTP(ctx, core.Secret("JBSWY3DPEHPK3PXP")) // a driver that looks away
		}
		return core.Outcome{}, nil, false
	}
	learns := func(ctx context.Context, s *site, p core.Phase, t core.Task, ses core.Session) (core.Outcome, error, bool) {
		o, err := s.obey(ctx, p, t, ses)
		if p == core.Register {
			o.Facts = core.Facts{"seen": core.Text("1")}
		}
		return o, err, true
	}
	for _, c := range []struct {
		name  string
		store *sickStore
		times int64
		phase func(context.Context, *site, core.Phase, core.Task, core.Session) (core.Outcome, error, bool)
	}{
		{name: "the intent", store: &sickStore{advance: to(core.Intended)}, times: often},
		{name: "the site's answer", store: &sickStore{advance: to(core.Submitted)}, times: 1},
		{name: "the proof", store: &sickStore{advance: to(core.Confirmed)}, times: often},
		{name: "a secret", store: &sickStore{note: has("_totp")}, times: often, phase: enrols},
		{name: "what a phase has learnt", store: &sickStore{note: has("seen")}, times: 1, phase: learns},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, sandbox.Options{})
			if c.phase != nil {
				h.site.phase = func(ctx context.Context, p core.Phase, t core.Task, ses core.Session) (core.Outcome, error, bool) {
					return c.phase(ctx, h.site, p, t, ses)
				}
			}
			h.opts.Limits.Attempts, h.opts.Limits.PauseAfter = often-1, often-1
			c.store.Store = h.store
			c.store.left.Store(c.times)
			h.opts.Store = c.store
			h.add(task("t1"))
			h.run()
			if left := c.store.left.Load(); left > 0 {
				t.Fatalf("the ledger should have failed %d times more", left)
			}
			rec := h.record("t1")
			if rec.State != core.Reported || !rec.Done || rec.Broken != 0 {
				t.Errorf("state %s, done %t, %d broken attempts", rec.State, rec.Done, rec.Broken)
			}
			if got := h.status("t1"); got != sandbox.StateProfiled {
				t.Errorf("status %s", got)
			}
			if n := h.site.submits["usert1"]; n != 1 {
				t.Errorf("%d sign-ups", n)
			}
			for name, want := range map[string]bool{"_totp": c.name == "a secret", "seen": c.name == "what a phase has learnt"} {
				if got := !rec.Facts[name].Empty(); got != want {
					t.Errorf("the fact %s is there: %t, want %t", name, got, want)
				}
			}
		})
	}
}
