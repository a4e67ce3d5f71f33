package lua

import (
	"context"
	"errors"
	"fmt"

	lua "github.com/yuin/gopher-lua"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/browser"
	"github.com/rollcall-run/rollcall/core/html"
	"github.com/rollcall-run/rollcall/core/page"
)

// run is one phase under way.
type run struct {
	ctx     context.Context
	h       *host
	driver  *Driver
	phase   core.Phase
	task    core.Task
	session core.Session
	page    page.Verbs
	redact  *redactor
	lines   int      // printed
	steps   []string // verbs that are not on the time line yet
}

// Run runs one phase in a fresh state. What the site answered, and a phase that
// ends because it waits for mail or a person, is an Outcome; anything else is a
// *core.Fault with the place in the script.
func (d *Driver) Run(ctx context.Context, phase core.Phase, task core.Task, session core.Session) (core.Outcome, error) {
	if !d.manifest.Has(phase) {
		return core.Outcome{}, fmt.Errorf("%s %s: %w", d.manifest.Name, phase, core.ErrNoPhase)
	}
	r := &run{ctx: ctx, driver: d, phase: phase, task: task, session: session, redact: &redactor{}}
	r.redact.Add(task.Entity.Secrets()...)
	for _, v := range task.Facts {
		if v.IsSecret() {
			r.redact.Add(v)
		}
	}
	p, err := r.attach()
	if err != nil {
		return core.Outcome{}, r.broken(err)
	}
	defer p.Close()
	defer r.flush()
	return r.with(p)
}

// attach opens the page in the session's engine: plain HTML where there is no browser.
func (r *run) attach() (page.Verbs, error) {
	o := page.Options{
		Task: r.task, Manifest: r.driver.manifest, Phase: r.phase, Redact: r.redact,
		Step: r.step, Place: r.place,
	}
	if r.session.ControlURL == "" {
		return html.Attach(r.ctx, r.session, o)
	}
	return browser.Attach(r.ctx, r.session, o)
}

// with runs the phase on page.
func (r *run) with(p page.Verbs) (core.Outcome, error) {
	r.page = p
	h := newHost(r.ctx, r.driver.prog)
	defer h.close()
	r.h = h
	h.loading = true
	t, err := h.chunk()
	if err != nil {
		return core.Outcome{}, r.broken(err)
	}
	h.loading = false
	h.run = r
	fn, ok := t.RawGetString(string(r.phase)).(*lua.LFunction)
	if !ok {
		return core.Outcome{}, r.fault(core.DriverError, "", fmt.Sprintf("the file gave no function %s this time: a driver's table must not depend on anything", r.phase))
	}
	var got lua.LValue = lua.LNil
	err = h.protect(func() {
		h.L.Push(fn)
		h.L.Push(h.pageHandle())
		h.L.Push(h.taskTable())
		h.L.Call(2, 1)
		got = h.L.Get(-1)
	})
	if err != nil {
		var end *ending
		if errors.As(err, &end) {
			out := end.outcome
			if out.Fields == nil {
				out.Fields = p.Results()
			}
			return out, nil
		}
		var site *page.SiteAnswer
		if errors.As(err, &site) {
			out := site.Outcome
			if err := out.Check(r.phase); err != nil {
				return core.Outcome{}, r.fault(core.HTTPError, "", err.Error())
			}
			return out, nil
		}
		return core.Outcome{}, r.broken(err)
	}
	return r.finish(got)
}

// ending ends a phase with an outcome that the script does not return itself.
type ending struct{ outcome core.Outcome }

func (e *ending) Error() string {
	return string(e.outcome.Status) + " (" + string(e.outcome.Code) + ")"
}

// end leaves the script with an outcome.
func (h *host) end(o core.Outcome) { panic(&unwind{&ending{o}}) }

// check leaves the script when a verb or a service failed.
func (h *host) check(verb string, err error) {
	if err == nil {
		return
	}
	if errors.Is(err, core.ErrAway) { // human and ask have said more; what is left is agree
		h.end(core.Outcome{Status: core.Blocked, Code: core.Terms, Reason: "a person must accept the site's terms"})
	}
	var f *core.Fault
	var site *page.SiteAnswer
	var end *ending
	var script *scriptError
	if errors.As(err, &site) || errors.As(err, &end) || errors.As(err, &script) {
		panic(&unwind{err})
	}
	if !errors.As(err, &f) {
		f = &core.Fault{Code: code(err), Verb: verb, Why: err.Error()}
		err = &wrapped{f, err}
	}
	if f.Place == "" {
		f.Place = h.place()
	}
	if f.Phase == "" && h.run != nil {
		f.Phase = h.run.phase
	}
	panic(&unwind{err})
}

// wrapped is a Fault that keeps the sentinel it came from.
type wrapped struct {
	*core.Fault
	cause error
}

func (w *wrapped) Unwrap() []error { return []error{w.Fault, w.cause} }

func code(err error) core.FaultCode {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return core.Timeout
	case errors.Is(err, context.Canceled):
		return core.Cancelled
	case errors.Is(err, core.ErrLeaseLost):
		return core.LeaseGone
	}
	return core.DriverError
}

func (r *run) fault(c core.FaultCode, place, why string) *core.Fault {
	return &core.Fault{Code: c, Phase: r.phase, Place: place, Why: r.redact.Redact(why)}
}

// broken is err as a Fault with its phase.
func (r *run) broken(err error) error {
	var f *core.Fault
	if errors.As(err, &f) {
		if f.Phase == "" {
			f.Phase = r.phase
		}
		return err
	}
	var s *scriptError
	if errors.As(err, &s) {
		return r.fault(core.DriverError, s.place, s.msg)
	}
	var st *stopped
	if errors.As(err, &st) {
		why := "the phase was stopped"
		if errors.Is(st.err, context.DeadlineExceeded) {
			why = "the phase's time was over"
		}
		return r.fault(code(st.err), st.place, why)
	}
	return r.fault(code(err), "", err.Error())
}

// place is where the script is, "" before it runs.
func (r *run) place() string {
	if r.h == nil {
		return ""
	}
	return r.h.place()
}
