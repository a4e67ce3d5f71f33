package lua

import (
	"context"
	"errors"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/browser"
)

// pageHandle marks the page in a script's hands.
type pageHandle struct{}

// commitName is the name of the one irreversible action of register.
const commitName = "register"

// PageVerbs are the names of the page's verbs.
var PageVerbs = []string{
	"open", "fill", "type", "paste", "choose", "check", "press", "hover", "click", "upload", "fields", "note", "agree",
	"commit", "await", "human", "ask", "exists", "text", "attr", "url",
}

// verb adapts the arguments of page:name(…), numbered from 1 without the page.
type verb struct {
	h    *host
	name string
}

func (v verb) arg(n int) lua.LValue { return v.h.L.Get(n + 1) }

// pageHandle makes the script's page.
func (h *host) pageHandle() lua.LValue {
	methods := h.L.CreateTable(0, len(PageVerbs))
	for name, fn := range h.pageFuncs() {
		v := verb{h, name}
		methods.RawSetString(name, h.L.NewFunction(func(L *lua.LState) int {
			ud, ok := L.Get(1).(*lua.LUserData)
			if ok {
				_, ok = ud.Value.(pageHandle)
			}
			if !ok {
				h.fail("%s is called with a colon: page:%s(…)", name, name)
			}
			return fn(v)
		}))
	}
	mt := h.L.CreateTable(0, 2)
	mt.RawSetString("__index", h.L.NewFunction(func(L *lua.LState) int {
		name := lua.LVAsString(L.Get(2))
		m := methods.RawGetString(name)
		if m == lua.LNil {
			h.fail("the page has no verb %q%s", name, near(name, PageVerbs))
		}
		L.Push(m)
		return 1
	}))
	mt.RawSetString("__newindex", h.L.NewFunction(func(*lua.LState) int {
		h.fail("the page is read-only")
		return 0
	}))
	h.meta.page = mt
	return h.handle(pageHandle{}, mt)
}

type act func(ctx context.Context, loc browser.Locator, s *browser.Signs) (browser.Seen, error)

func (h *host) pageFuncs() map[string]func(v verb) int {
	p := h.run.page
	// on is a verb with a locator and signs and nothing else.
	on := func(f act) func(v verb) int {
		return func(v verb) int {
			v.most(2)
			return v.do(2, func(s *browser.Signs) (browser.Seen, error) { return f(h.run.ctx, v.locator(1), s) })
		}
	}
	return map[string]func(v verb) int{
		"open": func(v verb) int {
			v.most(2)
			to := v.value(1, "an address")
			return v.do(2, func(s *browser.Signs) (browser.Seen, error) { return p.Open(h.run.ctx, to.Reveal(), s) })
		},
		"fill": func(v verb) int {
			v.most(3)
			loc, val := v.locator(1), v.value(2, "a value")
			return v.do(3, func(s *browser.Signs) (browser.Seen, error) { return p.Fill(h.run.ctx, loc, val, s) })
		},
		"type": func(v verb) int {
			v.most(3)
			loc, val := v.locator(1), v.value(2, "a value")
			return v.do(3, func(s *browser.Signs) (browser.Seen, error) { return p.Type(h.run.ctx, loc, val, s) })
		},
		"paste": func(v verb) int {
			v.most(3)
			loc, html := v.locator(1), v.text(2, "the HTML")
			return v.do(3, func(s *browser.Signs) (browser.Seen, error) { return p.Paste(h.run.ctx, loc, html, s) })
		},
		"choose": func(v verb) int {
			v.most(3)
			loc, want := v.locator(1), v.texts(2, "what to choose")
			return v.do(3, func(s *browser.Signs) (browser.Seen, error) { return p.Choose(h.run.ctx, loc, want, s) })
		},
		"check": func(v verb) int {
			v.most(3)
			loc, on, at := v.locator(1), true, 2
			switch b := v.arg(2).(type) {
			case lua.LBool:
				on, at = bool(b), 3
			case *lua.LNilType:
				at = 3
			}
			return v.do(at, func(s *browser.Signs) (browser.Seen, error) { return p.Check(h.run.ctx, loc, on, s) })
		},
		"press": func(v verb) int {
			v.most(3)
			loc, key := v.locator(1), v.text(2, "a key")
			return v.do(3, func(s *browser.Signs) (browser.Seen, error) { return p.Press(h.run.ctx, loc, key, s) })
		},
		"hover": on(p.Hover),
		"click": on(p.Click),
		"agree": on(p.Agree),
		"upload": func(v verb) int {
			v.most(3)
			loc, name := v.locator(1), v.asset(2)
			return v.do(3, func(s *browser.Signs) (browser.Seen, error) { return p.Upload(h.run.ctx, loc, name, s) })
		},
		"fields": func(v verb) int {
			v.most(1)
			n, err := p.Fields(h.run.ctx, v.fields())
			h.check("fields", err)
			h.L.Push(lua.LNumber(n))
			return 1
		},
		"note": func(v verb) int {
			v.most(2)
			name := ""
			if ud, ok := v.arg(1).(*lua.LUserData); ok {
				if a, ok := ud.Value.(asset); ok {
					name = a.name
				}
			}
			if name == "" {
				name = h.field(v.arg(1))
			}
			said := v.text(2, `a result such as "refused: …"`)
			if !strings.HasPrefix(said, "refused: ") && !strings.HasPrefix(said, "hidden: ") {
				h.fail(`note: the result begins with "refused: " or "hidden: "`)
			}
			h.check("note", p.Note(name, h.reason(lua.LString(said))))
			return 0
		},
		"commit": h.commit,
		"await": func(v verb) int {
			v.most(1)
			seen, err := p.Await(h.run.ctx, v.needSigns(1))
			h.check("await", err)
			return v.seen(seen)
		},
		"human": func(v verb) int {
			v.most(3)
			c, say := h.code(2, core.Blocked), v.text(2, "what the person shall do")
			return v.do(3, func(s *browser.Signs) (browser.Seen, error) {
				seen, err := p.Human(h.run.ctx, c, say, s)
				h.away(err, c, say)
				if s == nil {
					seen = browser.Seen{}
				}
				return seen, err
			})
		},
		"ask": func(v verb) int {
			v.most(2)
			c, say := h.code(2, core.Blocked), v.text(2, "the question")
			answer, err := p.Ask(h.run.ctx, c, say)
			h.away(err, c, say)
			h.check("ask", err)
			h.L.Push(h.give(core.Secret(answer.Reveal())))
			return 1
		},
		"exists": func(v verb) int {
			v.most(1)
			is, err := p.Exists(h.run.ctx, v.locator(1))
			h.check("exists", err)
			h.L.Push(lua.LBool(is))
			return 1
		},
		"text": func(v verb) int {
			v.most(1)
			s, err := p.Text(h.run.ctx, v.locator(1))
			h.check("text", err)
			h.L.Push(lua.LString(h.clean(s)))
			return 1
		},
		"attr": func(v verb) int {
			v.most(2)
			s, err := p.Attr(h.run.ctx, v.locator(1), v.text(2, "the attribute's name"))
			h.check("attr", err)
			h.L.Push(lua.LString(h.clean(s)))
			return 1
		},
		"url": func(v verb) int {
			v.most(1)
			path := ""
			if v.arg(1) != lua.LNil {
				path = v.text(1, "a path")
			}
			s, err := p.URL(h.run.ctx, path)
			h.check("url", err)
			h.L.Push(lua.LString(h.clean(s)))
			return 1
		},
	}
}

// commit is page:commit(action, signs): the action is a locator to click or a function.
func (h *host) commit(v verb) int {
	v.most(2)
	if h.run.phase != core.Register {
		h.fail("commit is for register only, not %s", h.run.phase)
	}
	signs := v.needSigns(2)
	var seen browser.Seen
	var err error
	if fn, ok := v.arg(1).(*lua.LFunction); ok {
		seen, err = h.run.page.Commit(h.run.ctx, commitName, func(ctx context.Context) error {
			outer := h.run.ctx
			h.run.ctx = ctx
			defer func() { h.run.ctx = outer }()
			return h.protect(func() {
				h.L.Push(fn)
				h.L.Call(0, 0)
			})
		}, signs)
	} else {
		seen, err = h.run.page.CommitClick(h.run.ctx, v.locator(1), signs)
	}
	h.check("commit", err)
	return v.seen(seen)
}

// away ends the phase when nobody answered.
func (h *host) away(err error, c core.Code, say string) {
	if errors.Is(err, core.ErrAway) {
		h.end(core.Outcome{Status: core.Blocked, Code: c, Reason: say})
	}
}

// do runs an action with the optional signs at argument n.
func (v verb) do(n int, f func(s *browser.Signs) (browser.Seen, error)) int {
	var s *browser.Signs
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

func (v verb) seen(s browser.Seen) int {
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

func (v verb) locator(n int) browser.Locator {
	return v.asLocator(v.arg(n), v.name+": the locator")
}

// asLocator is a text or a list of texts.
func (v verb) asLocator(val lua.LValue, what string) browser.Locator {
	switch val := val.(type) {
	case lua.LString:
		if strings.TrimSpace(string(val)) == "" {
			v.h.fail("%s is empty", what)
		}
		return browser.Locator{string(val)}
	case *lua.LTable:
		t := v.h.contents(val)
		if t.Len() == 0 || t.Len() > 32 {
			v.h.fail("%s is a text or a list of 1 to 32 texts", what)
		}
		var out browser.Locator
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

func (v verb) needSigns(n int) browser.Signs {
	if v.arg(n) == lua.LNil {
		v.h.fail("%s needs signs: { label = locator, … }", v.name)
	}
	return v.signs(n)
}

// signs is { label = locator or list, …, timeout = "30s" }.
func (v verb) signs(n int) browser.Signs {
	t := v.h.checkTable(n+1, v.name+": the signs")
	var s browser.Signs
	for k, val := t.Next(lua.LNil); k != lua.LNil; k, val = t.Next(k) {
		label, ok := k.(lua.LString)
		if !ok {
			v.h.fail("%s: each sign has a label: { saved = locator }", v.name)
		}
		if label == "timeout" {
			s.Timeout = v.h.seconds(val, "timeout")
			continue
		}
		s.List = append(s.List, browser.Sign{Label: string(label), Any: v.asLocator(val, v.name+": the sign "+string(label))})
	}
	if len(s.List) == 0 || len(s.List) > 32 {
		v.h.fail("%s needs 1 to 32 signs, it has %d", v.name, len(s.List))
	}
	return s
}

var fieldKeys = []string{"optional", "value"}

// fields reads { field = locator or { locator, …, optional = true, value = … }, … } in its order.
func (v verb) fields() []browser.Field {
	t := v.h.checkTable(2, "fields")
	var out []browser.Field
	for k, val := t.Next(lua.LNil); k != lua.LNil; k, val = t.Next(k) {
		name := lua.LVAsString(k)
		f := browser.Field{Name: name}
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

func (v verb) fieldValue(f *browser.Field, val lua.LValue) {
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
