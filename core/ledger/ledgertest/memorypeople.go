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

// asking is the state of the task's question that counts: one that is open, else
// one that is answered, else the last.
func (m *Memory) asking(task string) (state string) {
	rank := map[string]int{"open": 2, "answered": 1}
	for _, a := range m.asks {
		if a.row.TaskID == task && (state == "" || rank[a.row.State] >= rank[state]) {
			state = a.row.State
		}
	}
	return state
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
