package ledgertest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
)

// Memory is a ledger without a disk, for simulations that live through many
// short lives. It keeps the rules of the suite, as the databases do.
type Memory struct {
	now func() time.Time

	mu         sync.Mutex
	tasks      map[string]*row
	sites      map[string]*siteRow
	runners    map[string]time.Time // until when each is registered
	runs       map[string]map[string]core.SiteLimits
	identities map[string]booking
	outbox     []*outRow
	asks       []*askRow
	flags      map[string]string
	lister     string
	listUntil  time.Time
	numbers    int64
	subs       map[chan struct{}]struct{}
}

var _ core.Store = (*Memory)(nil)

// NewMemory returns an empty ledger whose clock is now.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, tasks: map[string]*row{}, sites: map[string]*siteRow{}, runners: map[string]time.Time{},
		runs: map[string]map[string]core.SiteLimits{}, identities: map[string]booking{}, flags: map[string]string{},
		subs: map[chan struct{}]struct{}{}}
}

// row is a task. What its record points to is never changed in place.
type row struct {
	rec     core.Record
	expires time.Time // of the lease, zero when there is none
	ended   time.Time // when it became final
	entity  string    // equal for entities that say the same
	secrets string
	events  []core.Event
	old     []*core.Intent // but the newest
}

// booking is a name of an account.
type booking struct{ task, secrets string }

type outRow struct {
	item    core.OutboxItem
	next    time.Time
	expires time.Time
}

// wake is when the task may be claimed, false for never.
func (t *row) wake() (time.Time, bool) {
	if !t.expires.IsZero() {
		return t.expires, true
	}
	return t.rec.Due, !t.rec.Due.IsZero()
}

// clock is the store's time, to the microsecond that databases keep.
func (m *Memory) clock() time.Time { return m.now().UTC().Truncate(time.Microsecond) }

func (m *Memory) number(prefix string) string {
	m.numbers++
	return fmt.Sprintf("%s%06d", prefix, m.numbers)
}

func (m *Memory) changed() {
	for c := range m.subs {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Subscribe implements core.Store.
func (m *Memory) Subscribe() (<-chan struct{}, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(chan struct{}, 1)
	m.subs[c] = struct{}{}
	return c, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if _, ok := m.subs[c]; ok {
			delete(m.subs, c)
			close(c)
		}
	}
}

// leased is a copy of the task's row for the owner of its live lease.
func (m *Memory) leased(l core.Lease) (*row, time.Time, error) {
	now := m.clock()
	t := m.tasks[l.TaskID]
	if t == nil || l.Owner == "" || t.rec.Lease != l || !t.expires.After(now) {
		return nil, now, core.ErrLeaseLost
	}
	held := *t
	return &held, now, nil
}

// write changes a leased task: what f does to it is stored when f succeeds.
func (m *Memory) write(ctx context.Context, l core.Lease, f func(t *row, now time.Time) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	t, now, err := m.leased(l)
	if err != nil {
		return err
	}
	if err := f(t, now); err != nil {
		return err
	}
	m.tasks[l.TaskID] = t
	return nil
}

// Advance implements core.Store.
func (m *Memory) Advance(ctx context.Context, l core.Lease, moves ...core.Move) (core.Record, error) {
	if len(moves) == 0 {
		return core.Record{}, errors.New("no move")
	}
	var rec core.Record
	err := m.write(ctx, l, func(t *row, now time.Time) error {
		for i, mv := range moves {
			if i > 0 && moves[i-1].To.Releases() {
				return fmt.Errorf("task %s: a move to %s follows one that gave the lease back", l.TaskID, mv.To)
			}
			if err := m.move(t, mv, now); err != nil {
				return err
			}
		}
		rec = t.rec
		t.rec.Delivery = nil
		return nil
	})
	if err != nil {
		return core.Record{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if moves[len(moves)-1].To.Releases() {
		m.changed()
	}
	return rec, nil
}

// move applies a move to a copy of a row. Everything that can fail comes before
// anything outside the row is changed.
func (m *Memory) move(t *row, mv core.Move, now time.Time) error {
	r, owner := &t.rec, t.rec.Lease.Owner
	if err := r.State.Move(mv.To); err != nil {
		return err
	}
	if mv.To == core.Delayed && mv.Due.IsZero() {
		return fmt.Errorf("task %s: waiting needs a due time", r.ID)
	}
	if (mv.To == core.Intended) != (mv.Intent != nil) || (mv.To == core.Reporting) != (mv.Report != nil) {
		return fmt.Errorf("task %s: an intent and a report belong to a move to their own state", r.ID)
	}
	if err := utf8Facts(mv.Facts); err != nil {
		return err
	}
	if err := m.intent(t, mv, now); err != nil {
		return err
	}
	if mv.Book != nil {
		if err := m.book(t, *mv.Book); err != nil {
			return err
		}
	}
	t.place(mv, now)
	if len(mv.Facts) > 0 {
		r.Facts = r.Facts.Merge(mv.Facts)
	}
	if len(mv.Fields) > 0 {
		fields := maps.Clone(r.Fields)
		if fields == nil {
			fields = map[string]string{}
		}
		maps.Copy(fields, mv.Fields)
		r.Fields = fields
	}
	if mv.Answer != nil {
		r.Answer = mv.Answer
	}
	if mv.Fault != "" {
		r.Fault = plain(mv.Fault)
	}
	if mv.Driver != "" {
		r.Driver, r.Digest = mv.Driver, mv.Digest
	}
	if mv.Account != nil {
		t.account(*mv.Account, now)
	}
	if mv.FreeIdentities {
		maps.DeleteFunc(m.identities, func(_ string, b booking) bool { return b.task == r.ID })
	}
	if state := m.asking(r.ID); mv.To == core.Parked && state != "open" {
		r.Due, r.AskExpired = now, state == "expired"
	}
	if mv.Report != nil {
		r.Done = mv.Report.Complete
		m.numbers++
		out := &outRow{next: now, item: core.OutboxItem{ID: m.numbers, TaskID: r.ID, Kind: r.Kind, Report: *mv.Report, Created: now}}
		if mv.Deliver > 0 {
			out.item.Owner, out.item.Epoch, out.expires = owner, 1, now.Add(mv.Deliver)
			it := out.item
			r.Delivery = &it
		}
		m.outbox = append(m.outbox, out)
	}
	if mv.To == core.Reporting || mv.To.Final() {
		m.closeAsks(r.ID, "")
	}
	ev := mv.Event
	ev.State = mv.To
	if ev.Kind == "" {
		ev.Kind = "state"
	}
	if ev.Phase == "" {
		ev.Phase = r.Phase
	}
	t.log(now, slices.Concat(mv.Events, []core.Event{ev})...)
	t.touch(now)
	return nil
}

func (t *row) touch(now time.Time) {
	t.rec.Updated, t.rec.Attempt = now, t.rec.Broken+1
}

// place applies what a move says about where the task stands and who has it.
func (t *row) place(mv core.Move, now time.Time) {
	r, from := &t.rec, t.rec.State
	waits := func(s core.State) bool { return s == core.Delayed || s == core.Held || s == core.Parked }
	switch {
	case !waits(mv.To):
		r.From = ""
	case !waits(from):
		r.From = from
	}
	switch {
	case mv.To == core.Delayed && r.WaitingSince.IsZero():
		r.WaitingSince = now
	case !waits(mv.To) && !waits(from):
		r.WaitingSince = time.Time{}
	}
	if mv.Phase != "" {
		r.Phase = mv.Phase
	}
	r.State, r.AskExpired = mv.To, false
	r.Done = r.Done && mv.To != core.Ready
	switch {
	case mv.To == core.Delayed, mv.To == core.Unknown:
		r.Due = stamp(mv.Due)
	case mv.To.Releases():
		r.Due = time.Time{}
	case mv.To == core.Ready && !mv.Due.IsZero():
		r.Due = stamp(mv.Due)
	default:
		r.Due = now
	}
	if mv.To.Releases() {
		t.release()
	}
	t.ended = time.Time{}
	if mv.To.Final() {
		t.ended = now
	}
}

func (t *row) release() { t.rec.Lease.Owner, t.expires = "", time.Time{} }

func (t *row) account(a core.Account, now time.Time) {
	r := &t.rec
	a.TaskID = r.ID
	a.Domain = cmp.Or(a.Domain, r.Domain)
	a.Driver = cmp.Or(a.Driver, r.Driver)
	if a.Created.IsZero() {
		if a.Created = now; r.Account != nil {
			a.Created = r.Account.Created
		}
	}
	a.Created = stamp(a.Created)
	r.Account = &a
}

// intent does what a move says about intents.
func (m *Memory) intent(t *row, mv core.Move, now time.Time) error {
	r := &t.rec
	open := r.Intent != nil && r.Intent.State == core.IntentOpen
	if mv.Committed || mv.End != "" {
		if !open {
			return fmt.Errorf("task %s has no open intent", r.ID)
		}
		in := *r.Intent
		in.Committed = in.Committed || mv.Committed
		if mv.End != "" {
			in.State = mv.End
		}
		r.Intent, open = &in, in.State == core.IntentOpen
	}
	if mv.Intent == nil {
		return nil
	}
	if open {
		return &ledger.OpenIntentError{TaskID: r.ID}
	}
	in := *mv.Intent
	email, username := normal(in.Email.Reveal(), false), normal(in.Username.Reveal(), false)
	if email == "" && username == "" {
		username = "task " + r.ID
	}
	in.Key = r.Domain + "\n" + email + "\n" + username
	for id, other := range m.tasks {
		for _, o := range append(other.old, other.rec.Intent) {
			if id != r.ID && o != nil && o.Key == in.Key && o.State == core.IntentOpen {
				return &ledger.OpenIntentError{TaskID: id}
			}
		}
	}
	in.ID, in.At, in.State, in.Committed = m.number("intent"), now, core.IntentOpen, false
	if r.Intent != nil {
		t.old = append(slices.Clone(t.old), r.Intent)
	}
	r.Intent = &in
	return nil
}

// log adds events to the row's time line.
func (t *row) log(now time.Time, evs ...core.Event) {
	t.events = slices.Clone(t.events)
	for _, ev := range evs {
		if ev.At.IsZero() {
			ev.At = now
		}
		ev.Kind, ev.Level = cmp.Or(ev.Kind, "log"), cmp.Or(ev.Level, "INFO")
		ev.State = cmp.Or(ev.State, t.rec.State)
		ev.Text = plain(ev.Text)
		t.events = append(t.events, ev)
	}
}

// Note implements core.Store.
func (m *Memory) Note(ctx context.Context, l core.Lease, facts core.Facts, ev ...core.Event) error {
	if err := utf8Facts(facts); err != nil {
		return err
	}
	return m.write(ctx, l, func(t *row, now time.Time) error {
		t.log(now, ev...)
		if len(facts) > 0 {
			t.rec.Facts = t.rec.Facts.Merge(facts)
			t.rec.Updated = now
		}
		return nil
	})
}

// Defer implements core.Store.
func (m *Memory) Defer(ctx context.Context, l core.Lease, due time.Time, broken bool, ev core.Event) error {
	return m.write(ctx, l, func(t *row, now time.Time) error {
		if t.rec.State.Final() || t.rec.State == core.Reporting {
			return &core.EdgeError{From: t.rec.State, To: t.rec.State}
		}
		t.rec.Due = stamp(due)
		if broken {
			t.rec.Broken++
		}
		if ev.Kind != "" || ev.Text != "" {
			t.log(now, ev)
		}
		t.release()
		t.touch(now)
		m.changed()
		return nil
	})
}
