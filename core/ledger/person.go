package ledger

import (
	"context"
	"fmt"

	"github.com/rollcall-run/rollcall/core"
)

// Resolve implements core.Admin. A task that is parked while unknown can be
// resolved as well. A runner that is probing it loses its lease.
func (l *Ledger) Resolve(ctx context.Context, id string, v core.Verdict, by string) error {
	err := l.write(ctx, "resolve task "+id, func(x *tx) error {
		t, err := x.hold(id)
		if err != nil {
			return err
		}
		if err := x.fill(t); err != nil {
			return err
		}
		r := &t.rec
		if r.State != core.Unknown && (r.State != core.Parked || r.From != core.Unknown) {
			return fmt.Errorf("task %s is %s; only a task in unknown is resolved", id, r.State)
		}
		open := r.Intent != nil && r.Intent.State == core.IntentOpen
		m := core.Move{Event: core.Event{Kind: "state", Text: fmt.Sprintf("%s resolved it as %s", by, v)}}
		switch v {
		case core.VerdictCreated:
			m.To, m.Phase = core.Confirmed, core.Login
			m.Account = t.made()
			if open {
				m.End = core.IntentDone
			}
		case core.VerdictAbsent:
			m.To, m.Phase = core.Prepared, core.Register
			if open {
				m.End = core.IntentAbsent
			}
		case core.VerdictFail:
			// The intent stays open: nothing is proved, and a later round must probe.
			m.To = core.Failed
		default:
			return fmt.Errorf("unknown verdict %q; known are %s, %s, %s", v, core.VerdictCreated, core.VerdictAbsent, core.VerdictFail)
		}
		t.release()
		r.Lease.Epoch++
		return x.move(t, m)
	})
	if err == nil {
		l.changed()
	}
	return err
}

// made is the account that the task's intent must have made, with the entity's
// credentials where no intent says otherwise.
func (t *task) made() *core.Account {
	e := t.rec.Entity
	a := core.Account{Username: e.Get(core.FieldUsername), Email: e.Get(core.FieldEmail), Password: e.Get(core.FieldPassword)}
	if old := t.rec.Account; old != nil {
		a = *old
	}
	if in := t.rec.Intent; in != nil && in.State == core.IntentOpen {
		set := func(to *core.Value, v core.Value) {
			if !v.Empty() {
				*to = v
			}
		}
		set(&a.Username, in.Username)
		set(&a.Email, in.Email)
		set(&a.Password, in.Password)
	}
	return &a
}

// Retry implements core.Admin. For a task whose report is on its way, the
// report is tried at once.
func (l *Ledger) Retry(ctx context.Context, id, by string) error {
	err := l.write(ctx, "retry task "+id, func(x *tx) error {
		t, err := x.hold(id)
		if err != nil {
			return err
		}
		r := &t.rec
		switch {
		case r.State.Final():
			return fmt.Errorf("task %s is %s; it begins again when the task manager lists it", id, r.State)
		case t.expires.Valid && t.expires.Int64 > t.now:
			return fmt.Errorf("task %s is being worked on by %s", id, r.Lease.Owner)
		}
		if err := x.addEvents(t, core.Event{Kind: "state", Text: by + " asked for a retry"}); err != nil {
			return err
		}
		if r.State == core.Reporting {
			if _, err := x.exec(`UPDATE outbox SET next_at = $2 WHERE task_id = $1`, id, t.now); err != nil {
				return err
			}
			_, err := x.exec(`UPDATE task SET seq = $2 WHERE id = $1`, id, t.seq)
			return err
		}
		r.Due = at(t.now)
		t.release()
		return x.save(t)
	})
	if err == nil {
		l.changed()
	}
	return err
}

// Flag implements core.Store.
func (l *Ledger) Flag(ctx context.Context, name string) (string, error) {
	var value string
	err := l.read(ctx, "read the flag "+name, func(x *tx) error {
		_, err := x.first([]any{&value}, `SELECT value FROM flag WHERE name = $1`, name)
		return err
	})
	return value, err
}

// SetFlag implements core.Store.
func (l *Ledger) SetFlag(ctx context.Context, name, value string) error {
	return l.write(ctx, "set the flag "+name, func(x *tx) error {
		if value == "" {
			_, err := x.exec(`DELETE FROM flag WHERE name = $1`, name)
			return err
		}
		_, err := x.exec(`INSERT INTO flag (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
		return err
	})
}
