package browser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-rod/rod/lib/proto"
	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
)

// originAsProxy answers for every host: the browser's proxy is the site itself.
type originAsProxy struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
}

func newOrigin(t testing.TB, pages map[string]string) *originAsProxy {
	o := &originAsProxy{}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.seen = append(o.seen, r.Clone(context.Background()))
		o.mu.Unlock()
		switch page, ok := pages[r.URL.Path]; {
		case r.URL.Path == "/attachment":
			w.Header().Set("Content-Disposition", "attachment; filename=x.bin")
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Write([]byte("bytes"))
		case ok:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, page)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *originAsProxy) header(path, name string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.seen {
		if r.URL.Path == path {
			return r.Header.Get(name)
		}
	}
	return ""
}

func launch(t testing.TB, change func(*Options)) *Chromium {
	t.Helper()
	o := Options{Headless: true, Sandbox: true, Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b, err := Launch(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func isolated(t testing.TB, b *Chromium, proxy string, o core.ContextOptions) *Isolated {
	t.Helper()
	c, err := b.Context(t.Context(), proxy, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*Isolated)
}

func (c *Isolated) at(t testing.TB) caller {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callWithin)
	t.Cleanup(cancel)
	session, err := c.attached(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return c.process.control.on(ctx, session)
}

// visit opens address and returns when its load event has run.
func visit(t testing.TB, c *Isolated, address string) {
	t.Helper()
	on := c.at(t)
	nav, err := proto.PageNavigate{URL: address}.Call(on)
	if err != nil {
		t.Fatal(err)
	}
	if nav.ErrorText != "" {
		t.Fatalf("%s: %s", address, nav.ErrorText)
	}
	evaluate(t, c, `new Promise(done => document.readyState === "complete" ? done("") : addEventListener("load", () => done("")))`)
}

func evaluate(t testing.TB, c *Isolated, js string) string {
	t.Helper()
	out, err := proto.RuntimeEvaluate{Expression: js, AwaitPromise: true, ReturnByValue: true}.Call(c.at(t))
	if err != nil {
		t.Fatal(err)
	}
	if out.ExceptionDetails != nil {
		t.Fatalf("%s: %s", js, out.ExceptionDetails.Text)
	}
	return out.Result.Value.String()
}

// within fails the test when c is not closed in time.
func within(t testing.TB, d time.Duration, what string, c <-chan struct{}) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
		t.Fatalf("%s: not within %s", what, d)
	}
}

func profiles(t testing.TB, b *Chromium) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(b.root, profilePrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestContexts(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	origin := newOrigin(t, map[string]string{"/": "<title>home</title><p>hello"})
	b := launch(t, nil)

	t.Run("are isolated from each other", func(t *testing.T) {
		one, two := isolated(t, b, origin.URL, core.ContextOptions{}), isolated(t, b, origin.URL, core.ContextOptions{})
		visit(t, one, "http://site.test/")
		visit(t, two, "http://site.test/")
		evaluate(t, one, `document.cookie = "who=one; max-age=60"; localStorage.who = "one"; ""`)
		if got := evaluate(t, one, `document.cookie + localStorage.who`); got != "who=oneone" {
			t.Fatalf("the first context has %q", got)
		}
		if got := evaluate(t, two, `document.cookie + (localStorage.who || "")`); got != "" {
			t.Fatalf("the second context sees %q of the first", got)
		}
	})
	t.Run("send their language and the browser's own name", func(t *testing.T) {
		c := isolated(t, b, origin.URL, core.ContextOptions{Language: "vi"})
		visit(t, c, "http://language.test/")
		if got := evaluate(t, c, `navigator.language`); got != "vi" {
			t.Errorf("navigator.language is %q", got)
		}
		origin.mu.Lock()
		defer origin.mu.Unlock()
		last := origin.seen[len(origin.seen)-1]
		for _, r := range origin.seen {
			if r.Host == "language.test" && r.URL.Path == "/" {
				last = r
			}
		}
		if got := last.Header.Get("Accept-Language"); !strings.HasPrefix(got, "vi") {
			t.Errorf("Accept-Language is %q", got)
		}
		if got := last.Header.Get("User-Agent"); got != c.process.agent {
			t.Errorf("User-Agent is %q, the browser's is %q", got, c.process.agent)
		}
	})
	t.Run("reach loopback through the proxy too", func(t *testing.T) {
		c := isolated(t, b, origin.URL, core.ContextOptions{})
		visit(t, c, "http://127.0.0.1:1234/") // nothing listens there but the proxy answers
		if got := evaluate(t, c, `document.title`); got != "home" {
			t.Fatalf("title %q", got)
		}
	})
	t.Run("deny downloads", func(t *testing.T) {
		c := isolated(t, b, origin.URL, core.ContextOptions{})
		nav, err := proto.PageNavigate{URL: "http://site.test/attachment"}.Call(c.at(t))
		if err != nil || !strings.Contains(nav.ErrorText, "ERR_ABORTED") {
			t.Fatalf("navigating to an attachment: %+v, %v", nav, err)
		}
		if files, _ := os.ReadDir(c.downloads()); len(files) != 0 {
			t.Fatalf("downloaded: %v", files)
		}
	})
	t.Run("die with their tab, and close twice", func(t *testing.T) {
		c := isolated(t, b, origin.URL, core.ContextOptions{})
		if _, err := (proto.TargetCloseTarget{TargetID: c.target}).Call(c.process.control.on(t.Context(), "")); err != nil {
			t.Fatal(err)
		}
		within(t, 5*time.Second, "Dead after the tab was closed", c.Dead())
		for range 2 {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("die with their renderer", func(t *testing.T) {
		c := isolated(t, b, origin.URL, core.ContextOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		session, err := c.attached(ctx)
		if err != nil {
			t.Fatal(err)
		}
		go (proto.PageCrash{}).Call(c.process.control.on(ctx, session)) // never answers
		within(t, 5*time.Second, "Dead after a renderer crash", c.Dead())
		if _, err := c.Shot(t.Context()); err == nil {
			t.Error("a dead page has a picture")
		}
	})
	t.Run("refuse a bad proxy and a bad language", func(t *testing.T) {
		for _, bad := range []struct{ proxy, language string }{{"direct://", "en"}, {origin.URL, "en\r\nX: y"}} {
			if c, err := b.Context(t.Context(), bad.proxy, core.ContextOptions{Language: bad.language}); err == nil {
				c.Close()
				t.Errorf("%+v opened a context", bad)
			}
		}
	})

	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if left := profiles(t, b); len(left) != 0 {
		t.Errorf("profiles left: %v", left)
	}
	if _, err := b.Context(t.Context(), origin.URL, core.ContextOptions{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Context after Close: %v", err)
	}
	origin.Close()
	http.DefaultClient.CloseIdleConnections()
	goleak.VerifyNone(t, leaks)
}

func TestWornProcessIsReplaced(t *testing.T) {
	origin := newOrigin(t, map[string]string{"/": "x"})
	b := launch(t, func(o *Options) { o.MaxContexts = 2 })
	one := isolated(t, b, origin.URL, core.ContextOptions{})
	two := isolated(t, b, origin.URL, core.ContextOptions{})
	three := isolated(t, b, origin.URL, core.ContextOptions{})
	if one.process != two.process || one.process == three.process {
		t.Fatal("two contexts belong to each process")
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	visit(t, two, "http://site.test/") // still served
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "the worn process to go", two.process.gone)
	visit(t, three, "http://site.test/")
	if got := len(profiles(t, b)); got != 2 { // the profile and its lock
		t.Errorf("%d entries of profiles are left, want 2", got)
	}
}

func TestGrownProcessIsReplaced(t *testing.T) {
	origin := newOrigin(t, nil)
	b := launch(t, func(o *Options) { o.MaxMemoryMB = 1 })
	one := isolated(t, b, origin.URL, core.ContextOptions{})
	b.weigh(one.process)
	two := isolated(t, b, origin.URL, core.ContextOptions{})
	if one.process == two.process {
		t.Fatal("the process above its memory got another context")
	}
}

func TestDeadBrowserIsStartedAgain(t *testing.T) {
	origin := newOrigin(t, map[string]string{"/": "x"})
	b := launch(t, nil)
	one := isolated(t, b, origin.URL, core.ContextOptions{})
	one.process.cmd.Process.Kill()
	within(t, 5*time.Second, "Dead after SIGKILL", one.Dead())
	if err := one.Close(); err != nil {
		t.Errorf("closing a context of a dead browser: %v", err)
	}
	two := isolated(t, b, origin.URL, core.ContextOptions{})
	visit(t, two, "http://site.test/")
}

func TestRepeatedFailuresAreClear(t *testing.T) {
	origin := newOrigin(t, nil)
	b := launch(t, nil)
	b.mu.Lock()
	p := b.current
	b.mu.Unlock()
	p.kill("the test says so")
	<-p.gone
	b.program = filepath.Join(t.TempDir(), "absent")
	b.mu.Lock()
	b.failed, b.reason, b.next = giveUpAfter-1, errors.New("before"), time.Time{}
	b.mu.Unlock()
	if _, err := b.Context(t.Context(), origin.URL, core.ContextOptions{}); err == nil {
		t.Fatal("a browser that is not there opened a context")
	}
	_, err := b.Context(t.Context(), origin.URL, core.ContextOptions{})
	if err == nil || !strings.Contains(err.Error(), "failed 5 times in a row") || !strings.Contains(err.Error(), "absent") {
		t.Fatalf("after repeated failures: %v", err)
	}
}

func BenchmarkContext(b *testing.B) {
	origin := newOrigin(b, nil)
	browser := launch(b, func(o *Options) { o.MaxContexts = -1 })
	for b.Loop() {
		c, err := browser.Context(b.Context(), origin.URL, core.ContextOptions{Language: "en"})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		c.Close()
		b.StartTimer()
	}
}

func BenchmarkLaunch(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		browser := launch(b, func(o *Options) { o.Dir = dir })
		b.StopTimer()
		browser.Close()
		b.StartTimer()
	}
}

// upload gives the page's first file input the file.
func upload(t testing.TB, c *Isolated, path string) {
	t.Helper()
	on := c.at(t)
	found, err := proto.RuntimeEvaluate{Expression: `document.querySelector("input[type=file]")`}.Call(on)
	if err != nil {
		t.Fatal(err)
	}
	if err := (proto.DOMSetFileInputFiles{Files: []string{path}, ObjectID: found.Result.ObjectID}).Call(on); err != nil {
		t.Fatal(err)
	}
}

func TestCloseEndsAStartUnderWay(t *testing.T) {
	origin := newOrigin(t, nil)
	b := launch(t, nil)
	b.mu.Lock()
	p := b.current
	b.mu.Unlock()
	p.kill("the test says so")
	<-p.gone
	// A program that starts and never says its address.
	dir, err := os.MkdirTemp("/tmp", "silent-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "started")
	if err := syscall.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	b.program = filepath.Join(dir, "silent")
	if err := os.WriteFile(b.program, []byte("#!/bin/sh\necho up > "+fifo+"\nexec cat "+fifo+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := b.Context(t.Context(), origin.URL, core.ContextOptions{})
		failed <- err
	}()
	if _, err := os.ReadFile(fifo); err != nil { // returns when it runs
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { b.Close(); close(closed) }()
	within(t, 10*time.Second, "Close", closed)
	if err := <-failed; !errors.Is(err, ErrClosed) {
		t.Errorf("the start under way: %v", err)
	}
}
