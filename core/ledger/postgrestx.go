package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// transactionLimit is when a transaction that the server does not answer is given up.
const transactionLimit = 30 * time.Second

// postgresTx is a transaction. It begins with its first statement, two queries may be
// asked together, and what it puts off goes to the server with the commit: each
// is one round trip.
type postgresTx struct {
	conn     *pgx.Conn
	begun    bool
	batch    pgx.Batch        // what was put off
	expected *question        // what will be asked for after the next row
	ahead    *question        // what was asked for and not read yet
	answers  pgx.BatchResults // of ahead
}

// question is a query with its arguments.
type question struct {
	query string
	args  []any
}

func (d *postgresDB) transact(ctx context.Context, f func(context.Context, writer) error) error {
	for try := 1; ; try++ {
		committing, err := d.once(ctx, f)
		if err == nil || try == tries || ctx.Err() != nil || !rolledBack(err, committing) {
			return err
		}
	}
}

// rolledBack is true for what the server rolled back on its own, for a
// connection that broke before the commit, and for an intent that another
// runner opened in the same moment: the second run reports it.
func rolledBack(err error, committing bool) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		var broken *net.OpError
		return !committing && (pgconn.SafeToRetry(err) || errors.As(err, &broken) || errors.Is(err, io.ErrUnexpectedEOF) ||
			errors.Is(err, io.EOF) || errors.Is(err, driver.ErrBadConn))
	}
	const serializationFailure, deadlock, unique, adminShutdown = "40001", "40P01", "23505", "57P01"
	switch e.Code {
	case serializationFailure, deadlock, idleInTransaction: // the last one comes before a commit was sent
		return true
	case unique:
		return e.ConstraintName == "intent_open"
	case adminShutdown:
		return !committing
	}
	return false
}

func (d *postgresDB) again(err error) bool { return rolledBack(err, false) }

func (d *postgresDB) once(ctx context.Context, f func(context.Context, writer) error) (committing bool, err error) {
	// A caller that gives up must not leave a commit in doubt: the transaction
	// ends by itself, soon.
	run, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionLimit)
	defer cancel()
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return false, err
	}
	raw := conn.Raw(func(c any) error {
		t := &postgresTx{conn: c.(*stdlib.Conn).Conn()}
		if err = f(run, t); err == nil {
			committing, err = t.commit(run)
		}
		if err != nil {
			return t.rollback(run)
		}
		return nil
	})
	if err == nil {
		err = raw // what kept it from running; after a failure it says that the connection is of no use any more
	}
	if bad := conn.Close(); bad != nil && !errors.Is(bad, sql.ErrConnDone) && !errors.Is(bad, driver.ErrBadConn) {
		err = errors.Join(err, bad)
	}
	return committing, err
}

// later implements writer.
func (t *postgresTx) later(_ context.Context, query string, args ...any) error {
	t.batch.Queue(query, args...)
	return nil
}

// expect implements writer.
func (t *postgresTx) expect(query string, args ...any) { t.expected = &question{query, args} }

func (t *postgresTx) begin(ctx context.Context) error {
	if err := t.settle(); err != nil || t.begun {
		return err
	}
	_, err := t.conn.Exec(ctx, "BEGIN")
	t.begun = err == nil
	return err
}

// settle ends the reading of answers that nobody wanted after all.
func (t *postgresTx) settle() error {
	if t.answers == nil {
		return nil
	}
	answers := t.answers
	t.answers, t.ahead = nil, nil
	return answers.Close()
}

func (t *postgresTx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := t.begin(ctx); err != nil {
		return 0, err
	}
	tag, err := t.conn.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

func (t *postgresTx) each(ctx context.Context, f func(scan func(...any) error) error, query string, args ...any) error {
	rows, done, err := t.ask(ctx, question{query, args})
	if err != nil {
		return err
	}
	scan := func(dest ...any) error { return rows.Scan(loose(dest)...) }
	for rows.Next() {
		if err = f(scan); err != nil {
			break
		}
	}
	rows.Close()
	return cmp.Or(err, rows.Err(), done())
}

func (t *postgresTx) row(ctx context.Context, query string, args ...any) scanner {
	return postgresRow{t, ctx, question{query, args}}
}

// postgresRow is a row that is asked for at Scan.
type postgresRow struct {
	t   *postgresTx
	ctx context.Context
	q   question
}

func (r postgresRow) Scan(dest ...any) error {
	rows, done, err := r.t.ask(r.ctx, r.q)
	if err != nil {
		return err
	}
	if found := rows.Next(); found {
		err = rows.Scan(loose(dest)...)
	} else if err = rows.Err(); err == nil {
		err = sql.ErrNoRows
	}
	rows.Close()
	return cmp.Or(err, rows.Err(), done())
}

// ask sends a query, together with the transaction's begin and with the query that is
// expected next, or reads the answer of the one that was. done is called when the
// rows are closed.
func (t *postgresTx) ask(ctx context.Context, q question) (rows pgx.Rows, done func() error, err error) {
	if t.ahead != nil && t.ahead.same(q) {
		rows, err := t.answers.Query()
		return rows, t.settle, err
	}
	if err := t.settle(); err != nil {
		return nil, nil, err
	}
	next := t.expected
	t.expected = nil
	if t.begun && next == nil {
		rows, err := t.conn.Query(ctx, q.query, q.args...)
		return rows, func() error { return nil }, err
	}
	var b pgx.Batch
	if !t.begun {
		b.Queue("BEGIN")
	}
	b.Queue(q.query, q.args...)
	if next != nil {
		b.Queue(next.query, next.args...)
	}
	answers := t.conn.SendBatch(ctx, &b)
	if !t.begun {
		if _, err := answers.Exec(); err != nil {
			_ = answers.Close()
			return nil, nil, err
		}
		t.begun = true
	}
	t.answers, t.ahead = answers, next
	if rows, err = answers.Query(); err != nil {
		return nil, nil, errors.Join(err, t.settle())
	}
	if next == nil {
		return rows, t.settle, nil
	}
	return rows, func() error { return nil }, nil
}

// same compares what expect was told with what is asked.
func (q *question) same(other question) bool {
	return q.query == other.query && slices.Equal(q.args, other.args)
}

// loose lets a number be read as a bool, as database/sql does.
func loose(dest []any) []any {
	for i, d := range dest {
		if b, ok := d.(*bool); ok {
			dest[i] = (*looseBool)(b)
		}
	}
	return dest
}

// looseBool is a bool that is stored as 0 or 1.
type looseBool bool

// Scan implements sql.Scanner.
func (b *looseBool) Scan(src any) error {
	var n sql.Null[bool]
	err := n.Scan(src)
	*b = looseBool(n.V)
	return err
}

// commit sends what was put off and the commit. committing is false when a
// statement before the commit failed.
func (t *postgresTx) commit(ctx context.Context) (committing bool, err error) {
	if err := t.settle(); err != nil {
		return false, err
	}
	var b pgx.Batch
	if !t.begun {
		b.Queue("BEGIN")
	}
	b.QueuedQueries = append(b.QueuedQueries, t.batch.QueuedQueries...)
	b.Queue("COMMIT")
	answers := t.conn.SendBatch(ctx, &b)
	t.begun = true
	for i := range b.Len() {
		committing = i == b.Len()-1
		tag, err := answers.Exec()
		if err == nil && committing && tag.String() != "COMMIT" {
			err = fmt.Errorf("the server answered the commit with %s", tag)
		}
		if err != nil {
			_ = answers.Close()
			return committing, err
		}
	}
	return committing, answers.Close()
}

// rollback ends a transaction that failed. driver.ErrBadConn takes a connection that
// can't be used any more out of the pool.
func (t *postgresTx) rollback(ctx context.Context) error {
	_ = t.settle()
	if !t.begun && !t.conn.IsClosed() && t.conn.PgConn().TxStatus() == 'I' {
		return nil
	}
	if _, err := t.conn.Exec(ctx, "ROLLBACK"); err != nil {
		return driver.ErrBadConn
	}
	return nil
}
