package lua

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
	"github.com/rollcall-run/rollcall/core/text"
)

// Bounds of what a phase prints.
const (
	maxLines = 200
	maxLine  = 1000 // characters
	maxName  = 100  // characters of the name of a value that is logged
	maxStep  = 500  // characters

	stepsAtOnce = 18 // verbs in one line of the time line
)

// words installs the globals outcome, mail, totp, text and log.
func (h *host) words() {
	h.lazy["outcome"], h.lazy["text"] = h.outcomes, h.texts
	h.lazy["mail"] = func() *lua.LTable {
		return h.table(map[string]lua.LGFunction{"wait": func(*lua.LState) int { return h.mailWait() }})
	}
	h.lazy["totp"] = func() *lua.LTable {
		return h.table(map[string]lua.LGFunction{
			"code":  func(*lua.LState) int { return h.totpCode() },
			"enrol": func(*lua.LState) int { return h.totpEnrol() },
		})
	}
	h.globals.RawSetString("log", h.L.NewFunction(func(L *lua.LState) int {
		h.args("log", 2)
		if L.Get(1) == lua.LNil {
			h.fail("log takes a text and, if you like, a table of what belongs to it")
		}
		var attrs []any
		if L.Get(2) != lua.LNil {
			t := h.checkTable(2, "log's second argument")
			for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
				attrs = append(attrs, h.cut(h.tostring(k), maxName), h.cut(h.tostring(v), maxLine))
				if len(attrs) > 32 {
					h.fail("log takes at most 16 values")
				}
			}
		}
		h.logLine(h.tostring(L.Get(1)), attrs)
		return 0
	}))
}

// phaseOnly refuses what has an effect while the file loads.
func (h *host) phaseOnly(what string) *run {
	if h.run == nil {
		h.fail("%s can only be called in a phase: loading has no effect", what)
	}
	return h.run
}

// logLine adds a line to the task's time line.
func (h *host) logLine(msg string, attrs []any) {
	r := h.phaseOnly("print and log")
	switch r.lines++; {
	case r.lines > maxLines+1:
		return
	case r.lines > maxLines:
		msg, attrs = "more lines were printed and dropped, the limit is "+strconv.Itoa(maxLines), nil
	}
	msg = h.cut(msg, maxLine)
	r.session.Services.Log(r.ctx, slog.LevelInfo, msg, append(attrs, "at", h.place())...)
}

// cut is a script's text for the time line, redacted, of at most n characters.
// What lies far behind them is not even looked at: it may be a megabyte.
func (h *host) cut(s string, n int) string {
	s, _ = text.Fit(h.clean(s[:min(len(s), 16*n)]), n)
	return s
}

// step keeps a verb for the time line; one that failed goes there at once.
func (r *run) step(s page.Step) {
	var b strings.Builder
	if at := r.place(); at != "" {
		b.WriteString(at + " ")
	}
	b.WriteString(s.Verb)
	if s.Locator != "" {
		b.WriteString("(" + s.Locator + ")")
	}
	if s.Label != "" {
		b.WriteString(" → " + s.Label)
		if s.Said != "" {
			b.WriteString(" " + strconv.Quote(s.Said))
		}
	}
	if len(s.Dialogs) > 0 {
		b.WriteString(" dialogs " + strconv.Quote(strings.Join(s.Dialogs, " | ")))
	}
	b.WriteString(" " + s.Took.Round(time.Millisecond).String())
	line, _ := text.Fit(r.redact.Redact(b.String()), maxStep)
	if s.Err != nil {
		r.session.Services.Log(r.ctx, slog.LevelWarn, line, "url", s.URL, "error", r.redact.Redact(s.Err.Error()))
		return
	}
	// Whoever watches sees each verb as it ends; the time line gets them together.
	if !r.driver.prog.quiet {
		r.session.Services.Log(r.ctx, slog.LevelDebug, line, "verb", s.Verb)
	}
	r.steps = append(r.steps, line)
	if len(r.steps) == stepsAtOnce {
		r.flush()
	}
}

// flush writes the verbs so far as one line of the time line: a line is a
// durable write, and a phase has many verbs.
func (r *run) flush() {
	if len(r.steps) == 0 {
		return
	}
	attrs := make([]any, 0, 2*len(r.steps))
	for i, s := range r.steps {
		attrs = append(attrs, fmt.Sprintf("%02d", i+1), s)
	}
	r.session.Services.Log(r.ctx, slog.LevelInfo, string(r.phase)+" did", attrs...)
	r.steps = r.steps[:0]
}

// texts is the global text.
func (h *host) texts() *lua.LTable {
	str := func(n int, what string) string {
		switch v := h.L.Get(n).(type) {
		case lua.LString, lua.LNumber:
			return v.String()
		default:
			return h.joined(v, what)
		}
	}
	list := func(n int, what string) []string {
		t := h.checkTable(n, what)
		out := make([]string, 0, t.Len())
		for i := 1; i <= t.Len(); i++ {
			out = append(out, h.joined(t.RawGetInt(i), what))
		}
		return out
	}
	give := func(s string) int {
		h.grow(len(s), "text")
		h.L.Push(lua.LString(s))
		return 1
	}
	fallible := func(what, s string, err error) int {
		if err != nil {
			h.fail("%s: %v", what, err)
		}
		return give(s)
	}
	return h.table(map[string]lua.LGFunction{
		"to": func(L *lua.LState) int {
			h.args("text.to", 2)
			if L.Get(2) == lua.LNil {
				h.fail("text.to takes a format and HTML, not nil: test first whether the task has it")
			}
			s, err := text.Convert(str(2, "text.to"), str(1, "text.to"))
			return fallible("text.to", s, err)
		},
		"links": func(L *lua.LState) int {
			h.args("text.links", 2)
			s, err := text.Links(str(1, "text.links"), list(2, "text.links"))
			return fallible("text.links", s, err)
		},
		"fit": func(L *lua.LState) int {
			h.args("text.fit", 2)
			n := L.CheckInt(2)
			if n < 1 {
				h.fail("text.fit: the length must be 1 or more")
			}
			s, _ := text.Fit(str(1, "text.fit"), n)
			return give(s)
		},
		"has": func(L *lua.LState) int {
			h.args("text.has", 2)
			phrases := []string{}
			if _, isTable := L.Get(2).(*lua.LTable); isTable {
				phrases = list(2, "text.has")
			} else {
				phrases = append(phrases, str(2, "text.has"))
			}
			L.Push(lua.LBool(text.Has(str(1, "text.has"), phrases)))
			return 1
		},
		"handle": func(L *lua.LState) int { h.args("text.handle", 1); return give(text.Handle(str(1, "text.handle"))) },
		"slug":   func(L *lua.LState) int { h.args("text.slug", 1); return give(text.Slug(str(1, "text.slug"))) },
		"url":    func(L *lua.LState) int { h.args("text.url", 1); return give(url.PathEscape(str(1, "text.url"))) },
	})
}

// mailWait is mail.wait{ link, code, from, subject, within }.
func (h *host) mailWait() int {
	r := h.phaseOnly("mail.wait")
	if r.phase != core.Confirm && r.phase != core.Login {
		h.fail("mail.wait is for confirm and login, not %s: register ends with its commit, confirm does what follows", r.phase)
	}
	h.args("mail.wait", 1)
	if h.L.Get(1) == lua.LNil {
		h.fail("mail.wait needs what to look for: { link = true } or { code = 6 }")
	}
	var q core.MailQuery
	h.named(1, "mail.wait", []string{"link", "code", "from", "subject", "within"}, func(key string, v lua.LValue) {
		switch key {
		case "link":
			if b, ok := v.(lua.LBool); ok && bool(b) {
				q.AnyLink = true
				return
			}
			q.Link = verb{h, "mail.wait"}.asLocator(v, "mail.wait: link")
		case "code":
			switch v := v.(type) {
			case lua.LNumber:
				if v != lua.LNumber(int(v)) || v < 3 || v > 16 {
					h.fail("mail.wait: code is a number of digits from 3 to 16, or a pattern")
				}
				q.Code = strconv.Itoa(int(v))
			case lua.LString:
				q.Code = string(v)
			default:
				h.fail("mail.wait: code is a number of digits or a pattern, not %s", kind(v))
			}
		case "from", "subject":
			s, ok := v.(lua.LString)
			if !ok {
				h.fail("mail.wait: %s must be a text, not %s", key, kind(v))
			}
			if key == "from" {
				q.From = string(s)
			} else {
				q.Subject = string(s)
			}
		case "within":
			q.Within = h.seconds(v, "within")
		}
	})
	msg, err := r.session.Services.Mail(r.ctx, q)
	if errors.Is(err, core.ErrNotYet) {
		h.end(core.Outcome{Status: core.Waiting, Code: core.Pending, Reason: "the mail has not come yet"})
	}
	h.check("mail.wait", err)
	t := h.L.CreateTable(0, 5)
	for name, v := range map[string]core.Value{
		"link": secretly(msg.Link), "code": secretly(msg.Code), "text": secretly(msg.Text),
		"from": core.Text(msg.From), "subject": core.Text(msg.Subject),
	} {
		t.RawSetString(name, h.give(v))
	}
	h.L.Push(h.freeze("the mail", t))
	return 1
}

func secretly(v core.Value) core.Value { return core.Secret(v.Reveal()) }

func (h *host) totpCode() int {
	r := h.phaseOnly("totp.code")
	h.args("totp.code", 0)
	v, err := r.session.Services.TOTP(r.ctx)
	if errors.Is(err, core.ErrNoTOTP) {
		h.end(core.Outcome{Status: core.Blocked, Code: core.OTPApp, Reason: "the site asks for a code of an authenticator app, and none is enrolled for this account"})
	}
	h.check("totp.code", err)
	h.L.Push(h.give(secretly(v)))
	return 1
}

// totpEnrol is totp.enrol(page, loc): the secret that the page shows, in its
// text or its field, goes to the runner.
func (h *host) totpEnrol() int {
	r := h.phaseOnly("totp.enrol")
	h.args("totp.enrol", 2)
	ud, ok := h.L.Get(1).(*lua.LUserData)
	if ok {
		_, ok = ud.Value.(pageHandle)
	}
	if !ok {
		h.fail("totp.enrol takes the page and a locator")
	}
	loc := verb{h, "totp.enrol"}.asLocator(h.L.Get(2), "totp.enrol: the locator")
	shown, err := r.page.Text(r.ctx, loc)
	h.check("totp.enrol", err)
	for _, name := range []string{"value", "href"} {
		if strings.TrimSpace(shown) != "" {
			break
		}
		shown, err = r.page.Attr(r.ctx, loc, name)
		h.check("totp.enrol", err)
	}
	key := totpKey(shown)
	if key == "" {
		h.check("totp.enrol", &core.Fault{Code: core.LayoutChanged, Verb: "totp.enrol", Locator: strings.Join(loc, " | "), Why: "the element shows no one-time-code secret"})
	}
	secret := core.Secret(key)
	r.redact.Add(secret, core.Secret(strings.TrimSpace(shown)))
	h.check("totp.enrol", r.session.Services.EnrolTOTP(r.ctx, secret))
	return 0
}

// totpKey takes the base32 secret out of a text or an otpauth address.
func totpKey(shown string) string {
	shown = strings.TrimSpace(shown)
	if u, err := url.Parse(shown); err == nil && u.Scheme == "otpauth" {
		shown = u.Query().Get("secret")
	}
	key := strings.ToUpper(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\u00A0' || r == '\n' || r == '\t' {
			return -1
		}
		return r
	}, shown))
	key = strings.TrimRight(key, "=")
	if len(key) < 8 || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return ""
	}
	return key
}
