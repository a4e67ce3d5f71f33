package ledger

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// task is a row with its record.
type task struct {
	rec        core.Record
	now        int64         // the clock of the transaction that read it
	expires    sql.NullInt64 // of the lease
	held       bool          // it was leased when it was read
	ended      sql.NullInt64
	seq        int64 // of the last event
	entityMac  []byte
	secretsMac []byte
	facts      []byte // sealed, as are the next ones
	answer     []byte
	intentID   string

	newFacts, newAnswer bool // to be sealed again
}

// parts are what stands in other tables.
type parts struct {
	entity        []byte
	intentKey     []byte
	intentState   sql.NullString
	committed     sql.NullBool
	intentAt      sql.NullInt64
	intentName    sql.NullString
	intentDriver  sql.NullString
	intentDigest  sql.NullString
	intent        []byte
	accountDomain sql.NullString
	accountDriver sql.NullString
	accountAt     sql.NullInt64
	account       []byte
}

const taskColumns = `t.id, t.request_id, t.domain, t.kind, t.state, t.from_state, t.phase, t.driver, t.digest, t.round, t.broken,
	t.changed, t.new_secrets, t.entity_mac, t.secrets_mac, t.facts, t.answer, t.fault, t.intent_id, t.waiting_since, t.ask_expired, t.done,
	t.due, t.owner, t.epoch, t.expires, t.ended, t.seq, t.created, t.updated`

const (
	partColumns     = `e.sealed, ` + morePartColumns
	morePartColumns = `i.key, i.state, i.committed, i.at, i.name, i.driver, i.digest, i.sealed, a.domain, a.driver, a.created, a.sealed`
)

// taskTimes are the columns that are not of the record's own type.
type taskTimes struct {
	waiting, created, updated int64
	due                       sql.NullInt64
}

func (t *task) columns(w *taskTimes) []any {
	r := &t.rec
	return []any{&r.ID, &r.RequestID, &r.Domain, &r.Kind, &r.State, &r.From, &r.Phase, &r.Driver, &r.Digest, &r.Round, &r.Broken,
		&r.Changed, &r.NewSecrets, &t.entityMac, &t.secretsMac, &t.facts, &t.answer, &r.Fault, &t.intentID, &w.waiting, &r.AskExpired, &r.Done,
		&w.due, &r.Lease.Owner, &r.Lease.Epoch, &t.expires, &t.ended, &t.seq, &w.created, &w.updated}
}

func (t *task) times(w *taskTimes) {
	r := &t.rec
	r.Lease.TaskID = r.ID
	r.Attempt = r.Broken + 1
	r.WaitingSince, r.Created, r.Updated = at(w.waiting), at(w.created), at(w.updated)
	if w.due.Valid {
		r.Due = at(w.due.Int64)
	}
}

func (p *parts) columns() []any {
	return []any{&p.entity, &p.intentKey, &p.intentState, &p.committed, &p.intentAt, &p.intentName, &p.intentDriver, &p.intentDigest,
		&p.intent, &p.accountDomain, &p.accountDriver, &p.accountAt, &p.account}
}

// hold reads a task and locks its row until the transaction ends.
// core.ErrUnknownTask when there is none.
func (x *tx) hold(id string) (*task, error) {
	return x.holdAs(`SELECT {now}, `+taskColumns+` FROM task t WHERE t.id = $2 {for update}`, x.l.clock(), id)
}

func (x *tx) holdAs(query string, args ...any) (*task, error) {
	t := &task{}
	var w taskTimes
	err := x.row(query, args...).Scan(append([]any{&t.now}, t.columns(&w)...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, core.ErrUnknownTask
	}
	if err != nil {
		return nil, err
	}
	t.times(&w)
	t.held = t.expires.Valid
	return t, nil
}

// leased is hold for the owner of a lease: core.ErrLeaseLost for anybody else.
func (x *tx) leased(l core.Lease) (*task, error) {
	t, err := x.hold(l.TaskID)
	if errors.Is(err, core.ErrUnknownTask) {
		return nil, core.ErrLeaseLost
	}
	if err != nil {
		return nil, err
	}
	if l.Owner == "" || t.rec.Lease != l || t.expires.Int64 <= t.now {
		return nil, core.ErrLeaseLost
	}
	return t, nil
}

// fill reads and opens what a record has in other tables and in sealed columns.
func (x *tx) fill(t *task) error {
	var p parts
	query, created := fillQuery, micro(t.rec.Created)
	kept := x.l.entities.into(t, created)
	if kept {
		query = fillMoreQuery
	}
	err := x.row(query, t.rec.ID).Scan(p.columns()...)
	if err != nil {
		return err
	}
	if kept {
		return x.l.openMore(t, &p)
	}
	if err := x.l.open(t, &p); err != nil {
		return err
	}
	x.l.entities.keep(t, created)
	return nil
}

const (
	fillQuery = `SELECT ` + partColumns + ` FROM task t JOIN entity e ON e.task_id = t.id LEFT JOIN intent i ON i.id = t.intent_id
		LEFT JOIN account a ON a.task_id = t.id WHERE t.id = $1`
	// fillMoreQuery is fillQuery without the entity.
	fillMoreQuery = `SELECT NULL, ` + morePartColumns + ` FROM task t LEFT JOIN intent i ON i.id = t.intent_id
		LEFT JOIN account a ON a.task_id = t.id WHERE t.id = $1`
)

// expectFill says that fill comes after the next row, which is the task's.
func (x *tx) expectFill(id string) {
	query := fillQuery
	if x.l.entities.has(id) {
		query = fillMoreQuery
	}
	x.expect(query, id)
}

// open opens what a row of the task and its parts hold.
func (l *Ledger) open(t *task, p *parts) error {
	var e entityDoc
	if err := l.unseal(p.entity, &e, "entity", t.rec.ID, "entity"); err != nil {
		return err
	}
	e.into(&t.rec.Task)
	return l.openMore(t, p)
}

// openMore is open for all but the entity.
func (l *Ledger) openMore(t *task, p *parts) error {
	r := &t.rec
	var f factsDoc
	if err := l.unseal(t.facts, &f, "task", r.ID, "facts"); err != nil {
		return err
	}
	r.Facts, r.Fields = valuesOf(f.Facts), f.Fields
	if len(t.answer) > 0 {
		var a answerDoc
		if err := l.unseal(t.answer, &a, "task", r.ID, "answer"); err != nil {
			return err
		}
		r.Answer = &core.Outcome{Status: a.Status, Code: a.Code, Reason: a.Reason, Field: a.Field, Facts: valuesOf(a.Facts),
			After: a.After, Fields: a.Fields}
	}
	if p.intent != nil {
		var d intentDoc
		if err := l.unseal(p.intent, &d, "intent", t.intentID, "intent"); err != nil {
			return err
		}
		r.Intent = &core.Intent{ID: t.intentID, Key: hexOf(p.intentKey), Name: p.intentName.String, Driver: p.intentDriver.String,
			Digest: p.intentDigest.String, Username: d.Username.value(), Email: d.Email.value(), Password: d.Password.value(),
			Mark: d.Mark, HasMark: d.HasMark, At: at(p.intentAt.Int64), State: core.IntentState(p.intentState.String),
			Committed: p.committed.Bool}
	}
	if p.account != nil {
		a, err := l.accountOf(r.ID, p.accountDomain.String, p.accountDriver.String, p.accountAt.Int64, p.account)
		if err != nil {
			return err
		}
		r.Account = &a
	}
	return nil
}

// Task implements core.Admin.
func (l *Ledger) Task(ctx context.Context, id string) (core.Record, error) {
	rs, err := l.records(ctx, `t.id = $1`, 1, id)
	if err != nil {
		return core.Record{}, err
	}
	if len(rs) == 0 {
		return core.Record{}, core.ErrUnknownTask
	}
	return rs[0], nil
}

// Tasks implements core.Admin.
func (l *Ledger) Tasks(ctx context.Context, f core.TaskFilter) ([]core.Record, error) {
	where, args := []string{`t.id > $1`}, []any{f.After}
	if f.Domain != "" {
		args = append(args, f.Domain)
		where = append(where, `t.domain = $`+strconv.Itoa(len(args)))
	}
	if len(f.States) > 0 {
		var marks []string
		for _, s := range f.States {
			args = append(args, string(s))
			marks = append(marks, `$`+strconv.Itoa(len(args)))
		}
		where = append(where, `t.state IN (`+strings.Join(marks, `, `)+`)`)
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 100
	}
	return l.records(ctx, strings.Join(where, ` AND `), limit, args...)
}

func (l *Ledger) records(ctx context.Context, where string, limit int, args ...any) ([]core.Record, error) {
	var out []core.Record
	err := l.read(ctx, "read tasks", func(x *tx) error {
		out = nil
		return x.each(func(scan func(...any) error) error {
			var (
				t task
				w taskTimes
				p parts
			)
			if err := scan(append(t.columns(&w), p.columns()...)...); err != nil {
				return err
			}
			t.times(&w)
			if err := l.open(&t, &p); err != nil {
				return err
			}
			out = append(out, t.rec)
			return nil
		}, `SELECT `+taskColumns+`, `+partColumns+` FROM task t JOIN entity e ON e.task_id = t.id
			LEFT JOIN intent i ON i.id = t.intent_id LEFT JOIN account a ON a.task_id = t.id
			WHERE `+where+` ORDER BY t.id LIMIT `+strconv.Itoa(limit), args...)
	})
	return out, err
}

// at is the moment of a stored time; 0 is the zero time.
func at(micro int64) time.Time {
	if micro == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micro).UTC()
}

// micro is a time as it is stored.
func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// orNull stores the zero time as NULL.
func orNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// blob stores an empty text as NULL.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
