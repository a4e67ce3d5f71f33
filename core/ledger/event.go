package ledger

import (
	"context"
	"encoding/json"

	"github.com/rollcall-run/rollcall/core"
)

// addEvents appends to the task's time line and counts t.seq on; the caller
// stores it. An event without a time gets the transaction's, one without a
// kind is a log line, one without a state has the task's.
func (x *tx) addEvents(t *task, evs ...core.Event) error {
	for _, ev := range evs {
		when := micro(ev.At)
		if when == 0 {
			when = t.now
		}
		if ev.Kind == "" {
			ev.Kind = "log"
		}
		if ev.State == "" {
			ev.State = t.rec.State
		}
		if ev.Level == "" {
			ev.Level = "INFO"
		}
		attrs := ""
		if len(ev.Attrs) > 0 {
			b, err := json.Marshal(ev.Attrs)
			if err != nil {
				return err
			}
			attrs = string(b)
		}
		t.seq++
		if err := x.later(`INSERT INTO event (task_id, seq, at, kind, state, phase, level, text, attrs)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			t.rec.ID, t.seq, when, ev.Kind, string(ev.State), string(ev.Phase), ev.Level, plain(ev.Text), plain(attrs)); err != nil {
			return err
		}
	}
	return nil
}

// Events implements core.Admin.
func (l *Ledger) Events(ctx context.Context, id string) ([]core.Event, error) {
	var out []core.Event
	err := l.read(ctx, "read the events of task "+id, func(x *tx) error {
		out = nil
		return x.each(func(scan func(...any) error) error {
			var (
				ev    core.Event
				when  int64
				attrs string
			)
			if err := scan(&when, &ev.Kind, &ev.State, &ev.Phase, &ev.Level, &ev.Text, &attrs); err != nil {
				return err
			}
			ev.At = at(when)
			if attrs != "" {
				if err := json.Unmarshal([]byte(attrs), &ev.Attrs); err != nil {
					return err
				}
			}
			out = append(out, ev)
			return nil
		}, `SELECT at, kind, state, phase, level, text, attrs FROM event WHERE task_id = $1 ORDER BY seq`, id)
	})
	if err == nil && len(out) == 0 {
		_, err = l.Task(ctx, id)
	}
	return out, err
}
