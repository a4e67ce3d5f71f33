package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/rollcall-run/rollcall/core"
)

// addEvents appends to the task's time line and counts t.seq on; the caller
// stores it. An event without a time gets the transaction's, one without a
// kind is a log line, one without a state has the task's.
func (x *tx) addEvents(t *task, evs ...core.Event) error {
	for part := range slices.Chunk(evs, eventRows) {
		args := make([]any, 0, 1+8*len(part))
		args = append(args, t.rec.ID)
		for _, ev := range part {
			when := micro(ev.At)
			if when == 0 {
				when = t.now
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
			args = append(args, t.seq, when, cmp.Or(ev.Kind, "log"), string(cmp.Or(ev.State, t.rec.State)), string(ev.Phase),
				cmp.Or(ev.Level, "INFO"), plain(ev.Text), plain(attrs))
		}
		if err := x.later(addEventQueries[len(part)-1], args...); err != nil {
			return err
		}
	}
	return nil
}

// eventRows is how many events one statement adds at most.
const eventRows = 4

// addEventQueries are the statements that add one event, two and so on.
var addEventQueries = func() (queries [eventRows]string) {
	query := `INSERT INTO event (task_id, seq, at, kind, state, phase, level, text, attrs) VALUES `
	for i := range queries {
		if i > 0 {
			query += ", "
		}
		query += `($1, ` + marks(2+8*i, 9+8*i) + `)`
		queries[i] = query
	}
	return queries
}()

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
