package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/browser"
	"github.com/rollcall-run/rollcall/core/egress"
	"github.com/rollcall-run/rollcall/core/mail"
	"github.com/rollcall-run/rollcall/core/mail/mailtest"
	"github.com/rollcall-run/rollcall/core/text"
	"github.com/rollcall-run/rollcall/drivers/external"
	"github.com/rollcall-run/rollcall/drivers/lua"
	"github.com/rollcall-run/rollcall/examples/realsites"
	"github.com/rollcall-run/rollcall/plugins"
)

// TestMain makes the test binary the worker of the Lua twin as well.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		if err := plugins.Confine(plugins.WorkerData); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		plugins.ServeWorker(func(ref plugins.DriverRef) (core.Driver, error) {
			return lua.Load(lua.Source{Name: ref.Name, Path: ref.Path, Digest: ref.Digest, Text: ref.Text, Lib: ref.Lib})
		})
		return
	}
	goleak.VerifyTestMain(m)
}

// twin is one of the two drivers, with the process that runs it.
type twin struct {
	manifest core.Manifest
	binding  core.Binding
	worker   core.Worker
}

// twins starts the Lua file in a worker, and the plugin as a built binary.
func twins(t *testing.T) map[string]twin {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../../scripts/dokuwiki.lua")
	if err != nil {
		t.Fatal(err)
	}
	script, err := lua.Load(lua.Source{Name: "dokuwiki", Text: source, Lib: os.DirFS("../../scripts")})
	if err != nil {
		t.Fatal(err)
	}
	h, err := external.New(external.Options{Command: []string{self, "worker"}, StateDir: t.TempDir(), MemoryMB: 1024, Sources: func(core.Binding) (plugins.DriverRef, error) {
		return plugins.DriverRef{Name: "dokuwiki", Path: "dokuwiki.lua", Digest: script.Digest(), Text: source, Lib: os.DirFS("../../scripts")}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(t.TempDir(), "rollcall-driver-dokuwiki")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %s", out)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(binary)
	plugin, err := h.Plugin(path, hex.EncodeToString(sum[:]))
	if err != nil {
		t.Fatal(err)
	}
	m, err := plugin.Manifest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]twin{
		"lua": {script.Manifest(), core.Binding{Driver: "dokuwiki", Digest: script.Digest()}, h.Slot("lua")},
		"go":  {m, core.Binding{Driver: m.Name, Digest: plugin.Digest(), Native: true}, h.Slot("go")},
	}
}

func TestTheTwinsSayTheSameOfThemselves(t *testing.T) {
	all := twins(t)
	a, b := all["lua"].manifest, all["go"].manifest
	b.Name = a.Name // they can't be loaded beside each other with one name
	for _, m := range []*core.Manifest{&a, &b} {
		if m.Engine == "browser" {
			m.Engine = ""
		}
		slices.Sort(m.Phases)
	}
	av, bv := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range av.NumField() {
		if x, y := av.Field(i), bv.Field(i); fmt.Sprint(x) != fmt.Sprint(y) {
			t.Errorf("%s: %v in Lua, %v in Go", av.Type().Field(i).Name, x, y)
		}
	}
}

// TestTheTwinsTakeATaskToItsProfile signs up, confirms, signs in from a fresh
// context, writes profile and links twice, and hears the site's refusals.
func TestTheTwinsTakeATaskToItsProfile(t *testing.T) {
	all := twins(t)
	dir := t.TempDir()
	if os.Geteuid() == 0 { // the browser's user passes here
		for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	chromium, err := browser.Launch(t.Context(), browser.Options{Headless: true, Sandbox: true, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer chromium.Close()
	proxy, err := egress.New(egress.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	for _, name := range []string{"lua", "go"} {
		for _, mailed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, password by mail %v", name, mailed), func(t *testing.T) {
				sites := realsites.For(t)
				site := sites.DokuWiki(realsites.Options{MailedPassword: mailed})
				boxes, err := mail.New(mail.Options{Boxes: []mail.Box{{Match: "*", URL: "imap://" + sites.Mail.IMAP, Password: []string{mailtest.Password}}}, Poll: 50 * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				defer boxes.Close()
				fullRound(t, &round{t: t, twin: all[name], site: site, boxes: boxes, chromium: chromium, proxy: proxy, task: order(site, all[name].manifest)})
			})
		}
	}
}

func order(site *realsites.Site, m core.Manifest) core.Task {
	e := core.Entity{
		Fields: map[string]core.Value{
			core.FieldUsername: core.Text("ada_l"), core.FieldEmail: core.Text("ada@mail.test"), core.FieldPassword: core.Secret("Lantern-Harbour-42"),
			core.FieldFirstName: core.Text("Ada"), core.FieldLastName: core.Text("Lovelace"), core.FieldWebsite: core.Text("https://ada.example/notes_1?a=b&c=d"),
		},
		Social: []string{"https://social.example/ada"},
	}
	about, _ := text.Texts{}.Fit("<p>I write <b>notes</b> on engines.</p><p>Second paragraph: ''quoted''.</p>", m.Limits[core.FieldAbout])
	return core.Task{ID: "t1", Domain: site.Domain, Kind: core.Onboard, Attempt: 1, Facts: core.Facts{}, Entity: e.With(core.FieldAbout, core.Text(about)), Options: map[string]any{}}
}

// round does for a twin what the runner does, in the least way.
type round struct {
	t        *testing.T
	twin     twin
	site     *realsites.Site
	boxes    *mail.Mailboxes
	chromium *browser.Chromium
	proxy    *egress.Proxy
	task     core.Task
	mark     core.MailMark

	mu        sync.Mutex
	committed int
	lines     []string
}

// visit opens a fresh browser context and returns what runs phases in it.
func (r *round) visit() func(core.Phase) (core.Outcome, error) {
	t := r.t
	gate, err := r.proxy.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gate.Close() })
	gate.Admit(core.EgressRules{Domain: r.site.Domain, Base: r.site.URL, Private: true})
	gate.Until(egress.Forever)
	c, err := r.chromium.Context(t.Context(), gate.URL(), core.ContextOptions{Language: "en", Own: r.twin.binding.Native})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := core.Session{ControlURL: c.ControlURL(), ContextID: c.ContextID(), TargetID: c.TargetID(), Base: r.site.URL, Proxy: gate.URL(), Services: r}
	return func(p core.Phase) (core.Outcome, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		out, err := r.twin.worker.Run(ctx, r.twin.binding, p, r.task, s)
		r.task.Facts = r.task.Facts.Merge(out.Facts)
		return out, err
	}
}

func (r *round) done(run func(core.Phase) (core.Outcome, error), p core.Phase) core.Outcome {
	r.t.Helper()
	out, err := run(p)
	if err != nil || out.Status != core.Done {
		if f, ok := errors.AsType[*core.Fault](err); ok {
			r.t.Log(f.Detail)
		}
		r.t.Fatalf("%s: %+v %v\n%s", p, out, err, strings.Join(r.lines, "\n"))
	}
	return out
}

// with is the round of a task that differs in one field.
func (r *round) with(field string, v core.Value) *round {
	other := &round{t: r.t, twin: r.twin, site: r.site, boxes: r.boxes, chromium: r.chromium, proxy: r.proxy, task: r.task}
	other.task.Facts, other.task.Entity = core.Facts{}, r.task.Entity.With(field, v)
	return other
}

func fullRound(t *testing.T, r *round) {
	t.Helper()
	accounts := func(want int) {
		t.Helper()
		if n, err := r.site.AccountCount(t.Context(), "ada_l"); err != nil || n != want {
			t.Errorf("%d accounts, want %d: %v", n, want, err)
		}
	}
	posts := func() int {
		t.Helper()
		all, err := r.site.Posts()
		if err != nil {
			t.Fatal(err)
		}
		return len(slices.DeleteFunc(all, func(path string) bool { return strings.HasPrefix(path, "/lib/exe/ajax.php") }))
	}
	first := r.visit()
	out := r.done(first, core.Register)
	if want := map[string]string{"username": "set", "email": "set", "full_name": "set"}; !reflect.DeepEqual(out.Fields, want) {
		t.Errorf("fields of the sign-up: %v", out.Fields)
	}
	r.done(first, core.Confirm)
	r.done(r.visit(), core.Confirm) // it may be entered again, by a fresh context
	accounts(1)
	if r.committed != 1 {
		t.Errorf("%d commits", r.committed)
	}
	second := r.visit()
	r.done(second, core.Login)
	out = r.done(second, core.Profile)
	if want := map[string]string{"about": "set", "website": "set"}; !reflect.DeepEqual(out.Fields, want) {
		t.Errorf("fields of the profile: %v", out.Fields)
	}
	before := posts()
	if out = r.done(second, core.Profile); posts() != before || out.Fields["about"] != "kept" {
		t.Errorf("a profile that was right was written again: %v", out.Fields)
	}
	r.task.Kind, r.task.Entity.Connect = core.Connect, []string{"https://wiki.example/User:Ada", "https://social.example/ada_2"}
	r.done(second, core.ConnectPhase)
	before = posts()
	out = r.done(second, core.ConnectPhase)
	if posts() != before {
		t.Error("links that were there were added again")
	}
	page, err := r.site.Get(t.Context(), out.Facts[core.FactLinkProfile].Reveal())
	if err != nil || page.Status != 200 {
		t.Fatalf("%s: %d %v", page.URL, page.Status, err)
	}
	shown := html.UnescapeString(page.HTML)
	for _, want := range []string{"<strong>notes</strong> on engines", "Second paragraph: ''quoted''.", `href="https://ada.example/notes_1?a=b&c=d"`,
		`href="https://social.example/ada"`, `href="https://wiki.example/User:Ada"`, `href="https://social.example/ada_2"`} {
		if n := strings.Count(shown, want); n != 1 {
			t.Errorf("the profile has %q %d times", want, n)
		}
	}
	if out, err := r.with(core.FieldEmail, core.Text("other@mail.test")).visit()(core.Register); err != nil || out.Code != core.AlreadyExists || out.Field != core.FieldUsername {
		t.Errorf("a taken name: %+v %v", out, err)
	}
	if out, err := r.with(core.FieldPassword, core.Secret("Not-this-one-77")).visit()(core.Login); err != nil || out.Code != core.BadCredentials {
		t.Errorf("a wrong password: %+v %v", out, err)
	}
	accounts(1)
}

func TestPartsAreAddedOnce(t *testing.T) {
	list := []part{{add: "I write."}, {"https://a.example/", "  * [[https://a.example/]]"}, {"https://a.example/b", "  * [[https://a.example/b]]"}}
	got, n := addTo("", list)
	if want := "I write.\n\n  * [[https://a.example/]]\n  * [[https://a.example/b]]"; got != want || n != 3 {
		t.Errorf("%d %q", n, got)
	}
	if again, n := addTo(got+"\r\n", list); again != got || n != 0 {
		t.Errorf("%d %q", n, again)
	}
	if _, n := addTo("see https://a.example/b.", list[1:]); n != 1 {
		t.Errorf("a longer address was taken for the shorter one: %d", n)
	}
}

func (r *round) Commit(ctx context.Context, _ string, _ core.Facts) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.committed++; r.committed > 1 {
		return core.ErrCommitted
	}
	r.mark, err = r.boxes.Mark(ctx, r.task.Entity)
	return err
}
func (r *round) Committed(context.Context, string) error { return nil }
func (r *round) Mail(ctx context.Context, q core.MailQuery) (core.MailMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return r.boxes.Find(ctx, r.task.Entity, r.mark, r.site.Domain+" "+r.site.URL, q)
}
func (r *round) TOTP(context.Context) (core.Value, error)    { return core.Value{}, core.ErrNoTOTP }
func (r *round) EnrolTOTP(context.Context, core.Value) error { return core.ErrNoTOTP }
func (r *round) Shot(context.Context, string) error          { return nil }
func (r *round) Asset(context.Context, string, core.Fit) (string, error) {
	return "", core.ErrNoAsset
}
func (r *round) Human(context.Context, core.Ask) (core.Answer, error) {
	return core.Answer{}, core.ErrAway
}
func (r *round) Log(_ context.Context, _ slog.Level, msg string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, msg+" "+fmt.Sprint(args...))
}
