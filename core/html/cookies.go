package html

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/rollcall-run/rollcall/core"
)

// maxCookies is how many cookies a visit may have; the oldest go first.
const maxCookies = 300

// jar is a visit's cookies (RFC 6265).
type jar struct {
	all     []core.Cookie
	changed bool
}

// set takes in what an answer set.
func (j *jar) set(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		if k, ok := cookieOf(u, c); ok {
			j.put(k, c.MaxAge < 0)
		}
	}
}

// cookieOf is a cookie that the address may set, false when it may not.
func cookieOf(u *url.URL, c *http.Cookie) (core.Cookie, bool) {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	k := core.Cookie{Name: c.Name, Value: core.Secret(c.Value), Domain: host, Path: c.Path, Secure: c.Secure, HTTPOnly: c.HttpOnly, Expires: c.Expires}
	if d := strings.ToLower(strings.TrimPrefix(c.Domain, ".")); d != "" && d != host {
		suffix, _ := publicsuffix.PublicSuffix(d)
		if net.ParseIP(host) != nil || !strings.HasSuffix(host, "."+d) || suffix == d {
			return k, false
		}
		k.Domain, k.Wide = d, true
	} else if d != "" && net.ParseIP(host) == nil {
		if suffix, _ := publicsuffix.PublicSuffix(d); suffix != d {
			k.Wide = true
		}
	}
	if !strings.HasPrefix(k.Path, "/") {
		k.Path = "/"
		if i := strings.LastIndexByte(u.Path, '/'); i > 0 {
			k.Path = u.Path[:i]
		}
	}
	if c.MaxAge > 0 {
		k.Expires = time.Now().Add(time.Duration(min(c.MaxAge, 400*24*3600)) * time.Second)
	}
	switch c.SameSite {
	case http.SameSiteLaxMode:
		k.SameSite = "Lax"
	case http.SameSiteStrictMode:
		k.SameSite = "Strict"
	case http.SameSiteNoneMode:
		k.SameSite = "None"
	}
	switch {
	case k.Secure && u.Scheme != "https" && !strings.HasPrefix(host, "127.") && host != "localhost":
		return k, false
	case strings.HasPrefix(k.Name, "__Secure-") && !k.Secure, strings.HasPrefix(k.Name, "__Host-") && (!k.Secure || c.Domain != "" || k.Path != "/"):
		return k, false
	case len(k.Name)+len(c.Value) > 4096:
		return k, false
	}
	return k, true
}

func (j *jar) put(k core.Cookie, gone bool) {
	j.changed = true
	i := slices.IndexFunc(j.all, func(o core.Cookie) bool { return o.Name == k.Name && o.Domain == k.Domain && o.Path == k.Path })
	gone = gone || expired(k)
	switch {
	case i >= 0 && gone:
		j.all = slices.Delete(j.all, i, i+1)
	case i >= 0:
		j.all[i] = k
	case !gone:
		j.all = append(j.all, k)
		if len(j.all) > maxCookies {
			j.all = slices.Delete(j.all, 0, len(j.all)-maxCookies)
		}
	}
}

func expired(k core.Cookie) bool { return !k.Expires.IsZero() && !k.Expires.After(time.Now()) }

// header is what a request to the address carries.
func (j *jar) header(u *url.URL) string {
	host, path := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), u.EscapedPath()
	if path == "" {
		path = "/"
	}
	var fit []core.Cookie
	for _, k := range j.all {
		at := host == k.Domain || k.Wide && strings.HasSuffix(host, "."+k.Domain)
		under := path == k.Path || strings.HasPrefix(path, k.Path) && (strings.HasSuffix(k.Path, "/") || path[len(k.Path)] == '/')
		secure := !k.Secure || u.Scheme == "https" || strings.HasPrefix(host, "127.") || host == "localhost"
		if at && under && secure && !expired(k) {
			fit = append(fit, k)
		}
	}
	slices.SortStableFunc(fit, func(a, b core.Cookie) int { return cmp.Compare(len(b.Path), len(a.Path)) })
	var parts []string
	for _, k := range fit {
		parts = append(parts, k.Name+"="+k.Value.Reveal())
	}
	return strings.Join(parts, "; ")
}
