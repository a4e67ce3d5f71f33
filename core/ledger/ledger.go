package ledger

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Options say where a ledger is and what opens it.
type Options struct {
	// URL is "sqlite:PATH", or a "postgres://" address.
	URL string
	// Keys seals what must not be read at rest. Required.
	Keys Sealer
	// Now is the clock of leases and due times. Defaults to the process's clock
	// on SQLite and to the database's own on PostgreSQL, so that runners whose
	// clocks differ agree.
	Now func() time.Time
	// Logger gets what no caller can be told. Defaults to none.
	Logger *slog.Logger
	// Lease is that of the runners: one that stops in the middle of a transaction
	// keeps the others from its rows no longer. From 1s to the default, 30s.
	Lease time.Duration
}

// Sealer encrypts under the master key. aad binds a sealed text to its row and field.
type Sealer interface {
	Seal(plain []byte, aad string) ([]byte, error)
	Open(sealed []byte, aad string) ([]byte, error)
	// Check is a value that tells master keys apart and reveals nothing of them.
	Check() []byte
	// Verify returns an error unless check is of this master key.
	Verify(check []byte) error
}

// Ledger is a core.Store in an SQL database. It is safe for concurrent use.
type Ledger struct {
	database
	name string // for errors: the file, or the server without its password
	log  *slog.Logger
	now  func() time.Time // nil: the database's clock

	keyLock sync.RWMutex // write-locked by Reseal
	keys    Sealer
	check   []byte // the check value of keys, as the ledger has it
	macKey  []byte

	entities entities // that are open now
	subs     subscribers
}

var _ core.Store = (*Ledger)(nil)

// Open opens the ledger at o.URL, and makes it when there is none. It brings
// an older schema up to date and refuses a newer one, a damaged file and a
// wrong key, changing nothing then. A SQLite file that another process has
// open is an *InUseError.
func Open(ctx context.Context, o Options) (*Ledger, error) {
	if o.Keys == nil {
		return nil, errors.New("the ledger needs the master key that seals it; set [store] key")
	}
	l := &Ledger{keys: o.Keys, log: o.Logger, now: o.Now}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	scheme, rest, _ := strings.Cut(o.URL, ":")
	var err error
	switch scheme {
	case "sqlite":
		if l.now == nil {
			l.now = time.Now
		}
		l.name = strings.TrimPrefix(rest, "//")
		l.database, err = openSQLite(ctx, l.name)
	case "postgres", "postgresql":
		l.database, l.name, err = openPostgres(ctx, o.URL, o.Lease, l.log, l.subs.notify)
	default:
		return nil, fmt.Errorf("ledger: the address must begin with sqlite: or postgres://, not %q", scheme+":")
	}
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", l.name, err)
	}
	if err := l.unlock(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger %s: %w", l.name, err), l.close())
	}
	return l, nil
}

// Close ends every subscription and closes the database.
func (l *Ledger) Close() error {
	l.subs.close()
	return l.close()
}

// macKeyAAD binds the key of the keyed hashes to its row.
var macKeyAAD = aad("meta", "mac_key", "value")

// unlock compares the key with the ledger's check value and reads the key of
// the keyed hashes; a new ledger gets both.
func (l *Ledger) unlock(ctx context.Context) error {
	return l.write(ctx, "the master key", func(x *tx) error {
		if _, err := x.exec(`{lock ledger}`); err != nil {
			return err
		}
		var check, sealed []byte
		err := x.row(`SELECT value FROM meta WHERE name = 'key_check'`).Scan(&check)
		if errors.Is(err, sql.ErrNoRows) {
			l.macKey = make([]byte, 32)
			if _, err := rand.Read(l.macKey); err != nil {
				return err
			}
			if sealed, err = l.keys.Seal(l.macKey, macKeyAAD); err != nil {
				return err
			}
			l.check = l.keys.Check()
			_, err = x.exec(`INSERT INTO meta (name, value) VALUES ('key_check', $1), ('mac_key', $2)`, l.check, sealed)
			return err
		}
		if err != nil {
			return err
		}
		if err := x.verifyKey(); err != nil {
			return err
		}
		l.check = check
		if err := x.row(`SELECT value FROM meta WHERE name = 'mac_key'`).Scan(&sealed); err != nil {
			return err
		}
		l.macKey, err = l.keys.Open(sealed, macKeyAAD)
		return err
	})
}

// verifyKey returns an error unless the ledger is sealed under the key that it
// was opened with.
func (x *tx) verifyKey() error {
	var check []byte
	if err := x.row(`SELECT value FROM meta WHERE name = 'key_check'`).Scan(&check); err != nil {
		return err
	}
	if err := x.l.keys.Verify(check); err != nil {
		return fmt.Errorf("it was sealed with another master key; put that key back, nothing was changed: %w", err)
	}
	return nil
}

// keepKey fails the transaction at its commit, should the ledger be sealed under
// another key by then, and keeps Reseal out from there to its end. So no row under
// an older key is stored by a process that had the ledger open before the change.
func (x *tx) keepKey() error {
	if x.keyKept || x.l.exclusive() {
		return nil
	}
	x.keyKept = true
	if err := x.later(`{share sealing}`); err != nil {
		return err
	}
	// It divides by zero where the key is another: a statement that failed takes
	// the commit that is sent along with it.
	return x.later(`SELECT 1 / count(*) FROM meta WHERE name = 'key_check' AND value = $1`, x.l.check)
}

var errKeyChanged = errors.New("the ledger was sealed under another master key meanwhile, nothing was stored; run it again with the key that [store] key names now")

// mac is a keyed hash of data. It outlives a change of the master key.
func (l *Ledger) mac(use string, data ...string) []byte {
	h := hmac.New(sha256.New, l.macKey)
	var size [8]byte
	put := func(s string) {
		binary.BigEndian.PutUint64(size[:], uint64(len(s)))
		h.Write(size[:])
		_, _ = io.WriteString(h, s)
	}
	put(use)
	for _, s := range data {
		put(s)
	}
	return h.Sum(nil)
}

// clock is the first argument of a statement that says {now}.
func (l *Ledger) clock() any {
	if l.now == nil {
		return nil
	}
	return l.now().UnixMicro()
}
