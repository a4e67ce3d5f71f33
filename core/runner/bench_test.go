package runner_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/entity"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/core/text"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// BenchmarkTask is the core's own cost of a task, from list to reported: the
// strict task manager over HTTP, a durable ledger, a driver and a site that do
// nothing.
func BenchmarkTask(b *testing.B) {
	for name, open := range map[string]func(testing.TB) core.Store{
		"sqlite":   ledgertest.SQLite,
		"postgres": ledgertest.OnPostgres,
	} {
		b.Run(name, func(b *testing.B) {
			sb, err := sandbox.Start(b.Context(), sandbox.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer sb.Close()
			client, err := entity.New(entity.Options{BaseURL: sb.Manager.URL, Key: core.Secret(sb.Manager.APIKey)})
			if err != nil {
				b.Fatal(err)
			}
			site := newSite()
			tasks := make([]sandbox.Task, b.N)
			for i := range tasks {
				tasks[i] = task(fmt.Sprint("t", i))
			}
			sb.Manager.Add(tasks...)
			r, err := runner.New(runner.Options{
				Manager: client, Store: open(b), Catalog: site, Egress: site, Browsers: site, Workers: site, Assets: site,
				Texts: text.Texts{}, Redact: secret.NewRedactor(), Log: slog.New(slog.DiscardHandler),
				Owner: "bench", Slots: 4, Dir: b.TempDir(), Exclusive: true, Server: sb.Manager.URL, Once: true,
				Limits: runner.Limits{ListLimit: 1000, Poll: 10 * time.Millisecond},
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			if err := r.Run(context.WithoutCancel(b.Context()), nil); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if n := sb.Manager.Count(sandbox.StateProfiled); n != b.N {
				b.Fatalf("%d of %d tasks were profiled", n, b.N)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
		})
	}
}
