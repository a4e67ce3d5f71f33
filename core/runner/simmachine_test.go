package runner_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/core/text"
)

// simMachine is one start of a runner. All it does outside itself goes through
// step, where it may be paused, or die: then nothing it does has an effect.
type simMachine struct {
	w     *simWorld
	store *ledgertest.Memory
	name  string
	boot  time.Time

	steps   atomic.Int64
	dieAt   int64 // the step at which it dies, 0 for none
	dead    atomic.Bool
	kill    context.CancelFunc
	pausing sync.Mutex
	paused  chan struct{} // closed when it goes on; nil while it runs
	gates   simGates
	pages   simPages
}

// simGates finds a gate by its address.
type simGates struct {
	mu  sync.Mutex
	all []*simGate
}

func (g *simGates) add(gate *simGate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	gate.url = fmt.Sprint(len(g.all))
	g.all = append(g.all, gate)
}

func (g *simGates) of(s core.Session) *simGate {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, _ := strconv.Atoi(s.Proxy)
	return g.all[n]
}

var errKilled = errors.New("the runner was killed")

// step is one crossing of the machine's border: once before and once after an effect.
func (m *simMachine) step(what ...any) error {
	// Each takes a moment of its own, so that what happens depends on no scheduler.
	<-time.After(1 + upTo(m.w.pick("step", m.name, what), time.Millisecond))
	if m.steps.Add(1) == m.dieAt {
		m.die()
	}
	for {
		m.pausing.Lock()
		on := m.paused
		m.pausing.Unlock()
		if on == nil {
			break
		}
		<-on
	}
	if m.dead.Load() {
		return errKilled
	}
	return nil
}

func (m *simMachine) die() {
	m.dead.Store(true)
	m.kill()
}

func (m *simMachine) pause(d time.Duration) {
	on := make(chan struct{})
	m.pausing.Lock()
	m.paused = on
	m.pausing.Unlock()
	<-time.After(d)
	m.pausing.Lock()
	m.paused = nil
	m.pausing.Unlock()
	close(on)
}

// through makes a call of the machine's.
func through(m *simMachine, what string, f func() error) error {
	if err := m.step(what); err != nil {
		return err
	}
	err := f()
	if dead := m.step(what, "done"); dead != nil {
		return dead
	}
	return err
}

// live runs the machine until ctx ends, which is a SIGTERM, or it dies.
func (m *simMachine) live(ctx context.Context, once bool) error {
	ctx, m.kill = context.WithCancel(ctx)
	defer m.kill()
	now, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		if m.dead.Load() {
			cancel()
		}
	})
	defer stop()
	log := slog.New(slog.DiscardHandler)
	if simVerbose() {
		log = slog.New(slog.NewTextHandler(simLog{m}, nil))
	}
	r, err := runner.New(runner.Options{
		Manager: simManager{m}, Store: simStore{m.store, m}, Catalog: simCatalog{m}, Egress: simEgress{m}, Browsers: simBrowsers{m}, Workers: simWorkers{m},
		Assets: simAssets{}, Texts: text.Texts{}, Redact: secret.NewRedactor(), Log: log,
		Owner: m.name, Slots: 2, Dir: "/nonexistent", Exclusive: true, Connect: true, Server: "sim", Once: once, Wait: time.Minute,
		Jitter: func(most time.Duration) time.Duration { return upTo(m.w.pick("jitter", m.name), most) },
		Limits: runner.Limits{
			Lease: 30 * time.Second, Poll: 20 * time.Second, Sweep: time.Minute, Phase: 2 * time.Minute, Attempts: 3, BackoffMin: 5 * time.Second, BackoffMax: time.Minute,
			PauseFor: 2 * time.Minute, WaitMax: 30 * time.Minute, OutboxMax: 30 * time.Second, HumanHold: time.Minute, HumanExpires: 20 * time.Minute,
			Drain: 20 * time.Second, ListLimit: 4,
		},
	})
	if err != nil {
		return err
	}
	err = r.Run(ctx, now)
	m.pages.ended(m)
	return err
}

type simLog struct{ m *simMachine }

func (l simLog) Write(p []byte) (int, error) {
	l.m.w.mu.Lock()
	defer l.m.w.mu.Unlock()
	l.m.w.tell("%s: %s", l.m.name, p)
	return len(p), nil
}

// simManager is the machine's way to the task manager.
type simManager struct{ m *simMachine }

func (a simManager) List(ctx context.Context, limit int) (out core.Listing, err error) {
	err = through(a.m, "List", func() error { out, err = a.m.w.list(ctx, limit); return err })
	return out, err
}

func (a simManager) Get(ctx context.Context, id string) (out core.Listed, err error) {
	err = through(a.m, "Get "+id, func() error { out, err = a.m.w.get(ctx, id); return err })
	return out, err
}

func (a simManager) Start(ctx context.Context, id string) error {
	return through(a.m, "Start "+id, func() error { return a.m.w.start(ctx, id) })
}

func (a simManager) Complete(ctx context.Context, id string, r core.Report) error {
	return through(a.m, "Complete "+id, func() error { return a.m.w.report(ctx, id, r) })
}

func (a simManager) Fail(ctx context.Context, id string, r core.Report) error {
	return through(a.m, "Fail "+id, func() error { return a.m.w.report(ctx, id, r) })
}

// simStore is the machine's way to the ledger.
type simStore struct {
	core.Store
	m *simMachine
}

func (s simStore) Join(ctx context.Context, owner string, lease time.Duration) error {
	return through(s.m, "Join", func() error { return s.Store.Join(ctx, owner, lease) })
}

func (s simStore) Leave(ctx context.Context, owner string) error {
	return through(s.m, "Leave", func() error { return s.Store.Leave(ctx, owner) })
}

func (s simStore) PutSites(ctx context.Context, owner string, sites []core.SiteLimits) error {
	return through(s.m, "PutSites", func() error { return s.Store.PutSites(ctx, owner, sites) })
}

func (s simStore) Beat(ctx context.Context, owner string, lease time.Duration) (held map[string]int64, err error) {
	err = through(s.m, "Beat", func() error { held, err = s.Store.Beat(ctx, owner, lease); return err })
	return held, err
}

func (s simStore) Admit(ctx context.Context, tasks []core.Task, due time.Time) (out []core.Admission, err error) {
	err = through(s.m, "Admit", func() error { out, err = s.Store.Admit(ctx, tasks, due); return err })
	return out, err
}

func (s simStore) Claim(ctx context.Context, owner string, lease time.Duration, first func(core.Record) (core.Move, bool)) (rec core.Record, err error) {
	err = through(s.m, "Claim", func() error { rec, err = s.Store.Claim(ctx, owner, lease, first); return err })
	return rec, err
}

func (s simStore) Advance(ctx context.Context, l core.Lease, moves ...core.Move) (rec core.Record, err error) {
	err = through(s.m, "Advance "+l.TaskID, func() error { rec, err = s.Store.Advance(ctx, l, moves...); return err })
	return rec, err
}

func (s simStore) Note(ctx context.Context, l core.Lease, f core.Facts, ev ...core.Event) error {
	return through(s.m, "Note "+l.TaskID, func() error { return s.Store.Note(ctx, l, f, ev...) })
}

func (s simStore) Defer(ctx context.Context, l core.Lease, due time.Time, broken bool, ev core.Event) error {
	return through(s.m, "Defer "+l.TaskID, func() error { return s.Store.Defer(ctx, l, due, broken, ev) })
}

func (s simStore) Reserve(ctx context.Context, l core.Lease, b core.Booking) error {
	return through(s.m, "Reserve "+l.TaskID, func() error { return s.Store.Reserve(ctx, l, b) })
}

func (s simStore) ClaimReport(ctx context.Context, owner string, lease time.Duration) (it core.OutboxItem, err error) {
	err = through(s.m, "ClaimReport", func() error { it, err = s.Store.ClaimReport(ctx, owner, lease); return err })
	return it, err
}

func (s simStore) SettleReport(ctx context.Context, it core.OutboxItem, to core.State, ev core.Event) error {
	return through(s.m, "SettleReport "+it.TaskID, func() error { return s.Store.SettleReport(ctx, it, to, ev) })
}

func (s simStore) DeferReport(ctx context.Context, it core.OutboxItem, next time.Time, ev core.Event) error {
	return through(s.m, "DeferReport "+it.TaskID, func() error { return s.Store.DeferReport(ctx, it, next, ev) })
}

func (s simStore) OpenAsk(ctx context.Context, l core.Lease, ask core.Ask, expires time.Time) (id string, a core.Answer, ok bool, err error) {
	err = through(s.m, "OpenAsk "+l.TaskID, func() error { id, a, ok, err = s.Store.OpenAsk(ctx, l, ask, expires); return err })
	return id, a, ok, err
}

func (s simStore) TakeAnswer(ctx context.Context, l core.Lease, id string) (a core.Answer, ok bool, err error) {
	err = through(s.m, "TakeAnswer "+l.TaskID, func() error { a, ok, err = s.Store.TakeAnswer(ctx, l, id); return err })
	return a, ok, err
}

func (s simStore) PauseSite(ctx context.Context, domain, why string) error {
	return through(s.m, "PauseSite", func() error { return s.Store.PauseSite(ctx, domain, why) })
}

// simCatalog knows the one site.
type simCatalog struct{ m *simMachine }

func (c simCatalog) Lookup(domain string) (core.Binding, error) {
	return core.Binding{Domain: domain, Driver: "sim", Digest: "d1", Manifest: c.m.w.manifest, Base: "http://" + simDomain, OnExists: c.m.w.onExists,
		Pace: core.Pace{Every: 2 * time.Second, Concurrency: 3}, Basis: "owner", Reuse: c.m.w.reuse}, nil
}

func (c simCatalog) Version(b core.Binding, _ string) (core.Binding, bool) { return b, false }
func (c simCatalog) Changed() <-chan struct{}                              { return nil }

func (c simCatalog) Bindings() []core.Binding {
	b, _ := c.Lookup(simDomain)
	return []core.Binding{b}
}

// simEgress and simGate are the fence.
type simEgress struct{ m *simMachine }

func (e simEgress) Now() time.Duration { return time.Since(e.m.boot) }

func (e simEgress) Open(context.Context) (core.Gate, error) {
	g := &simGate{m: e.m}
	e.m.gates.add(g)
	return g, nil
}

type simGate struct {
	m        *simMachine
	url      string
	mu       sync.Mutex
	open     bool
	deadline time.Duration
}

func (g *simGate) URL() string  { return g.url }
func (g *simGate) DropIdle()    {}
func (g *simGate) Writes() int  { return 0 }
func (g *simGate) Close() error { g.Shut(); return nil }

func (g *simGate) Refused() []string      { return nil }
func (g *simGate) Admit(core.EgressRules) { g.set(true) }
func (g *simGate) Shut()                  { g.set(false) }

func (g *simGate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = open
}

func (g *simGate) Until(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deadline = d
}

// pass reports an error when no byte may leave for the site.
func (g *simGate) pass(what string) error {
	if err := g.m.step("gate", what); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open || time.Since(g.m.boot) >= g.deadline {
		return &core.Fault{Code: core.HTTPError, Verb: "open", Why: "the egress port is shut"}
	}
	return nil
}

func (g *simGate) Fetch(_ context.Context, url string) (int, string, []byte, error) {
	if err := g.pass(url); err != nil {
		return 0, "", nil, err
	}
	w := g.m.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.accounts[filepath.Base(url)] == nil {
		return 404, url, nil, nil
	}
	return 200, url, []byte("profile"), nil
}

type simAssets struct{}

func (simAssets) Fetch(context.Context, []string, core.Fit, string) (string, error) {
	return "", core.ErrNoAsset
}

// name of the nth start of a machine.
func simName(machine, start int) string { return fmt.Sprintf("m%d-%d", machine, start) }
