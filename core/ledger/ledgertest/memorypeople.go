package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// askRow is a question with its answer.
type askRow struct {
	row    core.AskRow
	answer core.Answer
}

func (m *Memory) closeAsks(task, but string) {
	for _, a := range m.asks {
		if a.row.TaskID == task && a.row.State == "open" && a.row.ID != but {
			a.row.State = "closed"
		}
	}
}

func (m *Memory) ask(id string) *askRow {
	for _, a := range m.asks {
		if a.row.ID == id {
			return a
		}
	}
	return nil
}

// OpenAsk implements core.Store.
func (m *Memory) OpenAsk(ctx context.Context, l core.Lease, ask core.Ask, expires time.Time) (id string, got core.Answer, answered bool, err error) {
	err = m.write(ctx, l, func(t *row, now time.Time) error {
		var same *askRow
		for _, a := range m.asks {
			q := a.row.Ask
			if a.row.TaskID != l.TaskID || q.Kind != ask.Kind || q.Code != ask.Code || q.Say != ask.Say {
				continue
			}
			if a.row.State == "answered" {
				a.row.State = "used"
				id, got, answered = a.row.ID, a.answer, true
				return nil
			}
			if a.row.State == "open" && a.row.Expires.After(now) && same == nil {
				same = a
			}
		}
		if same == nil {
			same = &askRow{row: core.AskRow{ID: m.number("ask"), TaskID: l.TaskID, Domain: t.rec.Domain, Ask: ask, State: "open", Created: now, Expires: stamp(expires)}}
			m.asks = append(m.asks, same)
			t.log(now, core.Event{Kind: "ask", Phase: t.rec.Phase, Text: ask.Say})
		}
		id = same.row.ID
		m.closeAsks(l.TaskID, id)
		m.changed()
		return nil
	})
	return id, got, answered, err
}

// onAsk is a write on an ask of the leased task.
func (m *Memory) onAsk(ctx context.Context, l core.Lease, id string, f func(*askRow) error) error {
	return m.write(ctx, l, func(*row, time.Time) error {
		a := m.ask(id)
		if a == nil || a.row.TaskID != l.TaskID {
			return core.ErrUnknownAsk
		}
		return f(a)
	})
}

// TakeAnswer implements core.Store.
func (m *Memory) TakeAnswer(ctx context.Context, l core.Lease, id string) (got core.Answer, ok bool, err error) {
	err = m.onAsk(ctx, l, id, func(a *askRow) error {
		switch a.row.State {
		case "open":
			return nil
		case "answered":
			a.row.State, got, ok = "used", a.answer, true
			return nil
		}
		return core.ErrAskClosed
	})
	return got, ok, err
}

// CloseAsk implements core.Store.
func (m *Memory) CloseAsk(ctx context.Context, l core.Lease, id string) error {
	return m.onAsk(ctx, l, id, func(a *askRow) error {
		if a.row.State == "open" {
			a.row.State = "closed"
		}
		m.changed()
		return nil
	})
}

// SetShot implements core.Store.
func (m *Memory) SetShot(ctx context.Context, l core.Lease, id, path string) error {
	return m.onAsk(ctx, l, id, func(a *askRow) error { a.row.Shot = path; return nil })
}

// ExpireAsks implements core.Store.
func (m *Memory) ExpireAsks(context.Context) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, n := m.clock(), 0
	for _, a := range m.asks {
		if a.row.State != "open" || a.row.Expires.After(now) {
			continue
		}
		n++
		a.row.State = "expired"
		t := *m.tasks[a.row.TaskID]
		t.log(now, core.Event{Kind: "ask", Level: "WARN", Text: "nobody answered in time"})
		if t.rec.State == core.Parked && t.expires.IsZero() {
			t.rec.AskExpired, t.rec.Due = true, now
		}
		t.touch(now)
		m.tasks[a.row.TaskID] = &t
	}
	if n > 0 {
		m.changed()
	}
	return n, nil
}

// Asks implements core.Admin.
func (m *Memory) Asks(_ context.Context, all bool) ([]core.AskRow, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []core.AskRow
	for _, a := range m.asks {
		if all || a.row.State == "open" {
			r := a.row
			r.Held = r.State == "open" && m.tasks[r.TaskID].rec.State == core.Held
			out = append(out, r)
		}
	}
	return out, nil
}

// AnswerAsk implements core.Admin.
func (m *Memory) AnswerAsk(_ context.Context, id, text, by string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, now := m.ask(id), m.clock()
	switch {
	case a == nil:
		return core.ErrUnknownAsk
	case a.row.State != "open" || !a.row.Expires.After(now):
		return core.ErrAskClosed
	}
	t := *m.tasks[a.row.TaskID]
	parked := t.rec.State == core.Parked
	if a.row.Ask.Kind == core.AskAnswer && text == "" {
		if !parked {
			return errors.New("the page waits for an answer; give its text")
		}
		a.row.State = "used"
	} else {
		a.row.State, a.answer = "answered", core.Answer{By: by}
		if text != "" {
			a.answer.Text = core.Secret(text)
		}
	}
	t.log(now, core.Event{Kind: "ask", Text: by + " answered"})
	if parked && t.expires.IsZero() {
		t.rec.Due = now
	}
	t.touch(now)
	m.tasks[t.rec.ID] = &t
	m.changed()
	return nil
}

// person changes a task without a lease.
func (m *Memory) person(id string, f func(t *row, now time.Time) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tasks[id] == nil {
		return core.ErrUnknownTask
	}
	t := *m.tasks[id]
	if err := f(&t, m.clock()); err != nil {
		return err
	}
	m.tasks[id] = &t
	m.changed()
	return nil
}

// Resolve implements core.Admin.
func (m *Memory) Resolve(_ context.Context, id string, v core.Verdict, by string) error {
	return m.person(id, func(t *row, now time.Time) error {
		r := &t.rec
		if r.State != core.Unknown && (r.State != core.Parked || r.From != core.Unknown) {
			return fmt.Errorf("task %s is %s; only a task in unknown is resolved", id, r.State)
		}
		open := r.Intent != nil && r.Intent.State == core.IntentOpen
		mv := core.Move{Event: core.Event{Kind: "state", Text: fmt.Sprintf("%s resolved it as %s", by, v)}}
		switch v {
		case core.VerdictCreated:
			e := r.Entity
			a := core.Account{Username: e.Get(core.FieldUsername), Email: e.Get(core.FieldEmail), Password: e.Get(core.FieldPassword)}
			if r.Account != nil {
				a = *r.Account
			}
			if open {
				a.Username, a.Email, a.Password = r.Intent.Username, r.Intent.Email, r.Intent.Password
				mv.End = core.IntentDone
			}
			mv.To, mv.Phase, mv.Account = core.Confirmed, core.Login, &a
		case core.VerdictAbsent:
			mv.To, mv.Phase = core.Prepared, core.Register
			if open {
				mv.End = core.IntentAbsent
			}
		case core.VerdictFail:
			mv.To = core.Failed
		default:
			return fmt.Errorf("unknown verdict %q", v)
		}
		t.release()
		r.Lease.Epoch++
		return m.move(t, mv, now)
	})
}

// Retry implements core.Admin.
func (m *Memory) Retry(_ context.Context, id, by string) error {
	return m.person(id, func(t *row, now time.Time) error {
		switch {
		case t.rec.State.Final():
			return fmt.Errorf("task %s is %s", id, t.rec.State)
		case t.expires.After(now):
			return fmt.Errorf("task %s is being worked on by %s", id, t.rec.Lease.Owner)
		}
		t.log(now, core.Event{Kind: "state", Text: by + " asked for a retry"})
		if t.rec.State == core.Reporting {
			for _, o := range m.outbox {
				if o.item.TaskID == id {
					o.next = now
				}
			}
			return nil
		}
		t.rec.Due = now
		t.release()
		t.touch(now)
		return nil
	})
}

// Task implements core.Admin.
func (m *Memory) Task(_ context.Context, id string) (core.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.tasks[id]; t != nil {
		return t.rec, nil
	}
	return core.Record{}, core.ErrUnknownTask
}

// Tasks implements core.Admin.
func (m *Memory) Tasks(_ context.Context, f core.TaskFilter) ([]core.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []core.Record
	for _, id := range slices.Sorted(maps.Keys(m.tasks)) {
		r := m.tasks[id].rec
		if id <= f.After || f.Domain != "" && r.Domain != f.Domain || len(f.States) > 0 && !slices.Contains(f.States, r.State) {
			continue
		}
		limit := f.Limit
		if limit == 0 {
			limit = 100
		}
		if len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

// Events implements core.Admin.
func (m *Memory) Events(_ context.Context, id string) ([]core.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.tasks[id]; t != nil {
		return slices.Clone(t.events), nil
	}
	return nil, core.ErrUnknownTask
}

// Accounts implements core.Admin.
func (m *Memory) Accounts(_ context.Context, f func(core.Account) error) error {
	m.mu.Lock()
	var all []core.Account
	for _, t := range m.tasks {
		if t.rec.Account != nil {
			all = append(all, *t.rec.Account)
		}
	}
	m.mu.Unlock()
	slices.SortFunc(all, func(a, b core.Account) int { return a.Created.Compare(b.Created) })
	for _, a := range all {
		if err := f(a); err != nil {
			return err
		}
	}
	return nil
}

// Flag implements core.Store.
func (m *Memory) Flag(_ context.Context, name string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.flags[name], nil
}

// SetFlag implements core.Store.
func (m *Memory) SetFlag(_ context.Context, name, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.flags[name] = value
	return nil
}

// Backup implements core.Admin.
func (m *Memory) Backup(context.Context, string) error {
	return errors.New("a ledger in memory has no copy on disk")
}

// Close implements core.Store.
func (m *Memory) Close() error { return nil }

// claimed is the report for the one who holds its live lease.
func (m *Memory) claimed(it core.OutboxItem, now time.Time) *outRow {
	for _, o := range m.outbox {
		if o.item.ID == it.ID && o.item.TaskID == it.TaskID && it.Owner != "" && o.item.Owner == it.Owner && o.item.Epoch == it.Epoch && o.expires.After(now) {
			return o
		}
	}
	return nil
}

// due is when a report may be claimed.
func (o *outRow) due() time.Time {
	if !o.expires.IsZero() {
		return o.expires
	}
	return o.next
}

func (m *Memory) firstReport() *outRow {
	var first *outRow
	for _, o := range m.outbox {
		if first == nil || o.due().Before(first.due()) {
			first = o
		}
	}
	return first
}

// ClaimReport implements core.Store.
func (m *Memory) ClaimReport(_ context.Context, owner string, lease time.Duration) (core.OutboxItem, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	o := m.firstReport()
	if o == nil || o.due().After(now) {
		return core.OutboxItem{}, core.ErrNothing
	}
	o.item.Owner, o.expires = owner, now.Add(lease)
	o.item.Epoch++
	return o.item, nil
}

// NextReport implements core.Store.
func (m *Memory) NextReport(context.Context) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.firstReport(); o != nil {
		return o.due(), nil
	}
	return time.Time{}, nil
}

// SettleReport implements core.Store.
func (m *Memory) SettleReport(_ context.Context, it core.OutboxItem, to core.State, ev core.Event) error {
	if to != core.Reported && to != core.Overtaken {
		return fmt.Errorf("a report ends in reported or overtaken, not in %s", to)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	o := m.claimed(it, now)
	if o == nil {
		return core.ErrLeaseLost
	}
	t := *m.tasks[it.TaskID]
	if err := m.move(&t, core.Move{To: to, Event: ev}, now); err != nil {
		return err
	}
	m.tasks[it.TaskID] = &t
	m.outbox = slices.DeleteFunc(m.outbox, func(x *outRow) bool { return x == o })
	m.changed()
	return nil
}

// DeferReport implements core.Store.
func (m *Memory) DeferReport(_ context.Context, it core.OutboxItem, next time.Time, ev core.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	o := m.claimed(it, now)
	if o == nil {
		return core.ErrLeaseLost
	}
	t := *m.tasks[it.TaskID]
	t.log(now, ev)
	m.tasks[it.TaskID] = &t
	o.item.Owner, o.expires, o.next = "", time.Time{}, stamp(next)
	o.item.Tries++
	m.changed()
	return nil
}

// Retain implements core.Store.
func (m *Memory) Retain(_ context.Context, before time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for id, t := range m.tasks {
		if t.ended.IsZero() || !t.ended.Before(before) {
			continue
		}
		n++
		delete(m.tasks, id)
		m.asks = slices.DeleteFunc(m.asks, func(a *askRow) bool { return a.row.TaskID == id })
		for key, b := range m.identities {
			if b.task == id {
				m.identities[key] = booking{}
			}
		}
	}
	return n, nil
}
