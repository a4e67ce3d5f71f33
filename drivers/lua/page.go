package lua

import (
	"context"
	"errors"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
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

type act func(ctx context.Context, loc page.Locator, s *page.Signs) (page.Seen, error)

func (h *host) pageFuncs() map[string]func(v verb) int {
	p := h.run.page
	// on is a verb with a locator and signs and nothing else.
	on := func(f act) func(v verb) int {
		return func(v verb) int {
			v.most(2)
			return v.do(2, func(s *page.Signs) (page.Seen, error) { return f(h.run.ctx, v.locator(1), s) })
		}
	}
	return map[string]func(v verb) int{
		"open": func(v verb) int {
			v.most(2)
			to := v.value(1, "an address")
			return v.do(2, func(s *page.Signs) (page.Seen, error) { return p.Open(h.run.ctx, to.Reveal(), s) })
		},
		"fill": func(v verb) int {
			v.most(3)
			loc, val := v.locator(1), v.value(2, "a value")
			return v.do(3, func(s *page.Signs) (page.Seen, error) { return p.Fill(h.run.ctx, loc, val, s) })
		},
		"type": func(v verb) int {
			v.most(3)
			loc, val := v.locator(1), v.value(2, "a value")
			return v.do(3, func(s *page.Signs) (page.Seen, error) { return p.Type(h.run.ctx, loc, val, s) })
		},
		"paste": func(v verb) int {
			v.most(3)
			loc, html := v.locator(1), v.text(2, "the HTML")
			return v.do(3, func(s *page.Signs) (page.Seen, error) { return p.Paste(h.run.ctx, loc, html, s) })
		},
		"choose": func(v verb) int {
			v.most(3)
			loc, want := v.locator(1), v.texts(2, "what to choose")
			return v.do(3, func(s *page.Signs) (page.Seen, error) { return p.Choose(h.run.ctx, loc, want, s) })
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
			return v.do(at, func(s *page.Signs) (page.Seen, error) { return p.Check(h.run.ctx, loc, on, s) })
		},
		"press": func(v verb) int {
			v.most(3)
			loc, key := v.locator(1), v.text(2, "a key")
			return v.do(3, func(s *page.Signs) (page.Seen, error) { return p.Press(h.run.ctx, loc, key, s) })
		},
		"hover": on(p.Hover),
		"click": on(p.Click),
		"agree": on(p.Agree),
		"upload": func(v verb) int {
			v.most(3)
			loc, name := v.locator(1), v.asset(2)
			return v.do(3, func(s *page.Signs) (page.Seen, error) { return p.Upload(h.run.ctx, loc, name, s) })
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
			return v.do(3, func(s *page.Signs) (page.Seen, error) {
				seen, err := p.Human(h.run.ctx, c, say, s)
				h.away(err, c, say)
				if s == nil {
					seen = page.Seen{}
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
	var seen page.Seen
	var err, broke error // broke is the action's own, which the page's error would hide
	if fn, ok := v.arg(1).(*lua.LFunction); ok {
		seen, err = h.run.page.Commit(h.run.ctx, commitName, func(ctx context.Context) error {
			outer := h.run.ctx
			h.run.ctx = ctx
			defer func() { h.run.ctx = outer }()
			broke = h.protect(func() {
				h.L.Push(fn)
				h.L.Call(0, 0)
			})
			return broke
		}, signs)
		if broke != nil {
			panic(&unwind{broke})
		}
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
