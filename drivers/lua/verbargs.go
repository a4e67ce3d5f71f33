package lua

import (
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// verb adapts the arguments of page:name(…), numbered from 1 without the page.
type verb struct {
	h    *host
	name string
}

func (v verb) arg(n int) lua.LValue { return v.h.L.Get(n + 1) }

// do runs an action with the optional signs at argument n.
func (v verb) do(n int, f func(s *page.Signs) (page.Seen, error)) int {
	var s *page.Signs
	if v.arg(n) != lua.LNil {
		signs := v.signs(n)
		s = &signs
	}
	seen, err := f(s)
	v.h.check(v.name, err)
	if s == nil {
		return 0
	}
	return v.seen(seen)
}

func (v verb) seen(s page.Seen) int {
	if s.Label == "" {
		return 0
	}
	v.h.L.Push(lua.LString(s.Label))
	v.h.L.Push(lua.LString(v.h.clean(s.Said)))
	return 2
}

func (v verb) most(n int) {
	if v.h.L.GetTop() > n+1 {
		v.h.fail("%s takes at most %d arguments, not %d", v.name, n, v.h.L.GetTop()-1)
	}
}

func (v verb) locator(n int) page.Locator {
	return v.asLocator(v.arg(n), v.name+": the locator")
}

// asLocator is a text or a list of texts.
func (v verb) asLocator(val lua.LValue, what string) page.Locator {
	switch val := val.(type) {
	case lua.LString:
		if strings.TrimSpace(string(val)) == "" {
			v.h.fail("%s is empty", what)
		}
		return page.Locator{string(val)}
	case *lua.LTable:
		t := v.h.contents(val)
		if t.Len() == 0 || t.Len() > 32 {
			v.h.fail("%s is a text or a list of 1 to 32 texts", what)
		}
		var out page.Locator
		for i := 1; i <= t.Len(); i++ {
			s, ok := t.RawGetInt(i).(lua.LString)
			if !ok || strings.TrimSpace(string(s)) == "" {
				v.h.fail("%s: alternative %d must be a text, not %s", what, i, kind(t.RawGetInt(i)))
			}
			out = append(out, string(s))
		}
		return out
	}
	v.h.fail("%s must be a text or a list of texts, not %s", what, kind(val))
	return nil
}

func (v verb) value(n int, what string) core.Value {
	switch val := v.arg(n).(type) {
	case lua.LString, lua.LNumber:
		return core.Text(val.String())
	case *lua.LUserData:
		if s, ok := val.Value.(secret); ok {
			return s.value
		}
	}
	v.h.fail("%s: %s must be a text or a secret, not %s", v.name, what, kind(v.arg(n)))
	return core.Value{}
}

func (v verb) text(n int, what string) string {
	switch val := v.arg(n).(type) {
	case lua.LString, lua.LNumber:
		return val.String()
	}
	v.h.fail("%s: %s must be a text, not %s", v.name, what, kind(v.arg(n)))
	return ""
}

func (v verb) texts(n int, what string) []string {
	if t, ok := v.arg(n).(*lua.LTable); ok {
		t = v.h.contents(t)
		var out []string
		for i := 1; i <= t.Len(); i++ {
			switch val := t.RawGetInt(i).(type) {
			case lua.LString, lua.LNumber:
				out = append(out, val.String())
			default:
				v.h.fail("%s: %s must be texts, not %s", v.name, what, kind(val))
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return []string{v.text(n, what)}
}

func (v verb) asset(n int) string {
	if ud, ok := v.arg(n).(*lua.LUserData); ok {
		if a, ok := ud.Value.(asset); ok {
			return a.name
		}
	}
	v.h.fail("%s takes task.avatar or task.cover, not %s: test first whether the task has one", v.name, kind(v.arg(n)))
	return ""
}

func (v verb) needSigns(n int) page.Signs {
	if v.arg(n) == lua.LNil {
		v.h.fail("%s needs signs: { label = locator, … }", v.name)
	}
	return v.signs(n)
}

// signs is { label = locator or list, …, timeout = "30s" }.
func (v verb) signs(n int) page.Signs {
	t := v.h.checkTable(n+1, v.name+": the signs")
	var s page.Signs
	for k, val := t.Next(lua.LNil); k != lua.LNil; k, val = t.Next(k) {
		label, ok := k.(lua.LString)
		if !ok {
			v.h.fail("%s: each sign has a label: { saved = locator }", v.name)
		}
		if label == "timeout" {
			s.Timeout = v.h.seconds(val, "timeout")
			continue
		}
		s.List = append(s.List, page.Sign{Label: string(label), Any: v.asLocator(val, v.name+": the sign "+string(label))})
	}
	if len(s.List) == 0 || len(s.List) > 32 {
		v.h.fail("%s needs 1 to 32 signs, it has %d", v.name, len(s.List))
	}
	return s
}

var fieldKeys = []string{"optional", "value"}

// fields reads { field = locator or { locator, …, optional = true, value = … }, … } in its order.
func (v verb) fields() []page.Field {
	t := v.h.checkTable(2, "fields")
	var out []page.Field
	for k, val := t.Next(lua.LNil); k != lua.LNil; k, val = t.Next(k) {
		name := lua.LVAsString(k)
		f := page.Field{Name: name}
		spec, isTable := val.(*lua.LTable)
		if isTable {
			spec = v.h.contents(spec)
			var list []lua.LValue
			for k, val := spec.Next(lua.LNil); k != lua.LNil; k, val = spec.Next(k) {
				key, named := k.(lua.LString)
				switch {
				case !named:
					list = append(list, val)
				case key == "optional":
					b, ok := val.(lua.LBool)
					if !ok {
						v.h.fail("fields: %s.optional must be true or false, not %s", name, kind(val))
					}
					f.Optional = bool(b)
				case key == "value":
					v.fieldValue(&f, val)
				default:
					v.h.fail("fields: %s has the unknown key %q%s", name, string(key), near(string(key), fieldKeys))
				}
			}
			alternatives := v.h.L.CreateTable(len(list), 0)
			for _, e := range list {
				if inner, ok := e.(*lua.LTable); ok { // { { "a", "b" }, optional = true }
					inner = v.h.contents(inner)
					for i := 1; i <= inner.Len(); i++ {
						alternatives.Append(inner.RawGetInt(i))
					}
					continue
				}
				alternatives.Append(e)
			}
			val = alternatives
		}
		f.At = v.asLocator(val, "fields: "+name)
		if f.Value == nil && f.Want == nil {
			if !slices.Contains(TaskFields, name) {
				v.h.fail("fields: %q is no field of the task%s; give it a value of its own", name, near(name, TaskFields))
			}
			v.h.run.declared(name)
		}
		out = append(out, f)
		if len(out) > 64 {
			v.h.fail("more than 64 fields at once")
		}
	}
	if len(out) == 0 {
		v.h.fail("fields is empty")
	}
	return out
}

func (v verb) fieldValue(f *page.Field, val lua.LValue) {
	if t, ok := val.(*lua.LTable); ok {
		t = v.h.contents(t)
		for i := 1; i <= t.Len(); i++ {
			f.Want = append(f.Want, v.h.value(t.RawGetInt(i), f.Name).String())
		}
		if len(f.Want) == 0 {
			v.h.fail("fields: the alternatives of %s are empty", f.Name)
		}
		return
	}
	value := v.h.value(val, "fields: the value of "+f.Name)
	f.Value = &value
}
