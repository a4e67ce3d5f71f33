package html

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	dom "golang.org/x/net/html"
	"golang.org/x/text/encoding"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// request is what a page asks the site for.
type request struct {
	method string
	url    *url.URL
	kind   string // Content-Type of the body
	body   []byte
	secret bool // the body holds a secret
}

// entry is one name and value of a form.
type entry struct {
	name, value string
	file        *file
	secret      bool
}

// either is an attribute of the button that sends a form, else the form's own.
func either(form, button *dom.Node, name string) string {
	if button != nil && has(button, "form"+name) {
		return attr(button, "form"+name)
	}
	return attr(form, name)
}

// action is where a form is sent to.
func (d *document) action(form, button *dom.Node) (*url.URL, error) {
	raw := strings.TrimSpace(either(form, button, "action"))
	if raw == "" {
		u := *d.url
		u.Fragment, u.RawFragment = "", ""
		return &u, nil
	}
	return d.link(raw)
}

// entries are what a form holds, in the order of the document.
func (d *document) entries(form, button *dom.Node) []entry {
	var out []entry
	for n := range elements(d.root) {
		if !isControl(n) || d.form(n) != form || has(n, "disabled") || disabled(n) == "disabled" || closest(n, "datalist") != nil {
			continue
		}
		name := attr(n, "name")
		if typeOf(n) == "image" {
			if n == button {
				prefix := ""
				if name != "" {
					prefix = name + "."
				}
				out = append(out, entry{name: prefix + "x", value: "0"}, entry{name: prefix + "y", value: "0"})
			}
			continue
		}
		if name == "" {
			continue
		}
		switch {
		case buttonType(n) != "":
			if n == button {
				out = append(out, entry{name: name, value: d.value(n)})
			}
		case isToggle(n):
			if d.checked(n) {
				out = append(out, entry{name: name, value: d.value(n)})
			}
		case tag(n) == "select":
			for _, o := range d.chosen(n) {
				if !optionOff(o) {
					out = append(out, entry{name: name, value: optionValue(o)})
				}
			}
		case typeOf(n) == "file":
			f := d.files[n]
			if f.kind == "" {
				f.kind = "application/octet-stream"
			}
			out = append(out, entry{name: name, value: f.name, file: &f})
		case typeOf(n) == "hidden" && strings.EqualFold(name, "_charset_"):
			out = append(out, entry{name: name, value: "UTF-8"})
		default:
			out = append(out, entry{name: name, value: d.value(n), secret: d.secrets[n]})
		}
	}
	return out
}

// unfilled is the first control that must have a value before the form is sent.
func (d *document) unfilled(form, button *dom.Node) *dom.Node {
	if has(form, "novalidate") || button != nil && has(button, "formnovalidate") {
		return nil
	}
	for n := range elements(d.root) {
		if !isControl(n) || !has(n, "required") || d.form(n) != form || disabled(n) == "disabled" || has(n, "readonly") {
			continue
		}
		empty := false
		switch kind(n) {
		case "check":
			empty = !d.checked(n)
		case "radio":
			empty = true
			for _, r := range d.radios(n) {
				empty = empty && !d.checked(r)
			}
		case "file":
			empty = d.files[n].name == ""
		case "none":
		default:
			empty = d.value(n) == ""
		}
		if empty {
			return n
		}
	}
	return nil
}

// submission is the request that sends a form by a button, which may be nil.
func (p *Page) submission(form, button *dom.Node) (*request, error) {
	d := p.doc
	if n := d.unfilled(form, button); n != nil {
		return nil, &core.Fault{Code: core.LayoutChanged, Why: "the form is not sent as long as " + describe(n) + " is empty"}
	}
	method := strings.ToUpper(strings.TrimSpace(either(form, button, "method")))
	if method == "DIALOG" {
		return nil, noBrowser("a form with the method dialog")
	}
	if method != http.MethodPost {
		method = http.MethodGet
	}
	u, err := d.action(form, button)
	if err != nil {
		return nil, &core.Fault{Code: core.LayoutChanged, Why: "the address that the form is sent to can't be parsed"}
	}
	if u.Scheme == "javascript" {
		return nil, noBrowser("a form that a script sends")
	}
	if target := strings.ToLower(either(form, button, "target")); target == "_blank" {
		return nil, p.tab(u)
	}
	r := &request{method: method, url: u}
	all := d.entries(form, button)
	for i, e := range all {
		r.secret = r.secret || e.secret
		if e.file == nil {
			all[i].value = strings.ReplaceAll(lines(e.value), "\n", "\r\n")
		}
	}
	if r.secret && !p.site.Own(u.String()) {
		return nil, page.Wrong("a secret is not sent: its form is sent to another site")
	}
	code := func(s string) string { return s }
	if d.encoding != nil {
		enc := encoding.HTMLEscapeUnsupported(d.encoding.NewEncoder())
		code = func(s string) string {
			if out, err := enc.String(s); err == nil {
				return out
			}
			return s
		}
	}
	var pairs []string
	for _, e := range all {
		pairs = append(pairs, url.QueryEscape(code(e.name))+"="+url.QueryEscape(code(e.value)))
	}
	switch enctype := strings.ToLower(strings.TrimSpace(either(form, button, "enctype"))); {
	case method == http.MethodGet:
		to := *u
		to.RawQuery, to.ForceQuery = strings.Join(pairs, "&"), false
		r.url = &to
	case enctype == "multipart/form-data":
		return r, r.multipart(all, code)
	case enctype == "text/plain":
		var b strings.Builder
		for _, e := range all {
			b.WriteString(code(e.name) + "=" + code(e.value) + "\r\n")
		}
		r.kind, r.body = "text/plain", []byte(b.String())
	default:
		r.kind, r.body = "application/x-www-form-urlencoded", []byte(strings.Join(pairs, "&"))
	}
	return r, nil
}

var formName = strings.NewReplacer("\r\n", "%0D%0A", "\r", "%0D", "\n", "%0A", `"`, "%22")

func (r *request) multipart(all []entry, code func(string) string) error {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, e := range all {
		h := textproto.MIMEHeader{}
		line := fmt.Sprintf(`form-data; name="%s"`, formName.Replace(code(e.name)))
		data := []byte(code(e.value))
		if e.file != nil {
			line += fmt.Sprintf(`; filename="%s"`, formName.Replace(code(e.file.name)))
			h.Set("Content-Type", e.file.kind)
			data = e.file.data
		}
		h.Set("Content-Disposition", line)
		part, err := w.CreatePart(h)
		if err != nil {
			return err
		}
		if _, err := part.Write(data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	r.kind, r.body = w.FormDataContentType(), b.Bytes()
	return nil
}

// defaultButton is the button that Enter presses in a form; ok is false when Enter
// sends nothing.
func (d *document) defaultButton(form *dom.Node) (button *dom.Node, ok bool) {
	fields := 0
	for n := range elements(d.root) {
		if !isControl(n) || d.form(n) != form {
			continue
		}
		if buttonType(n) == "submit" {
			return n, disabled(n) == ""
		}
		if kind(n) == "text" && tag(n) == "input" || kind(n) == "native" {
			fields++
		}
	}
	return nil, fields <= 1
}

// tab is the error of what would open a tab.
func (p *Page) tab(u *url.URL) error {
	return &core.Fault{Code: core.LayoutChanged, Why: "a tab is opened for " + p.shown.URL(u.String()) + "; open that address with page:open instead"}
}
