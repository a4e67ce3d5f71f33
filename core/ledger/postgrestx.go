package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// transactionLimit is when a transaction that the server does not answer is given up.
const transactionLimit = 30 * time.Second

// postgresTx is a transaction. What it puts off goes to the server together
// with the commit, in one round trip.
type postgresTx struct {
	*sql.Conn
	batch pgx.Batch
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
	t := &postgresTx{Conn: conn}
	defer func() {
		if bad := t.end(run, err != nil); bad != nil {
			err = errors.Join(err, bad)
		}
	}()
	if _, err := conn.ExecContext(run, "BEGIN"); err != nil {
		return false, err
	}
	if err := f(run, t); err != nil {
		return false, err
	}
	return t.commit(run)
}

// later implements writer.
func (t *postgresTx) later(_ context.Context, query string, args ...any) error {
	t.batch.Queue(query, args...)
	return nil
}

// commit sends what was put off and the commit. committing is false when a
// statement before the commit failed.
func (t *postgresTx) commit(ctx context.Context) (committing bool, err error) {
	t.batch.Queue("COMMIT")
	err = t.Raw(func(c any) error {
		answers := c.(*stdlib.Conn).Conn().SendBatch(ctx, &t.batch)
		for i := range t.batch.Len() {
			committing = i == t.batch.Len()-1
			tag, err := answers.Exec()
			if err == nil && committing && tag.String() != "COMMIT" {
				err = fmt.Errorf("the server answered the commit with %s", tag)
			}
			if err != nil {
				_ = answers.Close()
				return err
			}
		}
		return answers.Close()
	})
	return committing, err
}

// end gives the connection back, without a transaction, or closes it.
func (t *postgresTx) end(ctx context.Context, failed bool) error {
	if failed {
		if _, err := t.ExecContext(ctx, "ROLLBACK"); err != nil {
			_ = t.Raw(func(any) error { return driver.ErrBadConn }) // takes it out of the pool
		}
	}
	if err := t.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
		return err
	}
	return nil
}
