package page

import (
	"net"
	"net/url"
	"strings"

	"github.com/rollcall-run/rollcall/core"
)

// Site is what of the web a page may reach: the site itself and its hosts.
type Site struct {
	Base   *url.URL
	Domain string   // the task's
	Hosts  []string // as exact hosts or *.host
}

func local(host string) bool { return host == "localhost" || net.ParseIP(host) != nil }

func below(host, domain string) bool {
	return domain != "" && (host == domain || strings.HasSuffix(host, "."+domain))
}

// Own reports whether an address is the site's own: the base's host, or the
// task's domain and its subdomains. Bare addresses and localhost also need the
// base's port; a site on https is never reached over http.
func (s Site) Own(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return false
	}
	if s.Base.Scheme == "https" && u.Scheme != "https" {
		return false
	}
	host, base := strings.ToLower(u.Hostname()), strings.ToLower(s.Base.Hostname())
	if host == base {
		return !local(base) || u.Port() == s.Base.Port()
	}
	return !local(host) && (below(host, strings.ToLower(s.Domain)) || host == "www."+base || base == "www."+host)
}

// Allowed reports whether an address may be opened.
func (s Site) Allowed(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if s.Own(raw) || (strings.EqualFold(host, s.Base.Hostname()) && !local(s.Base.Hostname())) || below(host, strings.ToLower(s.Domain)) {
		return true
	}
	for _, h := range s.Hosts {
		h = strings.ToLower(h)
		if rest, ok := strings.CutPrefix(h, "*."); ok {
			if below(host, rest) && host != rest {
				return true
			}
		} else if host == h || strings.EqualFold(u.Host, h) {
			return true
		}
	}
	return false
}

// Resolve makes the address of a path: a leading / is joined to the base, its
// path included; an absolute address must be of the site or of its hosts. clip
// shortens what an error shows.
func (s Site) Resolve(path string, clip func(string, int) string) (string, error) {
	if strings.HasPrefix(path, "//") {
		path = s.Base.Scheme + ":" + path
	}
	if strings.HasPrefix(path, "/") {
		u, err := url.Parse(path)
		if err != nil {
			return "", Wrong("the path can't be parsed: %s", clip(path, 100))
		}
		full := *s.Base
		full.Path, full.RawPath = strings.TrimSuffix(s.Base.Path, "/")+u.Path, ""
		if u.RawPath != "" {
			full.RawPath = strings.TrimSuffix(s.Base.EscapedPath(), "/") + u.RawPath
		}
		full.RawQuery, full.Fragment, full.RawFragment = u.RawQuery, u.Fragment, u.RawFragment
		return full.String(), nil
	}
	u, err := url.Parse(path)
	if err != nil || path == "" {
		return "", Wrong("the address can't be parsed: %s", clip(path, 100))
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		if u.Scheme == "" {
			return "", Wrong("%q is neither a path that begins with / nor a full address", clip(path, 100))
		}
		return "", Wrong("addresses of the scheme %s: are never opened", u.Scheme)
	}
	if u.User != nil {
		return "", Wrong("an address with a user name in it is never opened")
	}
	if !s.Allowed(path) {
		return "", &core.Fault{Code: core.HostRefused, Why: "the host " + u.Hostname() + " is not one of the site's: declare it in hosts", URL: path}
	}
	return u.String(), nil
}
