package browser

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// verb is one call of a driver on its way.
type verb struct {
	name  string
	loc   Locator
	at    int // the alternative that matched, -1 before one has
	until time.Time
	doing string // what a time-out interrupts
}

func (v *verb) locator() string { return v.loc.Tried(v.at) }

// run does what every verb has in common: its deadline for acting, its step in
// the time line, and what its errors carry.
func (p *Page) run(ctx context.Context, name string, loc Locator, limit time.Duration, f func(context.Context, *verb) (Seen, error)) (Seen, error) {
	begun := time.Now()
	v := &verb{name: name, loc: loc, at: -1, until: begun.Add(limit)}
	outer := p.verb
	p.verb = v
	defer func() { p.verb = outer }()
	p.mu.Lock()
	before := len(p.st.dialogs)
	if outer == nil {
		before = 0
		p.st.dialogs, p.st.worst = nil, answer{}
	}
	p.mu.Unlock()

	seen, err := f(ctx, v)
	err = p.explain(err, v)

	p.mu.Lock()
	var dialogs []string
	for _, d := range p.st.dialogs[min(before, len(p.st.dialogs)):] {
		dialogs = append(dialogs, p.clip(d, 300))
	}
	at := p.st.url
	p.mu.Unlock()
	seen.Said = p.clip(seen.Said, 300)
	var fault *core.Fault
	if errors.As(err, &fault) && len(dialogs) > 0 && !strings.Contains(fault.Detail, "dialogs: ") {
		fault.Detail = strings.TrimPrefix(fault.Detail+"\ndialogs: "+strings.Join(dialogs, " | "), "\n")
	}
	if p.o.Step != nil {
		p.o.Step(Step{Verb: name, Locator: p.redact(v.locator()), URL: p.safeURL(at), Took: time.Since(begun), Label: seen.Label, Said: seen.Said, Dialogs: dialogs, Err: err})
	}
	if err != nil {
		return Seen{}, err
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
	var answer *SiteAnswer
	if errors.As(err, &answer) {
		return err
	}
	var f *core.Fault
	if !errors.As(err, &f) {
		p.mu.Lock()
		broken := p.st.broken
		p.mu.Unlock()
		switch {
		case broken != nil || errors.Is(err, errCrashed) || errors.Is(err, errClosed) || errors.Is(err, errLost):
			why := errLost
			for _, known := range []error{errCrashed, errClosed} {
				if errors.Is(broken, known) || errors.Is(err, known) {
					why = known
					break
				}
			}
			f = &core.Fault{Code: core.Crashed, Why: why.Error()}
		case errors.Is(err, context.Canceled):
			f = &core.Fault{Code: core.Cancelled, Why: "stopped"}
		case errors.Is(err, context.DeadlineExceeded):
			why := "the time for it has passed"
			if v.doing != "" {
				why = v.doing
			}
			f = &core.Fault{Code: core.Timeout, Why: why}
		default:
			f = &core.Fault{Code: core.Crashed, Why: "the browser: " + err.Error()}
		}
	}
	if f.Verb == "" {
		f.Verb, f.Locator, f.Phase = v.name, v.locator(), p.o.Phase
		if p.o.Place != nil {
			f.Place = p.o.Place()
		}
		if f.URL == "" {
			p.mu.Lock()
			f.URL = p.st.url
			p.mu.Unlock()
		}
		f.URL, f.Why, f.Locator, f.Detail = p.safeURL(f.URL), p.clip(f.Why, 500), p.redact(f.Locator), p.redact(f.Detail)
	}
	return f
}

func wrong(format string, args ...any) error { return page.Wrong(format, args...) }

func (p *Page) shown() page.Shown { return page.Shown{Redactor: p.o.Redact} }

func (p *Page) redact(s string) string { return p.shown().Redact(s) }

// clip redacts s and cuts it to n characters, on one line.
func (p *Page) clip(s string, n int) string { return p.shown().Clip(s, n) }

// safeURL is an address as it may be shown.
func (p *Page) safeURL(raw string) string { return p.shown().URL(raw) }

// inPage calls a function of a frame's isolated world, the main frame's when
// frame is empty, again in the next document when the document goes away. The
// page gets until v.until, the call a little longer; a page that does not answer
// is freed.
func (p *Page) inPage(ctx context.Context, until time.Time, frame, name string, arg map[string]any, out any) (world, error) {
	if arg == nil {
		arg = map[string]any{}
	}
	not := ""
	for {
		limit := time.Until(until)
		if d, ok := ctx.Deadline(); ok {
			limit = min(limit, time.Until(d)-2*patience/7)
		}
		limit = max(limit, 0)
		arg["timeout"] = limit.Milliseconds()
		step, cancel := context.WithTimeout(ctx, limit+patience)
		w, err := p.world(step, frame, not)
		if err == nil {
			err = valueOf(step, p.invoke(w, name, arg), out)
			if errors.Is(err, context.DeadlineExceeded) {
				p.free()
				err = &core.Fault{Code: core.Timeout, Why: "the page does not answer: a script of it runs without end"}
			}
		} else if errors.Is(err, context.DeadlineExceeded) {
			err = &core.Fault{Code: core.Timeout, Why: "the site has not answered in time"}
		}
		cancel()
		if !errors.Is(err, errGone) {
			if err != nil && ctx.Err() == context.Canceled {
				err = ctx.Err()
			}
			return w, err
		}
		if frame != "" {
			return w, err
		}
		not = w.id
	}
}

// wait waits until ok holds of the state, which it is called with locked.
func (p *Page) wait(ctx context.Context, until time.Time, ok func(*pageState) bool) error {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for {
		p.mu.Lock()
		if p.st.broken != nil {
			defer p.mu.Unlock()
			return p.st.broken
		}
		done, changed := ok(&p.st), p.st.changed
		var again <-chan time.Time
		if !p.st.moving.IsZero() && !p.st.loading {
			again = time.After(time.Until(p.st.moving.Add(asked)) + time.Millisecond)
		}
		p.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-again:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// asked is how long a navigation that was asked for may take to begin.
const asked = time.Second

// under reports whether a navigation is under way.
func under(st *pageState) bool {
	return !st.moving.IsZero() && (st.loading || time.Since(st.moving) < asked)
}

// settle waits for what a verb without signs may have started: the next document,
// and with writes also the requests that write.
func (p *Page) settle(ctx context.Context, v *verb, writes bool) error {
	p.mu.Lock()
	unheard, tabs := p.st.unheard, p.st.tabs
	p.mu.Unlock()
	if len(tabs) > 0 {
		return p.tabFault()
	}
	if !unheard {
		return nil
	}
	if _, err := p.inPage(ctx, v.until, "", "tick", nil, nil); err != nil {
		return err
	}
	v.doing = "the site has not answered what the verb before started"
	err := p.wait(ctx, v.until, func(st *pageState) bool {
		if under(st) {
			return false
		}
		for _, document := range st.requests {
			if writes && !document {
				return false
			}
		}
		return true
	})
	v.doing = ""
	p.mu.Lock()
	p.st.unheard = p.st.unheard && err != nil
	p.mu.Unlock()
	return err
}

// begin notes that something is about to be started, so that what it starts can
// be told from what went on before.
func (p *Page) begin(heard bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.st.unheard {
		clear(p.st.requests)
	}
	p.st.unheard = !heard
}

// tabFault is the error of an unexpected tab.
func (p *Page) tabFault() error {
	p.mu.Lock()
	tabs := p.st.tabs
	p.st.tabs = nil
	p.mu.Unlock()
	for i, t := range tabs {
		tabs[i] = p.safeURL(t)
	}
	return &core.Fault{Code: core.LayoutChanged, Why: "a tab was opened for " + strings.Join(tabs, ", ") + "; open that address with page:open instead"}
}

// netFault is the error of a document that could not be loaded.
func (p *Page) netFault(text, raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		u = &url.URL{}
	}
	text = strings.TrimPrefix(text, "net::")
	switch {
	case raw != "" && !p.allowed(raw):
		return &core.Fault{Code: core.HostRefused, Why: "the host " + u.Hostname() + " is not one of the site's (" + text + "): declare it in hosts", URL: raw}
	case text == "ERR_ABORTED":
		return &core.Fault{Code: core.LayoutChanged, Why: "the address brought no page: a download, or an answer without content", URL: raw}
	case strings.HasPrefix(text, "ERR_CERT"), strings.HasPrefix(text, "ERR_SSL"), text == "ERR_BLOCKED_BY_CLIENT", text == "ERR_UNSAFE_PORT", text == "ERR_TOO_MANY_REDIRECTS", text == "ERR_INVALID_URL":
		return &core.Fault{Code: core.HTTPError, Why: "the page could not be loaded: " + text, URL: raw}
	}
	return &SiteAnswer{Outcome: core.Outcome{Status: core.Waiting, Code: core.SiteDown, Reason: "the site can't be reached: " + text}}
}

// lost is the error of the browser's own error page.
func (p *Page) lost() error {
	p.mu.Lock()
	text, raw := p.st.failed, p.st.failedAt
	p.mu.Unlock()
	if text == "" {
		text = "no answer"
	}
	return p.netFault(text, raw)
}

// pageInfo is the page as an error shows it.
type pageInfo struct {
	Title, URL, Ready string
	Status            int
	Said              []string
}

func (i *pageInfo) String() string {
	if i == nil {
		return ""
	}
	s := fmt.Sprintf("page: %q", i.Title)
	if i.Status >= 400 {
		s += fmt.Sprintf(", HTTP %d", i.Status)
	}
	if i.Ready == "loading" {
		s += ", still loading"
	}
	for _, t := range i.Said {
		s += "\nsays: " + t
	}
	return s
}

// stop ends a navigation that takes too long.
func (p *Page) stop() { p.c.send(p.session, proto.PageStopLoading{}) }
