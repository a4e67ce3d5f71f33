package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
	_, err := ledgertest.Admit(t.Context(), asleep, core.Task{ID: "1", Domain: "a.org"}, time.Time{})
	must(t, err)
	must(t, rotating.Reseal(t.Context(), ledgertest.NewKey("new")))
	if _, err := asleep.Beat(t.Context(), "asleep", time.Hour); !errors.Is(err, core.ErrNotJoined) {
		t.Errorf("the sleeper's heartbeat: %v", err)
	}
	if rec, err := asleep.Claim(t.Context(), "asleep", time.Hour, nil); err == nil {
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
	_, err = rotating.Claim(t.Context(), "rotating", time.Hour, nil)
	must(t, err)
}

// TestACommandStoresNothingUnderTheOldKey lets commands, which don't join, meet the
// change of the key in every order.
func TestACommandStoresNothingUnderTheOldKey(t *testing.T) {
	url := ledgertest.Postgres(t)
	openWith := func(keys ledger.Sealer) *ledger.Ledger {
		t.Helper()
		l, err := ledger.Open(t.Context(), ledger.Options{URL: url, Keys: keys})
		must(t, err)
		t.Cleanup(func() { must(t, l.Close()) })
		return l
	}
	admit := func(l *ledger.Ledger, id string) error {
		_, err := ledgertest.Admit(t.Context(), l, core.Task{ID: id, Domain: "a.org", Entity: core.Entity{Fields: map[string]core.Value{
			core.FieldPassword: core.Secret("the password of " + id)}}}, time.Time{})
		return err
	}
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "another master key meanwhile, nothing was stored") {
			t.Errorf("%s: %v", what, err)
		}
	}
	rotating := openWith(ledgertest.NewKey("one"))
	must(t, admit(rotating, "before"))

	// It seals before the change and commits after it.
	early := &held{Sealer: ledgertest.NewKey("one")}
	began := openWith(early)
	early.reached, early.goOn = make(chan struct{}), make(chan struct{})
	stored := make(chan error, 1)
	go func() { stored <- admit(began, "early") }()
	<-early.reached
	must(t, rotating.Reseal(t.Context(), ledgertest.NewKey("two")))
	close(early.goOn)
	refused("a command that sealed before the change", <-stored)
	refused("the same command once more", admit(began, "early"))

	// It commits while everything is being sealed anew.
	two := &held{Sealer: ledgertest.NewKey("two")}
	during := openWith(two)
	three := &held{Sealer: ledgertest.NewKey("three"), reached: make(chan struct{}), goOn: make(chan struct{})}
	changed := make(chan error, 1)
	go func() { changed <- rotating.Reseal(t.Context(), three) }()
	<-three.reached
	two.reached, two.goOn = make(chan struct{}), make(chan struct{})
	close(two.goOn)
	go func() { stored <- admit(during, "during") }()
	<-two.reached
	close(three.goOn)
	must(t, <-changed)
	refused("a command that commits during the change", <-stored)

	// Many at once: what was stored can be read, whoever came first.
	const commands, enough = 4, 40
	acknowledged := make(chan string)
	var crowd sync.WaitGroup
	for i := range commands {
		l := openWith(ledgertest.NewKey("three"))
		crowd.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("crowd-%d-%d", i, n)
				if err := admit(l, id); err != nil {
					refused(id, err)
					return
				}
				acknowledged <- id
			}
		})
	}
	go func() {
		crowd.Wait()
		close(acknowledged)
	}()
	ids := []string{"before"}
	for id := range acknowledged {
		if ids = append(ids, id); len(ids) == enough {
			go func() { changed <- rotating.Reseal(t.Context(), ledgertest.NewKey("four")) }()
		}
	}
	must(t, <-changed)
	for _, l := range []*ledger.Ledger{rotating, openWith(ledgertest.NewKey("four"))} {
		for _, id := range ids {
			rec, err := l.Task(t.Context(), id)
			must(t, err)
			if got := rec.Entity.Get(core.FieldPassword).Reveal(); got != "the password of "+id {
				t.Errorf("%s has the password %q", id, got)
			}
		}
		all, err := l.Tasks(t.Context(), core.TaskFilter{Limit: len(ids) + 1})
		must(t, err)
		if len(all) != len(ids) {
			t.Errorf("the ledger has %d tasks, %d were acknowledged", len(all), len(ids))
		}
	}
	t.Logf("%d tasks were stored beside the change of the key", len(ids)-1)
}

// held says when it is about to seal for the first time since reached was set, and
// then waits for goOn.
type held struct {
	ledger.Sealer
	reached, goOn chan struct{}
	once          sync.Once
}

func (h *held) Seal(plain []byte, aad string) ([]byte, error) {
	if h.reached != nil {
		h.once.Do(func() {
			close(h.reached)
			<-h.goOn
		})
	}
	return h.Sealer.Seal(plain, aad)
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
