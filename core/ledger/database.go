package ledger

import (
	"context"
	"database/sql"
	"strings"
	"sync"
)

// database is what SQLite and PostgreSQL do differently.
type database interface {
	// begin starts a write transaction. Its statements run under the returned
	// context, which the caller's end does not cut short.
	begin(ctx context.Context) (session, context.Context, error)
	// reader runs single statements outside a transaction.
	reader() querier
	// again reports whether a transaction that failed surely left nothing and
	// may succeed when it is run again. An errored commit is in doubt unless the
	// server said that it rolled back.
	again(err error, committing bool) bool
	// clean turns the driver's errors into words for a person.
	clean(err error) error
	// text resolves the words in braces of a statement.
	text(query string) string
	// announce tells other processes that something changed.
	announce()
	backup(ctx context.Context, path string) error
	// exclusive reports that no other process can have the ledger open.
	exclusive() bool
	close() error
}

// querier runs statements.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// session is a write transaction. Exactly one of commit and rollback ends it.
type session interface {
	querier
	commit() error
	rollback()
}

// words are the parts of a statement that the databases write differently.
// {now} takes the first argument, which is the caller's clock or NULL.
type words struct {
	replace *strings.Replacer
	cache   sync.Map // string → string
}

func (w *words) text(query string) string {
	if !strings.Contains(query, "{") {
		return query
	}
	if t, ok := w.cache.Load(query); ok {
		return t.(string)
	}
	t := w.replace.Replace(query)
	w.cache.Store(query, t)
	return t
}

// tx is a transaction of the ledger, or, for reading, no transaction at all.
type tx struct {
	l   *Ledger
	ctx context.Context
	q   querier
}

func (x *tx) exec(query string, args ...any) (int64, error) {
	res, err := x.q.ExecContext(x.ctx, x.l.text(query), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (x *tx) row(query string, args ...any) *sql.Row {
	return x.q.QueryRowContext(x.ctx, x.l.text(query), args...)
}

// each calls f for every row of the answer.
func (x *tx) each(f func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := x.q.QueryContext(x.ctx, x.l.text(query), args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// write runs f in one transaction, which is durable when write returns nil.
// When the commit itself fails it may have been stored or not: the caller reads
// again before it repeats anything.
func (l *Ledger) write(ctx context.Context, what string, f func(*tx) error) error {
	l.keyLock.RLock()
	defer l.keyLock.RUnlock()
	return l.transact(ctx, what, f)
}

func (l *Ledger) transact(ctx context.Context, what string, f func(*tx) error) error {
	for try := 1; ; try++ {
		committing, err := l.once(ctx, f)
		if err == nil || try == tries || ctx.Err() != nil || !l.again(err, committing) {
			return l.fail(what, err)
		}
	}
}

// tries is how often a transaction is run that the database rolled back.
const tries = 10

func (l *Ledger) once(ctx context.Context, f func(*tx) error) (committing bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s, run, err := l.begin(ctx)
	if err != nil {
		return false, err
	}
	ended := false
	defer func() {
		if !ended {
			s.rollback()
		}
	}()
	if err := f(&tx{l: l, ctx: run, q: s}); err != nil {
		return false, err
	}
	ended = true
	return true, s.commit()
}

// read runs f on committed data, without a transaction. f may be run again.
func (l *Ledger) read(ctx context.Context, what string, f func(*tx) error) error {
	l.keyLock.RLock()
	defer l.keyLock.RUnlock()
	for try := 1; ; try++ {
		err := f(&tx{l: l, ctx: ctx, q: l.reader()})
		if err == nil || try == tries || ctx.Err() != nil || !l.again(err, false) {
			return l.fail(what, err)
		}
	}
}
