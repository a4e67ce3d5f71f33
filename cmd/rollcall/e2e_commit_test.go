package main_test

import (
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

func TestASignUpWhoseAnswerIsLostIsProbedAndNeverSentAgain(t *testing.T) {
	faults := []struct {
		site  func(*sandbox.Sandbox) *sandbox.Site
		fault sandbox.CommitFault
		posts int
	}{
		{board, sandbox.CommitFault{Kind: sandbox.Commit500}, 1},
		{board, sandbox.CommitFault{Kind: sandbox.CommitHang}, 1},
		{board, sandbox.CommitFault{Kind: sandbox.CommitReset}, 1},
		{board, sandbox.CommitFault{Kind: sandbox.CommitLate, Delay: time.Second}, 1},
		{board, sandbox.CommitFault{Kind: sandbox.CommitSlow, Delay: 3 * time.Second}, 1},
		{board, sandbox.CommitFault{Kind: sandbox.CloseReused}, 1},
		{board, sandbox.CommitFault{Kind: sandbox.CloseReused, Commit: true}, 1},
		{board, sandbox.CommitFault{Kind: sandbox.ResetReused}, 1},
		{board, sandbox.CommitFault{Kind: sandbox.ResetReused, Commit: true}, 1},
		{community, sandbox.CommitFault{Kind: sandbox.Commit500}, 1},
		{community, sandbox.CommitFault{Kind: sandbox.CommitHang}, 1},
		{community, sandbox.CommitFault{Kind: sandbox.CommitReset}, 1},
		{community, sandbox.CommitFault{Kind: sandbox.CommitLate, Delay: time.Second}, 1},
		{community, sandbox.CommitFault{Kind: sandbox.CloseReused, Commit: true}, 1},
		// Here a second sign-up is right: the probe proved that there is no account.
		{board, sandbox.CommitFault{Kind: sandbox.RefuseError}, 2},
		{board, sandbox.CommitFault{Kind: sandbox.RefuseHang}, 2},
		{community, sandbox.CommitFault{Kind: sandbox.RefuseDown}, 2},
	}
	w := newWorld(t, settings{slots: 6, scripts: own(t, "5s", "2s")})
	first := map[string]sandbox.CommitFault{}
	for _, f := range faults {
		first[w.add(f.site(w.sb), sandbox.StateRegister, 1)[0].Email] = f.fault
	}
	hook := func(s sandbox.Submit) sandbox.CommitFault {
		if s.Reused {
			t.Errorf("a sign-up came over a connection that had been used: %s", field(s, "email"))
		}
		if len(w.submitsOf(field(s, "email"))) > 0 {
			return sandbox.CommitFault{}
		}
		return first[field(s, "email")]
	}
	w.sb.Board.OnCommit(hook)
	w.sb.Community.OnCommit(hook)
	r := w.start(w.config("one"), "--once", "--wait", "60s")
	if code := r.end(2 * patience); code != exitDone {
		t.Errorf("ended with %d\n%s", code, r.tail())
	}
	for i, f := range faults {
		w.checkReported(w.tasks[i])
		w.checkSite(w.tasks[i], f.posts)
		if t.Failed() {
			t.Logf("that was: %v", f.fault)
		}
	}
	checkAbsence(t, w)
}

func board(sb *sandbox.Sandbox) *sandbox.Site     { return sb.Board }
func community(sb *sandbox.Sandbox) *sandbox.Site { return sb.Community }

// submitsOf are the sign-ups with the e-mail, on any site.
func (w *world) submitsOf(email string) []sandbox.Submit {
	var out []sandbox.Submit
	for _, s := range w.sb.Sites() {
		for _, sub := range s.Submits() {
			if field(sub, "email") == email {
				out = append(out, sub)
			}
		}
	}
	return out
}

// TestWhatNoProbeCanDecideIsLeftToAPerson uses the community's own driver, whose
// failed login proves nothing.
func TestWhatNoProbeCanDecideIsLeftToAPerson(t *testing.T) {
	w := newWorld(t, settings{})
	tasks := w.add(w.sb.Community, sandbox.StateRegister, 2)
	w.sb.Community.OnCommit(func(s sandbox.Submit) sandbox.CommitFault {
		if field(s, "email") == tasks[0].Email {
			return sandbox.CommitFault{Kind: sandbox.RefuseError}
		}
		return sandbox.CommitFault{}
	})
	r := w.start(w.config("one", "hold = \"2s\"", "hold = \"2s\"\nwithin = \"2s\""), "--once", "--wait", "10s")
	if code := r.end(patience); code != exitPerson {
		t.Errorf("ended with %d, want %d\n%s", code, exitPerson, r.tail())
	}
	if n := len(w.submits(tasks[0])); n != 1 {
		t.Errorf("%d sign-ups were sent", n)
	}
	s, _ := w.sb.Manager.Task(tasks[0].ID)
	if s.Status != sandbox.StateRegistering || s.Count(sandbox.CallFail)+s.Count(sandbox.CallComplete) != 0 {
		t.Errorf("the task manager says %s: an unknown task must not be reported", s.Status)
	}
	if rec := w.record(tasks[0].ID); rec.State != core.Unknown {
		t.Errorf("the task is %s in the ledger, want %s", rec.State, core.Unknown)
	}
	w.checkReported(tasks[1])
	w.checkSite(tasks[1], 1)
}
