package browser

import (
	"context"
	"errors"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/browser"
)

// commitName is the name of the one irreversible action of register.
const commitName = "register"

// act runs a verb with optional signs, and returns the label that came and what it said.
func (p *Page) act(verb string, signs []Signs, f func(*browser.Signs) (browser.Seen, error)) (label, said string) {
	if p.over() {
		return "", ""
	}
	var s *browser.Signs
	if len(signs) > 0 && signs[0] != nil {
		got, err := signs[0].core()
		if err != nil {
			p.Fail(err)
			return "", ""
		}
		s = &got
	}
	seen, err := f(s)
	p.failed(verb, err)
	if err != nil {
		return "", ""
	}
	return seen.Label, seen.Said
}

// Open goes to a path of the site, an address or a link from a mail.
func (p *Page) Open(path string, signs ...Signs) (label, said string) {
	return p.act("open", signs, func(s *browser.Signs) (browser.Seen, error) { return p.page.Open(p.ctx, path, s) })
}

// Fill writes the value into a control and reads it back.
func (p *Page) Fill(loc Locator, value core.Value, signs ...Signs) (label, said string) {
	return p.act("fill", signs, func(s *browser.Signs) (browser.Seen, error) { return p.page.Fill(p.ctx, loc.core(), value, s) })
}

// Type writes key by key, for pages that listen to keys.
func (p *Page) Type(loc Locator, value core.Value, signs ...Signs) (label, said string) {
	return p.act("type", signs, func(s *browser.Signs) (browser.Seen, error) { return p.page.Type(p.ctx, loc.core(), value, s) })
}

// Paste puts HTML into a rich editor.
func (p *Page) Paste(loc Locator, html string, signs ...Signs) (label, said string) {
	return p.act("paste", signs, func(s *browser.Signs) (browser.Seen, error) { return p.page.Paste(p.ctx, loc.core(), html, s) })
}

// Choose picks the first of want that a list has, by value, then by label.
func (p *Page) Choose(loc Locator, want []string, signs ...Signs) (label, said string) {
	return p.act("choose", signs, func(s *browser.Signs) (browser.Seen, error) { return p.page.Choose(p.ctx, loc.core(), want, s) })
}

// Check checks a box, or clears it.
func (p *Page) Check(loc Locator, on bool, signs ...Signs) (label, said string) {
	return p.act("check", signs, func(s *browser.Signs) (browser.Seen, error) { return p.page.Check(p.ctx, loc.core(), on, s) })
}

// Press presses a key in a control.
func (p *Page) Press(loc Locator, key string, signs ...Signs) (label, said string) {
	return p.act("press", signs, func(s *browser.Signs) (browser.Seen, error) { return p.page.Press(p.ctx, loc.core(), key, s) })
}

// Hover moves the mouse over an element.
func (p *Page) Hover(loc Locator, signs ...Signs) (label, said string) {
	return p.act("hover", signs, func(s *browser.Signs) (browser.Seen, error) { return p.page.Hover(p.ctx, loc.core(), s) })
}

// Click clicks an element.
func (p *Page) Click(loc Locator, signs ...Signs) (label, said string) {
	return p.act("click", signs, func(s *browser.Signs) (browser.Seen, error) { return p.page.Click(p.ctx, loc.core(), s) })
}

// Upload gives the task's image, "avatar" or "cover", to a file input.
func (p *Page) Upload(loc Locator, asset string, signs ...Signs) (label, said string) {
	return p.act("upload", signs, func(s *browser.Signs) (browser.Seen, error) { return p.page.Upload(p.ctx, loc.core(), asset, s) })
}

// Fields fills what the task has, within the manifest's limits, and leaves what
// is right already. It returns how many were changed and records each result.
func (p *Page) Fields(fields ...Field) (changed int) {
	if p.over() {
		return 0
	}
	list := make([]browser.Field, len(fields))
	for i, f := range fields {
		if f.Value.Empty() && len(f.Want) == 0 && !p.declared("fields", f.Name) {
			return 0
		}
		list[i] = f.core()
	}
	n, err := p.page.Fields(p.ctx, list)
	p.Fail(err)
	return n
}

// Note records what became of a field or image: "refused: …", "hidden: …", or
// "set", "kept", "unsupported".
func (p *Page) Note(field, result string) {
	if !p.over() {
		p.Fail(p.page.Note(field, result))
	}
}

// Agree accepts terms, where the site's configuration says so by itself, else by a person.
func (p *Page) Agree(loc Locator, signs ...Signs) (label, said string) {
	return p.act("agree", signs, func(s *browser.Signs) (browser.Seen, error) {
		seen, err := p.page.Agree(p.ctx, loc.core(), s)
		return seen, p.away(err, core.Terms, "a person must accept the site's terms")
	})
}

// Commit clicks what does register's one irreversible action: the intent is
// durable before, and one of the signs must come.
func (p *Page) Commit(loc Locator, signs Signs) (label, said string) {
	return p.act("commit", []Signs{orNone(signs)}, func(s *browser.Signs) (browser.Seen, error) {
		return p.page.CommitClick(p.ctx, loc.core(), *s)
	})
}

// CommitFunc is Commit with an action that is more than a click. Verbs of action
// are part of it; the first that fails ends the phase.
func (p *Page) CommitFunc(action func(), signs Signs) (label, said string) {
	return p.act("commit", []Signs{orNone(signs)}, func(s *browser.Signs) (browser.Seen, error) {
		return p.page.Commit(p.ctx, commitName, func(ctx context.Context) error {
			outer := p.ctx
			p.ctx = ctx
			defer func() { p.ctx = outer }()
			action()
			if p.end != nil {
				return &browser.SiteAnswer{Outcome: *p.end}
			}
			return p.err
		}, *s)
	})
}

func orNone(s Signs) Signs {
	if s == nil {
		return Signs{}
	}
	return s
}

// Await waits for a sign without an action before it.
func (p *Page) Await(signs Signs) (label, said string) {
	return p.act("await", []Signs{orNone(signs)}, func(s *browser.Signs) (browser.Seen, error) { return p.page.Await(p.ctx, *s) })
}

// Human lets a person act on the page until they say that it is done, or a sign
// shows. Nobody there ends the phase as blocked with the code.
func (p *Page) Human(code core.Code, say string, signs ...Signs) (label, said string) {
	return p.act("human", signs, func(s *browser.Signs) (browser.Seen, error) {
		seen, err := p.page.Human(p.ctx, code, say, s)
		return seen, p.away(err, code, say)
	})
}

// Ask asks a person for a text, which is a secret.
func (p *Page) Ask(code core.Code, say string) core.Value {
	if p.over() {
		return core.Value{}
	}
	v, err := p.page.Ask(p.ctx, code, say)
	p.failed("ask", p.away(err, code, say))
	p.redact.Add(v)
	return v
}

// away makes of nobody's being there what ends the phase.
func (p *Page) away(err error, code core.Code, say string) error {
	if errors.Is(err, core.ErrAway) {
		return &browser.SiteAnswer{Outcome: core.Outcome{Status: core.Blocked, Code: code, Reason: say}}
	}
	return err
}

// Exists reports whether something visible matches now.
func (p *Page) Exists(loc Locator) bool {
	if p.over() {
		return false
	}
	is, err := p.page.Exists(p.ctx, loc.core())
	p.Fail(err)
	return is
}

// Text is the text of an element now.
func (p *Page) Text(loc Locator) string {
	if p.over() {
		return ""
	}
	s, err := p.page.Text(p.ctx, loc.core())
	p.Fail(err)
	return s
}

// Attr is an attribute of an element now; addresses are absolute.
func (p *Page) Attr(loc Locator, name string) string {
	if p.over() {
		return ""
	}
	s, err := p.page.Attr(p.ctx, loc.core(), name)
	p.Fail(err)
	return s
}

// URL is the address of a path of the site, of the page itself without one.
func (p *Page) URL(path ...string) string {
	if p.over() {
		return ""
	}
	to := ""
	if len(path) > 0 {
		to = path[0]
	}
	s, err := p.page.URL(p.ctx, to)
	p.Fail(err)
	return s
}
