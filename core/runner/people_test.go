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

// asking makes register ask a person for a word before it commits.
func (h *house) asking(ask core.Ask, got func(core.Answer)) {
	h.site.phase = func(ctx context.Context, p core.Phase, tk core.Task, s core.Session) (core.Outcome, error, bool) {
		if p != core.Register {
			return core.Outcome{}, nil, false
		}
		a, err := s.Services.Human(ctx, ask)
		if errors.Is(err, core.ErrAway) {
			return core.Outcome{Status: core.Blocked, Code: ask.Code, Reason: ask.Say}, nil, true
		}
		if err != nil {
			return core.Outcome{}, err, true
		}
		got(a)
		o, err := h.site.obey(ctx, p, tk, s)
		return o, err, true
	}
}

func (h *house) openAsk() core.AskRow {
	h.t.Helper()
	asks, err := h.store.Asks(h.t.Context(), false)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(asks) != 1 {
		h.t.Fatalf("%d open questions, want 1", len(asks))
	}
	return asks[0]
}

var captcha = core.Ask{Kind: core.AskAnswer, Code: core.Captcha, Say: "type the word"}

func TestNobodyThereParksAndAnAnswerGoesOn(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	var answer string
	h.asking(captcha, func(a core.Answer) { answer = a.Text.Reveal() })
	h.add(task("t1"))
	h.run()
	if got := h.record("t1").State; got != core.Parked {
		t.Fatalf("state %s, want parked", got)
	}
	if len(h.site.submits) != 0 {
		t.Fatal("something was submitted while nobody answered")
	}
	if h.site.pages != 0 {
		t.Error("a parked task keeps a page")
	}
	ask := h.openAsk()
	if ask.Held || ask.Shot == "" || ask.Ask.Say != captcha.Say {
		t.Errorf("the question: %+v", ask)
	}
	if err := h.store.AnswerAsk(t.Context(), ask.ID, "kite", "test"); err != nil {
		t.Fatal(err)
	}
	h.opts.Owner = "test-2"
	h.run()
	if answer != "kite" {
		t.Errorf("the driver got %q", answer)
	}
	if got := h.status("t1"); got != sandbox.StateProfiled {
		t.Errorf("status %s", got)
	}
}

func TestHeldTaskIsAnsweredAndDoesNotBlockOthers(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Slots, h.opts.Limits.HumanHold = 1, time.Minute
	var answer string
	asked := h.site.phase
	h.asking(captcha, func(a core.Answer) { answer = a.Text.Reveal() })
	asked = h.site.phase
	h.site.phase = func(ctx context.Context, p core.Phase, tk core.Task, s core.Session) (core.Outcome, error, bool) {
		if tk.ID != "t1" {
			return core.Outcome{}, nil, false
		}
		return asked(ctx, p, tk, s)
	}
	h.add(task("t1"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.run()
	}()
	h.waitHeld()
	// The only slot is held; another task must run nevertheless.
	h.add(task("t2"))
	if _, err := h.sb.Manager.WaitTask(t.Context(), "t2", func(s sandbox.Snapshot) bool { return s.Status == sandbox.StateProfiled }); err != nil {
		t.Fatal(err)
	}
	ask := h.openAsk()
	if !ask.Held {
		t.Error("the page is not open")
	}
	if err := h.store.AnswerAsk(t.Context(), ask.ID, "kite", "test"); err != nil {
		t.Fatal(err)
	}
	<-done
	if answer != "kite" || h.status("t1") != sandbox.StateProfiled {
		t.Errorf("answer %q, status %s", answer, h.status("t1"))
	}
}

func TestUnansweredQuestionExpiresAndFails(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Limits.HumanExpires = 100 * time.Millisecond
	h.opts.Limits.HumanHold = time.Millisecond
	h.asking(captcha, func(core.Answer) { t.Error("there was no answer") })
	h.add(task("t1"))
	h.opts.Once = false
	r, err := runner.New(h.opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, nil) }()
	snap, err := h.sb.Manager.WaitTask(t.Context(), "t1", func(s sandbox.Snapshot) bool { return s.Status == sandbox.StateRegisterFailed })
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(snap.Result.ErrorMessage, "captcha") {
		t.Errorf("message %q", snap.Result.ErrorMessage)
	}
	if len(h.site.submits) != 0 {
		t.Error("something was submitted")
	}
}

func TestTermsAreAcceptedByConfigurationOrAPerson(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	terms := core.Ask{Kind: core.AskAgree, Code: core.Terms, Say: "accept the terms", URL: "http://site.test/terms", Hash: "ab12"}
	h.asking(terms, func(core.Answer) {})
	h.add(task("t1"))
	h.run()
	if got := h.record("t1").State; got != core.Parked {
		t.Fatalf("without configuration: %s, want parked", got)
	}
	if err := h.store.AnswerAsk(t.Context(), h.openAsk().ID, "", "test"); err != nil {
		t.Fatal(err)
	}
	h.opts.Owner = "test-2"
	h.run()
	if got := h.status("t1"); got != sandbox.StateProfiled {
		t.Errorf("status %s", got)
	}
}

func TestSignsEndTheQuestion(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Limits.HumanHold = time.Minute
	held := make(chan struct{}, 1)
	h.opts.Observe = func(n runner.Notice) {
		if n.State == core.Held {
			held <- struct{}{}
		}
	}
	h.site.phase = func(ctx context.Context, p core.Phase, tk core.Task, s core.Session) (core.Outcome, error, bool) {
		if p != core.Register {
			return core.Outcome{}, nil, false
		}
		ask, cancel := context.WithCancel(ctx)
		go func() { <-held; cancel() }()
		if _, err := s.Services.Human(ask, core.Ask{Kind: core.AskAct, Code: core.Captcha, Say: "solve it"}); err == nil {
			t.Error("a withdrawn question was answered")
		}
		o, err := h.site.obey(ctx, p, tk, s)
		return o, err, true
	}
	h.add(task("t1"))
	h.run()
	if got := h.status("t1"); got != sandbox.StateProfiled {
		t.Errorf("status %s", got)
	}
	if asks, err := h.store.Asks(t.Context(), false); err != nil || len(asks) != 0 {
		t.Errorf("open questions: %v, %v", asks, err)
	}
}

// TestHandOver: what a person does with the page before the commit counts.
func TestHandOver(t *testing.T) {
	for _, c := range []struct {
		name    string
		sent    int    // requests the page sent in the person's hands
		answer  string // of the person
		exists  bool   // the person's submit made the account
		want    string // at the task manager
		submits int    // of the driver
	}{
		{"nothing sent: withdrawn, the driver submits", 0, "", false, sandbox.StateProfiled, 1},
		{"sent, and the account is there: the driver may not submit again", 1, "", true, sandbox.StateProfiled, 0},
		{"the person says so", 0, runner.Submitted, true, sandbox.StateProfiled, 0},
		{"sent, and no account: unknown", 1, "", false, sandbox.StateRegistering, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, sandbox.Options{})
			h.opts.Limits.HumanHold = time.Minute
			h.site.sent = c.sent
			if c.exists {
				h.site.accounts["usert1"] = "Pass-word-t1"
			}
			h.asking(core.Ask{Kind: core.AskAct, Code: core.Captcha, Say: "solve it"}, func(core.Answer) {})
			h.add(task("t1"))
			done := make(chan struct{})
			go func() {
				defer close(done)
				h.run()
			}()
			h.waitHeld()
			if err := h.store.AnswerAsk(t.Context(), h.openAsk().ID, c.answer, "test"); err != nil {
				t.Fatal(err)
			}
			<-done
			if got := h.status("t1"); got != c.want {
				t.Errorf("status %s, want %s", got, c.want)
			}
			if n := h.site.submits["usert1"]; n != c.submits {
				t.Errorf("the driver submitted %d times, want %d", n, c.submits)
			}
		})
	}
}

// TestHandOverAbandoned: the runner died while a person had the page.
func TestHandOverAbandoned(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Once, h.opts.Limits.HumanHold, h.opts.Limits.Drain = false, time.Minute, time.Millisecond
	h.asking(core.Ask{Kind: core.AskAct, Code: core.Captcha, Say: "solve it"}, func(core.Answer) {})
	h.add(task("t1"))
	dead := &deadStore{Store: h.store}
	h.opts.Store = dead
	r, err := runner.New(h.opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, nil) }()
	h.waitHeld()
	dead.dead.Store(true) // from here on nothing is written, as after a kill
	cancel()
	<-done
	if got := h.record("t1").State; got != core.Held {
		t.Fatalf("state %s, want held", got)
	}
	h.opts.Store, h.opts.Once, h.opts.Owner, h.site.phase = h.store, true, "test-2", nil
	h.run()
	if got := h.record("t1").State; got != core.Unknown {
		t.Errorf("state %s, want unknown: the person may have submitted", got)
	}
	if n := h.site.submits["usert1"]; n != 0 {
		t.Errorf("%d submits", n)
	}
}
