package lua

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/text"
)

// result is an outcome in a script's hands.
type result struct {
	core.Outcome
	linked bool // it names a link_profile
}

func (r *result) String() string {
	s := string(r.Status)
	if r.Code != "" {
		s += " (" + string(r.Code) + ")"
	}
	return s
}

// Bounds of what a script reports.
const (
	maxReason = 300 // characters
	maxFacts  = 64
	maxFact   = 4096 // bytes of one fact
)

var factName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

var doneKeys = []string{"link_profile", "username", "email", "note", "facts", "fields"}

// outcomes is the global outcome.
func (h *host) outcomes() *lua.LTable {
	mt := h.L.CreateTable(0, 2)
	mt.RawSetString("__index", h.L.NewFunction(func(L *lua.LState) int {
		r, name := L.CheckUserData(1).Value.(*result), lua.LVAsString(L.Get(2))
		switch name {
		case "status":
			L.Push(lua.LString(r.Status))
		case "code":
			L.Push(orNil(string(r.Code)))
		case "reason":
			L.Push(orNil(r.Reason))
		default:
			h.fail("an outcome has status, code and reason, no %q", name)
		}
		return 1
	}))
	mt.RawSetString("__newindex", h.L.NewFunction(func(*lua.LState) int {
		h.fail("an outcome is read-only")
		return 0
	}))
	h.meta.outcome = mt
	push := func(r *result) int {
		h.L.Push(h.handle(r, h.meta.outcome))
		return 1
	}
	return h.table(map[string]lua.LGFunction{
		"done": func(L *lua.LState) int {
			h.args("outcome.done", 1)
			return push(h.done(L.Get(1)))
		},
		"waiting": func(L *lua.LState) int {
			h.args("outcome.waiting", 2)
			r := &result{Outcome: core.Outcome{Status: core.Waiting, Code: h.code(1, core.Waiting)}}
			h.named(2, "outcome.waiting", []string{"after", "reason", "facts"}, func(key string, v lua.LValue) {
				switch key {
				case "after":
					r.After = h.seconds(v, "after")
				case "reason":
					r.Reason = h.reason(v)
				case "facts":
					r.Facts = h.facts(v)
				}
			})
			return push(r)
		},
		"rejected": func(L *lua.LState) int {
			h.args("outcome.rejected", 3)
			r := &result{Outcome: core.Outcome{Status: core.Rejected, Code: h.code(1, core.Rejected), Reason: h.reason(L.Get(2))}}
			h.named(3, "outcome.rejected", []string{"field", "facts"}, func(key string, v lua.LValue) {
				switch key {
				case "field":
					r.Field = h.field(v)
				case "facts":
					r.Facts = h.facts(v)
				}
			})
			return push(r)
		},
		"blocked": func(L *lua.LState) int {
			h.args("outcome.blocked", 2)
			return push(&result{Outcome: core.Outcome{Status: core.Blocked, Code: h.code(1, core.Blocked), Reason: h.reason(L.Get(2))}})
		},
		"absent": func(L *lua.LState) int {
			h.args("outcome.absent", 1)
			if h.run != nil && h.run.phase != core.Verify {
				h.fail("outcome.absent is for verify: elsewhere a missing account is rejected(\"bad_credentials\", …)")
			}
			return push(&result{Outcome: core.Outcome{Status: core.Absent, Reason: h.reason(L.Get(1))}})
		},
		"refused": func(L *lua.LState) int {
			h.args("outcome.refused", 2)
			said, ok := L.Get(1).(lua.LString)
			if !ok {
				h.fail("outcome.refused takes what the site said, not %s", kind(L.Get(1)))
			}
			return push(h.refused(string(said), L.Get(2)))
		},
	})
}

func orNil(s string) lua.LValue {
	if s == "" {
		return lua.LNil
	}
	return lua.LString(s)
}

// args refuses more arguments than a function has.
func (h *host) args(what string, most int) {
	for n := h.L.GetTop(); n > most; n-- {
		if h.L.Get(n) != lua.LNil {
			h.fail("%s takes at most %d arguments, not %d", what, most, n)
		}
	}
}

// named reads the optional table of named arguments at n.
func (h *host) named(n int, what string, known []string, each func(key string, v lua.LValue)) {
	if h.L.Get(n) == lua.LNil {
		return
	}
	t := h.checkTable(n, what+"'s settings")
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		key, ok := k.(lua.LString)
		if !ok || !slices.Contains(known, string(key)) {
			h.fail("%s has no setting %q%s", what, h.tostring(k), near(h.tostring(k), known))
		}
		each(string(key), v)
	}
}

// code is argument n as a code that status may carry.
func (h *host) code(n int, status core.Status) core.Code {
	known := core.Codes[status]
	c, ok := h.L.Get(n).(lua.LString)
	if !ok || !slices.Contains(known, core.Code(c)) {
		names := make([]string, len(known))
		for i, k := range known {
			names[i] = string(k)
		}
		h.fail("outcome.%s: %s is no code of it%s; known are %s", status, shortly(h.L.Get(n)), near(string(c), names), strings.Join(names, " "))
	}
	return core.Code(c)
}

// reason is one line for a person.
func (h *host) reason(v lua.LValue) string {
	switch v := v.(type) {
	case *lua.LNilType:
		return ""
	case lua.LString:
		s, _ := text.Fit(strings.Join(strings.Fields(h.clean(string(v))), " "), maxReason)
		return s
	}
	h.fail("a reason is a text, not %s", kind(v))
	return ""
}

func (h *host) field(v lua.LValue) string {
	s, ok := v.(lua.LString)
	if !ok || !slices.Contains(TaskFields, string(s)) {
		h.fail("field: %s is no field%s", shortly(v), near(lua.LVAsString(v), TaskFields))
	}
	return string(s)
}

// seconds is a time such as "30s".
func (h *host) seconds(v lua.LValue, what string) time.Duration {
	s, ok := v.(lua.LString)
	d, err := time.ParseDuration(string(s))
	if !ok || err != nil || d <= 0 || d > 30*24*time.Hour {
		h.fail("%s must be a time such as \"30s\", not %s", what, shortly(v))
	}
	return d
}

// value is a text, number, boolean or secret from the script.
func (h *host) value(v lua.LValue, what string) core.Value {
	switch v := v.(type) {
	case lua.LString:
		return core.Text(string(v))
	case lua.LNumber, lua.LBool:
		return core.Text(v.String())
	case *lua.LUserData:
		if s, ok := v.Value.(secret); ok {
			return s.value
		}
	}
	h.fail("%s must be a text or a secret, not %s", what, kind(v))
	return core.Value{}
}

// reported refuses a secret in a fact that is reported as it is.
func (h *host) reported(name string, v core.Value) {
	switch name {
	case core.FactLinkProfile, core.FactUsername, core.FactEmail, core.FactNote:
		if v.IsSecret() {
			h.fail("%s is reported as it is and can't be a secret", name)
		}
	}
}

func (h *host) facts(v lua.LValue) core.Facts {
	t, ok := v.(*lua.LTable)
	if !ok {
		h.fail("facts must be a table, not %s", kind(v))
	}
	t = h.contents(t)
	out := core.Facts{}
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		name, ok := k.(lua.LString)
		if !ok || !factName.MatchString(string(name)) {
			h.fail("facts: the name %q must be lower-case letters, digits and _", h.tostring(k))
		}
		val := h.value(v, "the fact "+string(name))
		h.reported(string(name), val)
		if len(val.Reveal()) > maxFact {
			h.fail("the fact %s has %d bytes, the limit is %d", string(name), len(val.Reveal()), maxFact)
		}
		out[string(name)] = val
		if len(out) > maxFacts {
			h.fail("more than %d facts", maxFacts)
		}
	}
	return out
}

func (h *host) done(v lua.LValue) *result {
	r := &result{Outcome: core.Outcome{Status: core.Done}}
	if v == lua.LNil {
		return r
	}
	r.Facts = core.Facts{}
	h.named(1, "outcome.done", doneKeys, func(key string, v lua.LValue) {
		switch key {
		case "facts":
			for k, val := range h.facts(v) {
				if _, set := r.Facts[k]; !set {
					r.Facts[k] = val
				}
			}
		case "fields":
			t, ok := v.(*lua.LTable)
			if !ok {
				h.fail("fields must be a table, not %s", kind(v))
			}
			r.Fields = map[string]string{}
			t = h.contents(t)
			for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
				s, ok := v.(lua.LString)
				if !ok {
					h.fail("fields.%s must be a text, not %s", h.tostring(k), kind(v))
				}
				r.Fields[h.field(k)] = h.reason(s)
			}
		case "link_profile":
			s, ok := v.(lua.LString)
			if !ok || !strings.HasPrefix(string(s), "http://") && !strings.HasPrefix(string(s), "https://") {
				h.fail("link_profile must be the absolute address of the profile, not %s: page:url(path) makes one", shortly(v))
			}
			r.linked = true
			r.Facts[key] = core.Text(string(s))
		default:
			if v != lua.LNil {
				r.Facts[key] = h.value(v, key)
				h.reported(key, r.Facts[key])
			}
		}
	})
	return r
}

// refused finds the code of what a site said. words is a rule, or a list of
// rules and of further lists; the first rule that matches wins. A rule is
// { code = "…", field = "…", "phrase", … }.
func (h *host) refused(said string, words lua.LValue) *result {
	said = h.reason(lua.LString(said))
	code, field := core.InvalidInput, ""
	if words != lua.LNil {
		t, ok := words.(*lua.LTable)
		if !ok {
			h.fail("outcome.refused: words must be a table, not %s", kind(words))
		}
		if c, f, ok := h.rule(said, h.contents(t), 0); ok {
			code, field = c, f
		}
	}
	o := core.Outcome{Code: code, Field: field, Reason: said}
	for status, codes := range core.Codes {
		if slices.Contains(codes, code) {
			o.Status = status
		}
	}
	return &result{Outcome: o}
}

func (h *host) rule(said string, t *lua.LTable, depth int) (core.Code, string, bool) {
	if depth > 4 {
		h.fail("outcome.refused: words is nested too deeply")
	}
	code, isRule := t.RawGetString("code").(lua.LString)
	var phrases []string
	for i := 1; i <= t.Len(); i++ {
		switch v := t.RawGetInt(i).(type) {
		case lua.LString:
			if !isRule {
				h.fail("outcome.refused: the phrase %q stands in no rule: { code = \"…\", \"phrase\" }", string(v))
			}
			phrases = append(phrases, string(v))
		case *lua.LTable:
			if isRule {
				h.fail("outcome.refused: a rule holds phrases only")
			}
			if c, f, ok := h.rule(said, h.contents(v), depth+1); ok {
				return c, f, true
			}
		}
	}
	if !isRule || !text.Has(said, phrases) {
		return "", "", false
	}
	known := false
	for _, codes := range core.Codes {
		known = known || slices.Contains(codes, core.Code(code))
	}
	if !known {
		h.fail("outcome.refused: words has the unknown code %q", string(code))
	}
	field := ""
	if f := t.RawGetString("field"); f != lua.LNil {
		field = h.field(f)
	}
	return core.Code(code), field, true
}

// splitPlace splits "file:line".
func splitPlace(place string) (string, int) {
	i := strings.LastIndexByte(place, ':')
	if i < 0 {
		return place, 0
	}
	n, err := strconv.Atoi(place[i+1:])
	if err != nil {
		return place, 0
	}
	return place[:i], n
}

// finish turns what a phase returned into its outcome.
func (r *run) finish(v lua.LValue) (core.Outcome, error) {
	ud, ok := v.(*lua.LUserData)
	var res *result
	if ok {
		res, ok = ud.Value.(*result)
	}
	if !ok {
		return core.Outcome{}, r.fault(core.DriverError, "", fmt.Sprintf("%s returned %s: it ends with an outcome such as `return outcome.done()`", r.phase, kind(v)))
	}
	out := res.Outcome
	if r.phase == core.Profile && out.Status == core.Done && !res.linked {
		return core.Outcome{}, r.fault(core.DriverError, "", "profile is done without link_profile: return outcome.done { link_profile = page:url(…) }")
	}
	fields := r.page.Results()
	if len(fields) > 0 || len(out.Fields) > 0 {
		merged := map[string]string{}
		for k, s := range fields {
			merged[k] = s
		}
		for k, s := range out.Fields {
			merged[k] = s
		}
		out.Fields = merged
	}
	if err := out.Check(r.phase); err != nil {
		return core.Outcome{}, r.fault(core.DriverError, "", err.Error())
	}
	return out, nil
}
