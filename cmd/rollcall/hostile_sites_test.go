package main_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// hostileDomain is a site that does to each member to be what the member's name says.
const hostileDomain = "hostile.sandbox.test"

const hostileDriver = `--- A site that means harm.
---@type rollcall.Driver
local driver = {
  api = 1, name = "hostile", version = "1.0.0", summary = "a site that means harm",
  domains = { "hostile.sandbox.test" }, needs = { "username", "password" },
  probe = { authoritative = true, settle = "1s" },
}

function driver.register(page, task)
  local patience = "30s"
  if text.has(task.username, { "huge", "wanders" }) then patience = "2s" end
  page:open("/join?who=" .. text.url(task.username), { form = "#join", timeout = patience })
  log("the page is called " .. (page:text("#title") or ""))
  if text.has(task.username, { "asks" }) then page:ask("otp_sms", "The site says " .. page:text("#title")) end
  if text.has(task.username, { "breaks" }) then error("the page is called " .. page:text("#title")) end
  page:fill("label=Name", task.username)
  page:fill("label=Password", task.password)
  local seen, said = page:commit("role=button[name=Join]", { welcome = "url=/welcome", refused = "role=alert" })
  if seen == "refused" then return outcome.rejected("invalid_input", said, { field = "password" }) end
  return outcome.done()
end

function driver.login(page, task)
  page:open("/login?who=" .. text.url(task.username), { form = "#login" })
  page:fill("label=Name", task.username)
  page:fill("label=Password", task.password)
  page:click("role=button[name=Sign in]", { inside = "#inside" })
  return outcome.done()
end

function driver.profile(page, task)
  page:open("/settings?who=" .. text.url(task.username), { inside = "#inside" })
  if page:exists("#seed") then totp.enrol(page, "#seed") end
  local name, note = page:text("#name"), page:text("#note")
  log("the site calls me " .. name)
  return outcome.done { link_profile = page:url("/u/" .. text.url(task.username)), username = name, note = note }
end

return driver
`

// venom is what a site says to whoever shows it: markup, a formula, terminal
// sequences (colour, title, clipboard, link, 8-bit controls), a turn of the
// reading direction, what goes back over the line, and NUL.
const venom = "=cmd|' /C calc'!A0 <script>alert(1)</script><img src=x onerror=alert(2)> {{.}} %s \x1b]52;c;ZXZpbA==\x07 \x1b[31mred\x1b]0;owned\x07 " +
	"\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\ \u009b31m \u009d0;c1\u009c \u0090q\u009c \b\b\x7f\v\f \u202eevil\u2066 \u2028 \x00\r end"

type hostileSite struct {
	*httptest.Server
	mu    sync.Mutex
	posts map[string]int
	asked map[string]int // requests by path and member
	first *gate          // holds the first page of the member "gate"
}

func newHostileSite(t *testing.T) *hostileSite {
	s := &hostileSite{posts: map[string]int{}, asked: map[string]int{}, first: newGate(t)}
	mux := http.NewServeMux()
	const form = `<h1 id="title">%s</h1><form id="%s" method="post" action="%s"><label>Name <input name="name"></label> <label>Password <input type="password" name="password"></label><button>%s</button></form>`
	page := func(w http.ResponseWriter, title, body string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><html lang=en><title>%s</title><body>%s", title, body)
	}
	// script writes text that HTML can't hold, NUL above all.
	script := func(id, text string) string {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Error(err)
		}
		return fmt.Sprintf(`<script>document.title = %[2]s; document.getElementById(%[1]q).textContent = %[2]s; console.log(%[2]s)</script>`, id, quoted)
	}
	mux.HandleFunc("GET /join", func(w http.ResponseWriter, r *http.Request) {
		who := r.URL.Query().Get("who")
		s.mu.Lock()
		s.asked["join "+who]++
		first := s.asked["join "+who] == 1
		s.mu.Unlock()
		body := fmt.Sprintf(form, "Join us", "join", "/join", "Join")
		switch kind, _, _ := strings.Cut(who, "-"); kind {
		case "gate":
			if first {
				s.first.hold()
			}
		case "asks", "breaks":
			body += script("title", venom)
		case "venom":
			body += script("title", venom) + `<script>try { history.replaceState(null, "", "/join?x=%1b%5d0;owned%07&y=" + encodeURIComponent("\u202e\u0000")) } catch (e) {}</script>`
		case "bomb":
			body += `<img src="/bomb.png" width="500" height="500">`
		case "redirects":
			http.Redirect(w, r, "/join?who="+url.QueryEscape(who), http.StatusFound)
			return
		case "wanders":
			body = fmt.Sprintf(`<script>location.replace("/join?who=%s&n=%d")</script>`, url.QueryEscape(who), s.count("join "+who))
		case "huge":
			huge(w, body)
			return
		}
		page(w, "Join", body)
	})
	mux.HandleFunc("GET /bomb.png", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_ = bombPNG(w, 30000, 30000) // a browser that stops reading has seen enough
	})
	mux.HandleFunc("POST /join", func(w http.ResponseWriter, r *http.Request) {
		who, password := r.FormValue("name"), r.FormValue("password")
		s.mu.Lock()
		s.posts[who]++
		s.mu.Unlock()
		switch kind, _, _ := strings.Cut(who, "-"); kind {
		case "echo":
			http.Redirect(w, r, "/said?"+url.Values{"you": {password}}.Encode()+"#"+url.PathEscape(password), http.StatusSeeOther)
			return
		case "venom":
			page(w, "No", `<p role="alert" id="alert">?</p>`+script("alert", "No: "+venom))
			return
		}
		http.Redirect(w, r, "/welcome", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /said", func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.Query().Get("you")
		shown := html.EscapeString(p)
		page(w, shown, fmt.Sprintf(`<p role="alert">The password %s is weak. In a URL it is %s, in HTML %s, in a script %s, in base64 <script>document.write(btoa("x" + %s))</script>, in hex %x</p><script>console.error(%[5]s)</script>`,
			shown, html.EscapeString(url.QueryEscape(p)), html.EscapeString(shown), html.EscapeString(quotedJSON(p)), `"`+quotedJSON(p)+`"`, p))
	})
	mux.HandleFunc("GET /welcome", func(w http.ResponseWriter, r *http.Request) { page(w, "Welcome", "Welcome.") })
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		page(w, "Sign in", fmt.Sprintf(form, "Sign in", "login", "/login", "Sign in"))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		page(w, "In", `<p id="inside">You are in.</p>`)
	})
	mux.HandleFunc("GET /settings", func(w http.ResponseWriter, r *http.Request) {
		who := r.URL.Query().Get("who")
		body := `<p id="inside">In.</p><p id="name">` + html.EscapeString(who) + `</p><p id="note">none</p>`
		switch kind, _, _ := strings.Cut(who, "-"); kind {
		case "name":
			body += script("name", venom) + script("note", venom)
		case "seed":
			body += `<code id="seed">` + canaryTOTP + `</code>`
		}
		page(w, "Settings", body)
	})
	mux.HandleFunc("GET /u/{name}", func(w http.ResponseWriter, r *http.Request) { page(w, "A member", "A member.") })
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *hostileSite) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[what]
}

// huge is a page of 100 MB, whose form is at its end.
func huge(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, "<!doctype html><html lang=en><title>Huge</title><body><pre>")
	line := bytes.Repeat([]byte("0123456789abcdef"), 64<<10/16)
	for range 100 << 20 / len(line) {
		if _, err := w.Write(line); err != nil {
			return
		}
	}
	io.WriteString(w, "</pre>"+body)
}

// harmless wants printed text to have nothing in it that acts on a terminal.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	for i, r := range text {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)) {
			t.Errorf("%s: %U at byte %d: %q", what, r, i, text[max(0, i-60):min(len(text), i+60)])
			return
		}
	}
}

// TestHostileSite lets a site do its worst to one task after the other, with the
// log in text and in JSON and a kill -9 between, and then looks at everything
// that the runner and the commands said. That no secret is anywhere is looked at
// in the end, as in every world.
func TestHostileSite(t *testing.T) {
	site := newHostileSite(t)
	w := newWorld(t, settings{slots: 1, more: fmt.Sprintf("[sites.%q]\nallowed = \"owner\"\nbase_url = %q\npace = { every = \"1ms\" }\n", hostileDomain, site.URL)})
	w.write("scripts/hostile.lua", hostileDriver)
	edits := []string{"attempts = 50", "attempts = 2", `format = "json"`, "format = \"text\"\nlevel = \"debug\""}
	asText, asJSON := w.config("one", edits...), w.config("two", append(edits[:2:2], `dir = "two"`, `dir = "one"`)...)
	n := 0
	next := func(kind string) sandbox.Task {
		n++
		task := sandbox.Task{ID: fmt.Sprintf("5a9d0b00-0000-4000-8000-8%011d", n), Domain: hostileDomain,
			Username: fmt.Sprintf("%s-%d", kind, n), Password: canaryPassword + kind}
		w.sb.Manager.Add(task)
		return task
	}
	ends := func(r *running, task sandbox.Task, state string) sandbox.Snapshot {
		t.Helper()
		var s sandbox.Snapshot
		w.until(r, task.Username+" is "+state, func() bool {
			s, _ = w.sb.Manager.Task(task.ID)
			return s.Status != sandbox.StateRegister && s.Status != sandbox.StateRegistering
		})
		if s.Status != state && state != "" {
			t.Errorf("%s ended as %s, want %s: %s", task.Username, s.Status, state, s.Result.ErrorMessage)
		}
		for _, c := range s.Calls {
			var said map[string]string
			if len(c.Body) > 0 && json.Unmarshal(c.Body, &said) != nil {
				t.Errorf("the call %s of %s has the body %q", c.Name, task.Username, c.Body)
			}
			for k, v := range said {
				harmless(t, "the report's "+k+" of "+task.Username, v)
			}
		}
		return s
	}
	kinds := []struct {
		kind, state string
		says        []string // words of the report
		posts       int
		trouble     bool // for the browser: the next task of the slot must work
	}{
		{"name", sandbox.StateProfiled, nil, 1, false},
		{"seed", sandbox.StateProfiled, nil, 1, false},
		{"echo", sandbox.StateRegisterFailed, []string{"invalid_input (password)", "The password ••• is weak"}, 1, false},
		{"venom", sandbox.StateRegisterFailed, []string{"invalid_input (password)", "<script>alert(1)</script>"}, 1, false},
		{"bomb", "", nil, -1, true},
		{"huge", "", nil, -1, true},
		{"redirects", sandbox.StateRegisterFailed, []string{"ERR_TOO_MANY_REDIRECTS"}, 0, true},
		{"wanders", sandbox.StateRegisterFailed, []string{"open"}, 0, true},
	}
	var shown []sandbox.Task
	run := func(r *running, from, to int) {
		for _, k := range kinds[from:to] {
			task := next(k.kind)
			shown = append(shown, task)
			s := ends(r, task, k.state)
			t.Logf("%s: %s %s", k.kind, s.Status, s.Result.ErrorMessage)
			for _, word := range k.says {
				if !strings.Contains(s.Result.ErrorMessage, word) {
					t.Errorf("%s is reported as %q, which has no %q", k.kind, s.Result.ErrorMessage, word)
				}
			}
			if site.mu.Lock(); site.posts[task.Username] != k.posts && k.posts >= 0 {
				t.Errorf("%s was signed up %d times, want %d", task.Username, site.posts[task.Username], k.posts)
			}
			site.mu.Unlock()
			if k.trouble {
				ends(r, next("plain"), sandbox.StateProfiled)
			}
		}
	}
	one := w.start(asText)
	memory := watchMemory()
	run(one, 0, 4)
	held := next("gate")
	site.first.await(t, one, "the page of a task")
	one.crash()
	site.first.open()
	two := w.start(asJSON)
	ends(two, held, sandbox.StateProfiled)
	run(two, 2, len(kinds))
	for _, r := range []*running{one, two} {
		lines, _ := r.log()
		for _, e := range lines {
			harmless(t, "the log", e.text)
			for k, v := range e.fields {
				harmless(t, "the log's "+k, fmt.Sprint(v))
			}
		}
	}

	if peak := memory(); peak > mostMemory {
		t.Errorf("runner, workers and browser had %d MB at a time, most is %d MB", peak>>20, mostMemory>>20)
	} else {
		t.Logf("at most %d MB at a time", peak>>20)
	}

	// What the commands print, beside the runner and without it.
	see := func() {
		t.Helper()
		commands := [][]string{{"task", "list"}, {"task", "list", "--json"}, {"site", "list"}, {"human", "list"},
			{"accounts", "export"}, {"accounts", "export", "--format", "jsonl"}}
		for _, task := range shown {
			commands = append(commands, []string{"task", "show", task.ID}, []string{"task", "show", "--json", task.ID})
		}
		for _, args := range commands {
			out, errOut := command(t, exitDone, append(args, "-c", asJSON)...)
			what := "rollcall " + strings.Join(args, " ")
			harmless(t, what, out+errOut)
			quiet(t, what, []byte(out+errOut))
		}
		out, _ := command(t, exitDone, "accounts", "export", "-c", asJSON)
		rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil || len(rows) < 6 {
			t.Errorf("the export has %d rows: %v", len(rows), err)
		}
		for _, row := range rows {
			for _, cell := range row {
				if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
					t.Errorf("a spreadsheet runs %q", cell)
				}
			}
		}
		command(t, exitDone, "backup", filepath.Join(w.dir, fmt.Sprintf("copy-%d.db", n)), "-c", asJSON)
		n++
	}
	see()
	two.stop()
	see()
	checkProfiles(t, one.profile, two.profile)
	l := w.ledger()
	defer l.Close()
	for _, task := range shown {
		rec, err := l.Task(t.Context(), task.ID)
		if err != nil || rec.State != core.Reported {
			t.Errorf("%s is %s: %v", task.Username, rec.State, err)
		}
	}
}
