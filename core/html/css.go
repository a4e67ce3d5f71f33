package html

import (
	"errors"
	"strings"

	"github.com/andybalholm/cascadia"
	dom "golang.org/x/net/html"
)

// selector is a list of alternatives.
type selector []complexSel

// complexSel is compounds from left to right; joins[i] stands before parts[i], and
// joins[0] only in :has.
type complexSel struct {
	parts []compound
	joins []byte
}

// compound is what cascadia knows of one element, and the functions that it does not.
type compound struct {
	plain cascadia.Sel
	tests []func(d *document, n *dom.Node) bool
}

var errSelector = errors.New("not a CSS selector")

// parseSelector reads a list of selectors; leading joins are allowed in :has.
func parseSelector(src string, relative bool) (selector, error) {
	var out selector
	for _, one := range cut(src, ",") {
		c, err := parseComplex(one, relative)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func parseComplex(src string, relative bool) (complexSel, error) {
	var c complexSel
	src = strings.TrimSpace(src)
	join := byte(' ')
	if src != "" && strings.IndexByte(">+~", src[0]) >= 0 {
		if !relative {
			return c, errSelector
		}
		join, src = src[0], strings.TrimSpace(src[1:])
	}
	for src != "" {
		end := compoundEnd(src)
		if end == 0 {
			return c, errSelector
		}
		part, err := parseCompound(src[:end])
		if err != nil {
			return c, err
		}
		c.parts, c.joins = append(c.parts, part), append(c.joins, join)
		rest := strings.TrimLeft(src[end:], " \t\r\n\f")
		if rest == "" {
			return c, nil
		}
		join = ' '
		if strings.IndexByte(">+~", rest[0]) >= 0 {
			join, rest = rest[0], strings.TrimLeft(rest[1:], " \t\r\n\f")
			if rest == "" {
				return c, errSelector
			}
		}
		src = rest
	}
	return c, errSelector
}

// compoundEnd is where the first compound ends.
func compoundEnd(s string) int {
	combinator := func(rest string) bool { return strings.IndexByte(" \t\r\n\f>+~", rest[0]) >= 0 }
	if i := outside(s, combinator); i >= 0 {
		return i
	}
	return len(s)
}

// functions are the pseudo-classes that are read here, with what they hold.
var functions = []string{":not(", ":is(", ":where(", ":has("}

func parseCompound(src string) (compound, error) {
	var c compound
	plain := ""
	for src != "" {
		at, name := len(src), ""
		for _, f := range functions {
			if i := outside(src, starts(f)); i >= 0 && i < at {
				at, name = i, f
			}
		}
		if i := outside(src, starts(":checked")); i >= 0 && i < at {
			plain, src = plain+src[:i], src[i+len(":checked"):]
			c.tests = append(c.tests, func(d *document, n *dom.Node) bool {
				return d.checked(n) || tag(n) == "option" && d.selected(n)
			})
			continue
		}
		plain += src[:at]
		if name == "" {
			break
		}
		end := closing(src[at+len(name):])
		if end < 0 {
			return c, errSelector
		}
		inner, err := parseSelector(src[at+len(name):at+len(name)+end], name == ":has(")
		if err != nil {
			return c, err
		}
		src = src[at+len(name)+end+1:]
		switch name {
		case ":not(":
			c.tests = append(c.tests, func(d *document, n *dom.Node) bool { return !inner.matches(d, n) })
		case ":has(":
			c.tests = append(c.tests, func(d *document, n *dom.Node) bool { return inner.below(d, n) })
		default:
			c.tests = append(c.tests, inner.matches)
		}
	}
	if plain == "" {
		plain = "*"
	}
	var err error
	if c.plain, err = cascadia.Parse(plain); err != nil || c.plain.PseudoElement() != "" {
		return c, errSelector
	}
	return c, nil
}

// outside is where what is found first outside of brackets and quotes, or -1.
func outside(s string, what func(rest string) bool) int {
	depth, quote := 0, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == '\\' {
				i++
			} else if c == quote {
				quote = 0
			}
		case depth == 0 && what(s[i:]):
			return i
		case c == '\\':
			i++
		case c == '"' || c == '\'':
			quote = c
		case c == '[' || c == '(':
			depth++
		case (c == ']' || c == ')') && depth > 0:
			depth--
		}
	}
	return -1
}

func starts(with string) func(string) bool {
	return func(rest string) bool { return strings.HasPrefix(rest, with) }
}

// closing is where the bracket that was opened before s is closed, or -1.
func closing(s string) int { return outside(s, starts(")")) }

func (c compound) matches(d *document, n *dom.Node) bool {
	if n.Type != dom.ElementNode || !c.plain.Match(n) {
		return false
	}
	for _, t := range c.tests {
		if !t(d, n) {
			return false
		}
	}
	return true
}

func (s selector) matches(d *document, n *dom.Node) bool {
	for _, c := range s {
		if c.at(d, n, len(c.parts)-1, nil) {
			return true
		}
	}
	return false
}

// below reports whether something beside or inside n matches a selector of :has.
func (s selector) below(d *document, n *dom.Node) bool {
	for _, c := range s {
		in := n
		if c.joins[0] == '+' || c.joins[0] == '~' {
			in = n.Parent
		}
		for e := range elements(in) {
			if e != n && c.at(d, e, len(c.parts)-1, n) {
				return true
			}
		}
	}
	return false
}

// at reports whether n matches parts[i] and what stands before it; the first
// part is joined to scope where there is one.
func (c complexSel) at(d *document, n *dom.Node, i int, scope *dom.Node) bool {
	if !c.parts[i].matches(d, n) {
		return false
	}
	fits := func(m *dom.Node) bool {
		if i == 0 {
			return m == scope
		}
		return c.at(d, m, i-1, scope)
	}
	if i == 0 && scope == nil {
		return true
	}
	switch c.joins[i] {
	case '>':
		return n.Parent != nil && fits(n.Parent)
	case '+':
		m := before(n)
		return m != nil && fits(m)
	case '~':
		for m := before(n); m != nil; m = before(m) {
			if fits(m) {
				return true
			}
		}
		return false
	}
	for m := n.Parent; m != nil; m = m.Parent {
		if fits(m) {
			return true
		}
	}
	return false
}

// before is the element before n, nil for the first.
func before(n *dom.Node) *dom.Node {
	for m := n.PrevSibling; m != nil; m = m.PrevSibling {
		if m.Type == dom.ElementNode {
			return m
		}
	}
	return nil
}
