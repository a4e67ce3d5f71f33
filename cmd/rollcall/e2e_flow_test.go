package main_test

import (
	"testing"

	"github.com/rollcall-run/rollcall/examples/sandbox"
)

func TestRunOnceTakesEveryFlowFromTheTaskToTheReport(t *testing.T) {
	w := newWorld(t, settings{})
	w.add(w.sb.Board, sandbox.StateRegister, 3)
	w.add(w.sb.Community, sandbox.StateRegister, 2)
	w.add(w.sb.Board, sandbox.StateConnect, 1)
	w.add(w.sb.Community, sandbox.StateConnect, 1)
	r := w.start(w.config("one"), "--once")
	if code := r.end(patience); code != exitDone {
		t.Fatalf("ended with %d\n%s", code, r.tail())
	}
	w.checkDone()
	for _, s := range []*sandbox.Site{w.sb.Board, w.sb.Community} {
		for _, sub := range s.Submits() {
			if sub.Reused {
				t.Errorf("%s: a sign-up went over a connection that had been used", s.Name)
			}
		}
	}
}
