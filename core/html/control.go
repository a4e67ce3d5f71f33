package html

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	dom "golang.org/x/net/html"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

var inputTypes = []string{"hidden", "text", "search", "tel", "url", "email", "password", "date", "month", "week", "time", "datetime-local", "number", "range", "color", "checkbox", "radio", "file", "submit", "image", "reset", "button"}

// typeOf is the type of an input, "" for other elements.
func typeOf(n *dom.Node) string {
	if tag(n) != "input" {
		return ""
	}
	if t := strings.ToLower(attr(n, "type")); slices.Contains(inputTypes, t) {
		return t
	}
	return "text"
}

func isToggle(n *dom.Node) bool { t := typeOf(n); return t == "checkbox" || t == "radio" }

// buttonType is submit, reset or button for what is pressed, "" for the rest.
func buttonType(n *dom.Node) string {
	switch t := typeOf(n); {
	case t == "submit" || t == "image":
		return "submit"
	case t == "reset" || t == "button":
		return t
	case tag(n) == "button":
		if b := strings.ToLower(attr(n, "type")); b == "reset" || b == "button" {
			return b
		}
		return "submit"
	}
	return ""
}

// forms are what the kinds of input take that are not free text.
var native = map[string]struct {
	takes *regexp.Regexp
	form  string
}{
	"date":           {regexp.MustCompile(`^\d{4,}-\d\d-\d\d$`), "2006-01-02"},
	"time":           {regexp.MustCompile(`^\d\d:\d\d(:\d\d(\.\d{1,3})?)?$`), "15:04"},
	"month":          {regexp.MustCompile(`^\d{4,}-\d\d$`), "2006-01"},
	"week":           {regexp.MustCompile(`^\d{4,}-W\d\d$`), "2006-W01"},
	"datetime-local": {regexp.MustCompile(`^\d{4,}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?$`), "2006-01-02T15:04"},
	"color":          {regexp.MustCompile(`^#[0-9a-fA-F]{6}$`), "#rrggbb"},
	"range":          {regexp.MustCompile(`^-?\d+(\.\d+)?$`), "a number in its range"},
	"number":         {regexp.MustCompile(`^(-?\d*\.?\d+([eE][-+]?\d+)?)?$`), "a number"},
}

// kind says how a control is set: text, select, check, radio, native, file or none.
func kind(n *dom.Node) string {
	switch t := typeOf(n); {
	case tag(n) == "select":
		return "select"
	case tag(n) == "textarea":
		return "text"
	case t == "checkbox":
		return "check"
	case t == "radio" || t == "file":
		return t
	case t == "" || t == "hidden" || buttonType(n) != "":
		return "none"
	case native[t].takes != nil && t != "number":
		return "native"
	}
	return "text"
}

var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

func lines(s string) string { return newlines.Replace(s) }

// value is what a control holds.
func (d *document) value(n *dom.Node) string {
	if v, ok := d.values[n]; ok {
		return v
	}
	switch tag(n) {
	case "textarea":
		return lines(content(n))
	case "select":
		if all := d.chosen(n); len(all) > 0 {
			return optionValue(all[0])
		}
		return ""
	}
	v := attr(n, "value")
	switch typeOf(n) {
	case "checkbox", "radio":
		if !has(n, "value") {
			return "on"
		}
	case "hidden", "submit", "reset", "button", "image":
	case "email", "url":
		v = strings.TrimSpace(strings.NewReplacer("\n", "", "\r", "").Replace(v))
	case "":
	default:
		v = strings.NewReplacer("\n", "", "\r", "").Replace(v)
	}
	return v
}

func (d *document) checked(n *dom.Node) bool {
	if on, ok := d.checks[n]; ok {
		return on
	}
	return isToggle(n) && has(n, "checked")
}

func options(sel *dom.Node) []*dom.Node {
	var out []*dom.Node
	for o := range elements(sel) {
		if tag(o) == "option" {
			out = append(out, o)
		}
	}
	return out
}

func optionOff(o *dom.Node) bool {
	return has(o, "disabled") || o.Parent != nil && tag(o.Parent) == "optgroup" && has(o.Parent, "disabled")
}

func optionLabel(o *dom.Node) string {
	if l := attr(o, "label"); l != "" {
		return l
	}
	return squeeze(content(o))
}

func optionValue(o *dom.Node) string {
	if has(o, "value") {
		return attr(o, "value")
	}
	return squeeze(content(o))
}

// chosen are the options that a list holds.
func (d *document) chosen(sel *dom.Node) []*dom.Node {
	if c, ok := d.choices[sel]; ok {
		return c
	}
	var marked []*dom.Node
	all := options(sel)
	for _, o := range all {
		if has(o, "selected") {
			marked = append(marked, o)
		}
	}
	if has(sel, "multiple") {
		return marked
	}
	if len(marked) > 0 {
		return marked[len(marked)-1:]
	}
	if size, _ := strconv.Atoi(attr(sel, "size")); size <= 1 {
		for _, o := range all {
			if !optionOff(o) {
				return []*dom.Node{o}
			}
		}
	}
	return nil
}

func (d *document) selected(o *dom.Node) bool {
	sel := closest(o, "select")
	return sel != nil && slices.Contains(d.chosen(sel), o)
}

// disabled reports why a control can't be used, "" when it can.
func disabled(n *dom.Node) string {
	if (isControl(n) || tag(n) == "fieldset") && has(n, "disabled") {
		return "disabled"
	}
	for p, from := n.Parent, n; p != nil; from, p = p, p.Parent {
		if tag(p) == "fieldset" && has(p, "disabled") && isControl(n) && from != firstLegend(p) {
			return "disabled"
		}
	}
	for p := n; p != nil; p = p.Parent {
		if attr(p, "aria-disabled") == "true" {
			return "marked aria-disabled"
		}
	}
	return ""
}

func firstLegend(fieldset *dom.Node) *dom.Node {
	for k := fieldset.FirstChild; k != nil; k = k.NextSibling {
		if tag(k) == "legend" {
			return k
		}
	}
	return nil
}

// radios are the buttons of a group.
func (d *document) radios(n *dom.Node) []*dom.Node {
	name := attr(n, "name")
	if name == "" {
		return []*dom.Node{n}
	}
	var out []*dom.Node
	for r := range elements(d.root) {
		if typeOf(r) == "radio" && attr(r, "name") == name && d.form(r) == d.form(n) {
			out = append(out, r)
		}
	}
	return out
}

// check sets a box or a button of a group.
func (d *document) check(n *dom.Node, on bool) {
	if typeOf(n) == "radio" && on {
		for _, r := range d.radios(n) {
			d.checks[r] = false
		}
	}
	d.checks[n] = on
}

// choose sets a list or a group to the first alternative that is there, by value,
// then by label: "set", "kept", or the labels that there are.
func (d *document) choose(n *dom.Node, want []string) (result string, near []string) {
	all, label := options(n), func(o *dom.Node) []string { return []string{optionLabel(o), squeeze(content(o))} }
	holds := d.selected
	if kind(n) == "radio" {
		all, label, holds = d.radios(n), d.labelsOf, d.checked
	}
	usable := slices.DeleteFunc(slices.Clone(all), func(o *dom.Node) bool { return optionOff(o) || disabled(o) != "" })
	for _, w := range want {
		match := matcher(w, false)
		i := slices.IndexFunc(usable, func(o *dom.Node) bool {
			if tag(o) == "option" {
				return optionValue(o) == w
			}
			return d.value(o) == w
		})
		if i < 0 {
			i = slices.IndexFunc(usable, func(o *dom.Node) bool { return slices.ContainsFunc(label(o), match) })
		}
		if i < 0 {
			continue
		}
		o := usable[i]
		switch {
		case holds(o):
			return "kept", nil
		case tag(o) != "option":
			d.check(o, true)
		case has(n, "multiple"):
			d.choices[n] = append(slices.Clone(d.chosen(n)), o)
		default:
			d.choices[n] = []*dom.Node{o}
		}
		return "set", nil
	}
	for _, o := range all[:min(len(all), 12)] {
		near = append(near, append(label(o), d.value(o))[0])
	}
	return "", near
}

func truthy(s string) bool {
	return slices.Contains([]string{"true", "yes", "on", "1"}, strings.ToLower(s))
}

// put sets a control, whatever its kind: "set", "kept", or "unsupported" with the
// fault that says why. It holds the value afterwards, or what it held before.
func (d *document) put(n *dom.Node, v core.Value, want []string) (string, error) {
	if len(want) == 0 {
		want = []string{v.Reveal()}
	}
	fault := func(why string, near ...string) (string, error) {
		f := &core.Fault{Code: core.LayoutChanged, Why: why}
		if len(near) > 0 {
			f.Detail = "candidates: " + strings.Join(near, " | ")
		}
		return "unsupported", f
	}
	switch kind(n) {
	case "select", "radio":
		if got, near := d.choose(n, want); got == "" {
			return fault("there is no such choice", near...)
		} else {
			return got, nil
		}
	case "check":
		if on := truthy(want[0]); d.checked(n) == on {
			return "kept", nil
		} else {
			d.check(n, on)
			return "set", nil
		}
	case "native":
		if d.value(n) == want[0] {
			return "kept", nil
		}
		if f := native[typeOf(n)]; !f.takes.MatchString(want[0]) && !(want[0] == "" && typeOf(n) != "color" && typeOf(n) != "range") {
			return fault("the control did not take the value: an input of type " + typeOf(n) + " takes " + f.form)
		}
		d.values[n] = want[0]
		return "set", nil
	case "text":
		text := lines(want[0])
		if tag(n) == "input" {
			text = strings.ReplaceAll(text, "\n", "")
			if t := typeOf(n); t == "email" || t == "url" {
				text = strings.TrimSpace(text)
			}
			if f := native[typeOf(n)]; f.takes != nil && !f.takes.MatchString(text) {
				return fault("the control did not take the value: an input of type " + typeOf(n) + " takes " + f.form)
			}
		}
		if most := maxlength(n); most > 0 {
			if short := page.FirstUnits(text, most); short != text {
				return fault("the text is longer than its maxlength of " + strconv.Itoa(most))
			}
		}
		d.values[n] = text
		d.secrets[n] = d.secrets[n] || v.IsSecret()
		return "set", nil
	case "file":
		return "unsupported", page.Wrong("a file input is not filled: use upload")
	}
	if has(n, "contenteditable") {
		return "unsupported", noBrowser("an editor that scripts of the page make")
	}
	return "unsupported", page.Wrong("a <%s> can't be filled", strings.TrimSpace(tag(n)+" "+typeOf(n)))
}

func maxlength(n *dom.Node) int {
	if most, err := strconv.Atoi(attr(n, "maxlength")); err == nil && most > 0 && (tag(n) == "textarea" || tag(n) == "input") {
		return most
	}
	return 0
}

// noBrowser is the fault of what has no meaning without a browser.
func noBrowser(what string) error {
	return page.Wrong(`%s needs a browser: run this phase with engine = "browser"`, what)
}
