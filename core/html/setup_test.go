package html_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/egress"
	"github.com/rollcall-run/rollcall/core/html"
	"github.com/rollcall-run/rollcall/core/page"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// got is one request that reached the site.
type got struct {
	method, path string
	header       http.Header
	body         string
	form         map[string][]string
	files        map[string]string // name: "file name|type|bytes"
}

// site serves pages by path and remembers what it was asked; a page may be text
// or a handler.
type site struct {
	*httptest.Server
	mu   sync.Mutex
	seen []got
}

func serve(t testing.TB, pages map[string]any) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g := got{method: r.Method, path: r.URL.RequestURI(), header: r.Header.Clone(), files: map[string]string{}}
		if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			if err := r.ParseMultipartForm(1 << 20); err != nil {
				t.Error(err)
				return
			}
			g.form = r.MultipartForm.Value
			for name, all := range r.MultipartForm.File {
				f, err := all[0].Open()
				if err != nil {
					t.Error(err)
					return
				}
				data, _ := io.ReadAll(f)
				g.files[name] = all[0].Filename + "|" + all[0].Header.Get("Content-Type") + "|" + string(data)
			}
		} else {
			body, _ := io.ReadAll(r.Body)
			g.body = string(body)
		}
		s.mu.Lock()
		s.seen = append(s.seen, g)
		s.mu.Unlock()
		switch p := pages[r.Method+" "+r.URL.Path].(type) {
		case string:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, p)
		case func(http.ResponseWriter, *http.Request):
			p(w, r)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// requests are what came, as "METHOD path".
func (s *site) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, g := range s.seen {
		out = append(out, g.method+" "+g.path)
	}
	return out
}

func (s *site) last() got {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[len(s.seen)-1]
}

// runner is the services of one phase. What happened and the requests stand in order.
type runner struct {
	core.Services
	site    *site
	asset   string
	fail    error
	cookies []core.Cookie
	asked   []core.Ask
	answer  string

	commits, committed int
	before             []string // the requests that had been sent when the intent was made
}

func (r *runner) Commit(context.Context, string, core.Facts) error {
	r.commits++
	r.before = r.site.requests()
	return r.fail
}
func (r *runner) Committed(context.Context, string) error { r.committed++; return nil }
func (r *runner) Log(context.Context, slog.Level, string, ...any) {
}
func (r *runner) Asset(context.Context, string, core.Fit) (string, error) {
	if r.asset == "" {
		return "", core.ErrNoAsset
	}
	return r.asset, nil
}
func (r *runner) Human(_ context.Context, a core.Ask) (core.Answer, error) {
	r.asked = append(r.asked, a)
	if r.answer == "" {
		return core.Answer{}, core.ErrAway
	}
	return core.Answer{Text: core.Text(r.answer)}, nil
}
func (r *runner) Cookies(context.Context) ([]core.Cookie, error) { return slices.Clone(r.cookies), nil }
func (r *runner) KeepCookies(_ context.Context, all []core.Cookie) error {
	r.cookies = slices.Clone(all)
	return nil
}

// masks is a redactor of one word.
type masks string

func (masks) Add(...core.Value) func() { return func() {} }
func (m masks) Redact(s string) string { return strings.ReplaceAll(s, string(m), "•••") }
func text(s string) core.Value         { return core.Text(s) }
func secret(s string) core.Value       { return core.Secret(s) }
func at(s ...string) page.Locator      { return s }
func signs(pairs ...string) (s page.Signs) {
	for i := 0; i < len(pairs); i += 2 {
		s.List = append(s.List, page.Sign{Label: pairs[i], Any: page.Locator{pairs[i+1]}})
	}
	return s
}
func sign(pairs ...string) *page.Signs { s := signs(pairs...); return &s }

// attach opens a page of the site in a phase, behind an egress port of its own.
func attach(t testing.TB, s *site, r *runner, phase core.Phase, change ...func(*page.Options, *core.Session)) *html.Page {
	t.Helper()
	proxy, err := egress.New(egress.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	gate, err := proxy.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gate.Admit(core.EgressRules{Domain: "site.test", Base: s.URL, Private: true})
	gate.Until(egress.Forever)
	r.site = s
	session := core.Session{Base: s.URL, Proxy: gate.URL(), Services: r}
	o := page.Options{Phase: phase, Redact: masks("hush-hush"), Place: func() string { return "driver.lua:7" },
		Task:     core.Task{Domain: "site.test", Language: "vi", Entity: core.Entity{Fields: map[string]core.Value{core.FieldUsername: text("ada_l"), core.FieldEmail: text("ada@mail.test"), core.FieldAbout: text("Notes on engines.")}}},
		Manifest: core.Manifest{}}
	for _, f := range change {
		f(&o, &session)
	}
	p, err := html.Attach(t.Context(), session, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// opened is a page of one HTML text.
func opened(t *testing.T, markup string) (*html.Page, *site, *runner) {
	t.Helper()
	s, r := serve(t, map[string]any{"GET /": markup, "POST /to": "<p id=ok>Thanks</p>", "GET /to": "<p id=ok>Thanks</p>"}), &runner{}
	p := attach(t, s, r, core.Register)
	if _, err := p.Open(t.Context(), "/", nil); err != nil {
		t.Fatal(err)
	}
	return p, s, r
}

// must fails on an error and returns the value.
func must[T any](t *testing.T) func(T, error) T {
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

// faulty fails unless err is a Fault of the code whose text has all parts.
func faulty(t *testing.T, err error, code core.FaultCode, parts ...string) {
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
}

// answered fails unless err is the site's own answer.
func answered(t *testing.T, err error, code core.Code) core.Outcome {
	t.Helper()
	var a *page.SiteAnswer
	if !errors.As(err, &a) || a.Outcome.Code != code {
		t.Fatalf("got %v, want the site's answer %s", err, code)
	}
	return a.Outcome
}

func image(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "avatar.png")
	if err := os.WriteFile(path, []byte("\x89PNG picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
