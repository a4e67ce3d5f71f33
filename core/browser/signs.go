package browser

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// wire is the form in which the page gets the signs.
func wire(s *Signs) []map[string]any {
	out := make([]map[string]any, len(s.List))
	for i, g := range s.List {
		out[i] = map[string]any{"label": g.Label, "any": g.Any}
	}
	return out
}

// memory is what was there before a verb: kept by the page under id, and here
// for what stands in frames of other origins.
type memory struct {
	id    int
	cross map[string]string
}

type crossing struct {
	Handle int
	Rest   string
}

type crossSign struct {
	Label, Loc, Rest string
	Gone             bool
	Handle           int
}

// reply is the answer of a function of the isolated world.
type reply struct {
	State, Why, Kind, Loc, Value, Got, URL, Covers string
	At, Handle, N, Status, Length, Want            int
	X, Y                                           float64
	Info                                           info
	Near                                           []string
	Page                                           *pageInfo
	Cross                                          crossList
	Watch                                          []crossSign
	Hits                                           []struct{ Label, Loc, Said string }
	Same, Prefix, None, Known, On, Accepted        bool
}

// remember takes the memory for signs before something is done.
func (p *Page) remember(ctx context.Context, v *verb, s *Signs) (memory, error) {
	if s == nil {
		return memory{}, nil
	}
	p.count++
	m := memory{id: p.count}
	var r reply
	w, err := p.inPage(ctx, v.until, "", "remember", map[string]any{"id": m.id, "signs": wire(s)}, &r)
	if err != nil {
		return m, err
	}
	if r.State == "badlocator" {
		return m, wrong("%s", r.Why)
	}
	p.recall(ctx, v, w, &m, r.Watch)
	return m, nil
}

// recall adds to the memory what signs in frames of other origins show.
func (p *Page) recall(ctx context.Context, v *verb, w world, m *memory, cross []crossSign) {
	for _, c := range cross {
		if m.cross == nil {
			m.cross = map[string]string{}
		}
		if what, _, err := p.glance(ctx, v.until, w, c); err == nil {
			m.cross[c.Loc] = what
		}
	}
}

// glance reads a sign in a frame of another origin: what distinguishes it from
// before, and its text; "" when nothing matches.
func (p *Page) glance(ctx context.Context, until time.Time, w world, c crossSign) (string, string, error) {
	frame, err := p.frameOf(ctx, until, w, c.Handle)
	if err != nil {
		return "", "", err
	}
	var r struct {
		N    int
		Said string
	}
	in, err := p.inPage(ctx, until, frame, "look", map[string]any{"loc": c.Rest}, &r)
	if err != nil || r.N == 0 {
		return "", "", err
	}
	return fmt.Sprint(in.id, r.N, r.Said), r.Said, nil
}

type watchOptions struct {
	status bool // an error status of a new document ends the wait
	person bool // a person acts: neither status nor tabs end the wait
	fresh  bool // what is there now counts
}

// tabGrace is how long a sign may come after an unexpected tab was opened.
const tabGrace = 2 * time.Second

// watch waits for one of the signs.
func (p *Page) watch(ctx context.Context, v *verb, m memory, s Signs, limit time.Duration, o watchOptions) (Seen, error) {
	until := time.Now().Add(limit)
	arg := map[string]any{"id": m.id, "signs": wire(&s), "status": o.status && !o.person, "fresh": o.fresh}
	for {
		var r reply
		w, err := p.watchOnce(ctx, until, arg, o, &r)
		if err != nil {
			var f *core.Fault
			if errors.As(err, &f) && f.Code == core.Timeout {
				if a := p.badAnswer(); a != nil {
					return Seen{}, a
				}
			}
			return Seen{}, err
		}
		switch r.State {
		case "seen":
			if len(r.Hits) > 1 {
				var labels []string
				for _, h := range r.Hits {
					labels = append(labels, h.Label+" ("+h.Loc+")")
				}
				return Seen{}, &core.Fault{Code: core.LayoutChanged, Why: "several signs at once: " + strings.Join(labels, ", ")}
			}
			p.mu.Lock()
			p.st.unheard, p.st.tabs = false, nil
			p.mu.Unlock()
			return Seen{Label: r.Hits[0].Label, Said: r.Hits[0].Said}, nil
		case "status":
			return Seen{}, p.status(r.Status, r.Page)
		case "failed":
			return Seen{}, p.lost()
		case "badlocator":
			return Seen{}, wrong("%s", r.Why)
		case "cross":
			for _, c := range r.Cross.Signs {
				what, said, err := p.glance(ctx, until, w, c)
				if err != nil {
					continue
				}
				before, had := m.cross[c.Loc]
				if c.Gone && what == "" && (!had || before != "") {
					return Seen{Label: c.Label}, nil
				}
				if !c.Gone && what != "" && (!r.Known || !had || before != what) {
					return Seen{Label: c.Label, Said: said}, nil
				}
				if had && what != before {
					delete(m.cross, c.Loc)
				}
			}
			if time.Now().After(until) {
				return Seen{}, p.noSign(ctx, until, s, &r)
			}
		default:
			if a := p.badAnswer(); a != nil {
				return Seen{}, a
			}
			return Seen{}, p.noSign(ctx, until, s, &r)
		}
	}
}

func (p *Page) noSign(ctx context.Context, until time.Time, s Signs, r *reply) error {
	code := core.LayoutChanged
	if r.Page != nil && r.Page.Ready == "loading" {
		code = core.Timeout
	}
	if d, ok := ctx.Deadline(); ok && d.Before(until) {
		code = core.Timeout // the signs were not given their whole time
	}
	detail := r.Page.String()
	if len(r.Near) > 0 {
		detail += "\ncandidates: " + strings.Join(r.Near, " | ")
	}
	return &core.Fault{Code: code, Why: "none of its signs came: " + s.Names(), Detail: detail}
}

// badAnswer is the SiteAnswer of a background request, nil when none of them says one.
func (p *Page) badAnswer() error {
	p.mu.Lock()
	a := p.st.worst
	p.mu.Unlock()
	if a.status == 429 || a.status >= 500 {
		return p.statusOf(a, nil)
	}
	return nil
}

// watchOnce waits in the page, and here for a tab that nobody expects.
func (p *Page) watchOnce(ctx context.Context, until time.Time, arg map[string]any, o watchOptions, r *reply) (world, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		p.watchTabs(done, o, cancel)
	}()
	w, err := p.inPage(ctx, until, "", "watch", arg, r)
	close(done)
	<-finished
	if cause := context.Cause(ctx); err != nil && cause != nil && errors.Is(cause, errTab) {
		err = p.tabFault()
	}
	return w, err
}

var errTab = errors.New("a tab was opened")

func (p *Page) watchTabs(done <-chan struct{}, o watchOptions, cancel context.CancelCauseFunc) {
	if o.person {
		return
	}
	var grace <-chan time.Time
	for {
		p.mu.Lock()
		tabs, changed := len(p.st.tabs), p.st.changed
		p.mu.Unlock()
		if tabs > 0 && grace == nil {
			grace = time.After(tabGrace)
		}
		select {
		case <-done:
			return
		case <-grace:
			cancel(errTab)
			return
		case <-changed:
		}
	}
}

// Await waits for a sign without doing anything before: what is there counts.
func (p *Page) Await(ctx context.Context, s Signs) (Seen, error) {
	return p.run(ctx, "await", nil, SignTime, func(ctx context.Context, v *verb) (Seen, error) {
		if err := s.Check(); err != nil {
			return Seen{}, err
		}
		return p.watch(ctx, v, memory{}, s, s.Limit(SignTime), watchOptions{status: true, fresh: true})
	})
}

// after waits for the signs of a verb that has acted.
func (p *Page) after(ctx context.Context, v *verb, m memory, s *Signs) (Seen, error) {
	if s == nil {
		return Seen{}, nil
	}
	return p.watch(ctx, v, m, *s, s.Limit(SignTime), watchOptions{status: true})
}
