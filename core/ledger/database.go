package ledger

import (
	"context"
	"database/sql"
	"strings"
	"sync"
)

// database is what SQLite and PostgreSQL do differently.
type database interface {
	// transact runs f in a write transaction that is durable on nil. Its
	// statements run under the context that f gets, which the caller's end does
	// not cut short. f is run again when the database rolled it back. An error of
	// the commit itself leaves it in doubt whether the transaction was stored.
	transact(ctx context.Context, f func(context.Context, writer) error) error
	// reader runs single statements outside a transaction.
	reader() querier
	// again reports whether reading may succeed when it is tried again.
	again(err error) bool
	// clean turns the driver's errors into words for a person.
	clean(err error) error
	// text resolves the words in braces of a statement.
	text(query string) string
	// announce tells other processes that something changed.
	announce()
	backup(ctx context.Context, path string) error
	// compact overwrites what was deleted or replaced, where the database is ours to do so.
	compact(ctx context.Context) error
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

// writer runs the statements of a write transaction.
type writer interface {
	querier
	// later runs a statement at the latest when the transaction commits, after
	// the ones put off before it. Its failure fails the transaction.
	later(ctx context.Context, query string, args ...any) error
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
	w   writer // nil when reading

	keyKept bool // keepKey was called
}

func (x *tx) exec(query string, args ...any) (int64, error) {
	res, err := x.q.ExecContext(x.ctx, x.l.text(query), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// later runs a statement whose effect no other statement of the transaction reads.
func (x *tx) later(query string, args ...any) error {
	return x.w.later(x.ctx, x.l.text(query), args...)
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
	return l.inTx(ctx, what, f)
}

// inTx is write for a caller that holds the key lock.
func (l *Ledger) inTx(ctx context.Context, what string, f func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.fail(what, l.transact(ctx, func(run context.Context, w writer) error {
		return f(&tx{l: l, ctx: run, q: w, w: w})
	}))
}

// tries is how often something is done that the database refused for the moment.
const tries = 10

// read runs f on committed data, without a transaction. f may be run again.
func (l *Ledger) read(ctx context.Context, what string, f func(*tx) error) error {
	l.keyLock.RLock()
	defer l.keyLock.RUnlock()
	for try := 1; ; try++ {
		err := f(&tx{l: l, ctx: ctx, q: l.reader()})
		if err == nil || try == tries || ctx.Err() != nil || !l.again(err) {
			return l.fail(what, err)
		}
	}
}
