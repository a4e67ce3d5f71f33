package realsites_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
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
	"github.com/rollcall-run/rollcall/drivers/lua"
	"github.com/rollcall-run/rollcall/examples/realsites"
)

// machine is the browser and the proxy of all tests.
var machine struct {
	browser *browser.Chromium
	egress  *egress.Proxy
}

func TestMain(m *testing.M) {
	if dir := os.Getenv(victim); dir != "" {
		beVictim(dir)
	}
	os.Exit(inMachine(m))
}

func inMachine(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "realsites-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		machine.egress, err = egress.New(egress.Options{})
	}
	if err == nil {
		machine.browser, err = browser.Launch(context.Background(), browser.Options{Headless: true, Sandbox: true, Dir: dir})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code = m.Run()
	if err := errors.Join(machine.browser.Close(), machine.egress.Close()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// runner does for a driver what rollcall's runner does, in the least way.
type runner struct {
	t      *testing.T
	site   *realsites.Site
	driver *lua.Driver
	task   core.Task
	boxes  *mail.Mailboxes
	mark   core.MailMark
	answer string // of the person; nobody is there when it is empty
	plain  bool   // without a browser

	mu        sync.Mutex
	committed int
	asked     []ask
	lines     []string
	outcomes  []core.Outcome // of the phases, in their order
}

// ask is what a person was asked, and how many requests had been sent by then.
type ask struct {
	core.Ask
	posts int
}

var _ core.Services = (*runner)(nil)

// newRunner is a runner for one task on the site. The password holds what limits want.
func newRunner(t *testing.T, sites *realsites.Sites, site *realsites.Site, fields map[string]string) *runner {
	t.Helper()
	driver, err := lua.Load(source(t, site.Name))
	if err != nil {
		t.Fatal(err)
	}
	boxes, err := mail.New(mail.Options{Boxes: []mail.Box{{Match: "*", URL: "imap://" + sites.Mail.IMAP, Password: []string{mailtest.Password}}}, Poll: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { boxes.Close() })
	e := core.Entity{
		Fields: map[string]core.Value{
			core.FieldUsername: core.Text("ada_l"), core.FieldEmail: core.Text("ada@mail.test"), core.FieldPassword: core.Secret("Lantern-Harbour-42"),
			core.FieldFirstName: core.Text("Ada"), core.FieldLastName: core.Text("Lovelace"), core.FieldWebsite: core.Text("https://ada.example/notes_1?a=b&c=d"),
		},
		Social: []string{"https://social.example/ada", "https://code.example/~ada"},
	}
	for k, v := range fields {
		e = e.With(k, core.Text(v))
	}
	const about = "<p>I write <b>notes</b> on engines &amp; looms [draft 3] all of them.</p><p>Second paragraph: 2 * 3 < 7 ''quoted''.</p>"
	fitted, _ := text.Texts{}.Fit(about, driver.Manifest().Limits[core.FieldAbout])
	e = e.With(lua.FieldAboutHTML, core.Text(about)).With(core.FieldAbout, core.Text(fitted))
	return &runner{t: t, site: site, driver: driver, boxes: boxes,
		task: core.Task{ID: "t1", Domain: site.Domain, Kind: core.Onboard, Attempt: 1, Facts: core.Facts{}, Entity: e, Options: map[string]any{}}}
}

// as is a runner for a task of its own that differs in one field.
func (r *runner) as(field string, v core.Value) *runner {
	other := &runner{t: r.t, site: r.site, driver: r.driver, boxes: r.boxes, task: r.task, answer: r.answer, plain: r.plain}
	other.task.Facts, other.task.Entity = core.Facts{}, r.task.Entity.With(field, v)
	return other
}

// keeping is a visit without a browser: its cookies go from phase to phase.
type keeping struct {
	*runner
	cookies []core.Cookie
}

var _ core.CookieKeeper = (*keeping)(nil)

func (k *keeping) Cookies(context.Context) ([]core.Cookie, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.cookies), nil
}

func (k *keeping) KeepCookies(_ context.Context, all []core.Cookie) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cookies = slices.Clone(all)
	return nil
}

// visit opens a fresh browser context, or begins without one, and returns what
// runs phases in it.
func (r *runner) visit() func(core.Phase) (core.Outcome, error) {
	t := r.t
	t.Helper()
	open := session
	if r.plain {
		open = plainSession
	}
	s, release, err := open(t.Context(), r.site.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	if s.Services = r; r.plain {
		s.Services = &keeping{runner: r}
	}
	return func(p core.Phase) (core.Outcome, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		began := time.Now()
		out, err := r.driver.Run(ctx, p, r.task, s)
		t.Logf("%s %s: %s %s %v", r.site.Name, p, time.Since(began).Round(time.Millisecond), out.Status, out.Fields)
		r.task.Facts = r.task.Facts.Merge(out.Facts)
		r.outcomes = append(r.outcomes, out)
		return out, err
	}
}

// done runs a phase that must be done.
func (r *runner) done(run func(core.Phase) (core.Outcome, error), p core.Phase) core.Outcome {
	r.t.Helper()
	out, err := run(p)
	if err != nil || out.Status != core.Done {
		var f *core.Fault
		if errors.As(err, &f) {
			r.t.Log(f.Detail)
		}
		for _, l := range r.lines {
			r.t.Log(l)
		}
		r.t.Fatalf("%s: %+v %v", p, out, err)
	}
	return out
}

func (r *runner) Commit(ctx context.Context, _ string, _ core.Facts) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.committed++; r.committed > 1 {
		return core.ErrCommitted
	}
	r.mark, err = r.boxes.Mark(ctx, r.task.Entity)
	return err
}
func (r *runner) Committed(context.Context, string) error { return nil }
func (r *runner) Mail(ctx context.Context, q core.MailQuery) (core.MailMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return r.boxes.Find(ctx, r.task.Entity, r.mark, r.site.Domain+" "+r.site.URL, q)
}
func (r *runner) TOTP(context.Context) (core.Value, error)    { return core.Value{}, core.ErrNoTOTP }
func (r *runner) EnrolTOTP(context.Context, core.Value) error { return core.ErrNoTOTP }
func (r *runner) Shot(context.Context, string) error          { return nil }
func (r *runner) Asset(context.Context, string, core.Fit) (string, error) {
	return "", core.ErrNoAsset
}
func (r *runner) Log(_ context.Context, _ slog.Level, msg string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, msg+" "+fmt.Sprint(args...))
}
func (r *runner) Human(_ context.Context, a core.Ask) (core.Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	posts, err := r.site.Posts()
	if err != nil {
		return core.Answer{}, err
	}
	r.asked = append(r.asked, ask{a, len(posts)})
	if r.answer == "" {
		return core.Answer{}, core.ErrAway
	}
	return core.Answer{Text: core.Secret(r.answer), By: "test"}, nil
}
