package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// troubleDomain is a site whose sign-up page misbehaves on the first visit of
// each member to be, as the member's name asks for.
const troubleDomain = "trouble.sandbox.test"

const troubleDriver = `--- A site whose first page goes wrong.
---@type rollcall.Driver
local driver = {
  api = 1, name = "trouble", version = "1.0.0", summary = "a site whose first page goes wrong",
  domains = { "trouble.sandbox.test" }, needs = { "username", "password" },
  probe = { authoritative = true, settle = "1s" },
}

function driver.register(page, task)
  page:open("/join?who=" .. text.url(task.username), { form = "#join", timeout = "3s" })
  page:fill("label=Name", task.username)
  page:commit("role=button[name=Join]", { welcome = "url=/welcome", timeout = "5s" })
  return outcome.done()
end

function driver.login(page, task)
  page:open("/login", { form = "#login" })
  page:fill("label=Name", task.username)
  local seen, said = page:click("role=button[name=Sign in]", { inside = "#inside", refused = "role=alert" })
  if seen == "refused" then return outcome.rejected("bad_credentials", said) end
  return outcome.done()
end

function driver.profile(page, task)
  return outcome.done { link_profile = page:url("/u/" .. text.url(task.username)) }
end

return driver
`

type troubleSite struct {
	*httptest.Server
	mu      sync.Mutex
	visits  map[string]int
	posts   map[string]int
	reached map[string]*gate // held at the first visit
}

func newTroubleSite(t *testing.T) *troubleSite {
	s := &troubleSite{visits: map[string]int{}, posts: map[string]int{}, reached: map[string]*gate{}}
	page := func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><html lang=en><title>Trouble</title><body>%s", body)
	}
	const form = `<form id="%s" method="post" action="%s"><label>Name <input name="name"></label><button>%s</button></form>`
	mux := http.NewServeMux()
	mux.HandleFunc("GET /join", func(w http.ResponseWriter, r *http.Request) {
		who := r.URL.Query().Get("who")
		s.mu.Lock()
		s.visits[who]++
		first, g := s.visits[who] == 1, s.reached[who]
		s.mu.Unlock()
		body := fmt.Sprintf(form, "join", "/join", "Join")
		switch kind, _, _ := strings.Cut(who, "-"); {
		case kind == "alert":
			body = "<script>alert('read this first')</script>" + body
		case kind == "image":
			body += `<img src="/hang">`
		case kind == "mutates":
			body += `<p id="n"></p><script>setInterval(() => { document.getElementById("n").replaceWith(Object.assign(document.createElement("p"), { id: "n", textContent: Math.random() })) }, 5)</script>`
		case first && kind == "download":
			w.Header().Set("Content-Disposition", "attachment; filename=join.bin")
			fmt.Fprint(w, "not a page")
			return
		case first && g != nil:
			g.hold()
		case first && kind == "loop":
			body = "<script>for(;;);</script>" + body
		}
		page(w, body)
	})
	mux.HandleFunc("GET /hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("POST /join", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.posts[r.FormValue("name")]++
		s.mu.Unlock()
		http.Redirect(w, r, "/welcome", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /welcome", func(w http.ResponseWriter, r *http.Request) { page(w, "Welcome.") })
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		page(w, fmt.Sprintf(form, "login", "/login", "Sign in"))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		known := s.posts[r.FormValue("name")] > 0
		s.mu.Unlock()
		if !known {
			page(w, `<p role="alert">Nobody has that name.</p>`)
			return
		}
		page(w, `<p id="inside">You are in.</p>`)
	})
	mux.HandleFunc("GET /u/{name}", func(w http.ResponseWriter, r *http.Request) { page(w, "A member.") })
	s.Server = serveSite(t, mux)
	return s
}

// serveSite serves a site for the time of a test, and cuts what is open at its end.
func serveSite(t *testing.T, h http.Handler) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func TestATroubledBrowserCostsAnAttemptAtMostAndNothingElse(t *testing.T) {
	site := newTroubleSite(t)
	w := newWorld(t, settings{slots: 1, more: fmt.Sprintf("[sites.%q]\nallowed = \"owner\"\nbase_url = %q\npace = { every = \"1ms\" }\n", troubleDomain, site.URL)})
	w.write("scripts/trouble.lua", troubleDriver)
	r := w.start(w.config("one"))
	n := 0
	next := func(kind string) sandbox.Task {
		n++
		task := sandbox.Task{ID: fmt.Sprintf("5a9d0b00-0000-4000-8000-9%011d", n), Domain: troubleDomain,
			Username: fmt.Sprintf("%s-%d", kind, n), Password: canaryPassword + "x"}
		w.tasks = append(w.tasks, task)
		return task
	}
	broken := map[string]int{}
	for _, kind := range []string{"alert", "image", "mutates", "loop", "download", "plain"} {
		task := next(kind)
		w.sb.Manager.Add(task)
		w.await(r)
		if kind == "loop" || kind == "download" {
			broken[task.ID] = 1
		}
	}
	for _, fault := range []struct {
		name   string
		signal unix.Signal
		whole  bool // the browser is hit, else the processes of its pages
	}{{"killed", unix.SIGKILL, true}, {"stopped", unix.SIGSTOP, true}, {"renderer", unix.SIGKILL, false}} {
		name := fault.name
		task := next(name)
		g := newGate(t)
		site.mu.Lock()
		site.reached[task.Username] = g
		site.mu.Unlock()
		w.sb.Manager.Add(task)
		g.await(t, r, "the page of "+name)
		browser := r.browser()
		hit := 0
		for _, p := range descendants(r.cmd.Process.Pid) {
			if fault.whole && p.pid == browser.pid || !fault.whole && p.group == browser.group && strings.Contains(p.command, "--type=renderer") {
				if unix.Kill(p.pid, fault.signal) == nil {
					hit++
				}
			}
		}
		if hit == 0 {
			t.Fatal("there was no process to hit")
		}
		g.open()
		w.await(r)
		broken[task.ID] = 1
		w.sb.Manager.Add(next("plain"))
		w.await(r)
		if now := r.browser(); fault.whole && now.pid == browser.pid {
			t.Errorf("the %s browser is still in use", name)
		}
	}
	r.stop()
	checkProfiles(t, r.profile)
	l := w.ledger()
	defer l.Close()
	for _, task := range w.tasks {
		w.checkReported(task)
		if site.posts[task.Username] != 1 {
			t.Errorf("%s was signed up %d times", task.Username, site.posts[task.Username])
		}
		rec, err := l.Task(t.Context(), task.ID)
		if err != nil || rec.State != core.Reported || rec.Broken != broken[task.ID] {
			t.Errorf("%s is %s after %d broken attempts, want %d: %v %s", task.Username, rec.State, rec.Broken, broken[task.ID], err, rec.Fault)
		}
	}
}
