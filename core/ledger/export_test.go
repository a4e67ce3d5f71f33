package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Recorder keeps every statement that a ledger runs.
type Recorder struct {
	database
	mu   sync.Mutex
	seen map[string]bool
}

// Record begins to keep the statements of l.
func Record(l *Ledger) *Recorder {
	r := &Recorder{database: l.database, seen: map[string]bool{}}
	l.database = r
	return r
}

func (r *Recorder) text(query string) string {
	t := r.database.text(query)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[t] = true
	return t
}

// Statements are the statements seen, sorted.
func (r *Recorder) Statements() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]string, 0, len(r.seen))
	for q := range r.seen {
		out = append(out, q)
	}
	slices.Sort(out)
	return out
}

// Exec runs a statement of a test, where {blob} is some bytes.
func Exec(ctx context.Context, l *Ledger, query string) error {
	return l.write(ctx, "prepare a test", func(x *tx) error {
		blob := `x'00'`
		if _, ok := l.database.(*sqliteDB); !ok {
			blob = `'\x00'::bytea`
		}
		_, err := x.q.exec(x.ctx, strings.ReplaceAll(query, "{blob}", blob))
		return err
	})
}

// Explain is the plan of a statement, a line for each step, whatever its arguments.
func (r *Recorder) Explain(ctx context.Context, query string) (plan []string, err error) {
	args := 0
	for i := 1; strings.Contains(query, fmt.Sprintf("$%d", i)); i++ {
		args = i
	}
	switch d := r.database.(type) {
	case *sqliteDB:
		rows, err := d.readers.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, make([]any, args)...)
		if err != nil {
			return nil, err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				return nil, err
			}
			plan = append(plan, detail)
		}
		return plan, rows.Err()
	case *postgresDB:
		conn, err := d.db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		defer func() {
			_, _ = conn.ExecContext(ctx, "DEALLOCATE explained")
			_ = conn.Close()
		}()
		nulls := ""
		if args > 0 {
			nulls = "(" + strings.TrimSuffix(strings.Repeat("NULL, ", args), ", ") + ")"
		}
		for _, q := range []string{"SET plan_cache_mode = force_generic_plan", "PREPARE explained AS " + query} {
			if _, err := conn.ExecContext(ctx, q); err != nil {
				return nil, err
			}
		}
		rows, err := conn.QueryContext(ctx, "EXPLAIN EXECUTE explained"+nulls)
		if err != nil {
			return nil, err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				return nil, err
			}
			plan = append(plan, strings.TrimSpace(line))
		}
		return plan, rows.Err()
	}
	return nil, fmt.Errorf("no plan for %T", r.database)
}

// Checkpoint moves everything from the write-ahead log of a SQLite ledger to its file.
func Checkpoint(ctx context.Context, l *Ledger) error {
	_, err := l.database.(*sqliteDB).group.conn.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

// Stand runs a statement in a transaction that then stands still until stand returns.
func Stand(ctx context.Context, l *Ledger, query string, stand func()) error {
	return l.write(ctx, "stand still", func(x *tx) error {
		if _, err := x.exec(query); err != nil {
			return err
		}
		stand()
		_, err := x.exec(`SELECT 1`)
		return err
	})
}
