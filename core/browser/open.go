package browser

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
)

// Open goes to a path of the site, an address of one of its hosts or a mail
// link. Without signs it waits until the document can be acted on. After a verb
// without signs it first waits for the answer to what that started.
func (p *Page) Open(ctx context.Context, path string, s *Signs) (Seen, error) {
	return p.run(ctx, "open", Locator{path}, OpenTime, func(ctx context.Context, v *verb) (Seen, error) {
		v.at = 0
		if err := s.check(); err != nil {
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
			limit := s.limit(SignTime)
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

// resolve makes the address of a path: a leading / is joined to the base, its
// path included; an absolute address must be of the site or of its hosts.
func (p *Page) resolve(path string) (string, error) {
	if strings.HasPrefix(path, "//") {
		path = p.base.Scheme + ":" + path
	}
	if strings.HasPrefix(path, "/") {
		u, err := url.Parse(path)
		if err != nil {
			return "", wrong("the path can't be parsed: %s", p.clip(path, 100))
		}
		full := *p.base
		full.Path, full.RawPath = strings.TrimSuffix(p.base.Path, "/")+u.Path, ""
		if u.RawPath != "" {
			full.RawPath = strings.TrimSuffix(p.base.EscapedPath(), "/") + u.RawPath
		}
		full.RawQuery, full.Fragment, full.RawFragment = u.RawQuery, u.Fragment, u.RawFragment
		return full.String(), nil
	}
	u, err := url.Parse(path)
	if err != nil || path == "" {
		return "", wrong("the address can't be parsed: %s", p.clip(path, 100))
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		if u.Scheme == "" {
			return "", wrong("%q is neither a path that begins with / nor a full address", p.clip(path, 100))
		}
		return "", wrong("addresses of the scheme %s: are never opened", u.Scheme)
	}
	if u.User != nil {
		return "", wrong("an address with a user name in it is never opened")
	}
	if !p.allowed(path) {
		return "", &core.Fault{Code: core.HostRefused, Why: "the host " + u.Hostname() + " is not one of the site's: declare it in hosts", URL: path}
	}
	return u.String(), nil
}

func local(host string) bool { return host == "localhost" || net.ParseIP(host) != nil }

func below(host, domain string) bool {
	return domain != "" && (host == domain || strings.HasSuffix(host, "."+domain))
}

// own reports whether an address is the site's own: the base's host, or the
// task's domain and its subdomains. Bare addresses and localhost also need the
// base's port; a site on https is never reached over http.
func (p *Page) own(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return false
	}
	if p.base.Scheme == "https" && u.Scheme != "https" {
		return false
	}
	host, base := strings.ToLower(u.Hostname()), strings.ToLower(p.base.Hostname())
	if host == base {
		return !local(base) || u.Port() == p.base.Port()
	}
	return !local(host) && (below(host, strings.ToLower(p.o.Task.Domain)) || host == "www."+base || base == "www."+host)
}

// allowed reports whether an address may be opened.
func (p *Page) allowed(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return false
	}
	if p.own(raw) || (strings.EqualFold(u.Hostname(), p.base.Hostname()) && !local(p.base.Hostname())) || below(strings.ToLower(u.Hostname()), strings.ToLower(p.o.Task.Domain)) {
		return true
	}
	for _, h := range p.s.Hosts {
		h = strings.ToLower(h)
		if rest, ok := strings.CutPrefix(h, "*."); ok {
			if below(strings.ToLower(u.Hostname()), rest) && !strings.EqualFold(u.Hostname(), rest) {
				return true
			}
		} else if strings.EqualFold(u.Hostname(), h) || strings.EqualFold(u.Host, h) {
			return true
		}
	}
	return false
}
