package ledger_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

func TestSQLite(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(t *testing.T, now func() time.Time) core.Store { return ledgertest.SQLiteAt(t, now) })
}

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	url := ledgertest.Postgres(t)
	ledgertest.Run(t, func(t *testing.T, now func() time.Time) core.Store {
		l := ledgertest.OpenAt(t, url, now)
		wipe(t, url)
		return l
	})
}

// wipe empties the tables of a database, which is quicker than a new one.
func wipe(t testing.TB, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for _, table := range []string{"flag", "lister", "runner", "runner_site", "site", "task", "entity", "intent", "account", "identity", "outbox", "ask", "event",
		"bulk_site", "bulk_seen", "bulk_batch", "bulk_import", "bulk_row"} {
		if _, err := conn.Exec(t.Context(), "DELETE FROM "+table); err != nil {
			t.Fatal(err)
		}
	}
}

// databases are the two databases, each with the address of an empty ledger.
var databases = []struct {
	name string
	url  func(t testing.TB) string
}{
	{"SQLite", func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "ledger.db") }},
	{"PostgreSQL", ledgertest.Postgres},
}

func open(t testing.TB, url string, key string) (*ledger.Ledger, error) {
	return ledger.Open(t.Context(), ledger.Options{URL: url, Keys: ledgertest.NewKey(key)})
}

// TestMemory: the ledger of the simulations keeps the databases' rules.
func TestMemory(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(_ *testing.T, now func() time.Time) core.Store { return ledgertest.NewMemory(now) })
}
