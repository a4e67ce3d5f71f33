package ledger_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

// BenchmarkTaskLife is the ledger's whole work for one task, from the list to
// the settled report, every step durable, with so many finished tasks in the
// ledger already.
func BenchmarkTaskLife(b *testing.B) {
	for _, d := range databases {
		for _, held := range []int{0, 1_000, 100_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/held=%d", d.name, held), func(b *testing.B) {
				url := d.url(b)
				ledgertest.Fill(b, url, held)
				l := ledgertest.OpenAt(b, url, nil)
				for _, slots := range []int{1, 8} {
					if slots == 1 && held > 0 {
						continue // one after the other waits for the disk
					}
					b.Run(fmt.Sprintf("slots=%d", slots), func(b *testing.B) { lives(b, l, slots) })
				}
			})
		}
	}
}

// next numbers the tasks of all benchmarks: a number is a life.
var next atomic.Int64

func lives(b *testing.B, l *ledger.Ledger, slots int) {
	must(b, l.Join(b.Context(), "bench", time.Hour))
	sites := make([]core.SiteLimits, slots)
	for i := range sites {
		sites[i] = core.SiteLimits{Domain: fmt.Sprintf("s%d.org", i), Driver: "d", Concurrency: slots}
	}
	must(b, l.PutSites(b.Context(), "bench", sites))
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime(b)
	var done atomic.Int64
	var wg sync.WaitGroup
	for range slots {
		wg.Go(func() {
			for done.Add(1) <= int64(b.N) {
				if err := live(b.Context(), l, lifeTask(next.Add(1), slots)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/1000/float64(b.N), "cpu-ms/task")
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

func lifeTask(i int64, sites int) core.Task { return ledgertest.LifeTask(i, sites) }

func live(ctx context.Context, l core.Store, t core.Task) error {
	return ledgertest.Live(ctx, l, "bench", t)
}
