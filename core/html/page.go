package html

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	dom "golang.org/x/net/html"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// Page is one page of a visit without a browser. It is used by one goroutine
// at a time.
type Page struct {
	o       page.Options
	s       core.Session
	site    page.Site
	shown   page.Shown
	wires   wires
	jar     jar
	doc     *document
	results page.Results
	parsed  map[string][]part
	verb    *verb // the outermost verb that runs

	commits    bool // the one commit was asked for
	committing bool // its action runs
	closed     bool
}

var _ page.Verbs = (*Page)(nil)

// Attach begins at an empty page with the visit's cookies. The page is usable
// until Close.
func Attach(ctx context.Context, s core.Session, o page.Options) (*Page, error) {
	wrong := func(why string) (*Page, error) {
		return nil, &core.Fault{Code: core.DriverError, Phase: o.Phase, Why: why}
	}
	base, err := url.Parse(s.Base)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return wrong("the site's base address must be an http or https URL")
	}
	proxy, err := url.Parse(s.Proxy)
	if err != nil || proxy.Host == "" {
		return wrong("core.Session.Proxy is empty: there is no egress port")
	}
	if s.Services == nil {
		return wrong("core.Session.Services is nil")
	}
	p := &Page{o: o, s: s, site: page.Site{Base: base, Domain: o.Task.Domain, Hosts: s.Hosts}, shown: page.Shown{Redactor: o.Redact},
		wires: takeWires(proxy), doc: emptyDocument(), results: page.Results{}, parsed: map[string][]part{}}
	if k, ok := s.Services.(core.CookieKeeper); ok {
		if p.jar.all, err = k.Cookies(ctx); err != nil {
			return nil, fmt.Errorf("the visit's cookies: %w", err)
		}
	}
	return p, nil
}

// Close ends the use of the page. Connections are kept for the visit's next one.
func (p *Page) Close() error {
	if !p.closed {
		p.closed = true
		p.wires.keep()
	}
	return nil
}

// Note records what became of a field or image.
func (p *Page) Note(field, result string) error {
	if err := p.results.Note(field, result, p.shown); err != nil {
		return p.explain(err, &verb{name: "note", at: -1})
	}
	return nil
}

// Results are the fields' results so far, for Outcome.Fields.
func (p *Page) Results() map[string]string { return p.results.All() }

// verb is one call of a driver on its way.
type verb struct {
	name string
	loc  page.Locator
	at   int // the alternative that matched, -1 before one has
}

func (v *verb) locator() string { return v.loc.Tried(v.at) }

// run does what every verb has in common: its step in the time line, what its
// errors carry, and the cookies that it brought.
func (p *Page) run(ctx context.Context, name string, loc page.Locator, f func(context.Context, *verb) (page.Seen, error)) (page.Seen, error) {
	begun := time.Now()
	v := &verb{name: name, loc: loc, at: -1}
	outer := p.verb
	p.verb = v
	seen, err := f(ctx, v)
	p.verb = outer
	if k, ok := p.s.Services.(core.CookieKeeper); ok && outer == nil && p.jar.changed {
		p.jar.changed = false
		if kept := k.KeepCookies(ctx, p.jar.all); kept != nil && err == nil {
			err = page.ServiceError{Err: kept}
		}
	}
	err = p.explain(err, v)
	seen.Said = p.shown.Clip(seen.Said, 300)
	if p.o.Step != nil {
		p.o.Step(page.Step{Verb: name, Locator: p.shown.Redact(v.locator()), URL: p.here(), Took: time.Since(begun), Label: seen.Label, Said: seen.Said, Err: err})
	}
	if err != nil {
		return page.Seen{}, err
	}
	return seen, nil
}

// explain makes what a verb returns of what went wrong.
func (p *Page) explain(err error, v *verb) error {
	if err == nil {
		return nil
	}
	var service page.ServiceError
	if errors.As(err, &service) {
		return service.Err
	}
	var answer *page.SiteAnswer
	if errors.As(err, &answer) {
		return err
	}
	var f *core.Fault
	if !errors.As(err, &f) {
		switch {
		case errors.Is(err, context.Canceled):
			f = &core.Fault{Code: core.Cancelled, Why: "stopped"}
		case errors.Is(err, context.DeadlineExceeded):
			f = &core.Fault{Code: core.Timeout, Why: "the site has not answered in time"}
		default:
			f = &core.Fault{Code: core.Crashed, Why: err.Error()}
		}
	}
	if f.Verb == "" {
		f.Verb, f.Locator, f.Phase = v.name, v.locator(), p.o.Phase
		if p.o.Place != nil {
			f.Place = p.o.Place()
		}
		if f.URL == "" {
			f.URL = p.doc.url.String()
		}
		f.URL, f.Why, f.Locator, f.Detail = p.shown.URL(f.URL), p.shown.Clip(f.Why, 500), p.shown.Redact(f.Locator), p.shown.Redact(f.Detail)
	}
	return f
}

func (p *Page) here() string { return p.shown.URL(p.doc.url.String()) }

var errorish = func() selector {
	s, err := parseSelector(`[role=alert],[aria-live=assertive],.error,.errors,.errorbox,.error-message,.errormsg,.alert-danger,.alert-error,.invalid-feedback,.field-error,.help-block.error,.notice-error,#login_error,.mw-message-box-error,[class*=error]`, false)
	if err != nil {
		panic(err) // a constant
	}
	return s
}()

// state is the page as an error shows it.
func (p *Page) state() string {
	title, said := "", []string(nil)
	for n := range elements(p.doc.root) {
		if tag(n) == "title" && title == "" {
			title = firstRunes(squeeze(content(n)), 160)
		}
		if len(said) < 3 && errorish.matches(p.doc, n) && p.doc.shown(n) {
			if t := firstRunes(p.doc.text(n), 160); t != "" && !strings.Contains(strings.Join(said, "\n"), t) {
				said = append(said, t)
			}
		}
	}
	s := fmt.Sprintf("page: %q", title)
	if p.doc.status >= 400 {
		s += fmt.Sprintf(", HTTP %d", p.doc.status)
	}
	for _, t := range said {
		s += "\nsays: " + t
	}
	return s
}

// status is the error of the document's status.
func (p *Page) status() error {
	return p.site.Fault(page.Answer{Status: p.doc.status, Retry: p.doc.retry, URL: p.doc.url.String()}, p.state())
}

// element is the one element that a verb acts on. With group, several boxes or
// buttons of a group count as their first.
func (p *Page) element(v *verb, loc page.Locator, fits func(*dom.Node) bool, group bool) (*dom.Node, error) {
	if err := loc.Check(); err != nil {
		return nil, err
	}
	f, err := p.first(loc, fits)
	if err != nil {
		return nil, err
	}
	if len(f.els) == 0 {
		why := "nothing matches"
		if f.hidden == 1 {
			why = "the only match is hidden"
		} else if f.hidden > 1 {
			why = "all matches are hidden"
		}
		return nil, p.notFound(why, p.candidates(loc))
	}
	v.at = f.at
	if group && len(f.els) > 1 {
		toggles := true
		for _, n := range f.els {
			toggles = toggles && isToggle(n)
		}
		if toggles {
			return f.els[0], nil
		}
	}
	if len(f.els) > 1 {
		var near []string
		for _, n := range f.els[:min(len(f.els), 6)] {
			near = append(near, describe(n))
		}
		return nil, p.notFound(fmt.Sprintf("%d elements match, where one is acted on", len(f.els)), near)
	}
	return f.els[0], nil
}

func (p *Page) notFound(why string, near []string) error {
	if s := p.doc.status; s == 429 || s >= 500 {
		return p.status()
	}
	f := &core.Fault{Code: core.LayoutChanged, Why: why, Detail: p.state()}
	if p.doc.status >= 400 {
		f.Code = core.HTTPError
	}
	if len(near) > 0 {
		f.Detail += "\ncandidates: " + strings.Join(near, " | ")
	}
	return f
}

// control is the control that an element is or is the label of.
func (p *Page) control(n *dom.Node) *dom.Node {
	if tag(n) == "label" {
		if c := p.doc.labelled(n); c != nil {
			return c
		}
	}
	return n
}

// usable refuses a control that is off.
func usable(n *dom.Node, write bool) error {
	if why := disabled(n); why != "" {
		return &core.Fault{Code: core.LayoutChanged, Why: "the element is " + why}
	}
	if write && (tag(n) == "input" || tag(n) == "textarea") && has(n, "readonly") || attr(n, "aria-readonly") == "true" {
		return &core.Fault{Code: core.LayoutChanged, Why: "the element is readonly"}
	}
	return nil
}
