package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

var noon = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// want compares what was printed, line by line, without the blanks that end a line.
func want(t *testing.T, got, want string) {
	t.Helper()
	trim := func(s string) string {
		var out []string
		for line := range strings.Lines(strings.TrimSpace(s)) {
			out = append(out, strings.TrimRight(line, " \n"))
		}
		return strings.Join(out, "\n")
	}
	if trim(got) != trim(want) {
		t.Errorf("printed:\n%s\nwant:\n%s", got, want)
	}
}

func TestTimesForPeople(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "now"}, {300 * time.Millisecond, "now"}, {-999 * time.Millisecond, "now"}, {time.Second, "in 1s"}, {-59 * time.Second, "59s ago"},
		{time.Minute, "in 1m"}, {90 * time.Second, "in 1m30s"}, {-2 * time.Hour, "2h ago"}, {26*time.Hour + 5*time.Minute, "in 26h5m"},
		{48 * time.Hour, "in 2d"}, {-75 * time.Hour, "3d3h ago"}, {59*time.Second + 600*time.Millisecond, "in 1m"},
	} {
		if got := apart(noon, noon.Add(c.d)); got != c.want {
			t.Errorf("%v: %q, want %q", c.d, got, c.want)
		}
	}
	if got := when(noon, noon.Add(5*time.Minute)); got != "in 5m (2027-03-01 12:05:00Z)" {
		t.Errorf("when: %q", got)
	}
	if got := when(noon, time.Time{}); got != "-" {
		t.Errorf("no time: %q", got)
	}
}

func TestDomainsAsPeopleWriteThem(t *testing.T) {
	for in, out := range map[string]string{
		"wiki.example.org": "wiki.example.org", "Wiki.Example.ORG": "wiki.example.org", "https://wiki.example.org:8080/x?y": "wiki.example.org",
		"bücher.example": "xn--bcher-kva.example", " wiki.example.org/ ": "wiki.example.org",
		"": "", "a b": "", "https://": "", "x_y\x1b[31m.example": "",
	} {
		got, err := domainArg(in)
		if got != out || (err == nil) != (out != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestFormulasAreQuoted(t *testing.T) {
	for in, out := range map[string]string{"": "", "plain": "plain", "a=b": "a=b", "=1+1": "'=1+1", "+49": "'+49", "-x": "'-x", "@SUM": "'@SUM",
		"\tx": "'\tx", "\rx": "'\rx", "'x": "'x", "•••": "•••"} {
		if got := cell(in); got != out {
			t.Errorf("%q: %q, want %q", in, got, out)
		}
	}
}

func record(id string, state core.State, change func(*core.Record)) core.Record {
	r := core.Record{Task: core.Task{ID: id, Domain: "wiki.example.org", Kind: core.Onboard}, State: state, Round: 1, Created: noon.Add(-time.Hour), Updated: noon.Add(-time.Minute)}
	if change != nil {
		change(&r)
	}
	return r
}

func TestTaskTable(t *testing.T) {
	var out bytes.Buffer
	err := printTasks(&out, noon, []core.Record{
		record("1", core.Ready, func(r *core.Record) { r.Due = noon.Add(5 * time.Minute); r.Fault = "of the round before" }),
		record("2", core.Prepared, func(r *core.Record) { r.Phase, r.Lease.Owner = core.Register, "host/1" }),
		record("3", core.Delayed, func(r *core.Record) {
			r.Phase, r.Due = core.Confirm, noon.Add(90*time.Second)
			r.Answer = &core.Outcome{Status: core.Waiting, Code: core.Pending, Reason: "the mail is\x1b[2J not there"}
		}),
		record("4", core.Held, func(r *core.Record) { r.Lease.Owner, r.Due = "host/1", noon }),
		record("5", core.Unknown, func(r *core.Record) { r.Fault = "the page went away" }),
		record("6", core.Reporting, func(r *core.Record) { r.Done = true; r.Fault = "mended since" }),
		record("7", core.Reported, func(r *core.Record) {
			r.Answer = &core.Outcome{Status: core.Rejected, Code: core.AlreadyExists, Field: "username", Reason: strings.Repeat("é", 200)}
		}),
		record("8", core.Dropped, nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, out.String(), `
task  site              state      phase     due              updated  why
1     wiki.example.org  ready      -         in 5m            1m ago   -
2     wiki.example.org  prepared   register  under way        1m ago   -
3     wiki.example.org  waiting    confirm   in 1m30s         1m ago   pending: the mail is\x1b[2J not there
4     wiki.example.org  held       -         a person's turn  1m ago   -
5     wiki.example.org  unknown    -         a person's turn  1m ago   the page went away
6     wiki.example.org  reporting  -         when reported    1m ago   -
7     wiki.example.org  reported   -         -                1m ago   already_exists (username): `+strings.Repeat("é", 72)+`…
8     wiki.example.org  dropped    -         -                1m ago   not ours to start: taken by another worker, or gone
`)
}

// fixed is an Admin of one task.
type fixed struct {
	core.Admin
	rec    core.Record
	events []core.Event
	asks   []core.AskRow
	sites  []core.SiteStatus
}

func (f fixed) Task(_ context.Context, id string) (core.Record, error) {
	if id != f.rec.ID {
		return core.Record{}, core.ErrUnknownTask
	}
	return f.rec, nil
}
func (f fixed) Events(context.Context, string) ([]core.Event, error) { return f.events, nil }
func (f fixed) Asks(context.Context, bool) ([]core.AskRow, error)    { return f.asks, nil }
func (f fixed) Sites(context.Context) ([]core.SiteStatus, error)     { return f.sites, nil }
func (f fixed) Tasks(context.Context, core.TaskFilter) ([]core.Record, error) {
	return []core.Record{f.rec}, nil
}

// shown is a task with everything that can be shown, in which a site repeats
// the password, with control characters.
func shown() fixed {
	const secret = "Kx9!very-secret"
	at := func(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }
	return fixed{
		rec: record("t1", core.Parked, func(r *core.Record) {
			r.RequestID, r.From, r.Phase, r.Driver, r.Digest, r.Broken = "q1", core.Prepared, core.Register, "wiki", "0123456789abcdef", 1
			r.Entity = core.Entity{Fields: map[string]core.Value{"username": core.Text("ann"), "password": core.Secret(secret)}, Social: []string{"https://s.example/ann"}}
			r.Facts = core.Facts{"note": core.Text("x\x1b]0;y"), "code": core.Secret("444555666")}
			r.Fields = map[string]string{"about": "set"}
			r.Answer = &core.Outcome{Status: core.Blocked, Code: core.Captcha, Reason: "type " + secret}
			r.Intent = &core.Intent{Name: "join", State: core.IntentDone, At: noon.Add(-time.Hour), Committed: true, Password: core.Secret(secret)}
			r.Account = &core.Account{Username: core.Text("ann"), Password: core.Secret(secret), LinkProfile: "https://wiki.example.org/ann"}
		}),
		events: []core.Event{
			{At: at(0), Kind: "state", State: core.Ready, Level: "INFO", Text: "listed"},
			{At: at(1500), Kind: "log", State: core.Prepared, Phase: core.Register, Level: "WARN", Text: "the page said " + secret + "\x1b[31m\n\u202e", Attrs: map[string]string{"url": "https://wiki.example.org/?p=" + secret}},
			{At: at(1600), Kind: "log", State: core.Prepared, Phase: core.Register, Level: "INFO", Text: "register did", Attrs: map[string]string{"01": "open(/join)", "02": "fill(#p)"}},
			{At: at(2000), Kind: "shot", State: core.Prepared, Phase: core.Register, Text: "before", Attrs: map[string]string{"path": "/var/x/before.png"}},
			{At: at(2500), Kind: "phase", State: core.Prepared, Phase: core.Register, Level: "WARN", Text: "register: not found",
				Attrs: map[string]string{"took": "1.2s", "driver": "wiki", "detail": "near are:\n  #a\x07\r\n  #b", "refused_hosts": "ads.example not declared; 10.0.0.1 private"}},
		},
		asks: []core.AskRow{
			{ID: "OTHER", TaskID: "t2", State: "open"},
			{ID: "ASK1", TaskID: "t1", Domain: "wiki.example.org", Ask: core.Ask{Kind: core.AskAct, Code: core.Captcha, Say: "solve it", URL: "https://wiki.example.org/c"},
				State: "open", Shot: "/var/x/ask.png", Created: noon, Expires: noon.Add(71*time.Hour + 30*time.Minute)},
		},
	}
}

func TestShownTask(t *testing.T) {
	s, err := showTask(t.Context(), redacting{shown()}, "t1")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.print(&out, noon); err != nil {
		t.Fatal(err)
	}
	want(t, out.String(), `
task           t1
request        q1
site           wiki.example.org
kind           onboard
state          parked, goes back to prepared
why            captcha: type •••
phase          register
driver         wiki 0123456789a…
round          1, 1 attempt broke
listed         1h ago (2027-03-01 11:00:00Z)
updated        1m ago (2027-03-01 11:59:00Z)
entity         password •••, username ann
links          https://s.example/ann
facts          code •••, note x\x1b]0;y
profile        about set
sign-up        done, "join" at 2027-03-01 11:00:00Z, the site answered
account        link_profile https://wiki.example.org/ann, password •••, username ann
refused hosts  ads.example not declared, 10.0.0.1 private
picture        /var/x/before.png
picture        /var/x/ask.png

question  reason   site              task  left                          page    state  picture         what to do
ASK1      captcha  wiki.example.org  t1    2d23h (2027-03-04 11:30:00Z)  parked  open   /var/x/ask.png  solve it at https://wiki.example.org/c

2027-03-01 12:00:00.000Z          state  -         → ready listed
2027-03-01 12:00:01.500Z  +1.5s   log    register  WARN the page said •••\x1b[31m\n\u202e url=https://wiki.example.org/?p=•••
2027-03-01 12:00:01.600Z  +100ms  log    register  register did
                                                     open(/join)
                                                     fill(#p)
2027-03-01 12:00:02.000Z  +400ms  shot   register  before path=/var/x/before.png
2027-03-01 12:00:02.500Z  +500ms  phase  register  WARN register: not found (1.2s) driver=wiki refused_hosts=ads.example not declared; 10.0.0.1 private
                                                     near are:
                                                       #a\x07
                                                       #b
`)
	if _, err := showTask(t.Context(), redacting{shown()}, "t9"); !errors.Is(err, core.ErrUnknownTask) {
		t.Errorf("an unknown task gives %v", err)
	}
}

// TestRedactingCoversWhatTheLedgerGives tries the ledger itself.
func TestRedactingCoversWhatTheLedgerGives(t *testing.T) {
	const secret = "canary-4471-password"
	store, ctx := ledgertest.SQLite(t), t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(store.Join(ctx, "r", time.Minute))
	must(store.PutSites(ctx, "r", []core.SiteLimits{{Domain: "wiki.example.org", Driver: "wiki", Concurrency: 1}}))
	_, err := ledgertest.Admit(ctx, store, core.Task{ID: "t1", Domain: "wiki.example.org", Kind: core.Onboard,
		Entity: core.Entity{Fields: map[string]core.Value{"password": core.Secret(secret)}}}, time.Time{})
	must(err)
	rec, err := store.Claim(ctx, "r", time.Minute, nil)
	must(err)
	for _, m := range []core.Move{{To: core.Starting}, {To: core.Prepared}, {To: core.Parked, Fault: "saw " + secret, Fields: map[string]string{"about": secret},
		Answer: &core.Outcome{Status: core.Blocked, Code: core.Captcha, Reason: "says " + secret}, Event: core.Event{Text: "parked " + secret, Attrs: map[string]string{"a": secret}}}} {
		rec, err = store.Advance(ctx, rec.Lease, m)
		must(err)
	}
	admin := redacting{store}
	one, err := admin.Task(ctx, "t1")
	must(err)
	all, err := admin.Tasks(ctx, core.TaskFilter{})
	must(err)
	events, err := admin.Events(ctx, "t1")
	must(err)
	if len(all) != 1 || len(events) == 0 {
		t.Fatalf("%d tasks, %d events", len(all), len(events))
	}
	for _, r := range append(all, one) {
		if text := r.Fault + r.Answer.Reason + r.Fields["about"]; strings.Contains(text, secret) || strings.Count(text, "•••") != 3 {
			t.Errorf("the record says %q", text)
		}
	}
	last := events[len(events)-1]
	if text := last.Text + last.Attrs["a"]; strings.Contains(text, secret) || strings.Count(text, "•••") != 2 {
		t.Errorf("the event says %q", text)
	}
}

func TestSiteTable(t *testing.T) {
	cfg := &config.Config{Sites: map[string]config.Site{"wiki.example.org": {Allowed: "owner"}, "idle.example.org": {Allowed: "terms"}, "not.example.org": {}}}
	var out bytes.Buffer
	err := printSites(&out, noon, siteLines(cfg, []core.SiteStatus{
		{SiteLimits: core.SiteLimits{Domain: "wiki.example.org", Driver: "wiki", Every: 10 * time.Second, Concurrency: 2, MaxPerDay: 50}, Running: 1, Waiting: 7, Today: 3, NotBefore: noon.Add(4 * time.Second)},
		{SiteLimits: core.SiteLimits{Domain: "gone.example.org"}, PausedUntil: noon.Add(10 * time.Minute), PausedWhy: "layout_changed\x1b[1m"},
		{SiteLimits: core.SiteLimits{Domain: "shut.example.org"}, PausedUntil: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), ByPerson: true, PausedWhy: "maintenance"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	want(t, out.String(), `
site              allowed  driver  pace    running  open  today    next visit  paused
gone.example.org  no       -       -       0        0     0        -           until in 10m (2027-03-01 12:10:00Z): layout_changed\x1b[1m
idle.example.org  terms    -       -       0        0     0        -           -
not.example.org   no       -       -       0        0     0        -           -
shut.example.org  no       -       -       0        0     0        -           by a person: maintenance
wiki.example.org  owner    wiki    10s ×2  1        7     3 of 50  in 4s       -
`)
}

func TestAskTable(t *testing.T) {
	var out bytes.Buffer
	err := printAsks(&out, noon, []askLine{
		askLineOf(core.AskRow{ID: "A", TaskID: "1", Domain: "wiki.example.org", Ask: core.Ask{Kind: core.AskAnswer, Code: core.OTPSMS, Say: "type the\ncode"}, State: "open", Held: true, Expires: noon.Add(time.Minute)}),
		askLineOf(core.AskRow{ID: "B", TaskID: "2", Domain: "wiki.example.org", Ask: core.Ask{Kind: core.AskAgree, Say: "agree", URL: "https://wiki.example.org/terms"}, State: "open", Expires: noon.Add(-time.Minute), Shot: "/x.png"}),
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	want(t, out.String(), `
question  reason   site              task  left                       page    picture  what to do
A         otp_sms  wiki.example.org  1     1m (2027-03-01 12:01:00Z)  held    -        type the\ncode
B         agree    wiki.example.org  2     expired                    parked  /x.png   agree at https://wiki.example.org/terms
`)
}

// catalog binds the domains it names.
type catalog map[string]core.Binding

func (c catalog) Lookup(domain string) (core.Binding, error) {
	if b, ok := c[domain]; ok {
		return b, nil
	}
	return core.Binding{}, &core.NoBinding{Domain: domain, Reason: "it is not an allowed site", Command: "allow it"}
}
func (c catalog) Version(core.Binding, string) (core.Binding, bool) { return core.Binding{}, false }
func (c catalog) Bindings() []core.Binding                          { return nil }
func (c catalog) Changed() <-chan struct{}                          { return nil }

func TestPlanSaysWhatRunsAndWhyTheRestDoesNot(t *testing.T) {
	wiki := core.Binding{Driver: "wiki", Manifest: core.Manifest{Name: "wiki", Version: "1.0.0", Needs: []string{"username"}}, Pace: core.Pace{Every: 30 * time.Second, Concurrency: 1}, MaxPerDay: 50}
	task := func(id, domain string, kind core.Kind) core.Listed {
		return core.Listed{Task: core.Task{ID: id, Domain: domain, Kind: kind, Entity: core.Entity{Fields: map[string]core.Value{"username": core.Text("u" + id)}}}}
	}
	page := core.Listing{
		Tasks: []core.Listed{
			task("1", "wiki.example.org", core.Onboard), task("2", "wiki.example.org", core.Onboard), task("3", "wiki.example.org", core.Connect),
			task("4", "wiki.example.org", core.Onboard), task("5", "shut.example.org", core.Onboard), task("6", "new.example.org", core.Onboard), task("7", "new.example.org", core.Onboard),
			{Task: core.Task{ID: "8", Domain: "wiki.example.org", Kind: core.Onboard}},
		},
		Unread:   []core.UnreadItem{{Index: 9, Why: "email is a number"}},
		Warnings: []string{"status is absent\x1b[1m"},
	}
	admin := fixed{rec: record("4", core.Parked, nil), sites: []core.SiteStatus{
		{SiteLimits: core.SiteLimits{Domain: "shut.example.org"}, ByPerson: true, PausedUntil: noon, PausedWhy: "maintenance"},
		{SiteLimits: core.SiteLimits{Domain: "wiki.example.org"}, Today: 3}}}
	p, err := makePlan(t.Context(), page, planner{catalog: catalog{"wiki.example.org": wiki, "shut.example.org": wiki}, ledger: admin})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.print(&out); err != nil {
		t.Fatal(err)
	}
	want(t, out.String(), `
8 tasks listed, 2 would run, in at least 30s

site              tasks  run  driver      pace                        known
new.example.org   2      0    -           -                           -
shut.example.org  1      0    wiki 1.0.0  30s ×1, 50 a day (0 today)  -
wiki.example.org  5      2    wiki 1.0.0  30s ×1, 50 a day (3 today)  1 parked

would not run:
  2  new.example.org: it is not an allowed site
     allow it
  1  shut.example.org: the site is paused: maintenance
     rollcall site resume shut.example.org
  1  wiki.example.org: connect tasks are switched off
     set [entity] connect = true
  1  wiki.example.org: it waits for a person
     rollcall human list
  1  wiki.example.org: it has no username, which the driver wiki needs; it would be started and failed
     complete it in the task manager

note: item 9 (task without an id) can't be read: email is a number
note: status is absent\x1b[1m
`)
	// Without a ledger nothing is known, and nothing is paused.
	p, err = makePlan(t.Context(), page, planner{catalog: catalog{"wiki.example.org": wiki, "shut.example.org": wiki}, connect: true})
	if err != nil || p.Run != 5 {
		t.Errorf("without a ledger %d tasks would run, %v", p.Run, err)
	}
}

// TestPlanFollowsTheChart: a task in any state is counted once, as run or as not.
func TestPlanFollowsTheChart(t *testing.T) {
	b := core.Binding{Driver: "wiki"}
	for _, s := range core.States {
		p, err := makePlan(t.Context(), core.Listing{Tasks: []core.Listed{{Task: core.Task{ID: "1", Domain: "wiki.example.org"}}}},
			planner{catalog: catalog{"wiki.example.org": b}, ledger: fixed{rec: record("1", s, nil)}})
		if err != nil {
			t.Fatal(err)
		}
		not := 0
		for _, r := range p.Sites[0].Not {
			not += r.Tasks
		}
		if run := p.Run == 1; run != s.Final() || p.Run+not != 1 || p.Sites[0].Known[s] != 1 {
			t.Errorf("%s: %+v", s, p)
		}
	}
}
