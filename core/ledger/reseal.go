package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// resealColumn is a sealed column: its table, the column that names the row,
// and the field that a text is bound to.
type resealColumn struct {
	table, key, column, field string
}

var resealColumns = []resealColumn{
	{"meta", "name", "value", "value"},
	{"entity", "task_id", "sealed", "entity"},
	{"task", "id", "facts", "facts"},
	{"task", "id", "answer", "answer"},
	{"intent", "id", "sealed", "intent"},
	{"account", "task_id", "sealed", "account"},
	{"outbox", "task_id", "body", "body"},
	{"ask", "id", "answer", "answer"},
	{"bulk_row", "id", "sealed", "row"},
	{"bulk_import", "id", "sealed", "import"},
}

// resealPage is how many rows are read at a time.
const resealPage = 500

// Reseal seals everything under another master key, in one transaction: either
// all of the ledger opens with the new key afterwards, or all of it with the old
// one. Other methods wait meanwhile. On PostgreSQL no runner may be live, because
// it would go on with the old key; a command that has the ledger open stores
// nothing sealed any more.
func (l *Ledger) Reseal(ctx context.Context, keys Sealer) error {
	l.keyLock.Lock()
	defer l.keyLock.Unlock()
	check := keys.Check()
	err := l.inTx(ctx, "seal the ledger under the new key", func(x *tx) error {
		for _, q := range []string{`{lock ledger}`, `{lock sealing}`} {
			if _, err := x.exec(q); err != nil {
				return err
			}
		}
		if err := x.verifyKey(); err != nil {
			return err
		}
		if !l.exclusive() {
			now, err := x.time()
			if err != nil {
				return err
			}
			var live int
			if err := x.row(`SELECT count(*) FROM runner WHERE expires > $1`, now).Scan(&live); err != nil {
				return err
			}
			if live > 0 {
				return fmt.Errorf("%d runners are using the ledger; stop them first", live)
			}
		}
		// A runner that slept through all this finds itself out, joins again, and is
		// refused its old key then.
		for _, q := range []string{`DELETE FROM runner_site`, `DELETE FROM runner`, `DELETE FROM lister`} {
			if _, err := x.exec(q); err != nil {
				return err
			}
		}
		for _, c := range resealColumns {
			if err := x.resealColumn(c, keys); err != nil {
				return err
			}
		}
		_, err := x.exec(`UPDATE meta SET value = $1 WHERE name = 'key_check'`, check)
		return err
	})
	if err == nil {
		l.keys, l.check = keys, check
	}
	return err
}

// Compact rewrites a SQLite file and its log, so that no freed page keeps what
// was deleted or sealed under an older key. On PostgreSQL, whose space is its
// server's to clean, it does nothing.
func (l *Ledger) Compact(ctx context.Context) error {
	return l.fail("compact the ledger", l.compact(ctx))
}

func (d *sqliteDB) compact(ctx context.Context) error {
	db, err := sql.Open("sqlite", d.dsn(""))
	if err != nil {
		return err
	}
	for _, q := range []string{`VACUUM`, `PRAGMA wal_checkpoint(TRUNCATE)`} {
		if _, err = db.ExecContext(ctx, q); err != nil {
			break
		}
	}
	return errors.Join(err, db.Close())
}

func (d *postgresDB) compact(context.Context) error { return nil }

func (x *tx) resealColumn(c resealColumn, keys Sealer) error {
	only := ``
	if c.table == "meta" {
		only = ` AND name = 'mac_key'`
	}
	read := fmt.Sprintf(`SELECT %[1]s, %[2]s FROM %[3]s WHERE %[1]s > $1 AND %[2]s IS NOT NULL%[4]s ORDER BY %[1]s LIMIT $2`,
		c.key, c.column, c.table, only)
	store := fmt.Sprintf(`UPDATE %s SET %s = $2 WHERE %s = $1`, c.table, c.column, c.key)
	type row struct {
		key    string
		sealed []byte
	}
	last := ""
	for {
		var page []row
		err := x.each(func(scan func(...any) error) error {
			var r row
			err := scan(&r.key, &r.sealed)
			page = append(page, r)
			return err
		}, read, last, resealPage)
		if err != nil {
			return err
		}
		for _, r := range page {
			bound := aad(c.table, r.key, c.field)
			text, err := x.l.keys.Open(r.sealed, bound)
			if err != nil {
				return fmt.Errorf("open %s of %s %s: %w", c.column, c.table, r.key, err)
			}
			sealed, err := keys.Seal(text, bound)
			if err != nil {
				return err
			}
			if _, err := x.exec(store, r.key, sealed); err != nil {
				return err
			}
			last = r.key
		}
		if len(page) < resealPage {
			return nil
		}
	}
}
