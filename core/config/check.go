package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"golang.org/x/net/idna"
)

// check looks at what one value alone does not show.
func (d *decoder) check(cfg *Config, dir string) {
	d.checkStore(cfg, dir)
	if u, err := url.Parse(cfg.Entity.BaseURL); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
		d.bad([]string{"entity", "base_url"}, "http:// would send the key unencrypted; use https://")
	}
	if cfg.Entity.BaseURL == "" {
		d.bad([]string{"entity", "base_url"}, "it is empty")
	}
	if cfg.State.Dir == "" {
		d.bad([]string{"state", "dir"}, "it is empty")
	}
	names := reflect.ValueOf(cfg.Entity.States)
	seen := map[string]string{}
	for i, f := range slices.Collect(names.Type().Fields()) {
		key, name := f.Tag.Get("toml"), names.Field(i).String()
		if name == "" {
			d.bad([]string{"entity", "states", key}, "it is empty")
		} else if other, twice := seen[name]; twice {
			d.bad([]string{"entity", "states", key}, "%q is the name of %s too", name, other)
		}
		seen[name] = key
	}
	if cfg.Lease.Heartbeat > cfg.Lease.Duration/2 {
		d.bad([]string{"lease", "heartbeat"}, "%s is more than half of duration, %s; one lost beat would lose the task", cfg.Lease.Heartbeat, cfg.Lease.Duration)
	}
	for _, r := range []struct {
		table, least, most string
		a, b               time.Duration
	}{
		{"retry", "backoff_min", "backoff_max", cfg.Retry.BackoffMin, cfg.Retry.BackoffMax},
		{"retry", "report_min", "report_max", cfg.Retry.ReportMin, cfg.Retry.ReportMax},
		{"mail", "hold", "within", cfg.Mail.Hold, cfg.Mail.Within},
		{"human", "hold", "expires", cfg.Human.Hold, cfg.Human.Expires},
	} {
		if r.a > r.b {
			d.bad([]string{r.table, r.least}, "%s is more than %s, %s", r.a, r.most, r.b)
		}
	}
	for i, p := range cfg.Plugins {
		if p.SHA256 != "" && !digest.MatchString(p.SHA256) {
			d.bad([]string{"plugin", strconv.Itoa(i), "sha256"}, "it is not the 64 hex digits that sha256sum prints")
		}
	}
	for i, host := range cfg.Assets.Allow {
		if _, err := netip.ParseAddr(host); err != nil && checkDomain(host) != nil {
			d.bad([]string{"assets", "allow", strconv.Itoa(i)}, "%s is neither a host name nor an address", strconv.Quote(host))
		}
	}
	for name, box := range cfg.Mail.Boxes {
		if err := checkDomain(name); err != nil && name != "*" {
			d.bad([]string{"mail", name}, "%s", err)
		}
		if box.User == "" {
			d.bad([]string{"mail", name, "user"}, "it is empty")
		}
		if len(box.Password) == 0 {
			d.bad([]string{"mail", name, "password"}, "it is empty")
		}
	}
	for name, h := range cfg.Hoola {
		h.Domain = name
		cfg.Hoola[name] = h
		d.checkHoola(h)
	}
	for name, site := range cfg.Sites {
		site.Domain = name
		cfg.Sites[name] = site
		checkSite(site, func(key, format string, args ...any) {
			path := []string{"sites", name}
			if key != "domain" {
				path = append(path, strings.Split(key, ".")...)
			}
			d.bad(path, format, args...)
		})
	}
}

// hoolaEvery is the least time between two calls that the platform asks for.
const hoolaEvery = 10 * time.Minute

var nameFields = regexp.MustCompile(`\{[^}]*\}`)

func (d *decoder) checkHoola(h Hoola) {
	at := func(key string) []string { return []string{"hoola", h.Domain, key} }
	if err := checkDomain(h.Domain); err != nil {
		d.bad([]string{"hoola", h.Domain}, "%s", err)
	}
	base, err := url.Parse(h.BaseURL)
	local := h.BaseURL != "" && err == nil && loopback(base.Hostname())
	if h.BaseURL != "" && err == nil && base.Scheme == "http" && !local {
		d.bad(at("base_url"), "http:// would send the token unencrypted; use https://")
	}
	if h.Every < hoolaEvery && !local {
		d.bad(at("every"), "it must be at least %s: the platform asks for it", "10m")
	}
	if strings.TrimSpace(h.Name) == "" {
		d.bad(at("name"), "it is empty")
	}
	for _, f := range nameFields.FindAllString(h.Name, -1) {
		if !slices.Contains([]string{"{first_name}", "{last_name}", "{username}"}, f) {
			d.bad(at("name"), "%s is not one of {first_name}, {last_name}, {username}", f)
		}
	}
	if h.ProfileURL == "" {
		return
	}
	plain := strings.NewReplacer("{userId}", "x", "{username}", "x").Replace(h.ProfileURL)
	if u, err := url.Parse(plain); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.ContainsAny(plain, "{}") {
		d.bad(at("profile_url"), "it is not an address with {userId} or {username}")
	} else if plain == h.ProfileURL {
		d.bad(at("profile_url"), "it names neither {userId} nor {username}: every user would have the same profile")
	}
}

// checkStore checks the ledger's address and key, and makes their paths absolute.
func (d *decoder) checkStore(cfg *Config, dir string) {
	at := []string{"store", "url"}
	scheme, rest, _ := strings.Cut(cfg.Store.URL, ":")
	switch scheme {
	case "sqlite", "file":
		if rest == "" {
			d.bad(at, "%s: must be followed by a path", scheme)
			break
		}
		cfg.Store.URL = scheme + ":" + d.absolute(dir, at, strings.TrimPrefix(rest, "//"))
	case "env":
		if !variable.MatchString(rest) {
			d.bad(at, "env: must be followed by the name of an environment variable")
		}
	case "postgres", "postgresql":
		u, err := url.Parse(cfg.Store.URL)
		if err != nil || u.Host == "" && !u.Query().Has("host") {
			d.bad(at, "it is not a postgres:// address")
			break
		}
		if _, has := u.User.Password(); (has || u.Query().Has("password")) && !d.literals {
			d.bad(at, "a password in plain text; write env:NAME or file:PATH, or set allow_literal_secrets = true at the top of the file")
		}
	default:
		d.bad(at, "it must be sqlite:PATH, a postgres:// address, env:NAME or file:PATH")
	}
	at = []string{"store", "key"}
	kind, name, _ := strings.Cut(cfg.Store.Key, ":")
	switch {
	case kind == "file" && name != "":
		cfg.Store.Key = "file:" + d.absolute(dir, at, name)
	case (kind == "env" || kind == "cred") && name != "":
	default:
		d.bad(at, "it must be file:PATH, env:NAME or cred:NAME; the key itself never stands in this file")
	}
}

// Address is the database's address, read from where url says: a secret unless
// it is a sqlite: path.
func (s Store) Address() (core.Value, error) {
	kind, rest, _ := strings.Cut(s.URL, ":")
	switch kind {
	case "env":
		return Secret{kind: sourceEnv, text: rest, key: "store.url"}.Resolve()
	case "file":
		return Secret{kind: sourceFile, text: rest, key: "store.url"}.Resolve()
	case "sqlite":
		return core.Text(s.URL), nil
	}
	return core.Secret(s.URL), nil
}

// Check looks at what the configuration needs from outside: that environment
// variables are set, and that secret files and plugins can be read. The error
// joins every *Problem.
func (c *Config) Check() error {
	var problems []*Problem
	for _, s := range c.secrets {
		if _, err := s.Resolve(); err != nil {
			problems = append(problems, Problems(err)...)
		}
	}
	if _, err := c.Store.Address(); err != nil {
		for _, p := range Problems(err) {
			p.File = c.file
			problems = append(problems, p)
		}
	}
	for _, p := range c.Plugins {
		info, err := os.Stat(p.Path)
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is not a regular file", p.Path)
		}
		if err != nil {
			file, line := splitPlace(p.Place)
			problems = append(problems, &Problem{File: file, Line: line, Key: "plugin.path", Msg: err.Error(), err: err})
		}
	}
	return joined(problems, []string{c.file})
}

// ReuseLoses is what a site with reuse = true gives up, in one line.
const ReuseLoses = "the tasks of different people run in one browser context and renderer process, one after the other; " +
	"what pages store is cleared in between, but the site can tell that it is the same browser and link the accounts, " +
	"and what stays in the process's memory is out of reach of any clearing"

// Warnings are lines about sites that don't run at now although they are
// listed: their basis has ended, or none is given. And about sites that give up
// isolation between their tasks.
func (c *Config) Warnings(now time.Time) []string {
	var out []string
	for _, s := range slices.SortedFunc(maps.Values(c.Sites), func(a, b Site) int { return cmp.Compare(a.Domain, b.Domain) }) {
		switch {
		case s.Allowed == "":
			out = append(out, fmt.Sprintf("%s: %s does not run: allowed is not given; write on what basis it may be automated (owner, contract or terms)", s.Place, s.Domain))
		case s.Reuse && !s.Expired(now):
			out = append(out, fmt.Sprintf("%s: %s reuses its browser contexts: %s", s.Place, s.Domain, ReuseLoses))
		case s.Expired(now):
			out = append(out, fmt.Sprintf("%s: %s does not run: its basis (%s) ended at %s; renew it and change expires", s.Place, s.Domain, s.Allowed, s.Expires.Format(time.RFC3339)))
		}
	}
	for _, h := range slices.SortedFunc(maps.Values(c.Hoola), func(a, b Hoola) int { return cmp.Compare(a.Domain, b.Domain) }) {
		switch {
		case h.Allowed == "":
			out = append(out, fmt.Sprintf("%s: no call is made to %s: allowed is not given; write on what basis accounts may be made (owner, contract or terms)", h.Place, h.Domain))
		case h.Expired(now):
			out = append(out, fmt.Sprintf("%s: no call is made to %s: its basis (%s) ended at %s; renew it and change expires", h.Place, h.Domain, h.Allowed, h.Expires.Format(time.RFC3339)))
		}
	}
	return out
}

var (
	digest   = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
	language = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
)

// checkSite reports what is wrong with a site by key.
func checkSite(s Site, bad func(key, format string, args ...any)) {
	if err := checkDomain(s.Domain); err != nil {
		bad("domain", "%s", err)
	}
	for _, h := range s.Hosts {
		if err := checkDomain(strings.TrimPrefix(h, "*.")); err != nil {
			bad("hosts", "%s", err)
		}
	}
	if s.Language != "" && !language.MatchString(s.Language) {
		bad("language", "%s is not a language tag such as en or pt-BR", strconv.Quote(s.Language))
	}
}

// hosts turns names into the form in which the network knows them.
var hosts = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true), idna.Transitional(false))

// checkDomain accepts a lower-case A-label.
func checkDomain(s string) error {
	host, err := hosts.ToASCII(s)
	switch {
	case err != nil || host == "" || strings.HasSuffix(host, "."):
		return fmt.Errorf("%s is not a host name", strconv.Quote(s))
	case host != s:
		return fmt.Errorf("%s must be written as %s", strconv.Quote(s), host)
	}
	return nil
}

// checkURL accepts an address of one of the schemes that carries no secret.
func checkURL(s string, schemes []string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return errors.New("it is not a URL")
	case !slices.Contains(schemes, u.Scheme) || u.Hostname() == "":
		return fmt.Errorf("it must begin with %s:// and name a host", strings.Join(schemes, ":// or "))
	case u.User != nil:
		return errors.New("it holds a user name or password, which don't belong in a URL")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("it has a query or fragment")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("port %s does not exist", port)
		}
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
