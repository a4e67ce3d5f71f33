package scripts_test

import (
	"context"
	"errors"
	"html"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/browser"
	"github.com/rollcall-run/rollcall/core/egress"
	"github.com/rollcall-run/rollcall/drivers/lua"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// runner does for a driver what rollcall's runner does, in the least way.
type runner struct {
	sb      *sandbox.Sandbox
	browser core.BrowserContext
	files   string
	task    core.Task
	nobody  bool // no person comes

	mu        sync.Mutex
	committed int
	asked     []core.Ask
}

var _ core.Services = (*runner)(nil)

func (r *runner) Commit(context.Context, string, core.Facts) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.committed++; r.committed > 1 {
		return core.ErrCommitted
	}
	return nil
}
func (r *runner) Committed(context.Context, string) error { return nil }

var mailLink = regexp.MustCompile(`href="([^"]+)"`)

func (r *runner) Mail(ctx context.Context, q core.MailQuery) (core.MailMessage, error) {
	got, err := r.sb.Mail.Wait(ctx, r.task.Entity.Get(core.FieldEmail).Reveal(), 1)
	if err != nil {
		return core.MailMessage{}, err
	}
	for _, m := range mailLink.FindAllStringSubmatch(got[0].HTML, -1) {
		link := html.UnescapeString(m[1])
		if len(q.Link) == 1 && strings.Contains(link, q.Link[0]) {
			return core.MailMessage{Link: core.Secret(link), Subject: got[0].Subject}, nil
		}
	}
	return core.MailMessage{}, core.ErrNotYet
}
func (r *runner) TOTP(context.Context) (core.Value, error)        { return core.Value{}, core.ErrNoTOTP }
func (r *runner) EnrolTOTP(context.Context, core.Value) error     { return core.ErrNoTOTP }
func (r *runner) Log(context.Context, slog.Level, string, ...any) {}
func (r *runner) Shot(context.Context, string) error              { return nil }
func (r *runner) Asset(ctx context.Context, name string, _ core.Fit) (string, error) {
	if name != "avatar" || len(r.task.Entity.Avatars) == 0 {
		return "", core.ErrNoAsset
	}
	req, err := http.NewRequestWithContext(ctx, "GET", r.task.Entity.Avatars[0], nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	path := filepath.Join(r.files, "avatar.png")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return "", err
	}
	return path, r.browser.Own(path)
}
func (r *runner) Human(_ context.Context, ask core.Ask) (core.Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, ask)
	switch {
	case r.nobody:
		return core.Answer{}, core.ErrAway
	case ask.Kind == core.AskAnswer:
		return core.Answer{Text: core.Secret(r.sb.Guarded.Word()), By: "test"}, nil
	}
	return core.Answer{By: "test"}, nil
}

// stage is a browser and an egress proxy for the drivers of one test.
type stage struct {
	t        *testing.T
	sb       *sandbox.Sandbox
	chromium *browser.Chromium
	egress   core.Egress
}

func newStage(t *testing.T, o sandbox.Options) *stage {
	t.Helper()
	sb, err := sandbox.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sb.Close() })
	b, err := browser.Launch(t.Context(), browser.Options{Headless: true, Sandbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	e, err := egress.New(egress.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &stage{t, sb, b, e}
}

// visitBy opens a fresh context for the task and returns what runs its phases.
func (st *stage) visitBy(s *sandbox.Site, task core.Task, nobody bool) (*runner, func(core.Phase) (core.Outcome, error)) {
	t := st.t
	t.Helper()
	d, err := lua.Load(lua.Source{Name: s.Name, Text: []byte(sandbox.Scripts()[s.Name+".lua"]), Lib: os.DirFS("../../../scripts")})
	if err != nil {
		t.Fatal(err)
	}
	gate, err := st.egress.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gate.Close() })
	gate.Admit(core.EgressRules{Domain: s.Domain, Base: s.URL, Private: true})
	gate.Until(st.egress.Now() + 2*time.Minute)
	c, err := st.chromium.Context(t.Context(), gate.URL(), core.ContextOptions{Language: task.Language})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	files, err := os.MkdirTemp(st.chromium.Files(), "task")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(files) })
	if err := os.Chmod(files, 0o755); err != nil {
		t.Fatal(err)
	}
	r := &runner{sb: st.sb, browser: c, files: files, task: task, nobody: nobody}
	session := core.Session{ControlURL: c.ControlURL(), ContextID: c.ContextID(), TargetID: c.TargetID(), Base: s.URL, Proxy: gate.URL(), Services: r}
	return r, func(p core.Phase) (core.Outcome, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		return d.Run(ctx, p, task, session)
	}
}

func member(sb *sandbox.Sandbox, s *sandbox.Site) core.Task {
	return core.Task{
		ID: "t1", Domain: s.Domain, Kind: core.Onboard, Attempt: 1, Language: map[string]string{"community": "vi"}[s.Name],
		Entity: core.Entity{
			Fields: map[string]core.Value{
				core.FieldUsername: core.Text("minhngoc01"), core.FieldEmail: core.Text("minhngoc01@mail.sandbox.test"),
				core.FieldPassword: core.Secret("Abc123!@xyzQ"), core.FieldFirstName: core.Text("Minh"), core.FieldLastName: core.Text("Ngọc"),
				core.FieldLocation: core.Text("Hà Nội"), core.FieldAbout: core.Text("<p>Tends <b>gardens</b> and kites.</p>"), core.FieldWebsite: core.Text("https://example.com/minh"),
			},
			Social: []string{"https://social.example/minh"}, Connect: []string{"https://wiki.example/User:Minh"},
			Avatars: []string{sb.Images.Avatar("minh")},
		},
	}
}

// TestDriversTakeATaskToItsProfile signs up, signs in from a fresh context,
// fills the profile twice and adds the links of the connect phase on each site.
func TestDriversTakeATaskToItsProfile(t *testing.T) {
	st := newStage(t, sandbox.Options{Terms: true})
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	for _, s := range st.sb.Sites() {
		t.Run(s.Name, func(t *testing.T) {
			st := &stage{t, st.sb, st.chromium, st.egress}
			task := member(st.sb, s)
			r, run := st.visitBy(s, task, false)
			done := func(run func(core.Phase) (core.Outcome, error), p core.Phase) core.Outcome {
				t.Helper()
				out, err := run(p)
				var f *core.Fault
				if errors.As(err, &f) {
					t.Fatalf("%s: %v\n%s", p, err, f.Detail)
				}
				if err != nil || out.Status != core.Done {
					t.Fatalf("%s: %+v %v", p, out, err)
				}
				return out
			}
			done(run, core.Register)
			if s.Name == "community" {
				done(run, core.Confirm)
			}
			if r.committed != 1 || len(s.Submits()) != 1 || len(s.Accounts()) != 1 {
				t.Fatalf("%d commits, %d submits, %d accounts", r.committed, len(s.Submits()), len(s.Accounts()))
			}
			_, again := st.visitBy(s, task, false)
			done(again, core.Login)
			out := done(again, core.Profile)
			saves := s.Accounts()[0].Saves
			done(again, core.Profile)
			if n := s.Accounts()[0].Saves; n != saves {
				t.Errorf("a profile that was right was saved again: %d, then %d", saves, n)
			}
			want := []string{"gardens", "https://example.com/minh"}
			if s.Name != "guarded" {
				out = done(again, core.ConnectPhase)
				want = append(want, "https://social.example/minh", "https://wiki.example/User:Minh")
			}
			page := public(t, out.Facts[core.FactLinkProfile].Reveal())
			for _, w := range want {
				if !strings.Contains(page, w) {
					t.Errorf("%s lacks %q:\n%s", out.Facts[core.FactLinkProfile], w, page)
				}
			}
			if (s.Name == "board" || s.Name == "wizard") && s.Accounts()[0].Avatar == nil {
				t.Error("the picture did not arrive")
			}
		})
	}
}

// public reads a page logged-out.
func public(t *testing.T, address string) string {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", address, resp.StatusCode, err)
	}
	return html.UnescapeString(string(body))
}

func TestDriversSayWhatTheSiteSaid(t *testing.T) {
	st := newStage(t, sandbox.Options{})
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	for _, s := range st.sb.Sites() {
		task := member(st.sb, s)
		_, run := st.visitBy(s, task, false)
		if out, err := run(core.Login); err != nil || out.Code != core.BadCredentials {
			t.Errorf("%s, login without an account: %+v %v", s.Name, out, err)
		}
		s.OnCommit(func(sandbox.Submit) sandbox.CommitFault { return sandbox.CommitFault{Kind: sandbox.RefuseTaken} })
		if out, err := run(core.Register); err != nil || out.Code != core.AlreadyExists {
			t.Errorf("%s, a taken name: %+v %v", s.Name, out, err)
		}
		if len(s.Submits()) != 1 || len(s.Accounts()) != 0 {
			t.Errorf("%s: %d submits, %d accounts", s.Name, len(s.Submits()), len(s.Accounts()))
		}
	}
}

func TestAChallengeWaitsForAPerson(t *testing.T) {
	st := newStage(t, sandbox.Options{})
	r, run := st.visitBy(st.sb.Guarded, member(st.sb, st.sb.Guarded), true)
	out, err := run(core.Register)
	if err != nil || out.Status != core.Blocked || out.Code != core.Captcha {
		t.Errorf("%+v %v", out, err)
	}
	if len(r.asked) != 1 || r.committed != 0 || len(st.sb.Guarded.Submits()) != 0 {
		t.Errorf("asked %v, %d commits, %d submits", r.asked, r.committed, len(st.sb.Guarded.Submits()))
	}
}
