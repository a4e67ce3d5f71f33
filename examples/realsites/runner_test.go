package realsites_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/asset"
	"github.com/rollcall-run/rollcall/core/entity"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/core/mail"
	"github.com/rollcall-run/rollcall/core/mail/mailtest"
	rollcall "github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/core/text"
	"github.com/rollcall-run/rollcall/drivers/lua"
	"github.com/rollcall-run/rollcall/examples/realsites"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// house is the real runner with every real room, but for the workers: a driver
// runs in this process.
type house struct {
	sandbox *sandbox.Sandbox
	store   core.Store
	options rollcall.Options
}

func newHouse(t *testing.T, sites *realsites.Sites, running ...*realsites.Site) *house {
	t.Helper()
	sb, err := sandbox.Start(t.Context(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sb.Close() })
	client, err := entity.New(entity.Options{BaseURL: sb.Manager.URL, Key: core.Secret(sb.Manager.APIKey), States: core.DefaultStateNames})
	if err != nil {
		t.Fatal(err)
	}
	boxes, err := mail.New(mail.Options{Boxes: []mail.Box{{Match: "*", URL: "imap://" + sites.Mail.IMAP, Password: []string{mailtest.Password}}}, Poll: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { boxes.Close() })
	fleet := fleet{}
	for _, s := range running {
		d, err := lua.Load(source(t, s.Name))
		if err != nil {
			t.Fatal(err)
		}
		b := core.Binding{Domain: s.Domain, Driver: s.Name, Digest: s.Name, Manifest: d.Manifest(), Base: s.URL, BaseFixed: true,
			Pace: core.Pace{Concurrency: 1}, OnExists: "fail", Basis: "owner", Options: map[string]any{}}
		for name, o := range b.Manifest.Options {
			b.Options[name] = o.Default
		}
		fleet[s.Domain] = member{b, d}
	}
	h := &house{sandbox: sb, store: ledgertest.SQLite(t)}
	h.options = rollcall.Options{
		Manager: client, Store: h.store, Catalog: fleet, Egress: machine.egress, Browsers: machine.browser, Workers: fleet,
		Mail: boxes, Assets: asset.New(asset.Options{}), Texts: text.Texts{}, Redact: secret.NewRedactor(),
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Owner: t.Name(), Slots: 2, Dir: t.TempDir(), Uploads: machine.browser.Files(),
		Exclusive: true, Connect: true, Server: sb.Manager.URL, Once: true, Wait: time.Minute,
		Limits: rollcall.Limits{Poll: 100 * time.Millisecond, HumanHold: 200 * time.Millisecond, MailHold: 20 * time.Second, OutboxMin: 10 * time.Millisecond},
	}
	return h
}

// run runs until nothing is left to do.
func (h *house) run(t *testing.T) {
	t.Helper()
	r, err := rollcall.New(h.options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := r.Run(ctx, nil); err != nil || ctx.Err() != nil {
		t.Fatalf("the run ended with %v, %v", err, ctx.Err())
	}
}

// result is what the task manager was told of a task, which must stand at status.
func (h *house) result(t *testing.T, id, status string) sandbox.Result {
	t.Helper()
	s, ok := h.sandbox.Manager.Task(id)
	rec, err := h.store.Task(t.Context(), id)
	if !ok || s.Status != status {
		events, _ := h.store.Events(t.Context(), id)
		for _, e := range events {
			t.Logf("%s %s %s %s", e.At.Format("05.000"), e.Phase, e.Level, e.Text)
		}
		t.Fatalf("task %s: %s with %+v, not %s; here %s, %v, fault %q, %v", id, s.Status, s.Result, status, rec.State, rec.Answer, rec.Fault, err)
	}
	return s.Result
}

// fleet is the catalog and the workers: a driver by domain.
type fleet map[string]member

type member struct {
	binding core.Binding
	driver  *lua.Driver
}

func (f fleet) Lookup(domain string) (core.Binding, error) {
	if m, ok := f[domain]; ok {
		return m.binding, nil
	}
	return core.Binding{}, &core.NoBinding{Domain: domain, Reason: "not allowed", Command: "allow it"}
}

func (f fleet) Bindings() (all []core.Binding) {
	for _, m := range f {
		all = append(all, m.binding)
	}
	return all
}

func (f fleet) Version(b core.Binding, digest string) (core.Binding, bool) {
	return b, b.Digest == digest
}
func (f fleet) Changed() <-chan struct{} { return nil }
func (f fleet) Slot(string) core.Worker  { return worker{f} }
func (f fleet) Close() error             { return nil }

type worker struct{ fleet fleet }

func (w worker) Run(ctx context.Context, b core.Binding, p core.Phase, t core.Task, s core.Session) (core.Outcome, error) {
	return w.fleet[b.Domain].driver.Run(ctx, p, t, s)
}
func (w worker) Close() error { return nil }

func onboard(id string, s *realsites.Site) sandbox.Task {
	return sandbox.Task{ID: id, Domain: s.Domain, Email: id + "@mail.test", Username: "ngoc_" + id, Password: "Lantern-Harbour-42", FirstName: "Ngọc", LastName: "Trần",
		About: "<p>Tends <b>kites</b> and looms.</p>", Website: "https://ngoc.example/" + id, SocialConnect: []string{"https://social.example/" + id}}
}

// TestTheRunnerTakesTasksOfAllSitesToTheirEnd lists the tasks, runs them, reads
// each profile back logged-out, and reports; then the connect phase.
func TestTheRunnerTakesTasksOfAllSitesToTheirEnd(t *testing.T) {
	sites := realsites.For(t)
	running := []*realsites.Site{sites.DokuWiki(realsites.Options{}), sites.MediaWiki(realsites.Options{}), sites.WordPress(realsites.Options{})}
	h := newHouse(t, sites, running...)
	for _, s := range running {
		h.sandbox.Manager.Add(onboard(s.Name, s))
	}
	h.run(t)
	check := func(s *realsites.Site, link string, links ...string) {
		t.Helper()
		if want := s.ProfileURL("ngoc_" + s.Name); link != want {
			t.Errorf("%s: link_profile is %s, not %s", s.Name, link, want)
		}
		page, err := s.Get(t.Context(), link)
		if err != nil || page.Status != 200 || !strings.Contains(page.HTML, "kites") {
			t.Errorf("%s: %d %v", link, page.Status, err)
		}
		for _, l := range links {
			if n := strings.Count(page.HTML, `href="`+l+`"`); n != 1 {
				t.Errorf("%s has %s %d times", link, l, n)
			}
		}
		if n, err := s.AccountCount(t.Context(), "ngoc_"+s.Name); err != nil || n != 1 {
			t.Errorf("%s: %d accounts, %v", s.Name, n, err)
		}
	}
	for _, s := range running {
		r := h.result(t, s.Name, sandbox.StateProfiled)
		check(s, r.LinkProfile, "https://ngoc.example/"+s.Name, "https://social.example/"+s.Name)
		connect := onboard(s.Name+"-links", s)
		connect.Email, connect.Username, connect.Website, connect.Status = s.Name+"@mail.test", "ngoc_"+s.Name, "", sandbox.StateConnect
		connect.EntityConnect = []string{"https://social.example/" + s.Name, "https://wiki.example/" + s.Name}
		h.sandbox.Manager.Add(connect)
	}
	h.options.Owner += " again"
	h.run(t)
	for _, s := range running {
		h.result(t, s.Name+"-links", sandbox.StateCompleted)
		check(s, s.ProfileURL("ngoc_"+s.Name), "https://ngoc.example/"+s.Name, "https://social.example/"+s.Name, "https://wiki.example/"+s.Name)
	}
}

// TestAParkedTaskGoesOnAfterAPersonsAnswer is the sign-up with a question: held,
// parked, nothing sent meanwhile, and profiled once a person has answered.
func TestAParkedTaskGoesOnAfterAPersonsAnswer(t *testing.T) {
	sites := realsites.For(t)
	site := sites.MediaWiki(realsites.Options{Captcha: true})
	h := newHouse(t, sites, site)
	h.sandbox.Manager.Add(onboard("t1", site))
	h.run(t)
	rec, err := h.store.Task(t.Context(), "t1")
	if err != nil || rec.State != core.Parked {
		t.Fatalf("%s %v", rec.State, err)
	}
	if posts := saves(t, site); len(posts) != 0 {
		t.Errorf("sent without an answer: %v", posts)
	}
	asks, err := h.store.Asks(t.Context(), false)
	if err != nil || len(asks) != 1 || !strings.Contains(asks[0].Ask.Say, realsites.CaptchaQuestion) {
		t.Fatalf("%+v %v", asks, err)
	}
	if err := h.store.AnswerAsk(t.Context(), asks[0].ID, realsites.CaptchaAnswer, "test"); err != nil {
		t.Fatal(err)
	}
	h.options.Owner += " again"
	h.run(t)
	r := h.result(t, "t1", sandbox.StateProfiled)
	if n, err := site.AccountCount(t.Context(), "ngoc_t1"); err != nil || n != 1 || r.LinkProfile != site.ProfileURL("ngoc_t1") {
		t.Errorf("%d accounts, %v, link_profile %s", n, err, r.LinkProfile)
	}
}
