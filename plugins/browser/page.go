package browser

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/browser"
	"github.com/rollcall-run/rollcall/plugins"
)

// Page is the tab of a session. It is used by one goroutine at a time.
type Page struct {
	ctx     context.Context // of the phase
	run     plugins.Run
	session core.Session
	page    *browser.Page // nil when attaching failed
	redact  redactor
	story   story
	rod     *rodPage

	err error         // the first
	end *core.Outcome // what ended the phase instead of an error
}

// Attach connects to the session's tab, for as long as ctx lasts and until Close.
// ctx and session are what the driver's Run was given; ctx carries the phase and
// the task, see plugins.WithRun. When it can't connect, Err says why from the
// start. It never returns nil.
func Attach(ctx context.Context, session core.Session) *Page {
	run, ok := plugins.RunOf(ctx)
	p := &Page{ctx: ctx, run: run, session: session}
	if !ok {
		p.wrong("attach", "the context carries no run: give Attach the one that Run was called with, or in a test one of plugins.WithRun")
		return p
	}
	p.redact.Add(run.Task.Entity.Secrets()...)
	for _, v := range run.Task.Facts {
		if v.IsSecret() {
			p.redact.Add(v)
		}
	}
	page, err := browser.Attach(ctx, session, browser.AttachOptions{
		Task: run.Task, Manifest: run.Manifest, Phase: run.Phase, Redact: &p.redact, Step: p.step,
	})
	if err != nil {
		p.Fail(err)
		return p
	}
	p.page = page
	return p
}

// Task is the run's task as the verbs see it.
func (p *Page) Task() Task { return Task{p.run.Task, p} }

// Err is the first error, nil while there is none.
func (p *Page) Err() error { return p.err }

// Fail makes err the page's error, unless it has one or the phase has ended;
// nil does nothing. What is no *core.Fault becomes the cause of one.
func (p *Page) Fail(err error) {
	if err == nil || p.over() {
		return
	}
	var site *browser.SiteAnswer
	if errors.As(err, &site) {
		p.stop(site.Outcome)
		return
	}
	var f *core.Fault
	if !errors.As(err, &f) {
		f = &core.Fault{Code: code(err), Why: p.redact.Redact(err.Error())}
		err = &caused{f, err}
	}
	if f.Phase == "" {
		f.Phase = p.run.Phase
	}
	p.err = err
}

// failed is Fail for what a service answered to the verb called name.
func (p *Page) failed(name string, err error) {
	var f *core.Fault
	var site *browser.SiteAnswer
	if err != nil && !errors.As(err, &f) && !errors.As(err, &site) {
		err = &caused{&core.Fault{Code: code(err), Phase: p.run.Phase, Verb: name, Why: p.redact.Redact(err.Error())}, err}
	}
	p.Fail(err)
}

func (p *Page) wrong(name, format string, args ...any) {
	p.Fail(&core.Fault{Code: core.DriverError, Verb: name, Why: fmt.Sprintf(format, args...)})
}

// caused is a Fault that keeps the error it came from.
type caused struct {
	*core.Fault
	cause error
}

func (c *caused) Unwrap() []error { return []error{c.Fault, c.cause} }

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

// stop ends the phase with an outcome that the driver does not return itself.
func (p *Page) stop(o core.Outcome) {
	if !p.over() {
		p.end = &o
	}
}

// over reports whether verbs do nothing any more.
func (p *Page) over() bool { return p.err != nil || p.end != nil }

// Finish makes what a phase returns: o with the fields' results, unless an error
// or an answer ended the phase before. Profile is done with a link_profile only.
func (p *Page) Finish(o core.Outcome) (core.Outcome, error) {
	if p.end != nil {
		o = *p.end
	} else if p.err == nil && p.run.Phase == core.Profile && o.Status == core.Done && o.Facts[core.FactLinkProfile].Empty() {
		p.wrong("", "profile is done without link_profile: return outcome.Done(core.Facts{core.FactLinkProfile: …})")
	}
	if p.err == nil {
		if err := o.Check(p.run.Phase); err != nil {
			p.wrong("", "%s", err)
		}
	}
	if p.err != nil {
		return core.Outcome{}, p.err
	}
	if p.page != nil {
		if results := p.page.Results(); len(results) > 0 {
			maps.Copy(results, o.Fields)
			o.Fields = results
		}
	}
	return o, nil
}

// Close detaches, and writes the verbs to the time line. The tab stays: it is
// the runner's.
func (p *Page) Close() {
	p.flush()
	if p.rod != nil {
		p.rod.close()
	}
	if p.page != nil {
		p.page.Close() // detaching has nothing to report
	}
}
