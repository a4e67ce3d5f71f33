package browser_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
	chromium "github.com/rollcall-run/rollcall/core/browser"
	"github.com/rollcall-run/rollcall/drivers/lua"
	"github.com/rollcall-run/rollcall/plugins"
	"github.com/rollcall-run/rollcall/plugins/browser"
	"github.com/rollcall-run/rollcall/plugins/outcome"
)

var machine *chromium.Chromium

func TestMain(m *testing.M) { os.Exit(inMachine(m)) }

func inMachine(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "sdk-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		machine, err = chromium.Launch(context.Background(), chromium.Options{Headless: true, Sandbox: true, Dir: dir})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code = m.Run()
	if err := machine.Close(); err != nil {
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

const signup = `<h1>Join</h1><form method=post action=/join>
<input id=user name=user><input id=mail name=mail><input id=pass type=password name=pass>
<select id=land name=land><option value=fr>France<option value=vn>Vietnam</select>
<input id=yes type=checkbox name=yes><p id=seen hidden>typed</p><button id=go>Go</button></form>
<script>user.oninput = () => { seen.hidden = false }</script>`

// visitor runs phases of a driver in Go on a page of the real browser.
type visitor struct {
	session core.Session

	mu      sync.Mutex
	posts   []string
	commits int
	lines   []string
	mail    core.MailMessage // empty: none has come
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	v := &visitor{}
	// The browser's proxy is the site itself.
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch {
		case r.Method == http.MethodPost:
			r.ParseForm()
			v.mu.Lock()
			v.posts = append(v.posts, r.PostForm.Encode())
			v.mu.Unlock()
			fmt.Fprint(w, "<p class=made>Welcome, "+r.PostFormValue("pass")+"</p>")
		case r.URL.Path == "/join":
			fmt.Fprint(w, signup)
		case r.URL.Path == "/busy":
			w.Header().Set("Retry-After", "90")
			http.Error(w, "slow down", http.StatusTooManyRequests)
		default:
			fmt.Fprint(w, "<h1>Home</h1>")
		}
	}))
	t.Cleanup(site.Close)
	c, err := machine.Context(t.Context(), site.URL, core.ContextOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	v.session = core.Session{ControlURL: c.ControlURL(), ContextID: c.ContextID(), TargetID: c.TargetID(), Base: "http://site.test", Proxy: site.URL, Services: v}
	return v
}

var manifest = core.Manifest{
	API: core.ManifestAPI, Name: "garden", Version: "1.0.0", Public: true,
	Needs:   []string{core.FieldUsername, core.FieldEmail, core.FieldPassword},
	Wants:   []string{browser.FieldFullName, browser.Avatar},
	Options: map[string]core.Option{"corner": {Default: "/u/", Help: "where people are"}, "many": {Default: 3.0}},
}

func task() core.Task {
	return core.Task{ID: "t1", Domain: "site.test", Kind: core.Onboard, Attempt: 1, Language: "vi", Options: map[string]any{},
		Facts: core.Facts{"seen": core.Text("yes")},
		Entity: core.Entity{Social: []string{"https://x.com/ada", "https://ada.example"}, Connect: []string{"https://c.example"}, Fields: map[string]core.Value{
			core.FieldUsername: core.Text("ada"), core.FieldEmail: core.Text("ada@mail.test"), core.FieldPassword: core.Secret("Lantern-Harbour-42"),
			core.FieldFirstName: core.Text("Ada"), core.FieldLastName: core.Text("Lovelace"), core.FieldWebsite: core.Text("https://ada.example"),
		}}}
}

// run runs one phase.
func (v *visitor) run(t *testing.T, phase core.Phase, f func(*browser.Page, browser.Task) core.Outcome) (core.Outcome, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return browser.New(manifest, browser.Phases{phase: f}).Run(ctx, phase, task(), v.session)
}

func TestADriverSignsUp(t *testing.T) {
	v := newVisitor(t)
	var said, label string
	o, err := v.run(t, core.Register, func(page *browser.Page, task browser.Task) core.Outcome {
		page.Open("/join", browser.Signs{"form": browser.Any("#none", "#user")})
		page.Fields(browser.Field{Name: "username", At: "#user"}, browser.Field{Name: "mail", At: "#mail", Value: task.Get(core.FieldEmail)})
		page.Fill("#pass", task.Get(core.FieldPassword))
		page.Choose("#land", []string{"Việt Nam", "Vietnam"})
		page.Check("#yes", true)
		page.Note("cover", "hidden: people with one year only")
		label, said = page.Commit("#go", browser.Signs{"made": ".made", "refused": ".error", "timeout": "20s"})
		return outcome.Done(core.Facts{"at": core.Text(page.URL("/u/ada"))})
	})
	if err != nil || o.Status != core.Done {
		t.Fatalf("%+v %v", o, err)
	}
	if label != "made" || said != "Welcome, •••" {
		t.Errorf("label %q, said %q", label, said)
	}
	if want := "land=vn&mail=ada%40mail.test&pass=Lantern-Harbour-42&user=ada&yes=on"; !slices.Equal(v.posts, []string{want}) {
		t.Errorf("sent %q", v.posts)
	}
	if v.commits != 1 || o.Facts["at"].Reveal() != "http://site.test/u/ada" {
		t.Errorf("%d commits, facts %v", v.commits, o.Facts)
	}
	if o.Fields["username"] != "set" || o.Fields["cover"] != "hidden: people with one year only" {
		t.Errorf("fields %v", o.Fields)
	}
	story := strings.Join(v.lines, "\n")
	if !strings.Contains(story, "register did") || !strings.Contains(story, "fill(#pass)") || strings.Contains(story, "Lantern") {
		t.Errorf("the time line: %s", story)
	}
}

func TestTheFirstErrorStays(t *testing.T) {
	v := newVisitor(t)
	o, err := v.run(t, core.Register, func(page *browser.Page, _ browser.Task) core.Outcome {
		page.Open("/join")
		page.Fill("#pass", core.Text("x"))
		page.Choose("#land", []string{"Atlantis"})
		first := page.Err()
		page.Click("#nothing")
		if label, _ := page.Commit("#go", browser.Signs{"made": ".made"}); label != "" || page.Exists("#go") || page.Text("h1") != "" || page.URL() != "" {
			t.Error("a verb did something after an error")
		}
		page.Fail(errors.New("a later one"))
		if page.Err() != first {
			t.Errorf("%v became %v", first, page.Err())
		}
		if rp, err := page.Rod(); rp != nil || err != first {
			t.Errorf("go-rod after an error: %v", err)
		}
		return outcome.Done()
	})
	var f *core.Fault
	if !errors.As(err, &f) || f.Verb != "choose" || f.Locator != "#land" || f.Phase != core.Register || o.Status != "" {
		t.Fatalf("%+v %v", o, err)
	}
	if v.commits != 0 || len(v.posts) != 0 {
		t.Errorf("%d commits, sent %q", v.commits, v.posts)
	}
}

func TestWhatEndsAPhase(t *testing.T) {
	for name, c := range map[string]struct {
		phase core.Phase
		do    func(*browser.Page, browser.Task)
		want  core.Outcome
		fault string // the verb of a fault, and a part of its text
	}{
		"429":                    {core.Login, func(p *browser.Page, _ browser.Task) { p.Open("/busy") }, core.Outcome{Status: core.Waiting, Code: core.RateLimited, After: 90 * time.Second}, ""},
		"nobody acts":            {core.Login, func(p *browser.Page, _ browser.Task) { p.Human(core.KYC, "show a passport") }, core.Outcome{Status: core.Blocked, Code: core.KYC}, ""},
		"nobody answers":         {core.Login, func(p *browser.Page, _ browser.Task) { p.Ask(core.OTPSMS, "which code?") }, core.Outcome{Status: core.Blocked, Code: core.OTPSMS}, ""},
		"no mail yet":            {core.Confirm, func(p *browser.Page, _ browser.Task) { p.Mail(core.MailQuery{AnyLink: true}) }, core.Outcome{Status: core.Waiting, Code: core.Pending}, ""},
		"mail in register":       {core.Register, func(p *browser.Page, _ browser.Task) { p.Mail(core.MailQuery{AnyLink: true}) }, core.Outcome{}, "mail: mail is for confirm and login"},
		"commit in login":        {core.Login, func(p *browser.Page, _ browser.Task) { p.Commit("#go", browser.Signs{"a": "b"}) }, core.Outcome{}, "commit: only register commits"},
		"no totp":                {core.Login, func(p *browser.Page, _ browser.Task) { p.TOTP() }, core.Outcome{}, "totp: no one-time-code secret"},
		"an undeclared field":    {core.Login, func(_ *browser.Page, task browser.Task) { task.Get(core.FieldPhone) }, core.Outcome{}, `the field "phone" is not declared`},
		"the mailbox":            {core.Login, func(_ *browser.Page, task browser.Task) { task.Get(core.FieldMailPassword) }, core.Outcome{}, "belongs to the mailbox"},
		"an unknown option":      {core.Login, func(_ *browser.Page, task browser.Task) { task.Setting("nook") }, core.Outcome{}, `no option "nook"`},
		"not a text":             {core.Login, func(_ *browser.Page, task browser.Task) { task.Setting("many") }, core.Outcome{}, "is a float64, not a text"},
		"a bad timeout":          {core.Login, func(p *browser.Page, _ browser.Task) { p.Open("/", browser.Signs{"a": "b", "timeout": "soon"}) }, core.Outcome{}, `such as "30s", not soon`},
		"no signs":               {core.Login, func(p *browser.Page, _ browser.Task) { p.Await(nil) }, core.Outcome{}, "no sign is named"},
		"an error of its own":    {core.Login, func(p *browser.Page, _ browser.Task) { p.Fail(fmt.Errorf("reading: %w", context.DeadlineExceeded)) }, core.Outcome{}, "reading: context deadline"},
		"profile without a link": {core.Profile, func(*browser.Page, browser.Task) {}, core.Outcome{}, "profile is done without link_profile"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVisitor(t)
			o, err := v.run(t, c.phase, func(page *browser.Page, task browser.Task) core.Outcome {
				c.do(page, task)
				return outcome.Done()
			})
			if c.fault != "" {
				var f *core.Fault
				if !errors.As(err, &f) || !strings.Contains(f.Error(), c.fault) || f.Phase != c.phase {
					t.Errorf("%+v %v", o, err)
				}
				return
			}
			if err != nil || o.Status != c.want.Status || o.Code != c.want.Code || o.After != c.want.After {
				t.Errorf("%+v %v", o, err)
			}
		})
	}
	v := newVisitor(t)
	_, err := v.run(t, core.Login, func(p *browser.Page, _ browser.Task) core.Outcome { p.TOTP(); return outcome.Done() })
	if !errors.Is(err, core.ErrNoTOTP) {
		t.Errorf("the sentinel is lost: %v", err)
	}
	if _, err := browser.New(manifest, nil).Run(t.Context(), core.Verify, task(), v.session); !errors.Is(err, core.ErrNoPhase) {
		t.Errorf("a phase that is not there: %v", err)
	}
}

func TestTheTaskIsAsInLua(t *testing.T) {
	v := newVisitor(t)
	_, err := v.run(t, core.Login, func(page *browser.Page, task browser.Task) core.Outcome {
		for name, got := range map[string]any{
			"Lovelace Ada":                          task.Get(browser.FieldFullName).Reveal(),
			"/u/":                                   task.Setting("corner"),
			"yes":                                   task.Fact("seen"),
			"":                                      task.Fact("unseen"),
			"https://x.com/ada":                     task.Social("x"),
			"https://c.example":                     strings.Join(task.Connect(), " "),
			"https://ada.example https://x.com/ada": strings.Join(task.Links(), " "),
		} {
			if got != name {
				t.Errorf("got %q, want %q", got, name)
			}
		}
		if task.Has(browser.Avatar) || !task.Has(core.FieldEmail) || !task.Get(core.FieldPassword).IsSecret() {
			t.Error("has an avatar, no e-mail, or a plain password")
		}
		return outcome.Done()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAMailIsSecret(t *testing.T) {
	v := newVisitor(t)
	v.mail = core.MailMessage{Link: core.Text("http://site.test/c?token=4711abcd"), Code: core.Text("481516")}
	var m core.MailMessage
	if _, err := v.run(t, core.Confirm, func(page *browser.Page, _ browser.Task) core.Outcome {
		m = page.Mail(core.MailQuery{AnyLink: true})
		page.Open(m.Link.Reveal(), browser.Signs{"home": "h1"})
		page.Log("opened " + m.Link.Reveal())
		return outcome.Done()
	}); err != nil {
		t.Fatal(err)
	}
	if !m.Link.IsSecret() || !m.Code.IsSecret() {
		t.Errorf("plain: %v", m)
	}
	if story := strings.Join(v.lines, "\n"); strings.Contains(story, "4711abcd") || !strings.Contains(story, "opened") {
		t.Errorf("the time line: %s", story)
	}
}

func TestRodIsTheSamePage(t *testing.T) {
	v := newVisitor(t)
	if _, err := v.run(t, core.Login, func(page *browser.Page, _ browser.Task) core.Outcome {
		page.Open("/join", browser.Signs{"form": "#user"})
		rp, err := page.Rod()
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := page.Rod(); again != rp {
			t.Error("go-rod connects twice")
		}
		el, err := rp.Timeout(10 * time.Second).Element("#user")
		if err != nil {
			t.Fatal(err)
		}
		page.Fail(el.Input("by rod"))
		page.Await(browser.Signs{"typed": "#seen"})
		if got := page.Attr("#user", "value"); got != "by rod" {
			t.Errorf("the verbs see %q", got)
		}
		return outcome.Done()
	}); err != nil {
		t.Fatal(err)
	}
	// The tab is still there.
	if _, err := v.run(t, core.Login, func(page *browser.Page, _ browser.Task) core.Outcome {
		page.Open("/", browser.Signs{"home": "h1"})
		return outcome.Done()
	}); err != nil {
		t.Error(err)
	}
}

func TestAPageWithoutABrowserSaysSo(t *testing.T) {
	session := core.Session{Base: "http://site.test", ControlURL: "ws://127.0.0.1:1/", Services: &visitor{}}
	lost := browser.Attach(t.Context(), session)
	if err := lost.Err(); err == nil || !strings.Contains(err.Error(), "the context carries no run") {
		t.Errorf("without a run: %v", err)
	}
	lost.Close()
	page := browser.Attach(plugins.WithRun(t.Context(), plugins.Run{Phase: core.Login}), session)
	defer page.Close()
	if page.Err() == nil || page.Exists("h1") {
		t.Error("no error")
	}
	if _, err := page.Finish(outcome.Done()); err == nil || !strings.Contains(err.Error(), "attach") {
		t.Errorf("got %v", err)
	}
}

func TestEveryVerbOfLuaIsThere(t *testing.T) {
	have := map[string]bool{}
	for m := range reflect.TypeFor[*browser.Page]().Methods() {
		have[strings.ToLower(m.Name)] = true
	}
	for _, verb := range lua.PageVerbs {
		if !have[verb] {
			t.Errorf("the page has no verb %s", verb)
		}
		delete(have, verb)
	}
	for _, own := range []string{"attach", "task", "err", "fail", "finish", "close", "rod", "commitfunc", "mail", "totp", "enroltotp", "log"} {
		delete(have, own)
	}
	if len(have) > 0 {
		t.Errorf("verbs that Lua does not have: %v", have)
	}
}

func (v *visitor) Commit(context.Context, string, core.Facts) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.commits++
	return nil
}
func (v *visitor) Committed(context.Context, string) error { return nil }
func (v *visitor) Mail(context.Context, core.MailQuery) (core.MailMessage, error) {
	if v.mail.Link.Empty() {
		return core.MailMessage{}, core.ErrNotYet
	}
	return v.mail, nil
}
func (v *visitor) TOTP(context.Context) (core.Value, error)    { return core.Value{}, core.ErrNoTOTP }
func (v *visitor) EnrolTOTP(context.Context, core.Value) error { return core.ErrNoTOTP }
func (v *visitor) Shot(context.Context, string) error          { return nil }
func (v *visitor) Asset(context.Context, string, core.Fit) (string, error) {
	return "", core.ErrNoAsset
}
func (v *visitor) Human(_ context.Context, a core.Ask) (core.Answer, error) {
	return core.Answer{}, core.ErrAway
}
func (v *visitor) Log(_ context.Context, _ slog.Level, msg string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lines = append(v.lines, msg+" "+fmt.Sprint(args...))
}
