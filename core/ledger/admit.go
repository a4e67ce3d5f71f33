package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// lookBatch is how many ids one statement of Look asks for.
const lookBatch = 100

// Look implements core.Store.
func (l *Ledger) Look(ctx context.Context, tasks []core.Task) (map[string]core.Known, error) {
	out := make(map[string]core.Known, len(tasks))
	byID := make(map[string]core.Task, len(tasks))
	ids := make([]string, 0, len(tasks))
	for _, t := range tasks {
		if _, twice := byID[t.ID]; !twice {
			ids = append(ids, t.ID)
		}
		byID[t.ID] = t
	}
	err := l.read(ctx, "look tasks up", func(x *tx) error {
		for rest := ids; len(rest) > 0; rest = rest[min(lookBatch, len(rest)):] {
			args := make([]any, lookBatch)
			for i := range args {
				args[i] = rest[min(i, len(rest)-1)]
			}
			err := x.each(func(scan func(...any) error) error {
				var (
					id              string
					k               core.Known
					entity, secrets []byte
					updated         int64
				)
				if err := scan(&id, &k.State, &k.Round, &entity, &secrets, &updated); err != nil {
					return err
				}
				k.Updated = at(updated)
				if k.State.Final() {
					mac, err := l.entityMac(byID[id])
					if err != nil {
						return err
					}
					k.SameEntity = string(mac) == string(entity)
					k.SameCredentials = string(l.secretsMac(byID[id])) == string(secrets)
				}
				out[id] = k
				return nil
			}, lookQuery, args...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

var lookQuery = `SELECT id, state, round, entity_mac, secrets_mac, updated FROM task WHERE id IN (` + marks(1, lookBatch) + `)`

// marks is "$first, … $last".
func marks(first, last int) string {
	var b strings.Builder
	for i := first; i <= last; i++ {
		if i > first {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(i))
	}
	return b.String()
}

// Admit implements core.Store.
func (l *Ledger) Admit(ctx context.Context, tasks []core.Task, due time.Time) ([]core.Admission, error) {
	out := make([]core.Admission, len(tasks))
	var order []int // by id: two that admit the same tasks don't wait for each other
	for i, t := range tasks {
		switch err := utf8Of(t); {
		case t.ID == "" || t.Domain == "":
			out[i].Err = errors.New("ledger: a task needs an id and a domain")
		case err != nil:
			out[i].Err = fmt.Errorf("ledger: %w", err)
		default:
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(tasks[a].ID, tasks[b].ID) })
	for part := range slices.Chunk(order, admitBatch) {
		err := l.write(ctx, fmt.Sprintf("admit %d tasks, the first of them %s", len(part), tasks[part[0]].ID), func(x *tx) error {
			now, err := x.time()
			if err != nil {
				return err
			}
			wake := map[string]int64{} // by domain
			for _, i := range part {
				out[i] = core.Admission{}
				var odd *oddTaskError
				switch at, err := x.admit(tasks[i], due, now); {
				case errors.As(err, &odd):
					out[i].Err = err
				case err != nil:
					return err
				case at != 0:
					out[i].OK = true
					if had, ok := wake[tasks[i].Domain]; !ok || at < had {
						wake[tasks[i].Domain] = at
					}
				}
			}
			for _, domain := range slices.Sorted(maps.Keys(wake)) { // the sites' rows last, and in order
				if err := x.wakeSite(domain, wake[domain], now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(out, func(a core.Admission) bool { return a.OK }) {
		l.changed()
	}
	return out, nil
}

// admitBatch is how many tasks one transaction admits at most: others wait for it.
const admitBatch = 100

// oddTaskError is of a task that can't be admitted, and stores nothing of it.
type oddTaskError struct{ error }

func (e *oddTaskError) Unwrap() error { return e.error }

// admit makes a task ready and returns when it is due, 0 for one that is under way.
func (x *tx) admit(task core.Task, due time.Time, now int64) (int64, error) {
	dueAt := now
	if !due.IsZero() {
		dueAt = due.UnixMicro()
	}
	added, err := x.admitNew(task, dueAt, now)
	if added || err != nil {
		return dueAt, err
	}
	t, err := x.hold(task.ID)
	if errors.Is(err, core.ErrUnknownTask) { // it was deleted this moment; the next list brings it again
		return 0, nil
	}
	if err != nil || !t.rec.State.Final() {
		return 0, err
	}
	return dueAt, x.admitAgain(t, task, at(dueAt))
}

// admitNew adds a task, false when it is known.
func (x *tx) admitNew(in core.Task, due, now int64) (bool, error) {
	t := &task{rec: core.Record{Task: in, State: core.Ready, Round: 1}, now: now}
	var err error
	if t.entityMac, err = x.l.entityMac(in); err != nil {
		return false, &oddTaskError{err}
	}
	var facts []byte
	if len(in.Facts) > 0 {
		if err := utf8Facts(in.ID, in.Facts); err != nil {
			return false, &oddTaskError{err}
		}
		if facts, err = x.seal(factsDoc{Facts: valuesDoc(in.Facts)}, "task", in.ID, "facts"); err != nil {
			return false, err
		}
	}
	n, err := x.exec(`INSERT INTO task (id, request_id, domain, kind, state, from_state, phase, driver, digest, round, broken, changed,
		new_secrets, entity_mac, secrets_mac, facts, fault, intent_id, waiting_since, ask_expired, due, owner, epoch, seq, created, updated)
		VALUES ($1, $2, $3, $4, 'ready', '', '', '', '', 1, 0, 0, 0, $5, $6, $7, '', '', 0, 0, $8, '', 0, 1, $9, $9)
		ON CONFLICT (id) DO NOTHING`,
		in.ID, in.RequestID, in.Domain, string(in.Kind), t.entityMac, x.l.secretsMac(in), blob(facts), due, now)
	if err != nil || n == 0 { // n == 0: it is known
		return false, err
	}
	sealed, err := x.seal(entityDocOf(in), "entity", in.ID, "entity")
	if err != nil {
		return false, err
	}
	x.l.entities.drop(in.ID)
	if err := x.later(`INSERT INTO entity (task_id, sealed) VALUES ($1, $2)`, in.ID, sealed); err != nil {
		return false, err
	}
	return true, x.addEvents(t, core.Event{Kind: "state", Text: "listed by the task manager"})
}

func (x *tx) admitAgain(t *task, in core.Task, due time.Time) error {
	r := &t.rec
	if r.Domain != in.Domain {
		return &oddTaskError{fmt.Errorf("the task manager moved it from %s to %s, which a known task can't follow; give the work a new id", r.Domain, in.Domain)}
	}
	if err := x.fill(t); err != nil {
		return err
	}
	mac, err := x.l.entityMac(in)
	if err != nil {
		return &oddTaskError{err}
	}
	secrets := x.l.secretsMac(in)
	r.Changed, r.NewSecrets = string(mac) != string(t.entityMac), string(secrets) != string(t.secretsMac)
	t.entityMac, t.secretsMac = mac, secrets
	facts := r.Facts
	r.Task = in
	r.Facts = facts
	r.Round++
	r.Broken, r.Fault, r.Phase, r.WaitingSince = 0, "", "", time.Time{}
	sealed, err := x.seal(entityDocOf(in), "entity", in.ID, "entity")
	if err != nil {
		return err
	}
	x.l.entities.drop(in.ID)
	if err := x.later(`UPDATE entity SET sealed = $2 WHERE task_id = $1`, in.ID, sealed); err != nil {
		return err
	}
	return x.move(t, core.Move{To: core.Ready, Due: due,
		Event: core.Event{Text: "listed again by the task manager, round " + strconv.Itoa(r.Round)}})
}

// first runs a query of one row; found is false when there is none.
func (x *tx) first(dest []any, query string, args ...any) (found bool, err error) {
	err = x.row(query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
