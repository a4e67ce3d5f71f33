package ledger_test

import (
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

// TestARunnerThatStopsInATransactionKeepsNobodyFromASite has one runner stop while
// it holds a site's row: the others get it when that one's lease could be over.
func TestARunnerThatStopsInATransactionKeepsNobodyFromASite(t *testing.T) {
	url, ctx := ledgertest.Postgres(t), t.Context()
	var runners []*ledger.Ledger
	for _, owner := range []string{"stops", "goes on"} {
		l, err := ledger.Open(ctx, ledger.Options{URL: url, Keys: ledgertest.NewKey("test"), Lease: time.Second})
		must(t, err)
		defer func() { must(t, l.Close()) }()
		must(t, l.Join(ctx, owner, time.Hour))
		must(t, l.PutSites(ctx, owner, []core.SiteLimits{{Domain: "s0.org", Driver: "d", Concurrency: 1}}))
		runners = append(runners, l)
	}
	_, err := ledgertest.Admit(ctx, runners[1], lifeTask(1, 1), time.Time{})
	must(t, err)
	stands, wakes, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		ended <- ledger.Stand(ctx, runners[0], `SELECT 1 FROM site FOR UPDATE`, func() {
			once.Do(func() { close(stands) })
			<-wakes
		})
	}()
	<-stands
	// This waits for the row, for 20 seconds at most.
	err = ledger.Exec(ctx, runners[1], `UPDATE site SET ready_at = ready_at`)
	if err == nil {
		_, err = runners[1].Claim(ctx, "goes on", time.Hour, nil)
	}
	close(wakes)
	must(t, err)
	must(t, <-ended) // its transaction was undone, and is done anew
}
