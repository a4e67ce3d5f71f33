package html

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	dom "golang.org/x/net/html"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// memory is what was there before a verb. A document that came since has none:
// all in it is new.
type memory struct {
	doc   *document
	href  string
	nodes map[*dom.Node]string
	gone  map[string]bool
}

// remember takes the memory for signs before something is done.
func (p *Page) remember(s *page.Signs) (*memory, error) {
	if s == nil {
		return nil, nil
	}
	m := &memory{doc: p.doc, href: p.doc.url.String(), nodes: map[*dom.Node]string{}, gone: map[string]bool{}}
	for _, g := range s.List {
		for _, loc := range g.Any {
			if strings.HasPrefix(loc, "url=") {
				continue
			}
			bare, gone := strings.CutPrefix(loc, "gone=")
			f, err := p.find(bare, p.doc.shown)
			if err != nil {
				return nil, err
			}
			if gone && len(f.els) == 0 {
				m.gone[loc] = true
			}
			if !gone {
				for _, n := range f.els {
					m.nodes[n] = content(n)
				}
			}
		}
	}
	return m, nil
}

// hit is a sign that is there and is news.
type hit struct{ label, loc, said string }

func (p *Page) check(m *memory, s page.Signs) ([]hit, error) {
	if m != nil && m.doc != p.doc {
		m = nil
	}
	var hits []hit
	for _, g := range s.List {
		for _, loc := range g.Any {
			if pattern, ok := strings.CutPrefix(loc, "url="); ok {
				if urlMatches(p.doc.url, pattern) && (m == nil || m.href != p.doc.url.String()) {
					hits = append(hits, hit{g.Label, loc, ""})
					break
				}
				continue
			}
			bare, gone := strings.CutPrefix(loc, "gone=")
			f, err := p.find(bare, p.doc.shown)
			if err != nil {
				return nil, err
			}
			if gone {
				if len(f.els) == 0 && (m == nil || !m.gone[loc]) {
					hits = append(hits, hit{g.Label, loc, ""})
					break
				}
				continue
			}
			var said []string
			news := false
			for _, n := range f.els {
				if m != nil {
					if was, ok := m.nodes[n]; ok && was == content(n) {
						continue
					}
				}
				news = true
				if t := p.doc.text(n); t != "" {
					said = append(said, t)
				}
			}
			if news {
				hits = append(hits, hit{g.Label, loc, firstRunes(strings.Join(said, " "), 2000)})
				break
			}
		}
	}
	return hits, nil
}

// urlMatches finds the pattern in path and query, as written or decoded.
func urlMatches(u *url.URL, pattern string) bool {
	here := u.EscapedPath()
	if u.RawQuery != "" {
		here += "?" + u.RawQuery
	}
	if strings.Contains(pattern, "#") && u.Fragment != "" {
		here += "#" + u.EscapedFragment()
	}
	re := wild(pattern, false)
	if re.MatchString(here) {
		return true
	}
	plain, err := url.PathUnescape(here)
	return err == nil && re.MatchString(plain)
}

// watch looks for one of the signs. Nothing but a refresh that the page announces
// can bring one later.
func (p *Page) watch(ctx context.Context, m *memory, s page.Signs) (page.Seen, error) {
	for refreshes := 0; ; refreshes++ {
		hits, err := p.check(m, s)
		if err != nil {
			return page.Seen{}, err
		}
		if len(hits) > 1 {
			var labels []string
			for _, h := range hits {
				labels = append(labels, h.label+" ("+h.loc+")")
			}
			return page.Seen{}, &core.Fault{Code: core.LayoutChanged, Why: "several signs at once: " + strings.Join(labels, ", ")}
		}
		if len(hits) == 1 {
			p.doc.accepted = true
			return page.Seen{Label: hits[0].label, Said: hits[0].said}, nil
		}
		moved := m == nil || m.doc != p.doc
		if moved && !p.doc.accepted && p.doc.status >= 400 {
			return page.Seen{}, p.status()
		}
		if refreshes == maxRefreshes {
			break
		}
		went, err := p.refresh(ctx)
		if err != nil {
			return page.Seen{}, err
		}
		if !went {
			break
		}
	}
	var locs page.Locator
	for _, g := range s.List {
		for _, l := range g.Any {
			if !strings.HasPrefix(l, "url=") && !strings.HasPrefix(l, "gone=") {
				locs = append(locs, l)
			}
		}
	}
	f := &core.Fault{Code: core.LayoutChanged, Why: "none of its signs came: " + s.Names(), Detail: p.state()}
	if near := p.candidates(locs); len(near) > 0 {
		f.Detail += "\ncandidates: " + strings.Join(near, " | ")
	}
	return page.Seen{}, f
}

// maxRefreshes is how many pages in a row may announce another.
const maxRefreshes = 5

var refreshForm = regexp.MustCompile(`(?is)^\s*(\d+)(?:\.\d*)?\s*(?:[;,]\s*(?:url\s*=\s*)?(.*))?$`)

// refresh follows a page that announces where it goes on, once its delay is over.
// It says whether there was one that ctx leaves time for.
func (p *Page) refresh(ctx context.Context) (bool, error) {
	for n := range elements(p.doc.root) {
		if tag(n) != "meta" || !strings.EqualFold(attr(n, "http-equiv"), "refresh") {
			continue
		}
		m := refreshForm.FindStringSubmatch(attr(n, "content"))
		if m == nil || strings.TrimSpace(m[2]) == "" {
			return false, nil // the page itself again: nothing was sent that it could show
		}
		seconds, err := strconv.Atoi(m[1])
		u, uerr := p.doc.link(strings.Trim(strings.TrimSpace(m[2]), `'"`))
		if err != nil || uerr != nil || u.Scheme != "http" && u.Scheme != "https" || seconds > 600 {
			return false, nil
		}
		delay := time.Duration(seconds) * time.Second
		if d, ok := ctx.Deadline(); ok && time.Until(d) < delay {
			return false, nil
		}
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
		return true, p.load(ctx, &request{method: http.MethodGet, url: u}, p.doc.url)
	}
	return false, nil
}

// within gives a verb its time: what its signs ask for, else usual.
func within(ctx context.Context, s *page.Signs, usual time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.Limit(usual))
}

// after looks for the signs of a verb that has acted.
func (p *Page) after(ctx context.Context, m *memory, s *page.Signs) (page.Seen, error) {
	if s == nil {
		return page.Seen{}, nil
	}
	return p.watch(ctx, m, *s)
}

// Await looks for a sign without doing anything before: what is there counts.
func (p *Page) Await(ctx context.Context, s page.Signs) (page.Seen, error) {
	return p.run(ctx, "await", nil, func(ctx context.Context, _ *verb) (page.Seen, error) {
		if err := s.Check(); err != nil {
			return page.Seen{}, err
		}
		ctx, cancel := within(ctx, &s, page.SignTime)
		defer cancel()
		return p.watch(ctx, nil, s)
	})
}
