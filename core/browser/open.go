package browser

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// Open goes to a path of the site, an address of one of its hosts or a mail
// link. Without signs it waits until the document can be acted on. After a verb
// without signs it first waits for the answer to what that started.
func (p *Page) Open(ctx context.Context, path string, s *Signs) (Seen, error) {
	return p.run(ctx, "open", Locator{path}, OpenTime, func(ctx context.Context, v *verb) (Seen, error) {
		v.at = 0
		if err := s.Check(); err != nil {
			return Seen{}, err
		}
		u, err := p.resolve(path)
		if err != nil {
			return Seen{}, err
		}
		if err := p.settle(ctx, v, true); err != nil {
			return Seen{}, err
		}
		p.mu.Lock()
		here, _, _ := strings.Cut(p.st.url, "#")
		p.mu.Unlock()
		b := memory{}
		if there, fragment, ok := strings.Cut(u, "#"); ok && fragment != "" && there == here {
			if b, err = p.remember(ctx, v, s); err != nil {
				return Seen{}, err
			}
		}
		p.begin(true)
		v.doing = "the site has not answered in time"
		step, cancel := context.WithDeadline(ctx, v.until)
		defer cancel()
		var to proto.PageNavigateResult
		if err := p.c.send(p.session, proto.PageNavigate{URL: u}).wait(step, &to); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				p.stop()
				p.free()
			}
			return Seen{}, err
		}
		if to.ErrorText != "" {
			p.mu.Lock()
			at := p.st.failedAt
			p.mu.Unlock()
			if at == "" {
				at = u
			}
			return Seen{}, p.netFault(to.ErrorText, at)
		}
		if to.LoaderID != "" {
			if err := p.wait(ctx, v.until, func(st *pageState) bool {
				_, stands := st.world(st.frame)
				return st.loader == string(to.LoaderID) || !stands
			}); err != nil {
				return Seen{}, err
			}
		}
		v.doing = ""
		if s != nil {
			limit := s.Limit(SignTime)
			if s.Timeout == 0 {
				limit = max(limit, time.Until(v.until))
			}
			return p.watch(ctx, v, b, *s, limit, watchOptions{status: true})
		}
		return Seen{}, p.ready(ctx, v)
	})
}

// ready waits until the document can be acted on, and judges its status.
func (p *Page) ready(ctx context.Context, v *verb) error {
	var r reply
	if _, err := p.inPage(ctx, v.until, "", "ready", nil, &r); err != nil {
		return err
	}
	r.Status = p.statusNow(r.Status)
	switch {
	case r.State == "failed":
		return p.lost()
	case r.State == "timeout":
		return &core.Fault{Code: core.Timeout, Why: "the document does not finish loading", Detail: r.Page.String()}
	case r.Status >= 400 && !r.Accepted:
		return p.status(r.Status, r.Page)
	}
	return nil
}

// URL is the page's address when path is empty, else path joined to the site's base.
func (p *Page) URL(_ context.Context, path string) (string, error) {
	if path == "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.redact(p.st.url), nil
	}
	u, err := p.resolve(path)
	if err != nil {
		return "", p.explain(err, &verb{name: "url", loc: Locator{path}})
	}
	return p.redact(u), nil
}

// site is what the page may reach.
func (p *Page) site() page.Site {
	return page.Site{Base: p.base, Domain: p.o.Task.Domain, Hosts: p.s.Hosts}
}

// resolve makes the address of a path, which the page may open.
func (p *Page) resolve(path string) (string, error) { return p.site().Resolve(path, p.clip) }

// allowed reports whether an address may be opened.
func (p *Page) allowed(raw string) bool { return p.site().Allowed(raw) }
