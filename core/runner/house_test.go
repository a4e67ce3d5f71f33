package runner_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/entity"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/core/text"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// house is a runner with a real ledger and the sandbox's strict task manager. The
// driver is a Go function; browser, egress and mail are stand-ins that count.
type house struct {
	t       *testing.T
	sb      *sandbox.Sandbox
	store   core.Store
	site    *site
	opts    runner.Options
	notices chan runner.Notice
}

func newHouse(t *testing.T, so sandbox.Options) *house {
	t.Helper()
	sb, err := sandbox.Start(t.Context(), so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sb.Close() })
	client, err := entity.New(entity.Options{BaseURL: sb.Manager.URL, Key: core.Secret(sb.Manager.APIKey), States: core.DefaultStateNames})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, sb: sb, store: ledgertest.SQLite(t), site: newSite(), notices: make(chan runner.Notice, 10000)}
	h.opts = runner.Options{
		Manager: client, Store: h.store, Catalog: h.site, Egress: h.site, Browsers: h.site, Workers: h.site,
		Assets: h.site, Texts: text.Texts{}, Redact: secret.NewRedactor(), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Owner: "test-1", Slots: 2, Dir: t.TempDir(), Exclusive: true, Connect: true, Server: sb.Manager.URL,
		Once: true, Wait: time.Minute,
		Observe: func(n runner.Notice) {
			select {
			case h.notices <- n:
			default:
			}
		},
		Limits: runner.Limits{
			Lease: 5 * time.Second, Poll: 20 * time.Millisecond, BackoffMin: time.Millisecond, BackoffMax: 5 * time.Millisecond,
			OutboxMin: time.Millisecond, OutboxMax: 5 * time.Millisecond, HumanHold: 50 * time.Millisecond,
			Sweep: 50 * time.Millisecond, MailHold: 20 * time.Millisecond,
		},
	}
	return h
}

// run runs until nothing is left to do.
func (h *house) run() runner.Tally {
	h.t.Helper()
	r, err := runner.New(h.opts)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), 30*time.Second)
	defer cancel()
	if err := r.Run(ctx, nil); err != nil {
		h.t.Fatalf("run: %v", err)
	}
	if ctx.Err() != nil {
		h.dump()
		h.t.Fatal("the run did not end by itself")
	}
	return r.Tally()
}

// waitHeld waits until a task is held for a person.
func (h *house) waitHeld() {
	h.t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case n := <-h.notices:
			if n.State == core.Held {
				return
			}
		case <-late:
			h.dump()
			h.t.Fatal("no task was held")
		}
	}
}

// waitState waits until a task is in a state here.
func (h *house) waitState(id string, want core.State) {
	h.t.Helper()
	changed, cancel := h.store.Subscribe()
	defer cancel()
	late := time.After(20 * time.Second)
	for {
		if rec, err := h.store.Task(h.t.Context(), id); err == nil && rec.State == want {
			return
		}
		select {
		case <-changed:
		case <-late:
			h.dump()
			h.t.Fatalf("%s is never %s", id, want)
		}
	}
}

// background runs until stop is called.
func (h *house) background() (stop func()) {
	h.t.Helper()
	r, err := runner.New(h.opts)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, nil) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
	}
}

func (h *house) dump() {
	recs, err := h.store.Tasks(context.WithoutCancel(h.t.Context()), core.TaskFilter{})
	h.t.Logf("tasks (%v):", err)
	for _, r := range recs {
		h.t.Logf("%s %s due %v answer %v fault %q", r.ID, r.State, r.Due, r.Answer, r.Fault)
	}
}

func (h *house) add(tasks ...sandbox.Task) { h.sb.Manager.Add(tasks...) }

func (h *house) record(id string) core.Record {
	h.t.Helper()
	rec, err := h.store.Task(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return rec
}

// status is what the task manager says of the task.
func (h *house) status(id string) string {
	h.t.Helper()
	s, ok := h.sb.Manager.Task(id)
	if !ok {
		h.t.Fatalf("the task manager has no task %s", id)
	}
	return s.Status
}

func task(id string) sandbox.Task {
	return sandbox.Task{ID: id, Domain: domain, Email: id + "@mail.test", Username: "user" + id, Password: "Pass-word-" + id,
		Website: "https://example.com/" + id, About: "<p>hello {a|b}</p>"}
}

const domain = "site.test"

// site is a website, its driver, and everything between: accounts by user name,
// submits as they came.
type site struct {
	mu       sync.Mutex
	manifest core.Manifest
	onExists string
	accounts map[string]string // user name → password
	submits  map[string]int    // by user name
	phases   []string          // "task phase"
	// phase overrides what a phase does; the default is an obedient site and driver.
	phase   func(ctx context.Context, p core.Phase, t core.Task, s core.Session) (core.Outcome, error, bool)
	bound   bool
	changed chan struct{}
	pages   int // open browser contexts
	// forwards is whether the gate that was used last is open.
	forwards atomic.Bool
	opened   int // browser contexts ever
	reuse    bool
	digest   string
	clean    func(context.Context, *page) error // nil: it works
	closed   func(*page)                        // may be nil
	clock    time.Time
	sent     int // what a person's hands made the page send
}

func newSite() *site {
	return &site{
		manifest: core.Manifest{API: 1, Name: "obedient", Domains: []string{domain}, Needs: []string{"username", "email", "password"}, Wants: []string{"about", "website"},
			Public: true, Phases: []core.Phase{core.Register, core.Login, core.Profile, core.ConnectPhase}},
		digest: "d1", onExists: "fail", accounts: map[string]string{}, submits: map[string]int{}, bound: true, changed: make(chan struct{}), clock: time.Now(),
	}
}

func (s *site) Lookup(d string) (core.Binding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d != domain || !s.bound {
		return core.Binding{}, &core.NoBinding{Domain: d, Reason: "not allowed", Command: "add [sites]"}
	}
	return core.Binding{Domain: d, Driver: "obedient", Digest: s.digest, Reuse: s.reuse, Manifest: s.manifest, Base: "http://site.test", OnExists: s.onExists,
		Pace: core.Pace{Concurrency: 4}, Basis: "owner"}, nil
}

func (s *site) Bindings() []core.Binding {
	b, err := s.Lookup(domain)
	if err != nil {
		return nil
	}
	return []core.Binding{b}
}
func (s *site) Changed() <-chan struct{}                              { return s.changed }
func (s *site) Version(b core.Binding, _ string) (core.Binding, bool) { return b, false }

// Egress and Gate.
func (s *site) Open(context.Context) (core.Gate, error) { return &gate{site: s}, nil }
func (s *site) Now() time.Duration                      { return time.Since(s.clock) }

type gate struct{ site *site }

func (g *gate) URL() string            { return "http://127.0.0.1:1" }
func (g *gate) Admit(core.EgressRules) { g.site.forwards.Store(true) }
func (g *gate) Until(time.Duration)    {}
func (g *gate) DropIdle()              {}
func (g *gate) Writes() int            { return 0 }
func (g *gate) Refused() []string      { return nil }
func (g *gate) Shut()                  { g.site.forwards.Store(false) }
func (g *gate) Close() error           { return nil }
func (g *gate) Fetch(_ context.Context, url string) (int, string, []byte, error) {
	g.site.mu.Lock()
	defer g.site.mu.Unlock()
	if _, ok := g.site.accounts[filepath.Base(url)]; !ok {
		return 404, url, nil, nil
	}
	return 200, url, []byte("profile"), nil
}

// Browsers.
func (s *site) Context(context.Context, string, core.ContextOptions) (core.BrowserContext, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages++
	s.opened++
	return &page{site: s, id: fmt.Sprint(s.opened), dead: make(chan struct{})}, nil
}

type page struct {
	site *site
	id   string
	dead chan struct{}
}

func (p *page) ControlURL() string                                  { return "ws://127.0.0.1:1" }
func (p *page) ContextID() string                                   { return p.id }
func (p *page) TargetID() string                                    { return "t" }
func (p *page) Shot(context.Context, ...core.Value) ([]byte, error) { return []byte("png"), nil }
func (p *page) Writes(context.Context, func(string) bool) (func() int, error) {
	return func() int { return p.site.sent }, nil
}
func (p *page) Dead() <-chan struct{} { return p.dead }
func (p *page) Own(string) error      { return nil }
func (p *page) Clean(ctx context.Context) error {
	if p.site.clean == nil {
		return ctx.Err()
	}
	return p.site.clean(ctx, p)
}
func (p *page) Close() error {
	if p.site.closed != nil {
		p.site.closed(p)
	}
	p.site.mu.Lock()
	defer p.site.mu.Unlock()
	p.site.pages--
	return nil
}

// Assets.
func (s *site) Fetch(_ context.Context, _ []string, _ core.Fit, dir string) (string, error) {
	path := filepath.Join(dir, "a.png")
	return path, os.WriteFile(path, []byte("png"), 0o600)
}

// Workers.
func (s *site) Slot(string) core.Worker { return &worker{site: s} }
func (s *site) Close() error            { return nil }

type worker struct{ site *site }

func (w *worker) Close() error { return nil }
func (w *worker) Run(ctx context.Context, _ core.Binding, p core.Phase, t core.Task, ses core.Session) (core.Outcome, error) {
	w.site.mu.Lock()
	w.site.phases = append(w.site.phases, t.ID+" "+string(p))
	hook := w.site.phase
	w.site.mu.Unlock()
	if hook != nil {
		if o, err, did := hook(ctx, p, t, ses); did {
			return o, err
		}
	}
	return w.site.obey(ctx, p, t, ses)
}

// submit makes an account, as the site does: false when the name is taken.
func (s *site) submit(user, password string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.submits[user]++
	if _, taken := s.accounts[user]; taken {
		return false
	}
	s.accounts[user] = password
	return true
}

func (s *site) obey(ctx context.Context, p core.Phase, t core.Task, ses core.Session) (core.Outcome, error) {
	user, pass := t.Entity.Get("username").Reveal(), t.Entity.Get("password").Reveal()
	switch p {
	case core.Register:
		if err := ses.Services.Commit(ctx, "sign up", nil); err != nil {
			return core.Outcome{}, err
		}
		made := s.submit(user, pass)
		if err := ses.Services.Committed(ctx, "sign up"); err != nil {
			return core.Outcome{}, err
		}
		if !made {
			return core.Outcome{Status: core.Rejected, Code: core.AlreadyExists, Field: "username", Reason: "that name is taken"}, nil
		}
	case core.Login:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.accounts[user] != pass || pass == "" {
			return core.Outcome{Status: core.Rejected, Code: core.BadCredentials, Reason: "wrong name or password"}, nil
		}
	case core.Profile:
		return core.Outcome{Status: core.Done, Fields: map[string]string{"about": "set"},
			Facts: core.Facts{core.FactLinkProfile: core.Text("http://site.test/u/" + user)}}, nil
	case core.ConnectPhase:
		return core.Outcome{Status: core.Done, Facts: core.Facts{core.FactLinkProfile: core.Text("http://site.test/u/" + user)}}, nil
	}
	return core.Outcome{Status: core.Done}, nil
}

func (s *site) count(entry string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, p := range s.phases {
		if p == entry {
			n++
		}
	}
	return n
}

var errBroken = &core.Fault{Code: core.LayoutChanged, Verb: "click", Locator: "#go", Why: "nothing matches"}
