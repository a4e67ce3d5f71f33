package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

// BenchmarkTaskLife is the ledger's whole work for one task, from the list to
// the settled report, every step durable.
func BenchmarkTaskLife(b *testing.B) {
	for _, d := range databases {
		for _, slots := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/slots=%d", d.name, slots), func(b *testing.B) {
				l := ledgertest.OpenAt(b, d.url(b), nil)
				must(b, l.Join(b.Context(), "bench", time.Hour))
				sites := make([]core.SiteLimits, slots)
				for i := range sites {
					sites[i] = core.SiteLimits{Domain: fmt.Sprintf("s%d.org", i), Driver: "d", Concurrency: slots}
				}
				must(b, l.PutSites(b.Context(), "bench", sites))
				b.ReportAllocs()
				b.ResetTimer()
				cpu := cpuTime(b)
				var n atomic.Int64
				var wg sync.WaitGroup
				for range slots {
					wg.Go(func() {
						for {
							i := n.Add(1)
							if i > int64(b.N) {
								return
							}
							if err := live(b.Context(), l, lifeTask(i, slots)); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
				b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/1000/float64(b.N), "cpu-ms/task")
			})
		}
	}
}

// cpuTime is what this process, without the database server, has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func lifeTask(i int64, sites int) core.Task {
	id := fmt.Sprintf("task-%08d", i)
	return core.Task{ID: id, RequestID: "r", Domain: fmt.Sprintf("s%d.org", i%int64(sites)), Kind: core.Onboard, Language: "en",
		Entity: core.Entity{Fields: map[string]core.Value{
			core.FieldEmail: core.Text(id + "@mail.example"), core.FieldUsername: core.Text(id), core.FieldPassword: core.Secret("pass " + id),
			core.FieldFirstName: core.Text("An"), core.FieldLastName: core.Text("Nguyen"), core.FieldPhone: core.Text("0900000000"),
			core.FieldAbout:   core.Text("<p>Some five hundred characters of a biography would stand here.</p>"),
			core.FieldWebsite: core.Text("https://customer.example/"), core.FieldMailPassword: core.Secret("mail " + id),
		}, Social: []string{"https://a.example/x", "https://b.example/y"}}}
}

// live takes one task through its life: 13 transactions. The tasks that it
// claims and reports may be others', but as many as it admits.
func live(ctx context.Context, l core.Store, t core.Task) error {
	if _, err := l.Admit(ctx, t, time.Time{}); err != nil {
		return err
	}
	r, err := again(func() (core.Record, error) { return l.Claim(ctx, "bench", time.Hour) })
	if err != nil {
		return err
	}
	id := r.ID
	if r, err = l.Advance(ctx, r.Lease, core.Move{To: core.Starting}); err != nil {
		return err
	}
	if err := l.Reserve(ctx, r.Lease, r.Entity.Get(core.FieldPassword), []core.Identity{
		{Kind: core.FieldEmail, Value: r.Entity.Get(core.FieldEmail)}, {Kind: core.FieldUsername, Value: r.Entity.Get(core.FieldUsername)}}); err != nil {
		return err
	}
	for _, m := range []core.Move{
		{To: core.Prepared, Phase: core.Register},
		{To: core.Intended, Intent: &core.Intent{Name: "sign up", Username: core.Text(id), Email: core.Text(id + "@mail.example"), Password: core.Secret("p"), HasMark: true}},
		{To: core.Submitted, Committed: true},
		{To: core.Confirmed, End: core.IntentDone, Account: &core.Account{Username: core.Text(id), Password: core.Secret("p")}},
		{To: core.Profiled, Facts: core.Facts{core.FactLinkProfile: core.Text("https://s.org/" + id)}, Fields: map[string]string{"about": "set"}},
		{To: core.Reporting, Report: &core.Report{Complete: true, LinkProfile: "https://s.org/" + id}},
	} {
		if r, err = l.Advance(ctx, r.Lease, m); err != nil {
			return err
		}
	}
	it, err := again(func() (core.OutboxItem, error) { return l.ClaimReport(ctx, "bench", time.Hour) })
	if err != nil {
		return err
	}
	return l.SettleReport(ctx, it, core.Reported, core.Event{})
}

// again repeats a claim that met a row which another one was just taking.
func again[T any](claim func() (T, error)) (T, error) {
	for {
		v, err := claim()
		if !errors.Is(err, core.ErrNothing) {
			return v, err
		}
	}
}
