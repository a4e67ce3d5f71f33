package drivers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
)

// answers are what the set says, as one immutable whole.
type answers struct {
	drivers  map[string]driver   // by name
	byDomain map[string][]string // domain → names of the drivers that name it
	sites    map[string]config.Site
	pace     config.DefaultPace
}

// driver is a name and what it stands for now.
type driver struct {
	script  *Script // nil when no version could be loaded
	problem error
	path    string
	hidden  []string // paths of equal name that it replaces
	clash   []string // paths of equal name that can't be told apart
}

type answer struct {
	binding core.Binding
	none    *core.NoBinding
	why     string // how the driver was chosen
	afresh  string // why reuse = true does not apply; "" where it does
}

// build makes the answers from the files and sites. s.mu is held.
func (s *Set) build() {
	a := &answers{drivers: map[string]driver{}, byDomain: map[string][]string{}, sites: s.sites, pace: s.pace}
	for _, p := range s.opt.Programs {
		p.Program = true
		s.byDigest.Store(p.Digest, &p)
		a.add(p.Manifest.Name, driver{script: &p, path: p.Path})
	}
	for i, src := range s.sources { // the first folder wins
		var names []string
		for _, f := range s.files {
			if f.at == i {
				names = append(names, f.name)
			}
		}
		slices.Sort(names)
		for _, n := range names {
			f := s.files[src.path(n)]
			a.add(strings.TrimSuffix(n, ".lua"), driver{script: f.good, problem: f.problem, path: src.path(n)})
		}
	}
	for name, d := range a.drivers {
		if d.script != nil {
			for _, domain := range d.script.Manifest.Domains {
				a.byDomain[domain] = append(a.byDomain[domain], name)
			}
		}
	}
	for domain, names := range a.byDomain {
		slices.Sort(names)
		if len(names) > 1 {
			s.opt.Logger.Error("two drivers name one domain; it runs with neither until its site chooses", "domain", domain, "scripts", a.paths(names))
		}
	}
	s.answers.Store(a)
}

// add puts a driver in its place: what comes first wins; a program and a script
// of one name clash.
func (a *answers) add(name string, d driver) {
	have, ok := a.drivers[name]
	switch {
	case !ok:
		a.drivers[name] = d
	case have.script != nil && have.script.Program:
		have.clash = append(have.clash, d.path)
		a.drivers[name] = have
	default:
		have.hidden = append(have.hidden, d.path)
		a.drivers[name] = have
	}
}

func (a *answers) paths(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, a.drivers[n].path)
	}
	return strings.Join(out, " and ")
}

// bind works out one site. It is done when it is asked for: thousands of sites of
// which few have tasks cost next to nothing.
func (a *answers) bind(domain string, site config.Site) answer {
	none := func(reason, command string) answer {
		return answer{none: &core.NoBinding{Domain: domain, Reason: reason, Command: command, Allowed: site.Allowed != ""}}
	}
	section := fmt.Sprintf("[sites.%q]", domain)
	if site.Allowed == "" {
		return none("you have not recorded on what basis it may be automated", fmt.Sprintf("set %s allowed = \"owner\", \"contract\" or \"terms\"", section))
	}
	name, why := site.Driver, "the site names its driver"
	if name == "" {
		names := a.byDomain[domain]
		switch len(names) {
		case 0:
			return none("no driver names it", fmt.Sprintf("set %s driver = \"NAME\" (rollcall driver list shows them), or write one: rollcall driver new", section))
		case 1:
			name, why = names[0], "the driver names the domain"
		default:
			return none("two drivers name it: "+a.paths(names), fmt.Sprintf("choose one: set %s driver = %q", section, names[0]))
		}
	}
	d, ok := a.drivers[name]
	switch {
	case !ok:
		return none(fmt.Sprintf("there is no driver %q%s", name, a.near(name)), fmt.Sprintf("set %s driver to one that rollcall driver list shows", section))
	case len(d.clash) > 0:
		return none(fmt.Sprintf("two drivers are called %q: %s and %s", name, d.path, strings.Join(d.clash, " and ")), "rename one of them")
	case d.script == nil:
		return none(fmt.Sprintf("its driver %q can't be loaded: %v", name, d.problem), "mend the script: rollcall driver check "+d.path)
	case d.script.Manifest.Skip != "":
		return none(fmt.Sprintf("its driver %q is switched off: %s", name, d.script.Manifest.Skip), "mend the driver and delete its skip, or choose another in "+section)
	}
	m := d.script.Manifest
	if site.Engine == core.EngineHTTP && d.script.Program {
		return none(fmt.Sprintf("its driver %q is a program, which always has a browser", name), "delete engine in "+section)
	}
	if site.Engine != "" {
		m.Engine, m.Engines = site.Engine, nil
	}
	options, err := mergeOptions(m, site.Options)
	if err != nil {
		return none(err.Error(), fmt.Sprintf("mend options in %s; rollcall driver doc %s lists them", section, name))
	}
	hosts := slices.Concat(m.Hosts, site.Hosts)
	slices.Sort(hosts)
	source := d.script.Path
	if d.script.Bundled {
		source = "bundled"
	}
	if len(d.hidden) > 0 {
		why += "; " + d.path + " replaces " + strings.Join(d.hidden, " and ")
	}
	return answer{why: why, afresh: fresh(d.script), binding: core.Binding{
		Domain: domain, Driver: name, Digest: d.script.Digest, Source: source, Manifest: m,
		Base: strings.TrimRight(cmp.Or(site.BaseURL, "https://"+domain), "/"), BaseFixed: site.BaseURL != "",
		Hosts: slices.Compact(hosts), Pace: pace(m.Pace, site, a.pace), MaxPerDay: cmp.Or(site.MaxPerDay, a.pace.MaxPerDay),
		Options: options, OnExists: cmp.Or(site.OnExists, "fail"), TermsAccept: site.Terms == "accept",
		Language: site.Language, Basis: site.Allowed, Expires: site.Expires, Native: d.script.Program,
		Reuse: site.Reuse && fresh(d.script) == "",
	}}
}

// fresh says why a driver starts each task in a fresh browser context whatever
// its site says, "" where it needs none.
func fresh(d *Script) string {
	switch {
	case d.Program:
		return "the driver is a program"
	case slices.Contains(d.Manifest.Permissions, core.PermitDownloads):
		return "the driver downloads files"
	}
	return ""
}

// pace is the stricter of the driver's and the site's; on a site of the
// operator's own the site's counts.
func pace(own core.Pace, site config.Site, def config.DefaultPace) core.Pace {
	p := core.Pace{Every: cmp.Or(own.Every, def.Every), Concurrency: cmp.Or(own.Concurrency, def.Concurrency)}
	if e := site.Pace.Every; e > 0 {
		if site.Allowed == "owner" || own.Every == 0 || e > own.Every {
			p.Every = e
		}
	}
	if c := site.Pace.Concurrency; c > 0 {
		if site.Allowed == "owner" || own.Concurrency == 0 || c < own.Concurrency {
			p.Concurrency = c
		}
	}
	return p
}

// mergeOptions lays the site's settings over the driver's defaults.
func mergeOptions(m core.Manifest, set map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(m.Options))
	for name, o := range m.Options {
		out[name] = o.Default
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		o, ok := m.Options[name]
		if !ok {
			known := slices.Sorted(maps.Keys(m.Options))
			return nil, fmt.Errorf("its driver %q has no option %q; it has %s", m.Name, name, cmp.Or(strings.Join(known, ", "), "none"))
		}
		v := set[name]
		switch n := v.(type) {
		case int64:
			v = float64(n)
		case int:
			v = float64(n)
		}
		if fmt.Sprintf("%T", v) != fmt.Sprintf("%T", o.Default) {
			return nil, fmt.Errorf("the option %q of its driver %q must be a %s, not a %s", name, m.Name, typeName(o.Default), typeName(v))
		}
		out[name] = v
	}
	return out, nil
}

func typeName(v any) string {
	switch v.(type) {
	case string:
		return "text"
	case bool:
		return "boolean"
	case float64:
		return "number"
	}
	return fmt.Sprintf("%T", v)
}

// near names the driver that begins or ends alike, for a misspelt one.
func (a *answers) near(name string) string {
	for _, n := range slices.Sorted(maps.Keys(a.drivers)) {
		if len(name) > 2 && (strings.HasPrefix(n, name[:3]) || strings.HasSuffix(n, name[len(name)-3:])) {
			return fmt.Sprintf(" (did you mean %q?)", n)
		}
	}
	return ""
}

// Lookup returns the binding of a domain, or a *core.NoBinding.
func (s *Set) Lookup(domain string) (core.Binding, error) {
	a := s.answers.Load()
	site, ok := a.sites[domain]
	if !ok {
		return core.Binding{}, a.unknown(domain)
	}
	ans := a.bind(domain, site)
	switch {
	case ans.none != nil:
		return core.Binding{}, ans.none
	case site.Expired(s.opt.Now()):
		return core.Binding{}, &core.NoBinding{
			Domain: domain, Allowed: true,
			Reason:  fmt.Sprintf("the basis %q on which it may be automated ended on %s", ans.binding.Basis, ans.binding.Expires.UTC().Format("2006-01-02")),
			Command: fmt.Sprintf("renew it and set [sites.%q] expires", domain),
		}
	}
	return ans.binding, nil
}

// unknown answers for a domain that is not configured.
func (a *answers) unknown(domain string) *core.NoBinding {
	n := &core.NoBinding{Domain: domain, Reason: "it is not an allowed site"}
	if names := a.byDomain[domain]; len(names) > 0 {
		n.Reason += fmt.Sprintf(" (the driver %s is there for it)", strings.Join(names, " or "))
		n.Command = fmt.Sprintf("allow it: [sites.%q] allowed = \"owner\", \"contract\" or \"terms\"", domain)
		return n
	}
	n.Command = fmt.Sprintf("allow it: [sites.%q] allowed = \"owner\", \"contract\" or \"terms\", and driver = \"NAME\"", domain)
	return n
}

// Bindings lists every site that can run now, by domain.
func (s *Set) Bindings() []core.Binding {
	a, now := s.answers.Load(), s.opt.Now()
	out := make([]core.Binding, 0, len(a.sites))
	for domain, site := range a.sites {
		if site.Expired(now) {
			continue
		}
		if ans := a.bind(domain, site); ans.none == nil {
			out = append(out, ans.binding)
		}
	}
	slices.SortFunc(out, func(x, y core.Binding) int { return strings.Compare(x.Domain, y.Domain) })
	return out
}

// Why says in a few lines which driver serves the domain and why, or why none does.
func (s *Set) Why(domain string) string {
	b, err := s.Lookup(domain)
	if err != nil {
		return err.Error()
	}
	a := s.answers.Load()
	site := a.sites[domain]
	ans := a.bind(domain, site)
	var w strings.Builder
	fmt.Fprintf(&w, "%s: driver %s %s (%s)\n", domain, b.Driver, b.Manifest.Version, b.Source)
	fmt.Fprintf(&w, "  because %s\n", ans.why)
	fmt.Fprintf(&w, "  allowed: %s", b.Basis)
	if !b.Expires.IsZero() {
		fmt.Fprintf(&w, ", until %s", b.Expires.UTC().Format("2006-01-02"))
	}
	fmt.Fprintf(&w, "\n  at %s, one visit every %s, %d at the same time", b.Base, b.Pace.Every, b.Pace.Concurrency)
	if b.MaxPerDay > 0 {
		fmt.Fprintf(&w, ", %d a day", b.MaxPerDay)
	}
	fmt.Fprintf(&w, "\n  needs %s", cmp.Or(strings.Join(b.Manifest.Needs, " "), "nothing"))
	if len(b.Hosts) > 0 {
		fmt.Fprintf(&w, "; reaches %s too", strings.Join(b.Hosts, " "))
	}
	w.WriteString("\n")
	switch {
	case b.Reuse:
		fmt.Fprintf(&w, "  reuses its browser contexts: %s\n", config.ReuseLoses)
	case site.Reuse:
		fmt.Fprintf(&w, "  reuse does not apply: %s, and gets a fresh browser context for each task\n", ans.afresh)
	}
	if f := s.brokenFile(b.Source); f != nil {
		fmt.Fprintf(&w, "  the script has changed and is broken, its old version goes on: %v\n", f)
	}
	return w.String()
}

func (s *Set) brokenFile(path string) error {
	for _, p := range s.Problems() {
		if p.Path == path {
			return p.Err
		}
	}
	return nil
}
