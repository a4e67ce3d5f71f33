package ledger_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

// TestARunnerWithTheOldKeyIsKeptOut has one runner that slept through the change
// of the key and one that opened the ledger before it and joins after it.
func TestARunnerWithTheOldKeyIsKeptOut(t *testing.T) {
	url := ledgertest.Postgres(t)
	openAs := func(key string) *ledger.Ledger {
		l, err := open(t, url, key)
		must(t, err)
		t.Cleanup(func() { must(t, l.Close()) })
		return l
	}
	asleep, late, rotating := openAs("old"), openAs("old"), openAs("old")
	must(t, asleep.Join(t.Context(), "asleep", time.Microsecond)) // its registration has passed at once
	must(t, asleep.PutSites(t.Context(), "asleep", []core.SiteLimits{{Domain: "a.org", Driver: "d"}}))
	_, err := asleep.Admit(t.Context(), core.Task{ID: "1", Domain: "a.org"}, time.Time{})
	must(t, err)
	must(t, rotating.Reseal(t.Context(), ledgertest.NewKey("new")))
	if _, err := asleep.Beat(t.Context(), "asleep", time.Hour); !errors.Is(err, core.ErrNotJoined) {
		t.Errorf("the sleeper's heartbeat: %v", err)
	}
	if rec, err := asleep.Claim(t.Context(), "asleep", time.Hour); err == nil {
		t.Errorf("the sleeper claimed %s", rec.ID)
	}
	for name, l := range map[string]*ledger.Ledger{"asleep": asleep, "late": late} {
		if err := l.Join(t.Context(), name, time.Hour); err == nil || !strings.Contains(err.Error(), "another master key") {
			t.Errorf("%s joined: %v", name, err)
		}
		if got, err := l.TakeList(t.Context(), name, time.Hour); got || err == nil {
			t.Errorf("%s takes the list: %v", name, err)
		}
	}
	must(t, rotating.Join(t.Context(), "rotating", time.Hour))
	must(t, rotating.PutSites(t.Context(), "rotating", []core.SiteLimits{{Domain: "a.org", Driver: "d"}}))
	_, err = rotating.Claim(t.Context(), "rotating", time.Hour)
	must(t, err)
}

func TestCompactLeavesNothingUnderTheOldKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	old := ledgertest.NewKey("old")
	seen := &noting{Sealer: old}
	l, err := ledger.Open(t.Context(), ledger.Options{URL: "sqlite:" + path, Keys: seen})
	must(t, err)
	fill(t, l)
	files := func() (all []byte) {
		for _, name := range []string{path, path + "-wal"} {
			b, err := os.ReadFile(name)
			must(t, err)
			all = append(all, b...)
		}
		return all
	}
	left := func() (n int) {
		all := files()
		for _, s := range seen.sealed {
			if bytes.Contains(all, s) {
				n++
			}
		}
		return n
	}
	if left() == 0 {
		t.Fatal("nothing was sealed: the test looks for the wrong thing")
	}
	must(t, l.Reseal(t.Context(), ledgertest.NewKey("new")))
	if left() == 0 {
		t.Error("the log had nothing of the old key any more: compacting is for nothing")
	}
	must(t, l.Compact(t.Context()))
	if n := left(); n > 0 {
		t.Errorf("%d texts that the old key sealed are still in the file or its log", n)
	}
	whole(t, l)
	must(t, l.Close())
}

// noting keeps what it sealed.
type noting struct {
	ledger.Sealer
	sealed [][]byte
}

func (n *noting) Seal(plain []byte, aad string) ([]byte, error) {
	b, err := n.Sealer.Seal(plain, aad)
	n.sealed = append(n.sealed, b)
	return b, err
}
