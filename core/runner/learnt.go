package runner

import (
	"maps"
	"slices"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// learnt is what a phase ended with and is not stored yet: it is stored with the
// visit's next step in the ledger. Facts, and lines that say that something went
// wrong, are stored at the latest before anything else is done outside: a crash in
// between is a crash before the phase had ended.
type learnt struct {
	facts  core.Facts
	events []core.Event
}

// under is the facts with more laid over them.
func (l learnt) under(more core.Facts) core.Facts {
	if len(l.facts) == 0 {
		return more
	}
	all := maps.Clone(l.facts)
	maps.Copy(all, more)
	return all
}

// learn keeps facts and an event for the next step.
func (v *visit) learn(facts core.Facts, ev core.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if ev.At.IsZero() {
		ev.At = time.Now()
	}
	ev.State, ev.Text = v.rec.State, v.r.line(ev.Text)
	v.learnt.facts = v.learnt.under(facts)
	v.learnt.events = append(v.learnt.events, ev)
	v.rec.Facts = v.rec.Facts.Merge(facts)
}

// pressing reports whether l must be stored before anything else is done outside.
func (l learnt) pressing() bool {
	return len(l.facts) > 0 || slices.ContainsFunc(l.events, func(ev core.Event) bool { return ev.Level == "WARN" || ev.Level == "ERROR" })
}

// keepPressing stores what must not wait for the next step.
func (v *visit) keepPressing() error { return v.keepWhen(learnt.pressing) }

// keepLearnt stores what was learnt.
func (v *visit) keepLearnt() error {
	return v.keepWhen(func(l learnt) bool { return len(l.events) > 0 })
}

func (v *visit) keepWhen(needed func(learnt) bool) error {
	v.mu.Lock()
	needs := needed(v.learnt)
	v.mu.Unlock()
	if !needs {
		return nil
	}
	return v.note(nil)
}

func (v *visit) takeLearnt() learnt {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := v.learnt
	v.learnt = learnt{}
	return l
}

// giveLearnt takes back what could not be stored.
func (v *visit) giveLearnt(l learnt) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.learnt = learnt{facts: l.under(v.learnt.facts), events: append(l.events, v.learnt.events...)}
}
