package main_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

func (w *world) site(t sandbox.Task) *sandbox.Site {
	for _, s := range w.sb.Sites() {
		if s.Domain == t.Domain {
			return s
		}
	}
	w.t.Fatalf("no site %s", t.Domain)
	return nil
}

// submits are the sign-ups of the task that arrived, whatever became of them.
func (w *world) submits(t sandbox.Task) []sandbox.Submit {
	return slices.DeleteFunc(w.site(t).Submits(), func(s sandbox.Submit) bool { return field(s, "email") != t.Email })
}

// field is a field of the form that was posted.
func field(s sandbox.Submit, name string) string {
	form, err := url.ParseQuery(string(s.Body))
	if err != nil {
		return ""
	}
	return form.Get(name)
}

// checkSite compares what the site knows of the task with what it must: one
// account, the links on it, and so many sign-ups on the wire.
func (w *world) checkSite(t sandbox.Task, posts int) {
	w.t.Helper()
	var own []sandbox.Account
	for _, a := range w.site(t).Accounts() {
		if strings.EqualFold(a.Email, t.Email) {
			own = append(own, a)
		}
	}
	if len(own) != 1 {
		w.t.Errorf("task %s (%s) has %d accounts, want 1", t.ID, t.Username, len(own))
		return
	}
	links := t.EntityConnect
	if t.Status != sandbox.StateConnect {
		links = []string{t.Website}
	}
	for _, link := range links {
		if !slices.Contains(own[0].Links, link) && !strings.Contains(own[0].Profile["signature"], link) {
			w.t.Errorf("task %s (%s): %s is not on the profile", t.ID, t.Username, link)
		}
	}
	if got := w.submits(t); len(got) != posts {
		w.t.Errorf("task %s (%s): %d sign-ups were sent, want %d: %s", t.ID, t.Username, len(got), posts, describe(got))
	}
}

func describe(all []sandbox.Submit) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "[%s conn %d reused %t fault %q account %q] ", s.At.Format("15:04:05.000"), s.Conn, s.Reused, s.Fault, s.Account)
	}
	return b.String()
}

// checkReported wants the task where it should be at the task manager, by one report.
func (w *world) checkReported(t sandbox.Task) {
	w.t.Helper()
	s, _ := w.sb.Manager.Task(t.ID)
	if s.Status != wanted(t) {
		w.t.Errorf("task %s (%s) is %s, want %s: %s", t.ID, t.Username, s.Status, wanted(t), s.Result.ErrorMessage)
	}
	if n := s.Count(sandbox.CallComplete); n != 1 {
		w.t.Errorf("task %s (%s) was completed %d times", t.ID, t.Username, n)
	}
	if n := s.Count(sandbox.CallFail); n != 0 {
		w.t.Errorf("task %s (%s) was failed %d times", t.ID, t.Username, n)
	}
}

// checkDone wants every task done, with one account and one sign-up, in the
// outside world and in the ledger.
func (w *world) checkDone() {
	w.t.Helper()
	l := w.ledger()
	defer l.Close()
	for _, t := range w.tasks {
		posts := 1
		if t.Status == sandbox.StateConnect {
			posts = 0
		}
		w.checkReported(t)
		w.checkSite(t, posts)
		rec, err := l.Task(w.t.Context(), t.ID)
		if err != nil {
			w.t.Errorf("task %s: %v", t.ID, err)
			continue
		}
		if rec.State != core.Reported || !rec.Done {
			w.t.Errorf("task %s is %s (done: %t) in the ledger", t.ID, rec.State, rec.Done)
		}
	}
}
