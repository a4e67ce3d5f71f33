package runner_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

func TestTasksBecomeProfiles(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	for i := range 20 {
		h.add(task(fmt.Sprint("t", i)))
	}
	tally := h.run()
	for i := range 20 {
		id := fmt.Sprint("t", i)
		if got := h.status(id); got != sandbox.StateProfiled {
			t.Errorf("%s is %s at the task manager", id, got)
		}
		if got := tally.Tasks[id]; got != core.Reported {
			t.Errorf("%s is %s in the tally", id, got)
		}
		if n := h.site.submits["user"+id]; n != 1 {
			t.Errorf("%s was submitted %d times", id, n)
		}
	}
	snap, _ := h.sb.Manager.Task("t1")
	if want := "http://site.test/u/usert1"; snap.Result.LinkProfile != want {
		t.Errorf("link_profile = %q, want %q", snap.Result.LinkProfile, want)
	}
	if snap.Result.Username != "" || snap.Result.Password != "" {
		t.Errorf("the report repeats credentials that did not change: %+v", snap.Result)
	}
	err := h.store.Accounts(t.Context(), func(a core.Account) error {
		if want := "http://site.test/u/user" + a.TaskID; a.LinkProfile != want {
			t.Errorf("the account of %s has the profile %q, want %q", a.TaskID, a.LinkProfile, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if h.site.pages != 0 {
		t.Errorf("%d browser contexts are left", h.site.pages)
	}
}

func TestNothingIsStartedThatCannotRun(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	other := task("x1")
	other.Domain = "stranger.test"
	h.add(other, task("t1"))
	tally := h.run()
	if got := h.status("x1"); got != sandbox.StateRegister {
		t.Errorf("a task nobody allowed is %s", got)
	}
	if b := tally.HeldBack["stranger.test"]; b.Tasks != 1 || b.Command == "" {
		t.Errorf("held back: %+v", b)
	}
	for _, c := range h.sb.Manager.Calls() {
		if c.TaskID == "x1" {
			t.Errorf("the task manager was called about it: %+v", c)
		}
	}
}

// TestFullHeadOfList: tasks that can't be run fill the head of the list.
func TestFullHeadOfList(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Limits.ListLimit = 4
	for i := range 30 {
		s := task(fmt.Sprint("x", i))
		s.Domain = "stranger.test"
		h.add(s)
	}
	h.add(task("t1"))
	h.run()
	if got := h.status("t1"); got != sandbox.StateProfiled {
		t.Errorf("the task behind them is %s", got)
	}
}

func TestRejectedIsFailedOnceAndStands(t *testing.T) {
	h := newHouse(t, sandbox.Options{MaxRetries: 2})
	h.site.accounts["usert1"] = "someone else's"
	h.add(task("t1"))
	h.run()
	snap, _ := h.sb.Manager.Task("t1")
	if snap.Status != sandbox.StateRegisterFailed || !strings.Contains(snap.Result.ErrorMessage, "taken") {
		t.Errorf("status %s, message %q", snap.Status, snap.Result.ErrorMessage)
	}
	if n := h.site.submits["usert1"]; n != 1 {
		t.Errorf("the site was asked %d times; its answer stands", n)
	}
	if n := h.site.count("t1 register"); n != 1 {
		t.Errorf("register ran %d times", n)
	}
	if snap.Retries != 2 {
		t.Errorf("the retry manager queued it %d times, want 2", snap.Retries)
	}
}

func TestVariantIsReported(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.site.onExists = "variant"
	h.site.accounts["usert1"] = "someone else's"
	h.add(task("t1"))
	h.run()
	snap, _ := h.sb.Manager.Task("t1")
	if snap.Status != sandbox.StateProfiled || snap.Result.Username == "" || snap.Result.Username == "usert1" {
		t.Fatalf("status %s, username %q", snap.Status, snap.Result.Username)
	}
	if n := h.site.submits[snap.Result.Username]; n != 1 {
		t.Errorf("the variant was submitted %d times", n)
	}
}

func TestAdoptOnlyWithOwnCredentials(t *testing.T) {
	for _, c := range []struct{ name, password, want string }{
		{"ours", "Pass-word-t1", sandbox.StateProfiled},
		{"another's", "other", sandbox.StateRegisterFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, sandbox.Options{})
			h.site.onExists = "adopt"
			h.site.accounts["usert1"] = c.password
			h.add(task("t1"))
			h.run()
			if got := h.status("t1"); got != c.want {
				t.Errorf("status %s, want %s", got, c.want)
			}
			if n := h.site.submits["usert1"]; n != 1 {
				t.Errorf("%d submits", n)
			}
		})
	}
}

// TestLostAnswerIsProbed: the submit arrived, its answer did not.
func TestLostAnswerIsProbed(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.site.phase = func(ctx context.Context, p core.Phase, tk core.Task, s core.Session) (core.Outcome, error, bool) {
		if p != core.Register {
			return core.Outcome{}, nil, false
		}
		if err := s.Services.Commit(ctx, "sign up", nil); err != nil {
			return core.Outcome{}, err, true
		}
		h.site.submit(tk.Entity.Get("username").Reveal(), tk.Entity.Get("password").Reveal())
		return core.Outcome{}, &core.Fault{Code: core.Timeout, Verb: "commit", Why: "no sign in 60s"}, true
	}
	h.add(task("t1"))
	h.run()
	if got := h.status("t1"); got != sandbox.StateProfiled {
		t.Errorf("status %s", got)
	}
	if n := h.site.submits["usert1"]; n != 1 {
		t.Errorf("%d submits", n)
	}
}

// TestUndecidedIsUnknownAndNeverFailed: the submit may or may not have arrived.
func TestUndecidedIsUnknownAndNeverFailed(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.site.phase = func(ctx context.Context, p core.Phase, tk core.Task, s core.Session) (core.Outcome, error, bool) {
		if p != core.Register {
			return core.Outcome{}, nil, false
		}
		if err := s.Services.Commit(ctx, "sign up", nil); err != nil {
			return core.Outcome{}, err, true
		}
		return core.Outcome{}, &core.Fault{Code: core.Timeout, Verb: "commit", Why: "no sign in 60s"}, true
	}
	h.add(task("t1"))
	h.run()
	if got := h.record("t1").State; got != core.Unknown {
		t.Fatalf("state %s, want unknown", got)
	}
	if got := h.status("t1"); got != sandbox.StateRegistering {
		t.Errorf("the task manager was told: %s", got)
	}
	if n := h.site.count("t1 register"); n != 1 {
		t.Errorf("register ran %d times", n)
	}

	// A person knows, and the task goes on.
	h.site.mu.Lock()
	h.site.accounts["usert1"] = "Pass-word-t1"
	h.site.mu.Unlock()
	if err := h.store.Resolve(t.Context(), "t1", core.VerdictCreated, "test"); err != nil {
		t.Fatal(err)
	}
	h.opts.Owner = "test-2"
	h.run()
	if got := h.status("t1"); got != sandbox.StateProfiled {
		t.Errorf("after a person's word: %s", got)
	}
}

func TestAuthoritativeAbsenceAllowsAnother(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.site.manifest.Probe = core.Probe{Authoritative: true, Settle: 10 * time.Millisecond}
	h.opts.Limits.Lease = 200 * time.Millisecond
	lost := true
	h.site.phase = func(ctx context.Context, p core.Phase, tk core.Task, s core.Session) (core.Outcome, error, bool) {
		if p != core.Register || !lost {
			return core.Outcome{}, nil, false
		}
		lost = false
		if err := s.Services.Commit(ctx, "sign up", nil); err != nil {
			return core.Outcome{}, err, true
		}
		return core.Outcome{}, &core.Fault{Code: core.Crashed, Why: "the browser died"}, true
	}
	h.add(task("t1"))
	h.run()
	if got := h.status("t1"); got != sandbox.StateProfiled {
		t.Errorf("status %s", got)
	}
	if n := h.site.submits["usert1"]; n != 1 {
		t.Errorf("%d submits", n)
	}
}

func TestBrokenRunsAreTriedThenFailed(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.site.phase = func(_ context.Context, p core.Phase, _ core.Task, _ core.Session) (core.Outcome, error, bool) {
		return core.Outcome{}, errBroken, p == core.Register
	}
	h.add(task("t1"))
	h.run()
	snap, _ := h.sb.Manager.Task("t1")
	if snap.Status != sandbox.StateRegisterFailed || !strings.Contains(snap.Result.ErrorMessage, "nothing matches") {
		t.Errorf("status %s, message %q", snap.Status, snap.Result.ErrorMessage)
	}
	if n := h.site.count("t1 register"); n != 3 {
		t.Errorf("register ran %d times, want 3", n)
	}
}

func TestSameCausePausesTheSite(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Slots = 1
	h.site.phase = func(_ context.Context, p core.Phase, _ core.Task, _ core.Session) (core.Outcome, error, bool) {
		return core.Outcome{}, errBroken, p == core.Register
	}
	for i := range 10 {
		h.add(task(fmt.Sprint("t", i)))
	}
	h.run()
	n := 0
	for i := range 10 {
		n += h.site.count(fmt.Sprintf("t%d register", i))
	}
	if n != 5 {
		t.Errorf("the site was visited %d times before it was paused, want 5", n)
	}
	sites, err := h.store.Sites(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(sites) != 1 || sites[0].PausedUntil.IsZero() {
		t.Errorf("sites: %+v", sites)
	}
}

func TestDoneWithoutCommitIsTheDriversFault(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.site.phase = func(_ context.Context, p core.Phase, _ core.Task, _ core.Session) (core.Outcome, error, bool) {
		return core.Outcome{Status: core.Done}, nil, p == core.Register
	}
	h.add(task("t1"), task("t2"))
	h.opts.Slots = 1
	h.run()
	if got := h.record("t1").State; got != core.Unknown {
		t.Errorf("t1 is %s, want unknown", got)
	}
	if n := h.site.count("t2 register"); n != 0 {
		t.Error("the faulty driver ran again")
	}
}

func TestCommitOpensOnce(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	var second, login error
	h.site.phase = func(ctx context.Context, p core.Phase, _ core.Task, s core.Session) (core.Outcome, error, bool) {
		switch p {
		case core.Register:
			_ = s.Services.Commit(ctx, "sign up", nil)
			second = s.Services.Commit(ctx, "sign up", nil)
			h.site.submit("usert1", "Pass-word-t1")
			return core.Outcome{Status: core.Done}, s.Services.Committed(ctx, "sign up"), true
		case core.Login:
			login = s.Services.Commit(ctx, "again", nil)
		}
		return core.Outcome{}, nil, false
	}
	h.add(task("t1"))
	h.run()
	if second == nil || login == nil {
		t.Errorf("second commit: %v, commit in login: %v", second, login)
	}
	if got := h.status("t1"); got != sandbox.StateProfiled {
		t.Errorf("status %s", got)
	}
}

func TestProfileFailureKeepsTheAccount(t *testing.T) {
	h := newHouse(t, sandbox.Options{MaxRetries: 1})
	broken := 3
	h.site.phase = func(_ context.Context, p core.Phase, _ core.Task, _ core.Session) (core.Outcome, error, bool) {
		if p == core.Profile && broken > 0 {
			broken--
			return core.Outcome{}, errBroken, true
		}
		return core.Outcome{}, nil, false
	}
	h.add(task("t1"))
	h.run()
	snap, _ := h.sb.Manager.Task("t1")
	if snap.Status != sandbox.StateProfiled || snap.Retries != 1 {
		t.Errorf("status %s after %d retries", snap.Status, snap.Retries)
	}
	if n := h.site.submits["usert1"]; n != 1 {
		t.Errorf("%d submits", n)
	}
	if n := h.site.count("t1 register"); n != 1 {
		t.Errorf("register ran %d times: the account was there", n)
	}
}

func TestConnect(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	tk := task("t1")
	tk.Status, tk.EntityConnect = sandbox.StateConnect, []string{"https://a.example/x"}
	h.site.accounts["usert1"] = "Pass-word-t1"
	h.add(tk)
	h.run()
	if got := h.status("t1"); got != sandbox.StateCompleted {
		t.Errorf("status %s", got)
	}
	if n := h.site.count("t1 register"); n != 0 {
		t.Error("a connect task was registered")
	}
}

func TestConnectRefusedIsSwitchedOff(t *testing.T) {
	h := newHouse(t, sandbox.Options{Connect: sandbox.ConnectRefused})
	for i := range 5 {
		tk := task(fmt.Sprint("c", i))
		tk.Status = sandbox.StateConnect
		h.add(tk)
	}
	h.opts.Slots = 1
	h.add(task("t1"))
	h.run()
	starts := 0
	for _, c := range h.sb.Manager.Calls() {
		if c.Name == sandbox.CallStart && strings.HasPrefix(c.TaskID, "c") {
			starts++
		}
	}
	if starts != 1 {
		t.Errorf("%d connect tasks were tried, want 1", starts)
	}
	if got := h.status("t1"); got != sandbox.StateProfiled {
		t.Errorf("the register task is %s", got)
	}
}

func TestMissingNeedIsFailedWithoutAVisit(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	tk := task("t1")
	tk.Email = ""
	h.add(tk)
	h.run()
	snap, _ := h.sb.Manager.Task("t1")
	if snap.Status != sandbox.StateRegisterFailed || !strings.Contains(snap.Result.ErrorMessage, "email") {
		t.Errorf("status %s, message %q", snap.Status, snap.Result.ErrorMessage)
	}
	if len(h.site.phases) != 0 {
		t.Errorf("the site was visited: %v", h.site.phases)
	}
}
