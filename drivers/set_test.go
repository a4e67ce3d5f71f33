package drivers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/drivers"
	"github.com/rollcall-run/rollcall/drivers/lua"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func load(s drivers.Script) (core.Manifest, string, error) {
	d, err := lua.Load(lua.Source{Name: s.Name, Path: s.Path, Text: s.Text, Lib: s.Lib})
	if err != nil {
		return core.Manifest{}, "", err
	}
	return d.Manifest(), d.Digest(), nil
}

// script is a driver with a name and further lines of its manifest.
func script(name, more string) string {
	return fmt.Sprintf(`return {
  api = 1, name = %q, version = "1.0.0", summary = "a driver", %s
  login = function() return outcome.done() end,
}
`, name, more)
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	tmp := p + ".tmp"
	if err := os.WriteFile(tmp, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, p); err != nil {
		t.Fatal(err)
	}
	return p
}

type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *logs) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func set(t testing.TB, o drivers.Options) (*drivers.Set, *logs) {
	t.Helper()
	l := &logs{}
	o.Logger, o.Load = slog.New(slog.NewTextHandler(l, nil)), load
	s, err := drivers.NewSet(o)
	if err != nil {
		t.Fatal(err)
	}
	return s, l
}

func TestADomainGetsItsDriverOrTheReasonWhyNot(t *testing.T) {
	own := t.TempDir()
	write(t, own, "board.lua", script("board", `domains = { "board.example.org" }, pace = { every = "20s", concurrency = 2 }, hosts = { "cdn.example.org" },`))
	write(t, own, "twin.lua", script("twin", `domains = { "two.example.org" },`))
	write(t, own, "double.lua", script("double", `domains = { "two.example.org" },`))
	write(t, own, "wiki.lua", script("wiki", `family = true, options = { path = { "/wiki/", "where pages live" }, n = { 3, "a number" } },`))
	write(t, own, "off.lua", script("off", `domains = { "off.example.org" }, skip = "the site has moved",`))
	write(t, own, "broken.lua", "return {\n  api = 1,\n  nmae = 'x' }")
	write(t, own, "misnamed.lua", script("other", `family = true,`))
	bundled := fstest.MapFS{
		"wiki.lua": {Data: []byte(script("wiki", `family = true,`))},
		"mine.lua": {Data: []byte(script("mine", `family = true,`))},
	}
	owner := func(s config.Site) config.Site { s.Allowed = "owner"; return s }
	sites := map[string]config.Site{
		"board.example.org":   {Allowed: "contract", Pace: config.Pace{Every: time.Second, Concurrency: 1}, Hosts: []string{"img.example.org", "cdn.example.org"}, OnExists: "adopt", Terms: "accept"},
		"fast.example.org":    owner(config.Site{Driver: "board", Pace: config.Pace{Every: time.Second, Concurrency: 9}, BaseURL: "http://127.0.0.1:8081/"}),
		"two.example.org":     owner(config.Site{}),
		"chosen.example.org":  owner(config.Site{Driver: "twin"}),
		"wiki.example.org":    owner(config.Site{Driver: "wiki", Options: map[string]any{"n": int64(5)}}),
		"opt.example.org":     owner(config.Site{Driver: "wiki", Options: map[string]any{"pth": "/x"}}),
		"type.example.org":    owner(config.Site{Driver: "wiki", Options: map[string]any{"path": true}}),
		"off.example.org":     owner(config.Site{}),
		"basis.example.org":   {Driver: "wiki"},
		"none.example.org":    owner(config.Site{}),
		"typo.example.org":    owner(config.Site{Driver: "wikki"}),
		"broken.example.org":  owner(config.Site{Driver: "broken"}),
		"named.example.org":   owner(config.Site{Driver: "misnamed"}),
		"expired.example.org": owner(config.Site{Driver: "wiki", Expires: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}),
		"bundled.example.org": owner(config.Site{Driver: "mine"}),
	}
	s, _ := set(t, drivers.Options{
		Sites: sites, Scripts: []string{own, filepath.Join(own, "absent")}, Bundled: bundled,
		Now: func() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) },
	})

	for domain, want := range map[string]string{
		"two.example.org":     filepath.Join(own, "double.lua") + " and " + filepath.Join(own, "twin.lua"),
		"opt.example.org":     `no option "pth"`,
		"type.example.org":    `"path" of its driver "wiki" must be a text, not a boolean`,
		"off.example.org":     "switched off: the site has moved",
		"basis.example.org":   `set [sites."basis.example.org"] allowed = "owner"`,
		"none.example.org":    "no driver names it",
		"typo.example.org":    `no driver "wikki" (did you mean "wiki"?)`,
		"broken.example.org":  filepath.Join(own, "broken.lua") + `:3: unknown key "nmae"`,
		"named.example.org":   `the driver's name is "other"`,
		"expired.example.org": "ended on 2026-01-01",
		"stranger.org":        `[sites."stranger.org"] allowed =`,
	} {
		_, err := s.Lookup(domain)
		var none *core.NoBinding
		if !errors.As(err, &none) || !strings.Contains(err.Error(), want) || none.Command == "" {
			t.Errorf("%s: got %v, want a NoBinding with %q", domain, err, want)
		}
	}

	b, err := s.Lookup("board.example.org")
	if err != nil {
		t.Fatal(err)
	}
	if b.Pace != (core.Pace{Every: 20 * time.Second, Concurrency: 1}) || b.Base != "https://board.example.org" || b.BaseFixed ||
		strings.Join(b.Hosts, " ") != "cdn.example.org img.example.org" || b.OnExists != "adopt" || !b.TermsAccept || b.Source != filepath.Join(own, "board.lua") {
		t.Errorf("board is bound as %+v", b)
	}
	b, err = s.Lookup("fast.example.org")
	if err != nil || b.Pace != (core.Pace{Every: time.Second, Concurrency: 9}) || b.Base != "http://127.0.0.1:8081" || !b.BaseFixed {
		t.Errorf("an owner's pace and base: %+v, %v", b, err)
	}
	b, err = s.Lookup("wiki.example.org")
	if err != nil || b.Options["n"] != 5.0 || b.Options["path"] != "/wiki/" || b.Pace != (core.Pace{Every: 10 * time.Second, Concurrency: 1}) {
		t.Errorf("options and default pace: %+v, %v", b, err)
	}
	if why := s.Why("wiki.example.org"); !strings.Contains(why, "replaces bundled/wiki.lua") || !strings.Contains(why, "the site names its driver") {
		t.Errorf("why is %q", why)
	}
	if b, err := s.Lookup("bundled.example.org"); err != nil || b.Source != "bundled" {
		t.Errorf("bundled: %+v, %v", b, err)
	}
	if b, err := s.Lookup("chosen.example.org"); err != nil || b.Driver != "twin" {
		t.Errorf("a choice settles two drivers: %+v, %v", b, err)
	}
	var domains []string
	for _, b := range s.Bindings() {
		domains = append(domains, b.Domain)
	}
	if got := strings.Join(domains, " "); got != "board.example.org bundled.example.org chosen.example.org fast.example.org wiki.example.org" {
		t.Errorf("bindings are %s", got)
	}
}

func TestAChangedScriptIsTakenOverAndABrokenOneIsNot(t *testing.T) {
	own := t.TempDir()
	path := write(t, own, "board.lua", script("board", `domains = { "a.example.org" },`))
	s, l := set(t, drivers.Options{
		Scripts: []string{own},
		Sites:   map[string]config.Site{"a.example.org": {Allowed: "owner"}, "b.example.org": {Allowed: "owner"}},
	})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer stop()
	// until waits for a state of the set, by its own signal.
	until := func(what string, ok func() bool) {
		t.Helper()
		deadline := time.After(20 * time.Second)
		for {
			changed := s.Changed()
			if ok() {
				return
			}
			select {
			case <-changed:
			case <-deadline:
				t.Fatalf("never: %s; log:\n%s", what, l)
			}
		}
	}
	old, err := s.Lookup("a.example.org")
	if err != nil {
		t.Fatal(err)
	}

	write(t, own, "board.lua", script("board", `domains = { "b.example.org" }, hosts = { "x.example.org" },`))
	until("the new version", func() bool { _, err := s.Lookup("b.example.org"); return err == nil })
	if _, err := s.Lookup("a.example.org"); err == nil {
		t.Error("the old version's domain is still bound")
	}
	if src, err := s.Source(old); err != nil || !strings.Contains(string(src.Text), "a.example.org") {
		t.Errorf("the old version is gone for its running task: %v", err)
	}

	write(t, own, "board.lua", "return {\n  api = 1 ]\n")
	until("the broken version is reported", func() bool { return len(s.Problems()) == 1 })
	if _, err := s.Lookup("b.example.org"); err != nil {
		t.Errorf("a broken script took the working one away: %v", err)
	}
	if out := l.String(); !strings.Contains(out, path+":2") || !strings.Contains(out, "level=ERROR") {
		t.Errorf("the log does not name file and line:\n%s", out)
	}
	if why := s.Why("b.example.org"); !strings.Contains(why, "its old version goes on") {
		t.Errorf("why is %q", why)
	}

	write(t, own, "new.lua", script("new", `domains = { "a.example.org" },`))
	until("the new script", func() bool { b, err := s.Lookup("a.example.org"); return err == nil && b.Driver == "new" })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	until("the removed script", func() bool { _, err := s.Lookup("b.example.org"); return err != nil })
}

func TestALibFileThatChangesChangesItsDrivers(t *testing.T) {
	own := t.TempDir()
	write(t, own, "lib/names.lua", `return { domain = "a.example.org" }`)
	write(t, own, "board.lua", "local names = require 'lib.names'\n"+script("board", `domains = { names.domain },`))
	s, _ := set(t, drivers.Options{Scripts: []string{own}, Sites: map[string]config.Site{"a.example.org": {Allowed: "owner"}, "b.example.org": {Allowed: "owner"}}})
	before, err := s.Lookup("a.example.org")
	if err != nil {
		t.Fatal(err)
	}
	write(t, own, "lib/names.lua", `return { domain = "b.example.org" }`)
	if err := s.Rescan(); err != nil {
		t.Fatal(err)
	}
	after, err := s.Lookup("b.example.org")
	if err != nil || after.Digest == before.Digest {
		t.Fatalf("after the change: %v, digest %s", err, after.Digest)
	}
	old, err := s.Source(before)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := fs.ReadFile(old.Lib, "lib/names.lua"); err != nil || !strings.Contains(string(text), "a.example.org") {
		t.Errorf("the old version's lib is %q, %v", text, err)
	}
}

func TestAWarmCacheLoadsNothingAndAnotherTextIsLoaded(t *testing.T) {
	own, cache := t.TempDir(), filepath.Join(t.TempDir(), "drivers.json")
	write(t, own, "board.lua", script("board", `domains = { "a.example.org" }, options = { n = { 3, "x" } },`))
	var loads int
	open := func() *drivers.Set {
		s, err := drivers.NewSet(drivers.Options{
			Scripts: []string{own}, Cache: cache, Logger: slog.New(slog.DiscardHandler),
			Sites: map[string]config.Site{"a.example.org": {Allowed: "owner"}},
			Load:  func(s drivers.Script) (core.Manifest, string, error) { loads++; return load(s) },
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := open()
	a, err := first.Lookup("a.example.org")
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Rescan(); err != nil { // as the watch does at its start
		t.Fatal(err)
	}
	b, err := open().Lookup("a.example.org")
	if err != nil || loads != 1 {
		t.Fatalf("%d loads, %v", loads, err)
	}
	if fmt.Sprintf("%+v", a) != fmt.Sprintf("%+v", b) {
		t.Errorf("from the cache:\n%+v\nnot\n%+v", b, a)
	}
	write(t, own, "board.lua", script("board", `domains = { "a.example.org" }, pace = { every = "1m" },`))
	if b, err := open().Lookup("a.example.org"); err != nil || loads != 2 || b.Pace.Every != time.Minute {
		t.Errorf("a changed script: %d loads, %v, %v", loads, b.Pace, err)
	}
	if err := os.WriteFile(cache, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open().Lookup("a.example.org"); err != nil {
		t.Errorf("a torn cache: %v", err)
	}
}

func TestAFolderThatComesLaterIsWatched(t *testing.T) {
	own := filepath.Join(t.TempDir(), "not", "yet")
	s, l := set(t, drivers.Options{Scripts: []string{own}, Sites: map[string]config.Site{"a.example.org": {Allowed: "owner"}}})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	changed := s.Changed()
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer stop()
	<-changed // the first look of the watch
	write(t, own, "board.lua", script("board", `domains = { "a.example.org" },`))
	deadline := time.After(20 * time.Second)
	for {
		changed := s.Changed()
		if _, err := s.Lookup("a.example.org"); err == nil {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the new folder was not seen; log:\n%s", l)
		}
	}
}

func TestAClashingPluginIsNamed(t *testing.T) {
	own := t.TempDir()
	path := write(t, own, "board.lua", script("board", `domains = { "a.example.org" },`))
	s, _ := set(t, drivers.Options{
		Scripts:  []string{own},
		Programs: []drivers.Script{{Path: "/opt/board", Digest: "d1", Manifest: core.Manifest{Name: "board", Domains: []string{"a.example.org"}}}, {Path: "/opt/other", Digest: "d2", Manifest: core.Manifest{Name: "other", Family: true}}},
		Sites:    map[string]config.Site{"a.example.org": {Allowed: "owner"}, "b.example.org": {Allowed: "owner", Driver: "other"}},
	})
	if _, err := s.Lookup("a.example.org"); err == nil || !strings.Contains(err.Error(), "/opt/board and "+path) {
		t.Errorf("got %v", err)
	}
	b, err := s.Lookup("b.example.org")
	if err != nil || b.Digest != "d2" {
		t.Fatalf("got %+v, %v", b, err)
	}
	if !b.Native {
		t.Error("the binding does not say that its driver is a program")
	}
	if src, err := s.Source(b); err != nil || !src.Program {
		t.Errorf("got %+v, %v", src, err)
	}
}
