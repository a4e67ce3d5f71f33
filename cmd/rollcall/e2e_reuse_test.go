package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// clingDomain is a site that clings to its members: whoever comes back, with
// anything that it left in the browser, is the member it knows.
const clingDomain = "cling.sandbox.test"

const clingDriver = `--- A site that clings to its members.
---@type rollcall.Driver
local driver = {
  api = 1, name = "cling", version = "1.0.0", summary = "a site that clings to its members",
  domains = { "cling.sandbox.test" }, needs = { "username", "password" },
}

function driver.register(page, task)
  page:open("/join?who=" .. text.url(task.username), { form = "#join" })
  page:fill("label=Name", task.username)
  page:commit("role=button[name=Join]", { welcome = "#ready" })
  return outcome.done()
end

function driver.login(page, task)
  page:open("/me", { inside = "#who" })
  if page:text("#who") ~= task.username then return outcome.rejected("bad_credentials", "signed in as " .. page:text("#who")) end
  return outcome.done()
end

function driver.profile(page, task)
  page:open("/u/" .. text.url(task.username))
  return outcome.done { link_profile = page:url("/u/" .. text.url(task.username)) }
end

return driver
`

// clingScript leaves its member's name wherever a page can, and looks for others'.
const clingScript = `
const me = %q
const tell = (what, who) => fetch("/knows?what=" + what + "&who=" + who + "&me=" + me)
setInterval(() => fetch("/tick?who=" + me), 10)
addEventListener("pagehide", () => {
	navigator.sendBeacon("/tick?who=" + me)
	if (me.startsWith("holds") && location.pathname.startsWith("/u/")) for (;;);
})
;(async () => {
	for (const [what, store] of [["local", localStorage], ["session", sessionStorage]]) {
		if (store.member && store.member !== me) await tell(what, store.member)
		store.member = me
	}
	if (window.name && window.name !== me) await tell("name", window.name)
	window.name = me
	for (const key of await caches.keys()) if (key !== me) await tell("caches", key)
	await caches.open(me)
	if (location.pathname === "/welcome") {
		await navigator.serviceWorker.register("/sw.js?who=" + me)
		await navigator.serviceWorker.ready
	}
	document.body.insertAdjacentHTML("beforeend", '<p id="ready">ready</p>')
})()`

// clingSite is the site, which counts what it must never see.
type clingSite struct {
	*httptest.Server
	mu    sync.Mutex
	now   string         // who signs up, or did last
	posts map[string]int // by member
	wrong []string       // what was known of another member, or came after its time
}

func newClingSite(t *testing.T) *clingSite {
	s := &clingSite{posts: map[string]int{}}
	page := func(w http.ResponseWriter, me, body string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><html lang=en><title>Cling</title><body>%s<script>%s</script>", body, fmt.Sprintf(clingScript, me))
	}
	member := func(r *http.Request) string {
		if c, err := r.Cookie("member"); err == nil {
			return c.Value
		}
		return ""
	}
	note := func(format string, args ...any) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /join", func(w http.ResponseWriter, r *http.Request) {
		who := r.URL.Query().Get("who")
		s.mu.Lock()
		s.now = who
		s.mu.Unlock()
		if was := member(r); was != "" {
			note("cookie of %s in the browser of %s", was, who)
		}
		page(w, who, `<form id="join" method="post" action="/join"><label>Name <input name="name"></label><button>Join</button></form>`)
	})
	mux.HandleFunc("POST /join", func(w http.ResponseWriter, r *http.Request) {
		who := r.FormValue("name")
		s.mu.Lock()
		s.posts[who]++
		s.mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "member", Value: who, Path: "/", HttpOnly: true, MaxAge: 1e6})
		http.Redirect(w, r, "/welcome", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /welcome", func(w http.ResponseWriter, r *http.Request) { page(w, member(r), "Welcome.") })
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		page(w, member(r), `<p id="who">`+member(r)+`</p>`)
	})
	mux.HandleFunc("GET /u/{name}", func(w http.ResponseWriter, r *http.Request) { page(w, r.PathValue("name"), "A member.") })
	mux.HandleFunc("GET /sw.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprintf(w, `oninstall = () => skipWaiting(); onactivate = e => e.waitUntil(clients.claim())
onfetch = e => { const u = new URL(e.request.url); if (u.pathname === "/join" && u.searchParams.get("who") !== %q) e.respondWith(Response.redirect("/knows?what=worker")) }`, r.URL.Query().Get("who"))
	})
	mux.HandleFunc("/knows", func(_ http.ResponseWriter, r *http.Request) { note("%s", r.URL.RawQuery) })
	mux.HandleFunc("/tick", func(_ http.ResponseWriter, r *http.Request) {
		who := r.URL.Query().Get("who")
		s.mu.Lock()
		late := s.now != who
		s.mu.Unlock()
		if late || r.Method == http.MethodPost && strings.Contains(r.Referer(), "/u/") {
			note("a page of %s still spoke after its task", who)
		}
	})
	s.Server = serveSite(t, mux)
	return s
}

// TestReusedContextsKnowNobody runs people one after the other through one slot
// of a site with reuse = true. A page that was killed while it waited, and one
// that does not let itself be left, cost their context and nothing else.
func TestReusedContextsKnowNobody(t *testing.T) {
	site := newClingSite(t)
	w := newWorld(t, settings{slots: 1, more: fmt.Sprintf("[sites.%q]\nallowed = \"owner\"\nreuse = true\nbase_url = %q\npace = { every = \"1ms\" }\n", clingDomain, site.URL)})
	w.write("scripts/cling.lua", clingDriver)
	r := w.start(w.config("one"))
	r.await("the word about what reuse loses", func(e entry) bool { return strings.Contains(e.text, clingDomain+" reuses its browser contexts") })
	people := []struct{ name, context string }{
		{"ada", "fresh"}, {"bob", "used by 1 tasks before"}, {"cy", "used by 2 tasks before"},
		{"killed", "fresh"}, {"dee", "used by 1 tasks before"},
		{"holds", "used by 2 tasks before"}, {"eve", "fresh"}, {"fay", "used by 1 tasks before"},
	}
	for i, p := range people {
		if p.name == "killed" {
			r.killRenderers()
		}
		task := sandbox.Task{ID: fmt.Sprintf("5a9d0b00-0000-4000-8000-7%011d", i), Domain: clingDomain, Username: p.name, Password: canaryPassword + p.name}
		w.tasks = append(w.tasks, task)
		w.sb.Manager.Add(task)
		w.await(r)
	}
	r.stop()
	checkProfiles(t, r.profile)
	l := w.ledger()
	defer l.Close()
	for i, task := range w.tasks {
		w.checkReported(task)
		events, err := l.Events(context.Background(), task.ID)
		if err != nil {
			t.Fatal(err)
		}
		phases := 0
		for _, e := range events {
			if e.Kind != "phase" {
				continue
			}
			phases++
			if got := e.Attrs["context"]; got != people[i].context {
				t.Errorf("%s, %s: the context is %q, want %q", task.Username, e.Phase, got, people[i].context)
			}
		}
		rec, err := l.Task(t.Context(), task.ID)
		if err != nil || rec.State != core.Reported || rec.Broken != 0 || phases != 3 {
			t.Errorf("%s is %s after %d phases and %d broken attempts: %v %s", task.Username, rec.State, phases, rec.Broken, err, rec.Fault)
		}
	}
	site.mu.Lock()
	defer site.mu.Unlock()
	for _, p := range people {
		if site.posts[p.name] != 1 {
			t.Errorf("%s was signed up %d times", p.name, site.posts[p.name])
		}
	}
	for _, what := range site.wrong {
		t.Errorf("the site saw: %s", what)
	}
}

// killRenderers kills the processes of the browser's pages, and returns when the
// browser has buried them: it knows of their end before that.
func (r *running) killRenderers() {
	r.t.Helper()
	browser := r.browser()
	var hit []int
	for _, p := range descendants(r.cmd.Process.Pid) {
		if p.group == browser.group && strings.Contains(p.command, "--type=renderer") && unix.Kill(p.pid, unix.SIGKILL) == nil {
			hit = append(hit, p.pid)
		}
	}
	if len(hit) == 0 {
		r.t.Fatal("there was no renderer to kill: no context was kept")
	}
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	late := time.NewTimer(patience)
	defer late.Stop()
	for len(hit) > 0 {
		select {
		case <-look.C:
			hit = slices.DeleteFunc(hit, func(pid int) bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) })
		case <-late.C:
			r.t.Fatal("the browser does not bury its renderers")
		}
	}
}
