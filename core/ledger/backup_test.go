package ledger_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

// TestACopySaysThatItIsOne: a runner that is given the copy must know.
func TestACopySaysThatItIsOne(t *testing.T) {
	store := ledgertest.SQLite(t)
	path := filepath.Join(t.TempDir(), "copy.db")
	begun := time.Now().Add(-time.Second)
	if err := store.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if flag, err := store.Flag(t.Context(), core.FlagBackup); err != nil || flag != "" {
		t.Errorf("the ledger itself calls itself a copy of %q (%v)", flag, err)
	}
	flag, err := ledgertest.OpenAt(t, "sqlite:"+path, nil).Flag(t.Context(), core.FlagBackup)
	if err != nil {
		t.Fatal(err)
	}
	if at, err := time.Parse(time.RFC3339Nano, flag); err != nil || at.Before(begun) {
		t.Errorf("the copy says %q (%v)", flag, err)
	}
}
