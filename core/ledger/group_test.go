package ledger_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

// TestAFailureInASharedTransactionTouchesNobodyElse: many steps wait for the disk at
// the same time, and every fourth fails after it has written.
func TestAFailureInASharedTransactionTouchesNobodyElse(t *testing.T) {
	const tasks = 64
	l := ledgertest.OpenAt(t, "sqlite:"+t.TempDir()+"/ledger.db", nil)
	must(t, l.Join(t.Context(), "one", time.Hour))
	must(t, l.PutSites(t.Context(), "one", []core.SiteLimits{{Domain: "a.org", Driver: "d", Concurrency: tasks}}))
	recs := make([]core.Record, tasks)
	for i := range recs {
		_, err := ledgertest.Admit(t.Context(), l, core.Task{ID: fmt.Sprintf("%02d", i), Domain: "a.org"}, time.Time{})
		must(t, err)
		recs[i], err = l.Claim(t.Context(), "one", time.Hour, func(core.Record) (core.Move, bool) { return core.Move{To: core.Starting}, true })
		must(t, err)
	}
	fails := func(i int) bool { return i%4 == 0 }
	ids := func(i int) []core.Identity {
		own := core.Identity{Kind: core.FieldUsername, Value: core.Text(fmt.Sprintf("user %d", i))}
		if fails(i) { // its own name is written before the other one is found taken
			return []core.Identity{own, {Kind: core.FieldEmail, Value: core.Text("taken@x.org")}}
		}
		return []core.Identity{own}
	}
	must(t, l.Reserve(t.Context(), recs[1].Lease, core.Booking{Identities: []core.Identity{{Kind: core.FieldEmail, Value: core.Text("taken@x.org")}}}))
	errs := make([]error, tasks)
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i, rec := range recs {
		wg.Go(func() {
			<-begin
			_, errs[i] = l.Advance(t.Context(), rec.Lease, core.Move{To: core.Prepared, Book: &core.Booking{Identities: ids(i)}})
		})
	}
	close(begin)
	wg.Wait()
	for i, rec := range recs {
		got, err := l.Task(t.Context(), rec.ID)
		must(t, err)
		want := core.Prepared
		if fails(i) {
			want = core.Starting
			if taken := (*core.TakenError)(nil); !errors.As(errs[i], &taken) {
				t.Errorf("task %d: %v", i, errs[i])
			}
			// Nothing of the failed step is left: the name is free.
			must(t, l.Reserve(t.Context(), recs[2].Lease, core.Booking{Identities: ids(i)[:1]}))
		} else if errs[i] != nil {
			t.Errorf("task %d: %v", i, errs[i])
		}
		if got.State != want {
			t.Errorf("task %d is %s, not %s", i, got.State, want)
		}
	}
}
