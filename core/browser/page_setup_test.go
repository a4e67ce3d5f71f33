package browser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// shared is the one browser of the page tests.
var shared struct {
	sync.Mutex
	*Chromium
	dir string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.Chromium != nil {
		if err := shared.Chromium.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

func sharedBrowser(t testing.TB) *Chromium {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.Chromium == nil {
		dir, err := os.MkdirTemp("", "rollcall-page-")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		b, err := Launch(t.Context(), Options{Headless: true, Sandbox: true, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		shared.Chromium, shared.dir = b, dir
	}
	return shared.Chromium
}

// world of sites behind one proxy: pages by "host/path", or by "/path" for site.test.
type sites struct {
	*httptest.Server
	mu    sync.Mutex
	pages map[string]http.HandlerFunc
	hits  []string
}

func (s *sites) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Host + r.URL.Path
	s.mu.Lock()
	h := s.pages[key]
	if r.URL.Path != "/favicon.ico" {
		s.hits = append(s.hits, r.Method+" "+key)
	}
	s.mu.Unlock()
	if h == nil {
		http.Error(w, "no such page", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	h(w, r)
}

func (s *sites) handle(path string, h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasPrefix(path, "/") {
		path = "site.test" + path
	}
	s.pages[path] = h
}

func (s *sites) count(hit string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, h := range s.hits {
		if h == hit {
			n++
		}
	}
	return n
}

func html(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<!doctype html><title>a page</title><body>"+body)
	}
}

// newSites serves pages until the test ends.
func newSites(t testing.TB, pages map[string]string) *sites {
	s := &sites{pages: map[string]http.HandlerFunc{}}
	for path, body := range pages {
		s.handle(path, html(body))
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Server.Close)
	return s
}

// services is a runner that records what it is asked.
type services struct {
	mu     sync.Mutex
	log    []string
	human  func(ctx context.Context, a core.Ask) (core.Answer, error)
	asset  string
	commit error
}

func (s *services) say(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, what)
}

func (s *services) said() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

func (s *services) Commit(_ context.Context, name string, _ core.Facts) error {
	s.say("commit " + name)
	return s.commit
}
func (s *services) Committed(_ context.Context, name string) error {
	s.say("committed " + name)
	return nil
}
func (s *services) Mail(context.Context, core.MailQuery) (core.MailMessage, error) {
	return core.MailMessage{}, core.ErrNotYet
}
func (s *services) TOTP(context.Context) (core.Value, error)    { return core.Value{}, core.ErrNoTOTP }
func (s *services) EnrolTOTP(context.Context, core.Value) error { return nil }
func (s *services) Asset(_ context.Context, name string, _ core.Fit) (string, error) {
	if s.asset == "" {
		return "", core.ErrNoAsset
	}
	return s.asset, nil
}
func (s *services) Human(ctx context.Context, a core.Ask) (core.Answer, error) {
	s.say("human " + string(a.Kind) + " " + string(a.Code) + " " + a.URL + " " + a.Hash)
	if s.human == nil {
		return core.Answer{}, core.ErrAway
	}
	return s.human(ctx, a)
}
func (s *services) Log(context.Context, slog.Level, string, ...any) {}
func (s *services) Shot(context.Context, string) error              { return nil }

// redactor hides plain occurrences of its values.
type redactor []string

func (r redactor) Add(...core.Value) func() { return func() {} }
func (r redactor) Redact(s string) string {
	for _, v := range r {
		s = strings.ReplaceAll(s, v, "•••")
	}
	return s
}

// newTab attaches to a fresh tab at site.test.
func newTab(t testing.TB, s *sites, change func(*core.Session, *AttachOptions)) *Page {
	t.Helper()
	c := isolated(t, sharedBrowser(t), s.URL, core.ContextOptions{})
	session := core.Session{ControlURL: c.ControlURL(), ContextID: c.ContextID(), TargetID: c.TargetID(), Base: "http://site.test", Services: &services{}}
	o := AttachOptions{Phase: core.Profile, Task: core.Task{Domain: "site.test"}}
	if change != nil {
		change(&session, &o)
	}
	p, err := Attach(t.Context(), session, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// opened attaches and opens a page with body.
func opened(t testing.TB, body string, change func(*core.Session, *AttachOptions)) *Page {
	t.Helper()
	p := newTab(t, newSites(t, map[string]string{"/": body}), change)
	if _, err := p.Open(t.Context(), "/", nil); err != nil {
		t.Fatal(err)
	}
	return p
}

// script runs JavaScript in the page's own world.
func script(t testing.TB, p *Page, js string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	if err := p.c.sendTo(p.session, "", "Runtime.evaluate", map[string]any{"expression": js, "returnByValue": true, "awaitPromise": true}).wait(ctx, &r); err != nil {
		t.Fatal(err)
	}
	if r.ExceptionDetails != nil {
		t.Fatal(r.ExceptionDetails.Exception.Description)
	}
	return fmt.Sprint(r.Result.Value)
}

func signs(pairs ...string) *Signs {
	s := &Signs{}
	for i := 0; i < len(pairs); i += 2 {
		s.List = append(s.List, Sign{Label: pairs[i], Any: Locator{pairs[i+1]}})
	}
	return s
}

// in gives the signs another time.
func in(d time.Duration, s *Signs) *Signs { s.Timeout = d; return s }

// faulty fails unless err is a Fault of the code whose text has all parts.
func faulty(t testing.TB, err error, code core.FaultCode, parts ...string) *core.Fault {
	t.Helper()
	var f *core.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Fatalf("got %v (%T), want a fault %s", err, err, code)
	}
	for _, part := range parts {
		if all := f.Error() + "\n" + f.Detail; !strings.Contains(all, part) {
			t.Errorf("the fault does not say %q:\n%s", part, all)
		}
	}
	return f
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			var f *core.Fault
			if errors.As(err, &f) {
				t.Fatalf("%v\n%s", err, f.Detail)
			}
			t.Fatal(err)
		}
		return v
	}
}

func deadline(t testing.TB, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}
