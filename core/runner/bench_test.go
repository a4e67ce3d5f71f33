package runner_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
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

// managerEnv makes the test binary a task manager, for as long as its input is open.
const managerEnv = "ROLLCALL_BENCH_MANAGER"

func TestMain(m *testing.M) {
	if os.Getenv(managerEnv) == "" {
		os.Exit(m.Run())
	}
	if err := serveManager(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serveManager says where the task manager is and then, for every line "ADD FIRST
// COUNT" or "COUNT", how many tasks are profiled.
func serveManager(in io.Reader, out io.Writer) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	sb, err := sandbox.Start(ctx, sandbox.Options{})
	if err != nil {
		return err
	}
	defer sb.Close()
	fmt.Fprintln(out, sb.Manager.URL, sb.Manager.APIKey)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var first, count int
		if _, err := fmt.Sscanf(lines.Text(), "ADD %d %d", &first, &count); err == nil {
			tasks := make([]sandbox.Task, count)
			for i := range tasks {
				tasks[i] = task(fmt.Sprintf("%08x-%d", uint32(first+i)*2_654_435_761, first+i))
				tasks[i].Domain = fmt.Sprintf("s%d.org", (first+i)%benchDomains)
			}
			sb.Manager.Add(tasks...)
		}
		fmt.Fprintln(out, sb.Manager.Count(sandbox.StateProfiled))
	}
	return nil
}

// manager is the strict task manager in a process of its own, so that what it
// takes is not the runner's.
type manager struct {
	*entity.Client
	url   string
	in    io.WriteCloser
	out   *bufio.Reader
	added int
}

func startManager(b *testing.B) *manager {
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), managerEnv+"=1"), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	m := &manager{in: in, out: bufio.NewReader(out)}
	b.Cleanup(func() {
		if err := in.Close(); err != nil {
			b.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	var key string
	if _, err := fmt.Sscan(m.line(b), &m.url, &key); err != nil {
		b.Fatal(err)
	}
	if m.Client, err = entity.New(entity.Options{BaseURL: m.url, Key: core.Secret(key)}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(m.Client.Close)
	return m
}

func (m *manager) line(b *testing.B) string {
	s, err := m.out.ReadString('\n')
	if err != nil {
		b.Fatalf("the task manager ended: %v", err)
	}
	return strings.TrimSpace(s)
}

// ask sends a line and returns how many tasks are profiled.
func (m *manager) ask(b *testing.B, format string, args ...any) (profiled int) {
	if _, err := fmt.Fprintf(m.in, format+"\n", args...); err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Sscan(m.line(b), &profiled); err != nil {
		b.Fatal(err)
	}
	return profiled
}

func (m *manager) add(b *testing.B, n int) {
	m.ask(b, "ADD %d %d", m.added, n)
	m.added += n
}

// BenchmarkTask is the core's own cost of a task, from list to reported: a task
// manager over HTTP in another process, a durable ledger with so many finished
// tasks in it, a driver and a site that do nothing.
func BenchmarkTask(b *testing.B) {
	for _, db := range []struct {
		name string
		url  func(testing.TB) string
	}{
		{"SQLite", func(t testing.TB) string { return "sqlite:" + t.TempDir() + "/ledger.db" }},
		{"PostgreSQL", ledgertest.Postgres},
	} {
		for _, held := range []int{1_000, 100_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/held=%d", db.name, held), func(b *testing.B) {
				url := db.url(b)
				ledgertest.Fill(b, url, held)
				store := ledgertest.OpenAt(b, url, nil)
				m := startManager(b)
				b.Run("slots=8", func(b *testing.B) { runTasks(b, m, 8, store) })
			})
		}
	}
}

// BenchmarkFleet is BenchmarkTask with several runners on one PostgreSQL, each of
// which has a ledger, a task manager's client and slots of its own.
func BenchmarkFleet(b *testing.B) {
	for _, runners := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("PostgreSQL/runners=%d", runners), func(b *testing.B) {
			url := ledgertest.Postgres(b)
			stores := make([]core.Store, runners)
			for i := range stores {
				stores[i] = ledgertest.OpenAt(b, url, nil)
			}
			m := startManager(b)
			b.Run("slots=4", func(b *testing.B) { runTasks(b, m, 4, stores...) })
		})
	}
}

// benchDomains is how many sites the tasks are for.
const benchDomains = 16

// benchSites are sites of one driver that does nothing, each for as many tasks at
// the same time as there are slots.
type benchSites struct {
	*site
	slots int
}

func (s benchSites) Lookup(d string) (core.Binding, error) {
	b, err := s.site.Lookup(domain)
	b.Domain, b.Pace.Concurrency = d, s.slots
	return b, err
}

func (s benchSites) Bindings() []core.Binding {
	var out []core.Binding
	for i := range benchDomains {
		b, err := s.Lookup(fmt.Sprintf("s%d.org", i))
		if err != nil {
			return nil
		}
		out = append(out, b)
	}
	return out
}

// runTasks has a runner on each store take b.N tasks together.
func runTasks(b *testing.B, m *manager, slots int, stores ...core.Store) {
	before := m.ask(b, "COUNT")
	m.add(b, b.N)
	site := newSite()
	runners := make([]*runner.Runner, len(stores))
	for i, store := range stores {
		var err error
		runners[i], err = runner.New(runner.Options{
			Manager: m, Store: store, Catalog: benchSites{site, slots * len(stores)}, Egress: site, Browsers: site, Workers: site, Assets: site,
			Texts: text.Texts{}, Redact: secret.NewRedactor(), Log: slog.New(slog.DiscardHandler),
			Owner: fmt.Sprintf("bench-%d", i), Slots: slots, Dir: b.TempDir(), Exclusive: true, Server: m.url, Once: true,
			Limits: runner.Limits{ListLimit: 1000, Poll: time.Second},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime(b)
	var all sync.WaitGroup
	for _, r := range runners {
		all.Go(func() {
			if err := r.Run(context.WithoutCancel(b.Context()), nil); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	b.StopTimer()
	used := cpuTime(b) - cpu
	if n := m.ask(b, "COUNT") - before; n != b.N {
		b.Fatalf("%d of %d tasks were profiled", n, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
	b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "cpu-ms/task")
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
