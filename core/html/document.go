package html

import (
	"iter"
	"net/url"
	"slices"
	"strings"

	dom "golang.org/x/net/html"
	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
)

// document is one page, and what was filled in on it.
type document struct {
	root     *dom.Node
	url      *url.URL // with its fragment
	base     *url.URL // of its links
	status   int
	retry    string
	encoding encoding.Encoding // nil for UTF-8
	accepted bool              // a verb ended well on it: its status is explained

	ids    map[string]*dom.Node
	forms  map[*dom.Node]*dom.Node   // control: form, where the form is no ancestor
	labels map[*dom.Node][]*dom.Node // control: labels

	values  map[*dom.Node]string
	checks  map[*dom.Node]bool
	choices map[*dom.Node][]*dom.Node // select: chosen options
	files   map[*dom.Node]file
	secrets map[*dom.Node]bool
}

// file is what was chosen in a file input.
type file struct {
	name, kind string
	data       []byte
}

// emptyDocument is what stands before the first page is opened.
func emptyDocument() *document {
	d, err := newDocument(&url.URL{Scheme: "about", Opaque: "blank"}, nil, "text/html; charset=utf-8", 200, "")
	if err != nil {
		panic(err) // no bytes always parse
	}
	return d
}

func newDocument(u *url.URL, body []byte, kind string, status int, retry string) (*document, error) {
	d := &document{url: u, base: u, status: status, retry: retry,
		ids: map[string]*dom.Node{}, forms: map[*dom.Node]*dom.Node{}, labels: map[*dom.Node][]*dom.Node{},
		values: map[*dom.Node]string{}, checks: map[*dom.Node]bool{}, choices: map[*dom.Node][]*dom.Node{}, files: map[*dom.Node]file{}, secrets: map[*dom.Node]bool{}}
	if enc, _, _ := charset.DetermineEncoding(body[:min(len(body), 1024)], kind); enc != encoding.Nop && enc != unicode.UTF8 {
		if plain, err := enc.NewDecoder().Bytes(body); err == nil {
			// What names no encoding and is UTF-8 is read as that.
			if !(strings.ToValidUTF8(string(body), "") == string(body) && !strings.Contains(strings.ToLower(kind), "charset")) || declares(body) {
				body, d.encoding = plain, enc
			}
		}
	}
	var err error
	if d.root, err = dom.ParseWithOptions(strings.NewReader(strings.ToValidUTF8(string(body), "\uFFFD")), dom.ParseOptionEnableScripting(false)); err != nil {
		return nil, err
	}
	d.index()
	return d, nil
}

func declares(body []byte) bool {
	return strings.Contains(strings.ToLower(string(body[:min(len(body), 1024)])), "charset")
}

// index finds the base, the names, and the labels and forms of controls.
func (d *document) index() {
	var form, table *dom.Node // a form that the parser emptied, because it began inside a table
	var labels []*dom.Node
	based := false
	for n := range elements(d.root) {
		if id := attr(n, "id"); id != "" && d.ids[id] == nil {
			d.ids[id] = n
		}
		switch tag(n) {
		case "base":
			if u, err := d.url.Parse(attr(n, "href")); err == nil && has(n, "href") && !based {
				d.base, based = u, true
			}
		case "label":
			labels = append(labels, n)
		case "form":
			form, table = nil, nil
			if p := n.Parent; n.FirstChild == nil && p != nil && slices.Contains([]string{"table", "tbody", "thead", "tfoot", "tr"}, tag(p)) {
				form, table = n, closest(p, "table")
			}
		case "input", "textarea", "select", "button", "output", "fieldset", "object":
			if form != nil && inside(n, table) && closest(n, "form") == nil && !has(n, "form") {
				d.forms[n] = form
			}
		}
	}
	for n := range elements(d.root) {
		if has(n, "form") && isControl(n) {
			if f := d.ids[attr(n, "form")]; f != nil && tag(f) == "form" {
				d.forms[n] = f
			} else {
				d.forms[n] = nil
			}
		}
	}
	for _, l := range labels {
		if c := d.labelled(l); c != nil {
			d.labels[c] = append(d.labels[c], l)
		}
	}
}

func isControl(n *dom.Node) bool {
	return slices.Contains([]string{"input", "textarea", "select", "button"}, tag(n))
}

// labelled is the control that a label is for.
func (d *document) labelled(l *dom.Node) *dom.Node {
	can := func(n *dom.Node) bool {
		return n != nil && (isControl(n) && typeOf(n) != "hidden" || tag(n) == "meter" || tag(n) == "output" || tag(n) == "progress")
	}
	if has(l, "for") {
		if c := d.ids[attr(l, "for")]; can(c) {
			return c
		}
		return nil
	}
	for n := range elements(l) {
		if can(n) {
			return n
		}
	}
	return nil
}

// form is the form of a control, nil when it has none.
func (d *document) form(n *dom.Node) *dom.Node {
	if f, ok := d.forms[n]; ok {
		return f
	}
	return closest(n, "form")
}

// elements are n and the elements below it, in the order of the document.
func elements(n *dom.Node) iter.Seq[*dom.Node] {
	return func(yield func(*dom.Node) bool) { walk(n, yield) }
}

func walk(n *dom.Node, yield func(*dom.Node) bool) bool {
	if n.Type == dom.ElementNode && !yield(n) {
		return false
	}
	if tag(n) == "template" {
		return true // what is in there is no part of the page
	}
	for k := n.FirstChild; k != nil; k = k.NextSibling {
		if !walk(k, yield) {
			return false
		}
	}
	return true
}

func tag(n *dom.Node) string {
	if n.Type != dom.ElementNode {
		return ""
	}
	return n.Data
}

func attr(n *dom.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name && a.Namespace == "" {
			return a.Val
		}
	}
	return ""
}

func has(n *dom.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a dom.Attribute) bool { return a.Key == name && a.Namespace == "" })
}

func closest(n *dom.Node, name string) *dom.Node {
	for ; n != nil; n = n.Parent {
		if tag(n) == name {
			return n
		}
	}
	return nil
}

func inside(n, of *dom.Node) bool {
	for ; n != nil; n = n.Parent {
		if n == of {
			return true
		}
	}
	return false
}

// link is an address of the document made absolute.
func (d *document) link(raw string) (*url.URL, error) {
	return d.base.Parse(strings.Trim(raw, " \t\r\n\f"))
}

var unseen = map[string]bool{"head": true, "script": true, "style": true, "template": true, "title": true, "meta": true, "link": true, "base": true, "datalist": true, "option": true, "optgroup": true, "param": true, "source": true, "track": true}

// replaced elements have a box without any text in them.
var replaced = map[string]bool{"img": true, "input": true, "textarea": true, "select": true, "button": true, "iframe": true, "frame": true, "video": true, "canvas": true, "svg": true, "object": true, "embed": true, "progress": true, "meter": true, "hr": true}

// hides reports whether the HTML takes n and all in it away.
func hides(n *dom.Node) bool {
	t := tag(n)
	if unseen[t] || has(n, "hidden") || t == "input" && typeOf(n) == "hidden" || t == "dialog" && !has(n, "open") || t == "audio" && !has(n, "controls") {
		return true
	}
	if p := n.Parent; p != nil && tag(p) == "details" && !has(p, "open") && t != "summary" {
		return true
	}
	for decl := range strings.SplitSeq(strings.ToLower(attr(n, "style")), ";") {
		name, value, _ := strings.Cut(decl, ":")
		value = strings.TrimSpace(strings.ReplaceAll(value, "!important", ""))
		switch strings.TrimSpace(name) {
		case "display":
			if value == "none" {
				return true
			}
		case "visibility":
			if value == "hidden" || value == "collapse" {
				return true
			}
		}
	}
	return false
}

// shown reports whether a person would see n.
func (d *document) shown(n *dom.Node) bool {
	for p := n; p != nil; p = p.Parent {
		if p.Type == dom.ElementNode && hides(p) {
			return false
		}
	}
	return boxed(n)
}

// boxed reports whether there is anything in n to see.
func boxed(n *dom.Node) bool {
	t := tag(n)
	if replaced[t] || t == "a" && has(n, "href") || has(n, "contenteditable") {
		return true
	}
	for k := n.FirstChild; k != nil; k = k.NextSibling {
		switch k.Type {
		case dom.TextNode:
			if strings.TrimSpace(k.Data) != "" {
				return true
			}
		case dom.ElementNode:
			if !hides(k) && boxed(k) {
				return true
			}
		}
	}
	return false
}

// reachable: shown, or a box or button of a group whose label is shown.
func (d *document) reachable(n *dom.Node) bool {
	return d.shown(n) || isToggle(n) && slices.ContainsFunc(d.labels[n], d.shown)
}

var inline = map[string]bool{"a": true, "abbr": true, "b": true, "bdi": true, "bdo": true, "cite": true, "code": true, "data": true, "del": true, "dfn": true, "em": true, "font": true, "i": true, "img": true, "ins": true, "kbd": true, "label": true, "mark": true, "q": true, "s": true, "samp": true, "small": true, "span": true, "strong": true, "sub": true, "sup": true, "time": true, "tt": true, "u": true, "var": true, "wbr": true}

// text is what a person reads in an element.
func (d *document) text(n *dom.Node) string {
	switch tag(n) {
	case "input":
		if typeOf(n) == "password" || d.secrets[n] {
			return ""
		}
		return squeeze(d.value(n))
	case "textarea":
		if d.secrets[n] {
			return ""
		}
		return squeeze(d.value(n))
	case "select":
		var all []string
		for _, o := range d.chosen(n) {
			all = append(all, optionLabel(o))
		}
		return squeeze(strings.Join(all, ", "))
	}
	var b strings.Builder
	var add func(n *dom.Node)
	add = func(n *dom.Node) {
		for k := n.FirstChild; k != nil; k = k.NextSibling {
			switch {
			case k.Type == dom.TextNode:
				b.WriteString(k.Data)
			case k.Type != dom.ElementNode || hides(k) || isControl(k) && tag(k) != "button":
			case inline[tag(k)]:
				add(k)
			default:
				b.WriteByte(' ')
				add(k)
				b.WriteByte(' ')
			}
		}
	}
	add(n)
	return squeeze(b.String())
}

// content is all text in n, shown or not.
func content(n *dom.Node) string {
	var b strings.Builder
	var add func(n *dom.Node)
	add = func(n *dom.Node) {
		for k := n.FirstChild; k != nil; k = k.NextSibling {
			if k.Type == dom.TextNode {
				b.WriteString(k.Data)
			}
			add(k)
		}
	}
	add(n)
	return b.String()
}
