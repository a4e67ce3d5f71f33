package text

import (
	"regexp"
	"strings"
	"sync"
	"unicode"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// policy is what rich text may contain. Links keep their address as it is: the
// site decides about rel and target.
var policy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "div", "br", "hr", "b", "strong", "i", "em", "u", "s", "del", "ins", "sub", "sup",
		"h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "dl", "dt", "dd",
		"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("http", "https", "mailto")
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnLinks(false)
	p.AddSpaceWhenStrippingTag(false)
	return p
})

var strict = sync.OnceValue(bluemonday.StrictPolicy)

// tag finds what HTML takes for a tag.
var tag = regexp.MustCompile(`<[a-zA-Z/!?]`)

// maxDepth bounds the nesting of a tree; what is deeper becomes its text.
const maxDepth = 100

// parse reads HTML into a sanitised body.
func parse(src string) *html.Node {
	src = tidy(src)
	if !tag.MatchString(src) {
		src = strings.ReplaceAll(strings.TrimSpace(src), "\n", "<br>")
	}
	clean := policy().Sanitize(src)
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(clean), body)
	if err != nil { // nested deeper than the parser allows
		nodes = []*html.Node{{Type: html.TextNode, Data: html.UnescapeString(strict().Sanitize(src))}}
	}
	for _, n := range nodes {
		body.AppendChild(n)
	}
	flatten(body, 0)
	return body
}

// tidy makes s valid UTF-8 without control characters and without the format
// characters that reorder text; line ends become \n.
func tidy(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0xFEFF:
			return -1
		}
		return r
	}, s)
}

// flatten tidies the decoded texts and replaces what is nested too deep by its text.
func flatten(n *html.Node, depth int) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		switch {
		case c.Type == html.TextNode:
			c.Data = tidy(c.Data)
		case c.Type != html.ElementNode:
			n.RemoveChild(c)
		case depth >= maxDepth:
			n.InsertBefore(&html.Node{Type: html.TextNode, Data: tidy(plain(c))}, c)
			n.RemoveChild(c)
		default:
			flatten(c, depth+1)
		}
		c = next
	}
}

// plain is the text below n as it stands.
func plain(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

type kind int

const (
	para kind = iota
	heading
	item
	rule
)

// block is one line or paragraph of text.
type block struct {
	kind    kind
	level   int // heading: 1 to 6
	depth   int // item: 0 for the outermost list
	ordered bool
	number  int // item of an ordered list, from 1
	spans   []span
}

// span is a run of text in one style, or a line break. A break has no style.
type span struct {
	text         string
	bold, italic bool
	href         string
	br           bool
}

// builder collects blocks from a tree.
type builder struct {
	list []block
	open bool // the last block takes more spans
}

func blocks(body *html.Node) []block {
	var b builder
	b.walk(body, span{}, nil)
	out := b.list[:0]
	for _, bl := range b.list {
		bl.spans = trim(bl.spans)
		if bl.kind == rule || len(bl.spans) > 0 {
			out = append(out, bl)
		}
	}
	return out
}

// list is where an item stands.
type list struct {
	depth   int
	ordered bool
	number  *int
}

func (b *builder) start(bl block) {
	b.list, b.open = append(b.list, bl), true
}

func (b *builder) add(s span) {
	if !b.open {
		b.start(block{})
	}
	last := &b.list[len(b.list)-1]
	last.spans = append(last.spans, s)
}

func (b *builder) walk(n *html.Node, style span, in *list) {
	for c := range n.ChildNodes() {
		if c.Type == html.TextNode {
			b.text(c, style)
			continue
		}
		if c.Type != html.ElementNode {
			continue
		}
		inner := style
		switch c.DataAtom {
		case atom.B, atom.Strong, atom.Th, atom.Dt:
			inner.bold = true
		case atom.I, atom.Em:
			inner.italic = true
		case atom.A:
			inner.href = address(c)
		}
		switch c.DataAtom {
		case atom.Br:
			b.add(span{br: true})
		case atom.Hr:
			b.start(block{kind: rule})
			b.open = false
		case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
			b.start(block{kind: heading, level: int(c.Data[1] - '0')})
			inner.bold, inner.italic = false, false
			b.walk(c, inner, nil)
			b.open = false
		case atom.Ul, atom.Ol:
			depth := 0
			if in != nil {
				depth = min(in.depth+1, 5)
			}
			b.open = false
			b.walk(c, inner, &list{depth: depth, ordered: c.DataAtom == atom.Ol, number: new(int)})
			b.open = false
		case atom.Li:
			at := in
			if at == nil {
				at = &list{number: new(int)}
			}
			*at.number++
			b.start(block{kind: item, depth: at.depth, ordered: at.ordered, number: *at.number})
			b.walk(c, inner, at)
			b.open = false
		case atom.P, atom.Div, atom.Blockquote, atom.Pre, atom.Dl, atom.Dt, atom.Dd, atom.Table, atom.Caption, atom.Tr:
			// Inside an item a paragraph goes on in the item, on a line of its own.
			last := len(b.list) - 1
			inItem := b.open && last >= 0 && b.list[last].kind == item
			switch {
			case !inItem:
				b.open = false
			case len(trim(b.list[last].spans)) > 0:
				b.add(span{br: true})
			}
			b.walk(c, inner, in)
			if !inItem {
				b.open = false
			}
		case atom.Td, atom.Th:
			b.walk(c, inner, in)
			b.add(span{text: " "})
		default:
			b.walk(c, inner, in)
		}
	}
}

func (b *builder) text(n *html.Node, style span) {
	keep := n.Parent != nil && n.Parent.DataAtom == atom.Pre
	if !keep {
		if !b.open && strings.TrimSpace(n.Data) == "" {
			return
		}
		style.text = n.Data
		b.add(style)
		return
	}
	for i, line := range strings.Split(n.Data, "\n") {
		if i > 0 {
			b.add(span{br: true})
		}
		style.text = line
		b.add(style)
	}
}

// address is a link's absolute address, empty when it has none.
func address(a *html.Node) string {
	for _, at := range a.Attr {
		if at.Key == "href" {
			if strings.HasPrefix(strings.ToLower(at.Val), "mailto:") {
				return escapeURL(at.Val)
			}
			if u, ok := webURL(at.Val); ok {
				return u
			}
		}
	}
	return ""
}

// trim collapses white space across spans, joins those of one style and drops
// what is empty at the ends.
func trim(in []span) []span {
	var out []span
	space := true // white space here would be leading
	for _, s := range in {
		if s.br {
			if len(out) > 0 {
				out = cutSpace(out)
				out = append(out, s)
			}
			space = true
			continue
		}
		var b strings.Builder
		for _, r := range s.text {
			// A no-break space is kept: authors mean it.
			if unicode.IsSpace(r) && r != '\u00A0' {
				if !space {
					b.WriteByte(' ')
				}
				space = true
				continue
			}
			b.WriteRune(r)
			space = false
		}
		s.text = b.String()
		if s.text == "" {
			continue
		}
		if n := len(out); n > 0 && !out[n-1].br && out[n-1].bold == s.bold && out[n-1].italic == s.italic && out[n-1].href == s.href {
			out[n-1].text += s.text
		} else {
			out = append(out, s)
		}
	}
	for len(out) > 0 {
		n := len(out)
		out = cutSpace(out)
		if len(out) > 0 && out[len(out)-1].br {
			out = out[:len(out)-1]
		}
		if len(out) == n && (n == 0 || !out[n-1].br) {
			break
		}
	}
	return out
}

// cutSpace removes the white space that the spans end with.
func cutSpace(out []span) []span {
	for len(out) > 0 && !out[len(out)-1].br {
		last := &out[len(out)-1]
		last.text = strings.TrimRight(last.text, " ")
		if last.text != "" {
			break
		}
		out = out[:len(out)-1]
	}
	return out
}

// writer writes blocks with the empty lines that part them.
type writer struct {
	strings.Builder
	prev *block
}

// begin starts the block on a line of its own, after an empty line unless both
// are items of a list.
func (w *writer) begin(b block) {
	if w.prev != nil {
		w.WriteString("\n")
		if w.prev.kind != item || b.kind != item {
			w.WriteString("\n")
		}
	}
	w.prev = &b
}
