package ledgertest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Opener opens an empty store whose clock is now. The store is closed with the test.
type Opener func(t *testing.T, now func() time.Time) core.Store

// Run puts a store through the whole suite. Every implementation passes all of it.
func Run(t *testing.T, open Opener) {
	for _, g := range []struct {
		name string
		test func(*testing.T, Opener)
	}{
		{"moves", testMoves}, {"leases", testLeases}, {"claims", testClaims}, {"limits", testLimits}, {"sites", testSites},
		{"rounds", testRounds}, {"identities", testIdentities}, {"intents", testIntents}, {"reports", testReports},
		{"together", testTogether}, {"asks", testAsks}, {"people", testPeople}, {"keeping", testKeeping},
	} {
		t.Run(g.name, func(t *testing.T) { g.test(t, open) })
	}
}

// Clock is a clock that a test turns. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at ten in the morning, UTC.
func NewClock() *Clock { return &Clock{now: time.Date(2027, 1, 15, 10, 0, 0, 0, time.UTC)} }

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add turns the clock on.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const (
	lease = 30 * time.Second
	site  = "wiki.example.org"
	owner = "runner-1"
)

// room is a store under test.
type room struct {
	*testing.T
	core.Store
	ctx   context.Context
	clock *Clock
}

// newRoom opens a store in which owner runs site, three visits at a time, without pace.
func newRoom(t *testing.T, open Opener) *room {
	t.Helper()
	clock := NewClock()
	r := &room{T: t, Store: open(t, clock.Now), ctx: t.Context(), clock: clock}
	r.join(owner, limits(site, 3))
	return r
}

func limits(domain string, concurrency int) core.SiteLimits {
	return core.SiteLimits{Domain: domain, Driver: "test", Concurrency: concurrency}
}

func (r *room) join(owner string, sites ...core.SiteLimits) {
	r.Helper()
	r.must(r.Join(r.ctx, owner, lease))
	r.must(r.PutSites(r.ctx, owner, sites))
}

func (r *room) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *room) wants(err, want error) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Fatalf("error is %v, want %v", err, want)
	}
}

// equal compares what t.Fatalf then names.
func equal[V any](r *room, what string, got, want V) {
	r.Helper()
	if !reflect.DeepEqual(got, want) {
		r.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func newTask(id, domain string) core.Task {
	return core.Task{ID: id, RequestID: "r-" + id, Domain: domain, Kind: core.Onboard,
		Entity: core.Entity{Fields: map[string]core.Value{
			core.FieldEmail:    core.Text(id + "@mail.example"),
			core.FieldUsername: core.Text("user" + id),
			core.FieldPassword: core.Secret("password of " + id),
		}, Social: []string{"https://social.example/" + id}},
		Options: map[string]any{"author": "/by/", "deep": true, "n": 2.5}, Language: "vi"}
}

func (r *room) admit(ids ...string) {
	r.Helper()
	for _, id := range ids {
		r.admitTask(newTask(id, site))
	}
}

func (r *room) admitTask(t core.Task) {
	r.Helper()
	ok, err := Admit(r.ctx, r, t, time.Time{})
	r.must(err)
	equal(r, "admitted "+t.ID, ok, true)
}

func (r *room) claim() core.Record { r.Helper(); return r.claimFor(owner) }

func (r *room) claimFor(owner string) core.Record {
	r.Helper()
	rec, err := r.Claim(r.ctx, owner, lease, nil)
	if err != nil {
		next, _ := r.NextDue(r.ctx, owner)
		r.Fatalf("claim for %s: %v; next due %v, now %v", owner, err, next, r.clock.Now())
	}
	return rec
}

func (r *room) nothing(owner string) {
	r.Helper()
	rec, err := r.Claim(r.ctx, owner, lease, nil)
	if !errors.Is(err, core.ErrNothing) {
		r.Fatalf("claim gave task %q and error %v, want none", rec.ID, err)
	}
}

func (r *room) advance(l core.Lease, m core.Move) core.Record {
	r.Helper()
	rec, err := r.Advance(r.ctx, l, m)
	r.must(err)
	return rec
}

func (r *room) task(id string) core.Record {
	r.Helper()
	rec, err := r.Task(r.ctx, id)
	r.must(err)
	return rec
}

// move is the move to a state with all that the state demands.
func (r *room) move(id string, to core.State) core.Move {
	m := core.Move{To: to}
	switch to {
	case core.Delayed:
		m.Due = r.clock.Now().Add(time.Minute)
	case core.Intended:
		m.Intent = &core.Intent{Name: "submit", Driver: "test", Digest: "d1", Username: core.Text("user" + id),
			Email: core.Text(id + "@mail.example"), Password: core.Secret("password of " + id),
			Mark: core.MailMark{UIDValidity: 7, UIDNext: 42}, HasMark: true}
	case core.Reporting:
		m.Report = &core.Report{Complete: true, LinkProfile: "https://" + site + "/" + id, Password: core.Secret("other password"), Note: "n"}
	case core.Confirmed:
		m.Account = &core.Account{Username: core.Text("user" + id), Password: core.Secret("password of " + id), LinkProfile: "https://" + site + "/" + id}
	}
	return m
}

// paths are ways from ready to each state.
var paths = map[core.State][]core.State{
	core.Ready: {}, core.Starting: {core.Starting}, core.Prepared: {core.Starting, core.Prepared},
	core.Intended:  {core.Starting, core.Prepared, core.Intended},
	core.Submitted: {core.Starting, core.Prepared, core.Intended, core.Submitted},
	core.Refused:   {core.Starting, core.Prepared, core.Intended, core.Submitted, core.Refused},
	core.Confirmed: {core.Starting, core.Prepared, core.Confirmed},
	core.Profiled:  {core.Starting, core.Prepared, core.Confirmed, core.Profiled},
	core.Connected: {core.Starting, core.Prepared, core.Connected},
	core.Failed:    {core.Starting, core.Prepared, core.Failed},
	core.Unknown:   {core.Starting, core.Prepared, core.Unknown},
	core.Delayed:   {core.Starting, core.Prepared, core.Delayed},
	core.Held:      {core.Starting, core.Prepared, core.Held},
	core.Parked:    {core.Starting, core.Prepared, core.Parked},
	core.Reporting: {core.Starting, core.Prepared, core.Failed, core.Reporting},
	core.Reported:  {core.Starting, core.Prepared, core.Failed, core.Reporting, core.Reported},
	core.Overtaken: {core.Starting, core.Prepared, core.Failed, core.Reporting, core.Overtaken},
	core.Dropped:   {core.Dropped},
}

// reach brings a new task, the only one that is due, to a state.
func (r *room) reach(id string, to core.State) core.Record {
	r.Helper()
	r.admit(id)
	rec := r.claim()
	equal(r, "claimed", rec.ID, id)
	for _, s := range paths[to] {
		rec = r.step(rec, s)
	}
	return rec
}

// step moves a task along an edge by the method that the edge is for. A task
// without a lease is claimed again first, after what makes it due.
func (r *room) step(rec core.Record, to core.State) core.Record {
	r.Helper()
	switch rec.State {
	case core.Delayed:
		r.clock.Add(time.Minute)
		r.beat()
		rec = r.claim()
	case core.Parked:
		r.must(r.Retry(r.ctx, rec.ID, "ann"))
		rec = r.claim()
	case core.Reporting:
		it, err := r.ClaimReport(r.ctx, owner, lease)
		r.must(err)
		r.must(r.SettleReport(r.ctx, it, to, core.Event{Text: "settled"}))
		return r.task(rec.ID)
	case core.Reported, core.Overtaken, core.Dropped:
		r.admit(rec.ID)
		return r.task(rec.ID)
	}
	asked := func(a core.AskRow) bool { return a.TaskID == rec.ID }
	if to == core.Parked && !slices.ContainsFunc(r.asks(false), asked) { // a question keeps it there
		r.ask(rec.Lease, core.Ask{Kind: core.AskAct, Code: core.Contact, Say: "look"})
	}
	return r.advance(rec.Lease, r.move(rec.ID, to))
}

func (r *room) beat() {
	r.Helper()
	_, err := r.Beat(r.ctx, owner, lease)
	r.must(err)
}
