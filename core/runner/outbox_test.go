package runner_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/entity"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

var (
	outboxSeed    = flag.Uint64("outbox.seed", 1, "seed of the faults between runner and task manager")
	outboxReports = flag.Int("outbox.reports", outboxDefault, "how many reports are delivered through them")
)

// TestOutboxUnderFaults delivers reports through a network and a task manager on
// their worst days: none is lost, none ends wrong, and no call takes effect out of
// its order.
func TestOutboxUnderFaults(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	r := rand.New(rand.NewPCG(*outboxSeed, 3))
	net := newNetwork(t, h.sb.Manager.URL)
	client, err := entity.New(entity.Options{BaseURL: h.sb.Manager.URL, Key: core.Secret(h.sb.Manager.APIKey),
		States: core.DefaultStateNames, Timeout: 600 * time.Millisecond, Transport: net.transport})
	if err != nil {
		t.Fatal(err)
	}
	h.opts.Manager, h.opts.Once, h.opts.Slots = client, false, 6
	h.opts.Limits.ListLimit, h.opts.Limits.Attempts = 100, 1000
	var mu sync.Mutex
	kinds := map[sandbox.FaultKind]int{}
	arrived := make(chan struct{}, 1)
	h.sb.Manager.Fault(func(c sandbox.Call) sandbox.Fault {
		select {
		case arrived <- struct{}{}:
		default:
		}
		mu.Lock()
		defer mu.Unlock()
		if r.IntN(3) > 0 {
			return sandbox.Fault{}
		}
		all := []sandbox.FaultKind{sandbox.DropBefore, sandbox.DropAfter, sandbox.ErrorBefore, sandbox.ErrorAfter, sandbox.TooMany, sandbox.HTMLPage,
			sandbox.TruncatedBody, sandbox.Latency, sandbox.SlowBody, sandbox.HangAfter, sandbox.HangBefore, sandbox.EndlessBody}
		f := sandbox.Fault{Kind: all[r.IntN(len(all))], Delay: 5 * time.Millisecond, RetryAfter: "0"}
		if c.TaskID != "" && c.Nth > 12 { // bad days end
			return sandbox.Fault{}
		}
		switch f.Kind {
		case sandbox.SlowBody, sandbox.HangAfter, sandbox.HangBefore, sandbox.EndlessBody:
			if r.IntN(20) > 0 { // they take the client's whole time
				f.Kind = sandbox.ErrorAfter
			}
		case sandbox.TooMany:
			if r.IntN(20) == 0 {
				f.RetryAfter = "1"
			}
		}
		kinds[f.Kind]++
		return f
	})
	n := *outboxReports
	for i := range n {
		id := fmt.Sprintf("t%05d", i)
		if i%5 == 0 {
			h.site.accounts["user"+id] = "someone else's" // its report is fail
		}
		h.add(task(id))
	}
	stopWeather := net.change(t, *outboxSeed, arrived)
	stop := h.background()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute+time.Duration(n)*200*time.Millisecond)
	defer cancel()
	err = h.sb.Manager.Wait(ctx, func(m *sandbox.Manager) bool {
		return m.Count(sandbox.StateProfiled)+m.Count(sandbox.StateRegisterFailed) == n
	})
	if err != nil {
		t.Errorf("%d profiled and %d failed of %d: %v", h.sb.Manager.Count(sandbox.StateProfiled), h.sb.Manager.Count(sandbox.StateRegisterFailed), n, err)
	}
	stopWeather()
	h.sb.Manager.Fault(nil)
	h.waitAllReported(ctx, n)
	stop()
	calls, again := 0, 0
	for i := range n {
		id := fmt.Sprintf("t%05d", i)
		snap, _ := h.sb.Manager.Task(id)
		want := sandbox.StateProfiled
		if i%5 == 0 {
			want = sandbox.StateRegisterFailed
		}
		rec := h.record(id)
		if snap.Status != want || rec.State != core.Reported || rec.Done != (i%5 > 0) {
			t.Errorf("%s is %s, want %s; here %s, done %t", id, snap.Status, want, rec.State, rec.Done)
		}
		if k := h.site.submits["user"+id]; k != 1 {
			t.Errorf("%s was submitted %d times", id, k)
		}
		begun, over := false, false
		for _, c := range snap.Calls {
			calls++
			switch c.Name {
			case sandbox.CallStart:
				begun = begun || c.Applied
			case sandbox.CallComplete, sandbox.CallFail:
				if !begun {
					t.Errorf("%s: %s before a start took effect", id, c.Name)
				}
				if over && c.Applied {
					t.Errorf("%s: %s took effect after the end", id, c.Name)
				}
				if over {
					again++
				}
				over = over || c.Applied
			}
		}
		if done := snap.Count(sandbox.CallComplete) + snap.Count(sandbox.CallFail); done != 1 || snap.Count(sandbox.CallStart) != 1 {
			t.Errorf("%s: %d starts and %d reports took effect", id, snap.Count(sandbox.CallStart), done)
		}
	}
	if n >= 300 && (len(kinds) < 9 || net.spells < 10) {
		t.Errorf("too little went wrong: %v, %d changes of the network", kinds, net.spells)
	}
	t.Logf("-outbox.seed=%d: %d reports delivered, 0 lost, 0 wrong, 0 out of order; %d calls, %d of them repeated and refused; %v, %d changes of the network",
		*outboxSeed, n, calls, again, kinds, net.spells)
}

// waitAllReported waits until the ledger knows that every report arrived.
func (h *house) waitAllReported(ctx context.Context, n int) {
	h.t.Helper()
	changed, cancel := h.store.Subscribe()
	defer cancel()
	for {
		sum, err := h.store.Summary(ctx)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(sum) == 1 && sum[0].States[core.Reported] == n {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			h.dump()
			h.t.Fatalf("not every report is settled: %v", sum)
		}
	}
}

// TestAReportIsTakenOverWhoseLedgerIsAheadOfUs: whoever had claimed it died, and by
// our clock the claim lasts for an hour.
func TestAReportIsTakenOverWhoseLedgerIsAheadOfUs(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.store = ledgertest.OpenAt(t, "sqlite:"+t.TempDir()+"/ledger.db", func() time.Time { return time.Now().Add(time.Hour) })
	h.opts.Store, h.opts.Once = h.store, false
	h.add(task("t1"))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	must(h.opts.Manager.Start(ctx, "t1"))
	must(h.store.Join(ctx, "dead", time.Minute))
	must(h.store.PutSites(ctx, "dead", []core.SiteLimits{{Domain: domain, Driver: "test", Concurrency: 1}}))
	listed, err := h.opts.Manager.Get(ctx, "t1")
	must(err)
	_, err = ledgertest.Admit(ctx, h.store, listed.Task, time.Time{})
	must(err)
	rec, err := h.store.Claim(ctx, "dead", time.Minute, func(core.Record) (core.Move, bool) { return core.Move{To: core.Starting}, true })
	must(err)
	rec, err = h.store.Advance(ctx, rec.Lease, core.Move{To: core.Prepared}, core.Move{To: core.Confirmed, Account: &core.Account{}},
		core.Move{To: core.Profiled}, core.Move{To: core.Reporting, Deliver: time.Millisecond, Report: &core.Report{Complete: true, LinkProfile: "https://" + domain + "/t1"}})
	must(err)
	if rec.Delivery == nil {
		t.Fatal("the report is not claimed")
	}
	stop := h.background()
	defer stop()
	h.waitState("t1", core.Reported)
	if got := h.status("t1"); got != sandbox.StateProfiled {
		t.Errorf("the task manager has it as %s", got)
	}
}
