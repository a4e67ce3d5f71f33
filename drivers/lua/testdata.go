package lua

import (
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/rollcall-run/rollcall/core"
)

// Test is one entry of a driver's tests.
type Test struct {
	Name    string
	Line    int
	Phase   core.Phase
	Task    map[string]any    // fields of the task; connect, links and extra are lists and tables
	Facts   map[string]string // what earlier phases learnt
	Options map[string]any
	Site    []Route
	Mail    []TestMail
	Human   []string // answers in order; "skip" is nobody there
	Live    string   // name of a site of one's own
	Want    Want
}

// Route is what the test's site answers to one request.
type Route struct {
	Method, Path string // the path with its query, as in "POST /x?y"
	Answers      []Answer
}

// Answer is one answer of a route; the last of several is repeated.
type Answer struct {
	File     string // in the driver's testdata
	Body     string
	Status   int // 200 when 0
	Redirect string
	Type     string // of the content; text/html when empty
	Headers  map[string]string
}

// TestMail is a message that the test's mailbox holds. {base} in it is the site's address.
type TestMail struct{ From, Subject, Body, Link, Code string }

// Want is what a test expects; a nil part is not compared.
type Want struct {
	Status      core.Status
	Code        core.Code
	Field       string
	Facts       map[string]string
	Fields      map[string]string
	LinkProfile string
	Commits     *int
	Sent        map[string]map[string]string // "POST /x" → form field → text with {placeholders}
}

// tests decodes the manifest's tests; what is wrong is in d.problems.
func (d *decoder) tests(t *lua.LTable, m core.Manifest) []Test {
	var out []Test
	d.items(t, "tests", func(_ int, path string, v lua.LValue) {
		sub := d.table(path, v)
		if sub == nil {
			return
		}
		test := Test{Line: d.lines[path]}
		test.Name = d.text(path+".1", sub.RawGetInt(1))
		if sub.Len() > 1 {
			d.bad(path, "%s: only the first entry, what the test shows, has no name", path)
		}
		d.keys(sub, path, append([]string{"[]"}, testKeys...), func(key, path string, v lua.LValue) {
			d.testKey(&test, m, key, path, v)
		})
		switch {
		case test.Phase == "":
			d.bad(path, "%s names no phase", path)
		case test.Live == "" && len(test.Site) == 0:
			d.bad(path, "%s has no site: { [\"GET /\"] = \"page.html\" }, or live = \"name\"", path)
		case test.Want.Status == "":
			d.bad(path, "%s wants no status: want = { status = \"done\" }", path)
		}
		out = append(out, test)
	})
	return out
}

func (d *decoder) testKey(test *Test, m core.Manifest, key, path string, v lua.LValue) {
	switch key {
	case "phase":
		test.Phase = core.Phase(d.text(path, v))
		if !m.Has(test.Phase) {
			d.bad(path, "%s: the driver has no phase %q", path, test.Phase)
		}
	case "task":
		if t := d.table(path, v); t != nil {
			test.Task = map[string]any{}
			known := slices.Concat(TaskFields, []string{"id", "domain", "attempt", "language", "social", "connect", "extra"})
			d.keys(t, path, known, func(key, path string, v lua.LValue) { test.Task[key] = d.plain(path, v, 0) })
		}
	case "facts":
		test.Facts = d.texts(path, v)
	case "options":
		if t := d.table(path, v); t != nil {
			test.Options = map[string]any{}
			var known []string
			for name := range m.Options {
				known = append(known, name)
			}
			slices.Sort(known)
			d.keys(t, path, append(known, ""), func(key, path string, v lua.LValue) { test.Options[key] = d.plain(path, v, 0) })
		}
	case "site":
		d.site(test, path, v)
	case "mail":
		if t := d.table(path, v); t != nil {
			d.items(t, path, func(_ int, path string, v lua.LValue) {
				var mail TestMail
				if t := d.table(path, v); t != nil {
					d.keys(t, path, mailKeys, func(key, path string, v lua.LValue) {
						*map[string]*string{"from": &mail.From, "subject": &mail.Subject, "body": &mail.Body, "link": &mail.Link, "code": &mail.Code}[key] = d.text(path, v)
					})
				}
				test.Mail = append(test.Mail, mail)
			})
		}
	case "human":
		if t := d.table(path, v); t != nil {
			d.items(t, path, func(_ int, path string, v lua.LValue) { test.Human = append(test.Human, d.text(path, v)) })
		}
	case "live":
		test.Live = d.text(path, v)
	case "want":
		d.want(&test.Want, path, v)
	}
}

// texts is a table of texts by name; numbers and booleans are written out.
func (d *decoder) texts(path string, v lua.LValue) map[string]string {
	t := d.table(path, v)
	if t == nil {
		return nil
	}
	out := map[string]string{}
	d.keys(t, path, nil, func(key, path string, v lua.LValue) {
		switch v.(type) {
		case lua.LString, lua.LNumber, lua.LBool:
			out[key] = v.String()
		default:
			d.bad(path, "%s must be a text, not %s", path, kind(v))
		}
	})
	return out
}

// plain is a Lua value as JSON would have it.
func (d *decoder) plain(path string, v lua.LValue, depth int) any {
	switch v := v.(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return float64(v)
	case lua.LBool:
		return bool(v)
	case *lua.LTable:
		t := d.h.contents(v)
		if depth > 8 {
			d.bad(path, "%s is nested too deeply", path)
			return nil
		}
		if t.Len() > 0 {
			var list []any
			d.items(t, path, func(_ int, path string, v lua.LValue) { list = append(list, d.plain(path, v, depth+1)) })
			return list
		}
		out := map[string]any{}
		d.keys(t, path, nil, func(key, path string, v lua.LValue) { out[key] = d.plain(path, v, depth+1) })
		return out
	}
	d.bad(path, "%s can't be %s", path, kind(v))
	return nil
}

var methods = []string{"GET", "POST", "PUT", "DELETE", "PATCH"}

func (d *decoder) site(test *Test, path string, v lua.LValue) {
	t := d.table(path, v)
	if t == nil {
		return
	}
	d.keys(t, path, nil, func(key, path string, v lua.LValue) {
		method, p, ok := strings.Cut(key, " ")
		if !ok || !slices.Contains(methods, method) || !strings.HasPrefix(p, "/") {
			d.bad(path, "%s: a route is a method and a path, such as \"GET /login\"", path)
			return
		}
		r := Route{Method: method, Path: p}
		if list, ok := v.(*lua.LTable); ok && d.h.contents(list).Len() > 0 {
			d.items(d.h.contents(list), path, func(_ int, path string, v lua.LValue) { r.Answers = append(r.Answers, d.answer(path, v)) })
		} else {
			r.Answers = []Answer{d.answer(path, v)}
		}
		test.Site = append(test.Site, r)
	})
}

// answer is "file.html", "<html>" or { status, redirect, body, type, headers }.
func (d *decoder) answer(path string, v lua.LValue) Answer {
	var a Answer
	body := func(s string) {
		if strings.ContainsAny(s, "<{\n ") || !strings.Contains(s, ".") {
			a.Body = s
		} else {
			a.File = s
		}
	}
	switch v := v.(type) {
	case lua.LString:
		body(string(v))
	case *lua.LTable:
		d.keys(d.h.contents(v), path, routeKeys, func(key, path string, v lua.LValue) {
			switch key {
			case "status":
				a.Status = d.count(path, v, 100, 599)
			case "redirect":
				a.Redirect = d.text(path, v)
			case "body":
				body(d.text(path, v))
			case "type":
				a.Type = d.text(path, v)
			case "headers":
				a.Headers = d.texts(path, v)
			}
		})
	default:
		d.bad(path, "%s must be a file's name, HTML or a table, not %s", path, kind(v))
	}
	return a
}

func (d *decoder) want(w *Want, path string, v lua.LValue) {
	t := d.table(path, v)
	if t == nil {
		return
	}
	d.keys(t, path, wantKeys, func(key, path string, v lua.LValue) {
		switch key {
		case "status":
			w.Status = core.Status(d.text(path, v))
			if _, ok := core.Codes[w.Status]; !ok {
				d.bad(path, "%s: unknown status %q", path, w.Status)
			}
		case "code":
			w.Code = core.Code(d.text(path, v))
		case "field":
			w.Field = d.text(path, v)
		case "facts":
			w.Facts = d.texts(path, v)
		case "fields":
			w.Fields = d.texts(path, v)
		case "link_profile":
			w.LinkProfile = d.text(path, v)
		case "commits":
			n := d.count(path, v, 0, 1)
			w.Commits = &n
		case "sent":
			if t := d.table(path, v); t != nil {
				w.Sent = map[string]map[string]string{}
				d.keys(t, path, nil, func(key, path string, v lua.LValue) { w.Sent[key] = d.texts(path, v) })
			}
		}
	})
}
