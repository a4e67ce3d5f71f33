package ledger_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestSQLite(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T, now func() time.Time) core.Store { return ledgertest.SQLiteAt(t, now) })
}

func TestPostgreSQL(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T, now func() time.Time) core.Store {
		return ledgertest.OpenAt(t, ledgertest.Postgres(t), now)
	})
}
