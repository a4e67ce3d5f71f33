package runner_test

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// simWorkers are the driver's processes.
type simWorkers struct{ m *simMachine }

func (s simWorkers) Slot(string) core.Worker { return &simWorker{m: s.m} }
func (s simWorkers) Close() error            { return nil }

type simWorker struct{ m *simMachine }

func (s *simWorker) Close() error { return nil }

// Run is a driver that does its best on a site that has bad days.
func (s *simWorker) Run(ctx context.Context, _ core.Binding, p core.Phase, t core.Task, ses core.Session) (core.Outcome, error) {
	w := s.m.w
	s.m.pages.visit(s.m, ses.ContextID, t.ID)
	w.mu.Lock()
	r, calm := w.roll("phase", p, t.ID), w.calm
	w.mu.Unlock()
	if err := simAway(ctx, upTo(r, 4*time.Second)); err != nil {
		return core.Outcome{}, err
	}
	if err := s.m.step(p, t.ID); err != nil {
		return core.Outcome{}, err
	}
	if o, err, bad := badDay(ctx, r, p, ses, calm); bad {
		return o, err
	}
	if err := s.m.step(p, t.ID, "begins"); err != nil {
		return core.Outcome{}, err
	}
	user := t.Entity.Get(core.FieldUsername).Reveal()
	switch p {
	case core.Register:
		return s.register(ctx, r, t, ses, calm)
	case core.Confirm, core.Verify:
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.accounts[user] == nil && p == core.Verify {
			w.proves(w.tasks[t.ID])
			return core.Outcome{Status: core.Absent}, nil
		}
		if w.accounts[user] == nil {
			return core.Outcome{Status: core.Waiting, Code: core.Pending, Reason: "not yet"}, nil
		}
	case core.Login:
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.login(t) == nil {
			w.proves(w.tasks[t.ID])
			return core.Outcome{Status: core.Rejected, Code: core.BadCredentials, Reason: "wrong name or password"}, nil
		}
	case core.Profile, core.ConnectPhase:
		w.mu.Lock()
		defer w.mu.Unlock()
		a := w.login(t)
		if a == nil {
			return core.Outcome{}, &core.Fault{Code: core.LayoutChanged, Phase: p, Verb: "open", Why: "nobody is signed in"}
		}
		a.profile = true
		return core.Outcome{Status: core.Done, Facts: core.Facts{core.FactLinkProfile: core.Text("http://site.test/u/" + user)}}, nil
	}
	return core.Outcome{Status: core.Done}, nil
}

// badDay is what goes wrong before a phase has done anything.
func badDay(ctx context.Context, r *rand.Rand, p core.Phase, ses core.Session, calm bool) (core.Outcome, error, bool) {
	kind := r.IntN(40)
	if calm {
		kind = 39
	}
	switch kind {
	case 0, 1, 2:
		return core.Outcome{}, &core.Fault{Code: core.LayoutChanged, Phase: p, Verb: "click", Locator: "#go", Why: "nothing matches"}, true
	case 3:
		return core.Outcome{}, &core.Fault{Code: core.Crashed, Phase: p, Why: "the renderer died"}, true
	case 4, 5:
		return core.Outcome{Status: core.Waiting, Code: core.RateLimited, Reason: "slow down", After: upTo(r, 3*time.Minute)}, nil, true
	case 6:
		return core.Outcome{Status: core.Blocked, Code: core.Captcha, Reason: "prove that you are a person"}, nil, true
	case 7:
		if _, err := ses.Services.Human(ctx, core.Ask{Kind: core.AskAct, Code: core.Captcha, Say: "solve it"}); err != nil {
			return core.Outcome{Status: core.Blocked, Code: core.Captcha, Reason: "solve it"}, nil, true
		}
	case 8:
		<-ctx.Done() // a page that never answers
		return core.Outcome{}, ctx.Err(), true
	case 9:
		if p == core.Register {
			return core.Outcome{Status: core.Rejected, Code: core.InvalidInput, Field: "username", Reason: "too short"}, nil, true
		}
	case 10:
		if p == core.Register && r.IntN(3) == 0 {
			return core.Outcome{Status: core.Done}, nil, true // a lie
		}
	}
	return core.Outcome{}, nil, false
}

func (s *simWorker) register(ctx context.Context, r *rand.Rand, t core.Task, ses core.Session, calm bool) (core.Outcome, error) {
	if err := ses.Services.Commit(ctx, "sign up", nil); err != nil {
		return core.Outcome{}, err
	}
	if !calm { // the click takes its time
		if err := simAway(ctx, upTo(r, []time.Duration{time.Second, time.Second, 50 * time.Second}[r.IntN(3)])); err != nil {
			return core.Outcome{}, err
		}
	}
	if err := s.m.gates.of(ses).pass(t.ID); err != nil {
		return core.Outcome{}, err
	}
	made, err := s.m.w.submit(ctx, t)
	if err != nil {
		return core.Outcome{}, err
	}
	if err := ses.Services.Committed(ctx, "sign up"); err != nil {
		return core.Outcome{}, err
	}
	if !made {
		return core.Outcome{Status: core.Rejected, Code: core.AlreadyExists, Field: core.FieldUsername, Reason: "that name is taken"}, nil
	}
	return core.Outcome{Status: core.Done}, nil
}
