package lua

import (
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/rollcall-run/rollcall/core"
)

var (
	driverName    = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	driverVersion = regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	label         = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)
	optionName    = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// hostname reports whether s is a lower-case A-label host or an address.
func hostname(s string) bool {
	if len(s) > 253 || s == "" {
		return false
	}
	if net.ParseIP(s) != nil {
		return true
	}
	for _, part := range strings.Split(s, ".") {
		if !label.MatchString(part) {
			return false
		}
	}
	return true
}

// manifest decodes the driver's table; what is wrong is in d.problems.
func (d *decoder) manifest(t *lua.LTable) (core.Manifest, *lua.LTable) {
	m := core.Manifest{Engine: "browser", Public: true}
	var tests *lua.LTable
	known := slices.Clone(manifestKeys)
	for _, p := range core.Phases {
		known = append(known, string(p))
	}
	if v, ok := t.RawGetString("api").(lua.LNumber); ok && v > core.ManifestAPI {
		d.bad("api", "the driver needs script API %v, this rollcall has %d: a newer rollcall is needed", v, core.ManifestAPI)
		return m, nil
	}
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		name, ok := k.(lua.LString)
		if !ok {
			d.bad("", "the driver's table has an entry without a name")
			continue
		}
		key := string(name)
		if !slices.Contains(known, key) {
			if _, isFunc := v.(*lua.LFunction); isFunc {
				d.bad(key, "%q is no phase%s: phases are %s; a helper is a local function", key, near(key, known), phaseList())
			} else {
				d.bad(key, "unknown key %q in the driver%s", key, near(key, known))
			}
			continue
		}
		if slices.Contains(core.Phases, core.Phase(key)) {
			if _, isFunc := v.(*lua.LFunction); !isFunc {
				d.bad(key, "the phase %s must be a function, not %s", key, kind(v))
			}
			continue
		}
		switch key {
		case "api":
			m.API = d.count(key, v, 1, core.ManifestAPI)
		case "name":
			if m.Name = d.text(key, v); m.Name != "" && !driverName.MatchString(m.Name) {
				d.bad(key, "name %q must be lower-case letters, digits, - and _, beginning with a letter", m.Name)
			}
		case "version":
			if m.Version = d.text(key, v); m.Version != "" && !driverVersion.MatchString(m.Version) {
				d.bad(key, "version %q must be three numbers such as \"1.0.0\"", m.Version)
			}
		case "summary":
			if m.Summary = d.text(key, v); len(m.Summary) > 200 || strings.Contains(m.Summary, "\n") {
				d.bad(key, "summary must be one line of at most 200 bytes")
			}
		case "domains":
			m.Domains = d.list(key, v)
			for _, s := range m.Domains {
				if !hostname(s) {
					d.bad(key, "domains: %q must be a lower-case host name, in its xn-- form where it is not ASCII", s)
				}
			}
		case "family":
			m.Family = d.boolean(key, v)
		case "hosts":
			m.Hosts = d.list(key, v)
			for _, s := range m.Hosts {
				if rest := strings.TrimPrefix(s, "*."); !hostname(rest) || rest != s && !strings.Contains(rest, ".") {
					d.bad(key, "hosts: %q must be a host or *.host, without scheme and path", s)
				}
			}
		case "needs":
			m.Needs = d.fieldNames(key, v)
		case "wants":
			m.Wants = d.fieldNames(key, v)
		case "limits":
			m.Limits = d.limits(v)
		case "pace":
			m.Pace = d.pace(v)
		case "options":
			m.Options = d.options(v)
		case "engine":
			m.Engine, m.Engines = d.engine(key, v)
		case "dismiss":
			m.Dismiss = d.list(key, v)
		case "probe":
			m.Probe = d.probe(v)
		case "public":
			m.Public = d.boolean(key, v)
		case "permissions":
			m.Permissions = d.permissions(v)
		case "skip":
			if m.Skip = d.text(key, v); m.Skip == "" {
				d.bad(key, "skip must say why the driver does not work; delete it when it does")
			}
		case "tests":
			tests = d.table(key, v)
		}
	}
	for _, p := range core.Phases {
		if _, ok := t.RawGetString(string(p)).(*lua.LFunction); ok {
			m.Phases = append(m.Phases, p)
		}
	}
	d.whole(t, m)
	return m, tests
}

// whole checks what concerns several keys.
func (d *decoder) whole(t *lua.LTable, m core.Manifest) {
	for _, key := range []string{"api", "name", "version", "summary"} {
		if t.RawGetString(key) == lua.LNil {
			d.bad("", "the driver has no %s", key)
		}
	}
	if m.Family && len(m.Domains) > 0 {
		d.bad("family", "a driver is for a family or names its domains, not both: sites are bound to a family by configuration")
	}
	if !m.Family && len(m.Domains) == 0 {
		d.bad("", "the driver names no domains: add domains = { \"example.org\" }, or family = true for software that runs on many sites")
	}
	for _, f := range m.Needs {
		if slices.Contains(m.Wants, f) {
			d.bad("wants", "%q is in needs and in wants", f)
		}
	}
	if len(m.Phases) == 0 {
		d.bad("", "the driver has no phase: phases are %s", phaseList())
	}
}

func phaseList() string {
	var names []string
	for _, p := range core.Phases {
		names = append(names, string(p))
	}
	return strings.Join(names, " ")
}

func (d *decoder) fieldNames(path string, v lua.LValue) []string {
	list := d.list(path, v)
	for i, f := range list {
		if !slices.Contains(TaskFields, f) {
			d.bad(join(path, string(rune('1'+min(i, 8)))), "%s: unknown field %q%s", path, f, near(f, TaskFields))
		}
	}
	return list
}

func (d *decoder) limits(v lua.LValue) map[string]core.Limit {
	t := d.table("limits", v)
	if t == nil {
		return nil
	}
	out := map[string]core.Limit{}
	d.keys(t, "limits", TaskFields, func(name, path string, v lua.LValue) {
		sub := d.table(path, v)
		if sub == nil {
			return
		}
		if name == FieldAvatar || name == FieldCover {
			out[name] = core.Limit{Fit: d.fit(sub, path)}
			return
		}
		var l core.Limit
		d.keys(sub, path, limitKeys, func(key, path string, v lua.LValue) {
			switch key {
			case "min":
				l.Min = d.count(path, v, 0, 1_000_000)
			case "max":
				l.Max = d.count(path, v, 1, 1_000_000)
			case "chars":
				l.Chars = d.text(path, v)
				if _, err := regexp.Compile("^[" + l.Chars + "]$"); err != nil || l.Chars == "" || strings.HasPrefix(l.Chars, "^") {
					d.bad(path, `%s: %q is no class of characters such as "a-z0-9_.-"`, path, l.Chars)
				}
			case "lower":
				l.Lower = d.boolean(path, v)
			case "classes":
				l.Classes = d.count(path, v, 1, 4)
			case "format":
				if l.Format = d.text(path, v); l.Format != "" && !slices.Contains(Formats, l.Format) {
					d.bad(path, "%s: unknown format %q%s; known are %s", path, l.Format, near(l.Format, Formats), strings.Join(Formats, " "))
				}
			case "keep_case":
				l.KeepCase = d.boolean(path, v)
			}
		})
		if l.Max > 0 && l.Min > l.Max {
			d.bad(path, "%s: min %d is above max %d", path, l.Min, l.Max)
		}
		if l.Classes > 0 && name != core.FieldPassword {
			d.bad(path, "%s: classes is for the password", path)
		}
		out[name] = l
	})
	return out
}

func (d *decoder) fit(t *lua.LTable, path string) core.Fit {
	var f core.Fit
	d.keys(t, path, assetKeys, func(key, path string, v lua.LValue) {
		switch key {
		case "max_width":
			f.MaxWidth = d.count(path, v, 1, 4096)
		case "max_height":
			f.MaxHeight = d.count(path, v, 1, 4096)
		case "min_width":
			f.MinWidth = d.count(path, v, 1, 4096)
		case "min_height":
			f.MinHeight = d.count(path, v, 1, 4096)
		case "kb":
			f.MaxKB = d.count(path, v, 1, 100_000)
		case "formats":
			f.Formats = d.list(path, v)
			for _, s := range f.Formats {
				if !slices.Contains(imageFormats, s) {
					d.bad(path, "%s: unknown format %q%s; known are %s", path, s, near(s, imageFormats), strings.Join(imageFormats, " "))
				}
			}
		case "square":
			f.Square = d.boolean(path, v)
		}
	})
	if f.MaxWidth > 0 && f.MinWidth > f.MaxWidth || f.MaxHeight > 0 && f.MinHeight > f.MaxHeight {
		d.bad(path, "%s: a minimum is above its maximum", path)
	}
	return f
}

func (d *decoder) pace(v lua.LValue) core.Pace {
	var p core.Pace
	if t := d.table("pace", v); t != nil {
		d.keys(t, "pace", paceKeys, func(key, path string, v lua.LValue) {
			switch key {
			case "every":
				p.Every = d.duration(path, v, time.Millisecond, 24*time.Hour)
			case "concurrency":
				p.Concurrency = d.count(path, v, 1, 64)
			}
		})
	}
	return p
}

func (d *decoder) probe(v lua.LValue) core.Probe {
	var p core.Probe
	if t := d.table("probe", v); t != nil {
		d.keys(t, "probe", probeKeys, func(key, path string, v lua.LValue) {
			switch key {
			case "authoritative":
				p.Authoritative = d.boolean(path, v)
			case "settle":
				p.Settle = d.duration(path, v, 0, 24*time.Hour)
			}
		})
		if p.Authoritative && p.Settle == 0 {
			d.bad("probe", `an authoritative probe needs settle, how late the site may still create the account: settle = "2m"`)
		}
	}
	return p
}

func (d *decoder) options(v lua.LValue) map[string]core.Option {
	t := d.table("options", v)
	if t == nil {
		return nil
	}
	out := map[string]core.Option{}
	d.keys(t, "options", nil, func(name, path string, v lua.LValue) {
		sub := d.table(path, v)
		if sub == nil {
			return
		}
		if !optionName.MatchString(name) {
			d.bad(path, "the option %q must be lower-case letters, digits and _", name)
		}
		var o core.Option
		d.items(sub, path, func(i int, path string, v lua.LValue) {
			switch i {
			case 1:
				switch v := v.(type) {
				case lua.LString:
					o.Default = string(v)
				case lua.LNumber:
					o.Default = float64(v)
				case lua.LBool:
					o.Default = bool(v)
				default:
					d.bad(path, "%s: a default is a text, a number or true or false, not %s", parent(path), kind(v))
				}
			case 2:
				o.Help = d.text(path, v)
			default:
				d.bad(path, "%s is { default, \"help\" }, it has a third entry", parent(path))
			}
		})
		if o.Default == nil || o.Help == "" {
			d.bad(path, "%s must be { default, \"help\" }", path)
			return
		}
		out[name] = o
	})
	return out
}

// engine is one for all phases, or by phase.
func (d *decoder) engine(key string, v lua.LValue) (string, map[core.Phase]string) {
	one := func(path string, v lua.LValue) string {
		e := d.text(path, v)
		if e != core.EngineBrowser && e != core.EngineHTTP {
			d.bad(path, `%s must be "browser" or "http", not %q`, path, e)
		}
		return e
	}
	if _, by := v.(*lua.LTable); !by {
		return one(key, v), nil
	}
	known, engines := []string{}, map[core.Phase]string{}
	for _, p := range core.Phases {
		known = append(known, string(p))
	}
	t := d.table(key, v)
	if t == nil {
		return core.EngineBrowser, nil
	}
	d.keys(t, key, known, func(name, path string, v lua.LValue) { engines[core.Phase(name)] = one(path, v) })
	return core.EngineBrowser, engines
}

func (d *decoder) permissions(v lua.LValue) []string {
	list := d.list("permissions", v)
	for _, p := range list {
		name, loc, has := strings.Cut(p, ":")
		switch {
		case p == core.PermitDownloads:
		case name == core.PermitSecretFields && has && loc != "":
		case name == core.PermitSecretFields:
			d.bad("permissions", `secret_fields names its field: "secret_fields:#token"`)
		default:
			d.bad("permissions", "unknown permission %q%s", p, near(p, []string{core.PermitDownloads, core.PermitSecretFields}))
		}
	}
	return list
}
