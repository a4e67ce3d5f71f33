package html

import (
	"slices"
	"strings"

	dom "golang.org/x/net/html"
)

var roles = map[string]string{
	"summary": "button", "button": "button", "textarea": "textbox", "option": "option", "img": "img", "ul": "list", "ol": "list", "menu": "list",
	"h1": "heading", "h2": "heading", "h3": "heading", "h4": "heading", "h5": "heading", "h6": "heading",
	"li": "listitem", "table": "table", "tr": "row", "td": "cell", "nav": "navigation", "main": "main", "header": "banner", "footer": "contentinfo",
	"form": "form", "section": "region", "article": "article", "aside": "complementary", "dialog": "dialog", "output": "status", "progress": "progressbar",
	"meter": "meter", "p": "paragraph", "figure": "figure", "fieldset": "group", "details": "group", "optgroup": "group", "hr": "separator", "dt": "term", "dd": "definition",
}

var known = func() map[string]bool {
	all := map[string]bool{}
	for _, r := range roles {
		all[r] = true
	}
	for r := range strings.FieldsSeq(`link checkbox radio textbox searchbox spinbutton slider combobox listbox columnheader rowheader alert alertdialog log marquee menu menubar
		menuitem menuitemcheckbox menuitemradio note none presentation radiogroup rowgroup scrollbar search switch tab tablist tabpanel timer toolbar tooltip tree treeitem
		grid gridcell feed application document math directory`) {
		all[r] = true
	}
	return all
}()

func (d *document) roleOf(n *dom.Node) string {
	for r := range strings.FieldsSeq(strings.ToLower(attr(n, "role"))) {
		if known[r] {
			return r
		}
	}
	switch t := tag(n); t {
	case "input":
		switch typ := typeOf(n); typ {
		case "text", "email", "tel", "url", "search":
			if has(n, "list") {
				return "combobox"
			}
			if typ == "search" {
				return "searchbox"
			}
			return "textbox"
		case "checkbox", "radio", "button":
			return typ
		case "number":
			return "spinbutton"
		case "range":
			return "slider"
		case "submit", "reset", "image":
			return "button"
		}
		return ""
	case "select":
		if size := attr(n, "size"); has(n, "multiple") || size != "" && size != "0" && size != "1" {
			return "listbox"
		}
		return "combobox"
	case "th":
		if attr(n, "scope") == "row" {
			return "rowheader"
		}
		return "columnheader"
	case "a", "area":
		if has(n, "href") {
			return "link"
		}
		return ""
	default:
		if r := roles[t]; r != "" {
			return r
		}
	}
	if has(n, "contenteditable") && attr(n, "contenteditable") != "false" {
		return "textbox"
	}
	return ""
}

// inner is the text of a subtree as a name is made of it.
func (d *document) inner(n *dom.Node, skipControls bool, depth int) string {
	if n.Type == dom.TextNode {
		return n.Data
	}
	if n.Type != dom.ElementNode || depth > 40 {
		return ""
	}
	t := tag(n)
	if t == "script" || t == "style" || t == "template" || t == "noscript" {
		return ""
	}
	if depth > 0 {
		if attr(n, "aria-hidden") == "true" && !skipControls || hides(n) {
			return ""
		}
		if l := attr(n, "aria-label"); strings.TrimSpace(l) != "" {
			return " " + l + " "
		}
		switch {
		case t == "img":
			return " " + attr(n, "alt") + " "
		case t == "input" || t == "select" || t == "textarea":
			if skipControls || typeOf(n) == "password" || d.secrets[n] {
				return ""
			}
			return " " + d.value(n) + " "
		case t == "button" && skipControls:
			return ""
		}
	}
	var b strings.Builder
	for k := n.FirstChild; k != nil; k = k.NextSibling {
		b.WriteString(d.inner(k, skipControls, depth+1))
	}
	if t == "br" || depth > 0 && !inline[t] {
		return " " + b.String() + " "
	}
	return b.String()
}

// named is the text of the elements that an attribute of n names.
func (d *document) named(n *dom.Node, name string, skipControls bool) (string, bool) {
	var out []string
	for id := range strings.FieldsSeq(attr(n, name)) {
		if e := d.ids[id]; e != nil {
			out = append(out, d.inner(e, skipControls, 0))
		}
	}
	return strings.Join(out, " "), len(out) > 0
}

// labelsOf lists the names that label= may call a control by.
func (d *document) labelsOf(n *dom.Node) []string {
	var out []string
	if s, ok := d.named(n, "aria-labelledby", true); ok {
		out = append(out, s)
	}
	if s := attr(n, "aria-label"); s != "" {
		out = append(out, s)
	}
	for _, l := range d.labels[n] {
		out = append(out, d.inner(l, true, 0))
	}
	return out
}

var fromContent = strings.Fields("button link heading cell gridcell columnheader rowheader row option tab menuitem menuitemcheckbox menuitemradio checkbox radio switch treeitem tooltip term listitem paragraph alert status")

// accessibleName follows the order of the accname specification.
func (d *document) accessibleName(n *dom.Node) string {
	if s, ok := d.named(n, "aria-labelledby", false); ok {
		return squeeze(s)
	}
	if s := squeeze(attr(n, "aria-label")); s != "" {
		return s
	}
	t, typ := tag(n), typeOf(n)
	if typ == "submit" || typ == "reset" || typ == "button" {
		s := map[string]string{"submit": "Submit", "reset": "Reset"}[typ]
		if has(n, "value") {
			s = d.value(n)
		}
		if s = squeeze(s); s != "" {
			return s
		}
		return squeeze(attr(n, "title"))
	}
	if t == "img" || t == "area" || typ == "image" {
		if s := squeeze(attr(n, "alt")); s != "" {
			return s
		}
		if typ == "image" {
			if s := squeeze(attr(n, "title")); s != "" {
				return s
			}
			return "Submit"
		}
	}
	if len(d.labels[n]) > 0 && t != "button" {
		var all []string
		for _, l := range d.labels[n] {
			all = append(all, d.inner(l, true, 0))
		}
		return squeeze(strings.Join(all, " "))
	}
	if own := map[string]string{"fieldset": "legend", "table": "caption", "figure": "figcaption"}[t]; own != "" {
		for k := n.FirstChild; k != nil; k = k.NextSibling {
			if tag(k) == own {
				return squeeze(d.inner(k, false, 0))
			}
		}
	}
	if t == "option" {
		return squeeze(optionLabel(n))
	}
	if slices.Contains(fromContent, d.roleOf(n)) || t == "summary" {
		if s := squeeze(d.inner(n, false, 0)); s != "" {
			return s
		}
	}
	if s := squeeze(attr(n, "title")); s != "" {
		return s
	}
	return squeeze(attr(n, "placeholder"))
}
