// Package ledgertest holds the one suite that every database of the ledger
// passes, and opens throw-away ledgers for the tests of other rooms.
package ledgertest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
)

// Key is a Sealer for tests: AES-256-GCM under the hash of a word.
type Key struct {
	aead  cipher.AEAD
	check []byte
}

// NewKey returns the key of a word.
func NewKey(word string) *Key {
	key := sha256.Sum256([]byte("seal " + word))
	check := sha256.Sum256([]byte("check " + word))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return &Key{aead: aead, check: check[:]}
}

// Seal implements ledger.Sealer.
func (k *Key) Seal(plain []byte, aad string) ([]byte, error) {
	return k.aead.Seal(nil, nil, plain, []byte(aad)), nil
}

// Open implements ledger.Sealer.
func (k *Key) Open(sealed []byte, aad string) ([]byte, error) {
	return k.aead.Open(nil, nil, sealed, []byte(aad))
}

// Check implements ledger.Sealer.
func (k *Key) Check() []byte { return k.check }

// Verify implements ledger.Sealer.
func (k *Key) Verify(check []byte) error {
	if subtle.ConstantTimeCompare(check, k.check) != 1 {
		return errors.New("this is another key")
	}
	return nil
}

// SQLite opens an empty ledger in a file of the test's own directory and
// closes it when the test ends.
func SQLite(t testing.TB) core.Store { return SQLiteAt(t, nil) }

// OnPostgres opens an empty ledger in a database of the test's own.
func OnPostgres(t testing.TB) core.Store { return OpenAt(t, Postgres(t), nil) }

// SQLiteAt is SQLite with a clock; nil is the process's.
func SQLiteAt(t testing.TB, now func() time.Time) core.Store {
	t.Helper()
	data, err := empty()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return OpenAt(t, "sqlite:"+path, now)
}

// empty is the file of an empty ledger, which is quicker to copy than to make.
var empty = sync.OnceValues(func() (data []byte, err error) {
	dir, err := os.MkdirTemp("", "rollcall-ledger-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "ledger.db")
	l, err := ledger.Open(context.Background(), ledger.Options{URL: "sqlite:" + path, Keys: NewKey("test")})
	if err != nil {
		return nil, err
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// OpenAt opens the ledger at an address with NewKey("test") and closes it when
// the test ends. A nil clock is the database's own.
func OpenAt(t testing.TB, url string, now func() time.Time) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(context.Background(), ledger.Options{URL: url, Keys: NewKey("test"), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close the ledger: %v", err)
		}
	})
	return l
}
