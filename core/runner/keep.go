package runner

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// kept is a cleaned browser context that waits in its slot for the next task of
// its site. Its egress port, the slot's, is shut meanwhile.
type kept struct {
	core.BrowserContext
	fits  fit
	era   int // of the runner's registration when the last of them began
	tasks int // that it has served
	idle  *time.Timer
	waits bool // in an idle slot; guarded by Runner.mu
}

// fit is what the tasks of one kept context have in common.
type fit struct {
	domain, base, driver, digest, language, hosts string
	private                                       bool
}

func fitOf(b core.Binding) fit {
	return fit{b.Domain, b.Base, b.Driver, b.Digest, b.Language, strings.Join(b.Hosts, " "), b.BaseFixed}
}

// suits reports whether k may serve the visit. A probe asks who is signed in, and
// believes nothing but a fresh context.
func (k *kept) suits(v *visit) bool {
	select {
	case <-k.Dead():
		return false
	default:
	}
	return v.b.Reuse && k.fits == fitOf(v.b) && k.tasks < v.r.o.Limits.ReuseTasks && k.era == v.r.registration() && v.rec.State != core.Unknown
}

// takeKept makes the slot's kept context the visit's, or closes it.
func (v *visit) takeKept() bool {
	k := v.slot.kept
	if k == nil || !k.suits(v) {
		v.dropKept()
		return false
	}
	v.slot.kept, v.bc, v.served = nil, k.BrowserContext, k.tasks
	return true
}

func (v *visit) dropKept() {
	if k := v.slot.kept; k != nil {
		v.slot.kept = nil
		v.closeContext(k.BrowserContext)
	}
}

func (v *visit) closeContext(bc core.BrowserContext) {
	if err := bc.Close(); err != nil {
		v.log.Warn("a browser context did not close", "err", err)
	}
}

// leavePage ends the visit's page. That of a task that was plainly done is kept
// for the next one where the site says so, and where it can be cleaned in time.
func (v *visit) leavePage() {
	cleaner, can := v.bc.(core.Cleaner)
	if !can || !v.keeps() {
		v.dropPage()
		return
	}
	v.slot.gate.Shut()
	bc := v.bc
	v.bc, v.open, v.signedIn = nil, false, false
	v.setCookies(nil)
	// The lease has been given back: its end is no reason to stop. A stop is.
	ctx, cancel := context.WithTimeout(v.hard, v.r.o.Limits.Clean)
	defer cancel()
	if err := cleaner.Clean(ctx); err != nil {
		v.log.Info("the browser context is not used again", "why", err)
		v.closeContext(bc)
		return
	}
	v.dropKept()
	v.slot.kept = &kept{BrowserContext: bc, fits: fitOf(v.b), era: v.era, tasks: v.served + 1}
}

// keeps reports whether the open page may serve another task: not after anything
// but a plain success, nor after a person was on it.
func (v *visit) keeps() bool {
	v.mu.Lock()
	person := v.person
	v.mu.Unlock()
	// A task that is done has given its lease back: a heartbeat that misses it means nothing.
	cause := context.Cause(v.ctx)
	alive := cause == nil || errors.Is(cause, core.ErrLeaseLost)
	return v.b.Reuse && v.done && !person && v.served+1 < v.r.o.Limits.ReuseTasks && alive
}

// registration counts how often the runner has joined the ledger.
func (r *Runner) registration() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.era
}

// best is the index of the idle slot for a task of the domain: one that keeps a
// context for it, else one that keeps none. r.mu is held, and one is idle.
func (r *Runner) best(domain string) int {
	n := len(r.idle) - 1
	for _, want := range []func(*kept) bool{
		func(k *kept) bool { return k != nil && k.fits.domain == domain },
		func(k *kept) bool { return k == nil },
	} {
		for i, s := range slices.Backward(r.idle) {
			if want(s.kept) {
				return i
			}
		}
	}
	return n
}

// rest starts the time after which an idle slot's kept context is closed; r.mu is held.
func (r *Runner) rest(s *slot) {
	k := s.kept
	if k == nil {
		return
	}
	k.waits = true
	k.idle = time.AfterFunc(r.o.Limits.ReuseIdle, func() {
		r.mu.Lock()
		late := !k.waits
		if !late {
			k.waits, s.kept = false, nil
		}
		r.mu.Unlock()
		if late {
			return
		}
		if err := k.Close(); err != nil {
			r.o.Log.Warn("a browser context did not close", "slot", s.name, "err", err)
		}
	})
}

// rouse ends the rest of a slot that is about to be used or closed; r.mu is held.
func (s *slot) rouse() {
	if k := s.kept; k != nil {
		k.waits = false
		k.idle.Stop()
	}
}
