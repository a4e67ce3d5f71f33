package html

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	dom "golang.org/x/net/html"

	"github.com/rollcall-run/rollcall/core/page"
)

const maxRead = 1 << 20 // bytes of a text

// Exists reports whether anything visible matches now.
func (p *Page) Exists(ctx context.Context, loc page.Locator) (bool, error) {
	is := false
	_, err := p.run(ctx, "exists", loc, func(_ context.Context, v *verb) (page.Seen, error) {
		if err := loc.Check(); err != nil {
			return page.Seen{}, err
		}
		f, err := p.first(loc, p.doc.reachable)
		v.at, is = f.at, len(f.els) > 0
		return page.Seen{}, err
	})
	return is && err == nil, err
}

// holds are the attributes of a secret field that are never read.
var holds = regexp.MustCompile(`(?i)^(value|text|data-.*)$`)

// one is the element that is read.
func (p *Page) one(v *verb, loc page.Locator, fits func(*dom.Node) bool) (*dom.Node, error) {
	if f, err := p.first(loc, fits); err == nil && len(f.els) > 1 {
		var seen []*dom.Node
		for _, n := range f.els {
			if p.doc.reachable(n) {
				seen = append(seen, n)
			}
		}
		if len(seen) == 1 {
			v.at = f.at
			return seen[0], loc.Check()
		}
		var near []string
		for _, n := range f.els[:min(len(f.els), 6)] {
			near = append(near, describe(n))
		}
		return nil, p.notFound(fmt.Sprintf("%d elements match, where one is read", len(f.els)), near)
	}
	return p.element(v, loc, fits, false)
}

func (p *Page) peek(ctx context.Context, name string, loc page.Locator, fits func(*dom.Node) bool, read func(n *dom.Node) (string, error)) (string, error) {
	out := ""
	_, err := p.run(ctx, name, loc, func(_ context.Context, v *verb) (page.Seen, error) {
		n, err := p.one(v, loc, fits)
		if err != nil {
			return page.Seen{}, err
		}
		out, err = read(n)
		return page.Seen{}, err
	})
	if err != nil {
		return "", err
	}
	return p.shown.Redact(strings.ToValidUTF8(out[:min(len(out), maxRead)], "")), nil
}

// Text is the visible text of the one element now, redacted. Where a secret was
// typed it is refused.
func (p *Page) Text(ctx context.Context, loc page.Locator) (string, error) {
	return p.peek(ctx, "text", loc, p.doc.reachable, func(n *dom.Node) (string, error) {
		if c := p.control(n); p.doc.secrets[c] || typeOf(c) == "password" {
			return "", page.Wrong("what a secret field holds is never read")
		}
		return p.doc.text(n), nil
	})
}

// Attr is an attribute of the one element now, hidden or not, redacted; "" when
// it has none. href and src are made absolute; value and checked are what the
// control holds. Where a secret was typed it is refused.
func (p *Page) Attr(ctx context.Context, loc page.Locator, name string) (string, error) {
	return p.peek(ctx, "attr", loc, func(*dom.Node) bool { return true }, func(n *dom.Node) (string, error) {
		low := strings.ToLower(name)
		if low == "" {
			return "", page.Wrong("the attribute has no name")
		}
		c := p.control(n)
		if (p.doc.secrets[c] || typeOf(c) == "password") && holds.MatchString(low) {
			return "", page.Wrong("what a secret field holds is never read")
		}
		switch {
		case low == "value" && isControl(n):
			return p.doc.value(n), nil
		case low == "checked" && isToggle(n):
			return strconv.FormatBool(p.doc.checked(n)), nil
		}
		v := attr(n, low)
		if low == "href" || low == "src" || low == "action" {
			if u, err := p.doc.link(v); err == nil && has(n, low) {
				return u.String(), nil
			}
		}
		return v, nil
	})
}
