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

// statements is what a transaction, or somebody who reads, runs.
type statements interface {
	exec(ctx context.Context, query string, args ...any) (rows int64, err error)
	// row runs a query of one row, at Scan. sql.ErrNoRows when there is none.
	row(ctx context.Context, query string, args ...any) scanner
	// each calls f for every row of the answer.
	each(ctx context.Context, f func(scan func(...any) error) error, query string, args ...any) error
}

// scanner is *sql.Row, or works like it.
type scanner interface{ Scan(dest ...any) error }

// writer runs the statements of a write transaction.
type writer interface {
	statements
	// later runs a statement at the latest when the transaction commits, after
	// the ones put off before it. Its failure fails the transaction.
	later(ctx context.Context, query string, args ...any) error
	// expect says which row will be asked for after the next one. Both are asked for
	// together where the database is far away. It may be asked for with these very
	// words only, or not at all.
	expect(query string, args ...any)
}

// overSQL runs statements through database/sql.
type overSQL struct{ querier }

func (o overSQL) exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := o.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (o overSQL) row(ctx context.Context, query string, args ...any) scanner {
	return o.QueryRowContext(ctx, query, args...)
}

func (o overSQL) each(ctx context.Context, f func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := o.QueryContext(ctx, query, args...)
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
	q   statements
	w   writer // nil when reading

	keyKept bool // keepKey was called
}

func (x *tx) exec(query string, args ...any) (int64, error) {
	return x.q.exec(x.ctx, x.l.text(query), args...)
}

// later runs a statement whose effect no other statement of the transaction reads.
func (x *tx) later(query string, args ...any) error {
	return x.w.later(x.ctx, x.l.text(query), args...)
}

// expect says which row will be asked for after the next one.
func (x *tx) expect(query string, args ...any) { x.w.expect(x.l.text(query), args...) }

func (x *tx) row(query string, args ...any) scanner {
	return x.q.row(x.ctx, x.l.text(query), args...)
}

// each calls f for every row of the answer.
func (x *tx) each(f func(scan func(...any) error) error, query string, args ...any) error {
	return x.q.each(x.ctx, f, x.l.text(query), args...)
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
		err := f(&tx{l: l, ctx: ctx, q: overSQL{l.reader()}})
		if err == nil || try == tries || ctx.Err() != nil || !l.again(err) {
			return l.fail(what, err)
		}
	}
}
