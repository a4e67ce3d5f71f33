package ledgertest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
)

// pattern is the id of the finished task whose rows Fill multiplies.
const pattern = "pattern"

// Fill makes the ledger at url hold n finished tasks besides what it has, each
// with its entity, intent, account, identities and time line, of the size that a
// real one has, on 100 sites. Their ids are spread as random ones are. Nobody may
// have the ledger open; url may name a SQLite file that is not there yet.
func Fill(t testing.TB, url string, n int) {
	t.Helper()
	if n == 0 {
		return
	}
	if err := fill(context.Background(), url, n); err != nil {
		t.Fatalf("fill the ledger with %d tasks: %v", n, err)
	}
}

func fill(ctx context.Context, url string, n int) (err error) {
	if err := live(ctx, url); err != nil {
		return err
	}
	name, address := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		// Nobody reads meanwhile, and a test that dies throws the file away.
		name, address = "sqlite", "file:"+path+"?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)&_pragma=cache_size(-262144)"
	}
	db, err := sql.Open(name, address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	w := dialects[name]
	for _, q := range w.before {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	replace := strings.NewReplacer("{n}", fmt.Sprint(n), "{step}", fmt.Sprint(max(1<<32/n, 1)))
	id := replace.Replace(w.id)
	for _, table := range []string{"task", "entity", "intent", "account", "identity", "event"} {
		columns, err := columnsOf(ctx, db, w.columns, table)
		if err != nil {
			return err
		}
		with := map[string]string{"task_id": id}
		switch table {
		case "task":
			with = map[string]string{"id": id, "intent_id": id, "domain": "'s' || (n.i % 100) || '.org'"}
		case "intent":
			with["id"], with["key"] = id, w.blob
		case "identity":
			with["mac"] = w.blob
		}
		q := insert(table, columns, with, replace.Replace(w.numbers))
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	for _, q := range w.after {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// live lets the ledger itself make the pattern, so that its rows are real ones.
func live(ctx context.Context, url string) (err error) {
	l, err := ledger.Open(ctx, ledger.Options{URL: url, Keys: NewKey("test")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := l.Join(ctx, pattern, time.Minute); err != nil {
		return err
	}
	task := LifeTask(0, 1)
	task.ID = pattern
	if err := l.PutSites(ctx, pattern, []core.SiteLimits{{Domain: task.Domain, Driver: "d", Concurrency: 1}}); err != nil {
		return err
	}
	return errors.Join(Live(ctx, l, pattern, task), l.Leave(ctx, pattern))
}

// insert is the statement that multiplies the pattern's rows in a table.
func insert(table string, columns []string, with map[string]string, numbers string) string {
	key := "task_id"
	if table == "task" {
		key = "id"
	}
	values := make([]string, len(columns))
	for i, c := range columns {
		if values[i] = "p." + c; with[c] != "" {
			values[i] = with[c]
		}
	}
	return fmt.Sprintf(`INSERT INTO %s (%s) SELECT %s FROM %s CROSS JOIN (SELECT * FROM %s WHERE %s = '%s') AS p`,
		table, strings.Join(columns, ", "), strings.Join(values, ", "), numbers, table, key, pattern)
}

// dialect is what the databases write differently.
type dialect struct {
	numbers, id, blob, columns string
	before, after              []string
}

var dialects = map[string]dialect{
	"sqlite": {
		numbers: `(WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < {n}) SELECT i FROM r) AS n`,
		id:      `printf('%08x-0000-4000-8000-%012x', n.i * {step} - 1, n.i)`,
		blob:    `randomblob(32)`,
		columns: `SELECT name FROM pragma_table_xinfo($1) WHERE hidden = 0`,
	},
	"pgx": {
		numbers: `generate_series(1, {n}) AS n(i)`,
		id:      `lpad(to_hex(n.i::bigint * {step} - 1), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(n.i), 12, '0')`,
		blob:    `sha256(convert_to('key' || n.i, 'UTF8'))`,
		columns: `SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND is_generated = 'NEVER'`,
		before:  []string{`SET synchronous_commit = off`},
		after:   []string{`VACUUM ANALYZE`, `CHECKPOINT`},
	},
}

func columnsOf(ctx context.Context, db *sql.DB, query, table string) ([]string, error) {
	rows, err := db.QueryContext(ctx, query, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var c string
		if err := rows.Scan(&c); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}
