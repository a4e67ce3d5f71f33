package html

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	dom "golang.org/x/net/html"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// Open goes to a path of the site, an address of one of its hosts or a mail link.
func (p *Page) Open(ctx context.Context, path string, s *page.Signs) (page.Seen, error) {
	return p.run(ctx, "open", page.Locator{path}, func(ctx context.Context, v *verb) (page.Seen, error) {
		v.at = 0
		if err := s.Check(); err != nil {
			return page.Seen{}, err
		}
		raw, err := p.site.Resolve(path, p.shown.Clip)
		if err != nil {
			return page.Seen{}, err
		}
		u, err := url.Parse(raw)
		if err != nil {
			return page.Seen{}, page.Wrong("the address can't be parsed: %s", p.shown.Clip(path, 100))
		}
		ctx, cancel := within(ctx, s, page.OpenTime)
		defer cancel()
		m, err := p.within(u, s)
		if err != nil {
			return page.Seen{}, err
		}
		if m == nil {
			if err := p.load(ctx, &request{method: http.MethodGet, url: u}, nil); err != nil {
				return page.Seen{}, err
			}
		}
		if s != nil {
			return p.watch(ctx, m, *s)
		}
		if p.doc.status >= 400 && !p.doc.accepted {
			return page.Seen{}, p.status()
		}
		return page.Seen{}, nil
	})
}

// within goes to another place of the same document, where the address asks for
// no more; what was there before is remembered. nil means that it asks for more.
func (p *Page) within(u *url.URL, s *page.Signs) (*memory, error) {
	there, here := *u, *p.doc.url
	there.Fragment, there.RawFragment, here.Fragment, here.RawFragment = "", "", "", ""
	if u.Fragment == "" || there.String() != here.String() {
		return nil, nil
	}
	m := &memory{doc: p.doc}
	if s != nil {
		var err error
		if m, err = p.remember(s); err != nil {
			return nil, err
		}
	}
	at := *u
	p.doc.url = &at
	return m, nil
}

// URL is the page's address when path is empty, else path joined to the site's base.
func (p *Page) URL(_ context.Context, path string) (string, error) {
	if path == "" {
		return p.shown.Redact(p.doc.url.String()), nil
	}
	u, err := p.site.Resolve(path, p.shown.Clip)
	if err != nil {
		return "", p.explain(err, &verb{name: "url", loc: page.Locator{path}})
	}
	return p.shown.Redact(u), nil
}

// deed is what a click does, made sure of before it is done.
type deed struct {
	request *request // nil when nothing is sent
	do      func()
}

// pressable is the element at or around n that a click is for, else the only one in it.
func (p *Page) pressable(n *dom.Node) *dom.Node {
	reacts := func(e *dom.Node) bool {
		t := tag(e)
		return (t == "a" || t == "area") && has(e, "href") || t == "button" || t == "summary" || isToggle(e) || buttonType(e) != "" || t == "label" && p.doc.labelled(e) != nil
	}
	for e := n; e != nil; e = e.Parent {
		if reacts(e) {
			return e
		}
	}
	var inner []*dom.Node
	for e := range elements(n) {
		if reacts(e) && p.doc.shown(e) {
			inner = append(inner, e)
		}
	}
	if len(inner) == 1 {
		return inner[0]
	}
	return nil
}

// click says what a click on n does.
func (p *Page) click(n *dom.Node) (deed, error) {
	d := p.doc
	e := p.pressable(n)
	if e == nil {
		if c := p.control(n); isControl(c) {
			return deed{do: func() {}}, usable(c, false) // it takes the focus
		}
		return deed{}, noBrowser("a click on " + describe(n) + ", to which only a script of the page could react,")
	}
	if tag(e) == "label" {
		e = d.labelled(e)
	}
	if err := usable(e, false); err != nil {
		return deed{}, err
	}
	switch t := buttonType(e); {
	case isToggle(e):
		return deed{do: func() { d.check(e, typeOf(e) == "radio" || !d.checked(e)) }}, nil
	case t == "button":
		return deed{}, noBrowser("the button " + describe(e) + ", to which only a script of the page reacts,")
	case t == "reset":
		return deed{do: func() { d.reset(d.form(e)) }}, nil
	case t == "submit":
		form := d.form(e)
		if form == nil {
			return deed{}, noBrowser("the button " + describe(e) + ", which is in no form,")
		}
		r, err := p.submission(form, e)
		return deed{request: r}, err
	case tag(e) == "summary":
		return deed{do: func() { toggleOpen(e.Parent) }}, nil
	case tag(e) == "a" || tag(e) == "area":
		return p.follow(e)
	}
	return deed{do: func() {}}, nil // a control takes the focus
}

func toggleOpen(details *dom.Node) {
	if details == nil || tag(details) != "details" {
		return
	}
	if has(details, "open") {
		details.Attr = slices.DeleteFunc(details.Attr, func(a dom.Attribute) bool { return a.Key == "open" })
	} else {
		details.Attr = append(details.Attr, dom.Attribute{Key: "open"})
	}
}

// reset gives a form's controls what they held at first.
func (d *document) reset(form *dom.Node) {
	for n := range elements(d.root) {
		if form != nil && isControl(n) && d.form(n) == form {
			delete(d.values, n)
			delete(d.checks, n)
			delete(d.choices, n)
			delete(d.files, n)
		}
	}
}

// follow is what a click on a link does.
func (p *Page) follow(e *dom.Node) (deed, error) {
	u, err := p.doc.link(attr(e, "href"))
	if err != nil {
		return deed{}, &core.Fault{Code: core.LayoutChanged, Why: "the link's address can't be parsed"}
	}
	there, here := *u, *p.doc.url
	there.Fragment, there.RawFragment, here.Fragment, here.RawFragment = "", "", "", ""
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return deed{}, noBrowser("a link of the scheme " + u.Scheme + ":")
	case strings.EqualFold(attr(e, "target"), "_blank"):
		return deed{}, p.tab(u)
	case has(e, "download"):
		return deed{}, p.noPage(u)
	case there.String() == here.String() && strings.Contains(attr(e, "href"), "#"):
		d := p.doc
		return deed{do: func() { d.url = u }}, nil
	}
	return deed{request: &request{method: http.MethodGet, url: u}}, nil
}

// perform does a deed.
func (p *Page) perform(ctx context.Context, todo deed) error {
	if todo.request != nil {
		return p.load(ctx, todo.request, p.doc.url)
	}
	todo.do()
	return nil
}

// act finds the element, takes the memory, does what find says and looks for the signs.
func (p *Page) act(ctx context.Context, name string, loc page.Locator, s *page.Signs, group bool, plan func(v *verb, n *dom.Node) (deed, error)) (page.Seen, error) {
	return p.run(ctx, name, loc, func(ctx context.Context, v *verb) (page.Seen, error) {
		if err := s.Check(); err != nil {
			return page.Seen{}, err
		}
		n, err := p.element(v, loc, p.doc.reachable, group)
		if err != nil {
			return page.Seen{}, err
		}
		m, err := p.remember(s)
		if err != nil {
			return page.Seen{}, err
		}
		todo, err := plan(v, n)
		if err != nil {
			return page.Seen{}, err
		}
		usual := page.SignTime
		if s == nil {
			usual = page.OpenTime
		}
		if p.committing {
			usual = page.CommitTime
		}
		ctx, cancel := within(ctx, s, usual)
		defer cancel()
		if err := p.perform(ctx, todo); err != nil {
			return page.Seen{}, err
		}
		return p.after(ctx, m, s)
	})
}

// Click clicks the one element: a link, a button, a box, or what stands in one.
func (p *Page) Click(ctx context.Context, loc page.Locator, s *page.Signs) (page.Seen, error) {
	return p.act(ctx, "click", loc, s, false, func(_ *verb, n *dom.Node) (deed, error) { return p.click(n) })
}

// Hover has no meaning here.
func (p *Page) Hover(ctx context.Context, loc page.Locator, _ *page.Signs) (page.Seen, error) {
	return p.run(ctx, "hover", loc, func(context.Context, *verb) (page.Seen, error) { return page.Seen{}, noBrowser("hover") })
}

// Press knows Enter, which sends the form or follows the link, and Space on what
// can be checked or pressed.
func (p *Page) Press(ctx context.Context, loc page.Locator, key string, s *page.Signs) (page.Seen, error) {
	return p.act(ctx, "press", loc, s, true, func(_ *verb, n *dom.Node) (deed, error) {
		n = p.control(n)
		if err := usable(n, false); err != nil {
			return deed{}, err
		}
		switch low := strings.ToLower(key); {
		case low == "enter" && (tag(n) == "a" || buttonType(n) != ""), low == "space" && (isToggle(n) || buttonType(n) != ""):
			return p.click(n)
		case low == "enter" && tag(n) == "input":
			form := p.doc.form(n)
			if form == nil {
				break
			}
			button, ok := p.doc.defaultButton(form)
			if !ok {
				return deed{}, &core.Fault{Code: core.LayoutChanged, Why: "Enter sends nothing: the form's button is disabled, or it has none"}
			}
			r, err := p.submission(form, button)
			return deed{request: r}, err
		case low == "tab" || low == "escape":
			return deed{do: func() {}}, nil
		}
		return deed{}, noBrowser("the key " + p.shown.Clip(key, 20) + " in a <" + tag(n) + ">")
	})
}

// Check makes a checkbox or radio button on or off.
func (p *Page) Check(ctx context.Context, loc page.Locator, on bool, s *page.Signs) (page.Seen, error) {
	return p.act(ctx, "check", loc, s, true, func(_ *verb, n *dom.Node) (deed, error) { return p.toggle(p.control(n), on) })
}

func (p *Page) toggle(n *dom.Node, on bool) (deed, error) {
	if err := usable(n, false); err != nil {
		return deed{}, err
	}
	switch {
	case !isToggle(n) && has(n, "role"):
		return deed{}, noBrowser("the switch " + describe(n) + ", which a script of the page makes,")
	case !isToggle(n):
		return deed{}, page.Wrong("a <%s> can't be checked", tag(n))
	case p.doc.checked(n) == on:
		return deed{do: func() {}}, nil
	case typeOf(n) == "radio" && !on:
		return deed{}, page.Wrong("a radio button can't be switched off: choose another one")
	}
	d := p.doc
	return deed{do: func() { d.check(n, on) }}, nil
}

// Choose selects in a list or a group of radio buttons: the first alternative
// that is there, by value, then by label.
func (p *Page) Choose(ctx context.Context, loc page.Locator, want []string, s *page.Signs) (page.Seen, error) {
	return p.act(ctx, "choose", loc, s, true, func(_ *verb, n *dom.Node) (deed, error) {
		if len(want) == 0 {
			return deed{}, page.Wrong("nothing is named to choose")
		}
		n = p.control(n)
		if r := p.doc.roleOf(n); kind(n) == "none" && (r == "group" || r == "radiogroup") {
			for e := range elements(n) {
				if typeOf(e) == "radio" {
					n = e
					break
				}
			}
		}
		if err := usable(n, false); err != nil {
			return deed{}, err
		}
		if k := kind(n); k != "select" && k != "radio" {
			if has(n, "role") {
				return deed{}, noBrowser("the list " + describe(n) + ", which a script of the page draws,")
			}
			return deed{}, page.Wrong("a <%s> is no list of choices", tag(n))
		}
		got, near := p.doc.choose(n, want)
		if got == "" {
			return deed{}, &core.Fault{Code: core.LayoutChanged, Why: "there is no choice " + strings.Join(want, " or "), Detail: "candidates: " + strings.Join(near, " | ")}
		}
		return deed{do: func() {}}, nil
	})
}
