package html

import (
	"regexp"
	"slices"
	"strings"

	dom "golang.org/x/net/html"
	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-run/rollcall/core/page"
)

var (
	spaces     = regexp.MustCompile(`[\s\x{a0}\x{200b}\x{feff}\p{Zs}]+`)
	nameMarks  = regexp.MustCompile(`(?:\s*(?:\*|:|\(required\)))+$`)
	textMarks  = regexp.MustCompile(`(?:\s*:|\s*\(required\))+$`)
	labelMarks = regexp.MustCompile(`(?:\s+\*|\s*:|\s*\(required\))+$`)
	partKind   = regexp.MustCompile(`(?s)^(css|label|role|text|placeholder|testid|xpath)=(.*)$`)
	roleForm   = regexp.MustCompile(`(?s)^([a-z]+)\s*(?:\[\s*name\s*=\s*(.*)\])?$`)
)

func squeeze(s string) string {
	return strings.TrimSpace(spaces.ReplaceAllString(norm.NFC.String(s), " "))
}

func fold(s string) string { return strings.ToLower(strings.ToUpper(squeeze(s))) }

// nameOf is what two names are compared by.
func nameOf(s string) string { return nameMarks.ReplaceAllString(fold(s), "") }

// matcher compares a wanted name with the names found. A * matches anything,
// except as the mark of a required field at the end of a label.
func matcher(wanted string, plain bool) func(string) bool {
	marks := labelMarks
	if plain {
		marks = textMarks
	}
	w := marks.ReplaceAllString(fold(wanted), "")
	if !strings.Contains(w, "*") {
		return func(s string) bool { return nameOf(s) == w }
	}
	re := wild(w, true)
	return func(s string) bool { return re.MatchString(nameOf(s)) || re.MatchString(fold(s)) }
}

// wild is a pattern in which * stands for anything.
func wild(pattern string, whole bool) *regexp.Regexp {
	parts := strings.Split(pattern, "*")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	src := strings.Join(parts, `(?s:.*)`)
	if whole {
		src = "^" + src + "$"
	}
	return regexp.MustCompile(src)
}

// cut splits at a separator that stands outside of quotes and brackets.
func cut(s, sep string) []string {
	var out []string
	depth, quote, from := 0, byte(0), 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == '\\' {
				i++
			} else if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && depth > 0:
			quote = c
		case c == '[' || c == '(':
			depth++
		case (c == ']' || c == ')') && depth > 0:
			depth--
		case depth == 0 && strings.HasPrefix(s[i:], sep):
			out = append(out, strings.TrimSpace(s[from:i]))
			i += len(sep) - 1
			from = i + 1
		}
	}
	return append(out, strings.TrimSpace(s[from:]))
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return regexp.MustCompile(`(?s)\\(.)`).ReplaceAllString(s[1:len(s)-1], "$1")
	}
	return s
}

// part is one of the parts that >> joins.
type part struct {
	kind, body string
	css        selector
	match      func(string) bool
}

func (p *Page) parse(loc string) ([]part, error) {
	if have, ok := p.parsed[loc]; ok {
		return have, nil
	}
	var parts []part
	for _, src := range cut(loc, ">>") {
		if src == "" {
			return nil, page.Wrong("a part of the locator is empty")
		}
		one := part{kind: "css", body: src}
		if m := partKind.FindStringSubmatch(src); m != nil {
			one.kind, one.body = m[1], strings.TrimSpace(m[2])
		}
		if one.body == "" {
			return nil, page.Wrong("nothing stands after %s=", one.kind)
		}
		switch one.kind {
		case "css":
			var err error
			if one.css, err = parseSelector(one.body, false); err != nil {
				return nil, page.Wrong("%s is not a CSS selector that can be used without a browser", one.body)
			}
		case "xpath":
			return nil, noBrowser("the locator xpath=" + one.body)
		case "role":
			m := roleForm.FindStringSubmatch(one.body)
			if m == nil {
				return nil, page.Wrong("a role is written role=button or role=button[name=Save]")
			}
			one.body = m[1]
			if strings.Contains(src, "[") {
				one.match = matcher(unquote(strings.TrimSpace(m[2])), false)
			}
		default:
			one.body = unquote(one.body)
			one.match = matcher(one.body, one.kind == "text")
		}
		parts = append(parts, one)
	}
	p.parsed[loc] = parts
	return parts, nil
}

// query runs one part below a root.
func (d *document) query(root *dom.Node, p part) []*dom.Node {
	var out []*dom.Node
	if p.kind == "text" {
		return d.byText(root, p)
	}
	for n := range elements(root) {
		if n == root {
			continue
		}
		ok := false
		switch p.kind {
		case "css":
			ok = p.css.matches(d, n)
		case "testid":
			ok = attr(n, "data-testid") == p.body || attr(n, "data-test-id") == p.body || attr(n, "data-test") == p.body
		case "placeholder":
			ok = has(n, "placeholder") && p.match(attr(n, "placeholder")) || !has(n, "placeholder") && has(n, "aria-placeholder") && p.match(attr(n, "aria-placeholder"))
		case "label":
			ok = typeOf(n) != "hidden" && slices.ContainsFunc(d.labelsOf(n), p.match)
		case "role":
			ok = d.roleOf(n) == p.body && (p.match == nil || p.match(d.accessibleName(n)))
		}
		if ok {
			out = append(out, n)
		}
	}
	return out
}

// byText finds the innermost elements with the text.
func (d *document) byText(root *dom.Node, p part) []*dom.Node {
	limit := len(p.body)*2 + 80
	var hits []*dom.Node
	for n := range elements(root) {
		t := tag(n)
		if n == root || t == "script" || t == "style" || t == "noscript" || t == "head" || t == "title" || t == "html" {
			continue
		}
		if b := typeOf(n); b == "submit" || b == "button" || b == "reset" {
			if p.match(d.value(n)) {
				hits = append(hits, n)
			}
			continue
		}
		s := content(n)
		if len(s) > 4000 || !strings.Contains(p.body, "*") && len(squeeze(s)) > limit || !p.match(s) || strings.TrimSpace(s) == "" {
			continue
		}
		hits = append(hits, n)
	}
	return slices.DeleteFunc(slices.Clone(hits), func(n *dom.Node) bool {
		return slices.ContainsFunc(hits, func(o *dom.Node) bool { return o != n && inside(o, n) })
	})
}

// found is what a locator matches: what fits, and how many beside it do not.
type found struct {
	els    []*dom.Node
	at     int // the alternative
	hidden int
}

func (p *Page) find(loc string, fits func(*dom.Node) bool) (found, error) {
	parts, err := p.parse(loc)
	if err != nil {
		return found{}, err
	}
	scopes := []*dom.Node{p.doc.root}
	for i, one := range parts {
		var all []*dom.Node
		seen := map[*dom.Node]bool{}
		for _, s := range scopes {
			for _, n := range p.doc.query(s, one) {
				if !seen[n] {
					seen[n] = true
					all = append(all, n)
				}
			}
		}
		if i == len(parts)-1 {
			ok := slices.DeleteFunc(slices.Clone(all), func(n *dom.Node) bool { return !fits(n) })
			return found{els: ok, hidden: len(all) - len(ok)}, nil
		}
		if slices.ContainsFunc(all, func(n *dom.Node) bool { t := tag(n); return t == "iframe" || t == "frame" }) {
			return found{}, noBrowser("a locator that goes into a frame")
		}
		scopes = all
	}
	return found{}, nil
}

// first tries the alternatives in order.
func (p *Page) first(locs page.Locator, fits func(*dom.Node) bool) (found, error) {
	hidden := 0
	for i, loc := range locs {
		f, err := p.find(loc, fits)
		if err != nil {
			return f, err
		}
		if f.at = i; len(f.els) > 0 {
			return f, nil
		}
		hidden += f.hidden
	}
	return found{at: -1, hidden: hidden}, nil
}

// candidates are what an author may have meant, for the error.
func (p *Page) candidates(locs page.Locator) []string {
	var out []string
	for _, loc := range locs {
		parts, err := p.parse(loc)
		if err != nil {
			continue
		}
		last := parts[len(parts)-1]
		for n := range elements(p.doc.root) {
			s := ""
			switch {
			case last.kind == "role":
				if p.doc.roleOf(n) == last.body {
					s = p.doc.accessibleName(n)
				}
			case last.kind == "text":
				if slices.Contains([]string{"a", "button", "h1", "h2", "h3", "label"}, tag(n)) {
					s = squeeze(content(n))
				}
			case !isControl(n) || !p.doc.reachable(n):
			case last.kind == "label":
				s = strings.Join(p.doc.labelsOf(n)[:min(1, len(p.doc.labelsOf(n)))], "")
			case last.kind == "placeholder":
				s = attr(n, "placeholder")
			case last.kind == "css":
				s = tag(n)
				if id := attr(n, "id"); id != "" {
					s += "#" + id
				}
				if name := attr(n, "name"); name != "" {
					s += "[name=" + name + "]"
				}
			}
			s = squeeze(s)
			if r := []rune(s); len(r) > 60 {
				s = string(r[:60])
			}
			if s != "" && len(out) < 12 && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// describe names an element for an error.
func describe(n *dom.Node) string {
	s := "<" + tag(n)
	for _, a := range []string{"id", "name", "type", "role", "class", "aria-label"} {
		if v := attr(n, a); v != "" {
			s += ` ` + a + `="` + firstRunes(squeeze(v), 60) + `"`
		}
	}
	s += ">"
	if !isControl(n) {
		s += firstRunes(squeeze(content(n)), 60)
	}
	return s
}

func firstRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}
