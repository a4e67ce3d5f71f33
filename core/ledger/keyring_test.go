package ledger_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/secret"
)

var _ ledger.Sealer = (*secret.Keyring)(nil)

// TestRealKeyring opens a ledger under the key that rollcall really uses.
func TestRealKeyring(t *testing.T) {
	dir := t.TempDir()
	key := func(name string) *secret.Keyring {
		t.Helper()
		path := filepath.Join(dir, name)
		must(t, secret.Generate(path))
		k, err := secret.Load("file:" + path)
		must(t, err)
		return k
	}
	old, next := key("old"), key("next")
	url := "sqlite:" + filepath.Join(dir, "ledger.db")
	l, err := ledger.Open(t.Context(), ledger.Options{URL: url, Keys: old})
	must(t, err)
	fill(t, l)
	whole(t, l)
	must(t, l.Reseal(t.Context(), next))
	whole(t, l)
	must(t, l.Close())
	if _, err := ledger.Open(t.Context(), ledger.Options{URL: url, Keys: old}); !errors.Is(err, secret.ErrWrongKey) {
		t.Errorf("the old key: %v", err)
	}
	l, err = ledger.Open(t.Context(), ledger.Options{URL: url, Keys: next})
	must(t, err)
	whole(t, l)
	must(t, l.Close())
}
