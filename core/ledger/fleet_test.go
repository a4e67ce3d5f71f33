package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

// visits counts what a fleet does at the same time.
type visits struct {
	mu      sync.Mutex
	running map[string]int // by site
	busy    map[string]string
	begun   map[string][]time.Time // claims of ready tasks by site, by the server's clock
	left    int
	done    chan struct{}
}

func (v *visits) begin(t *testing.T, rec core.Record, concurrency int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if who, ok := v.busy[rec.ID]; ok {
		t.Errorf("%s is claimed by %s while %s has it", rec.ID, rec.Lease.Owner, who)
	}
	v.busy[rec.ID] = rec.Lease.Owner
	if v.running[rec.Domain]++; v.running[rec.Domain] > concurrency {
		t.Errorf("%d visits to %s at a time", v.running[rec.Domain], rec.Domain)
	}
	v.begun[rec.Domain] = append(v.begun[rec.Domain], rec.Due) // a claim is due when it is made
}

func (v *visits) end(rec core.Record) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.busy, rec.ID)
	v.running[rec.Domain]--
}

func (v *visits) finish() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.left--; v.left == 0 {
		close(v.done)
	}
}

// TestFleetKeepsEveryLimit lets several runners, each with several slots, work
// through tasks of sites with a concurrency, a pace and a quota.
func TestFleetKeepsEveryLimit(t *testing.T) {
	const (
		every    = 5 * time.Millisecond
		quota    = 7
		runners  = 3
		slots    = 4
		perSite  = 25
		busySite = 2
	)
	url := ledgertest.Postgres(t)
	sites := []core.SiteLimits{
		{Domain: "busy.org", Driver: "d", Concurrency: busySite}, {Domain: "one.org", Driver: "d", Concurrency: 1},
		{Domain: "slow.org", Driver: "d", Concurrency: 9, Every: every}, {Domain: "few.org", Driver: "d", Concurrency: 9, MaxPerDay: quota},
	}
	v := &visits{running: map[string]int{}, busy: map[string]string{}, begun: map[string][]time.Time{}, left: 3*perSite + quota, done: make(chan struct{})}
	var handles []*ledger.Ledger
	for i := range runners {
		l := ledgertest.OpenAt(t, url, nil)
		handles = append(handles, l)
		owner := fmt.Sprint("runner ", i)
		must(t, l.Join(t.Context(), owner, time.Hour))
		must(t, l.PutSites(t.Context(), owner, sites))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for i, l := range handles {
		for range slots {
			wg.Go(func() { visit(ctx, t, l, fmt.Sprint("runner ", i), v, sites) })
		}
	}
	for i := range perSite {
		for _, s := range sites {
			_, err := ledgertest.Admit(ctx, handles[i%runners], core.Task{ID: fmt.Sprintf("%s-%02d", s.Domain, i), Domain: s.Domain}, time.Time{})
			must(t, err)
		}
	}
	select {
	case <-v.done:
	case <-time.After(50 * time.Second):
		t.Error("the fleet came to a stop")
	}
	cancel()
	wg.Wait()
	for domain, at := range v.begun {
		slices.SortFunc(at, time.Time.Compare)
		perDay := map[string]int{}
		for i, when := range at {
			if domain == "slow.org" && i > 0 && when.Sub(at[i-1]) < every {
				t.Errorf("%s was visited %v after the visit before", domain, when.Sub(at[i-1]))
			}
			if perDay[when.Format(time.DateOnly)]++; domain == "few.org" && perDay[when.Format(time.DateOnly)] > quota {
				t.Errorf("%s began more than %d on a day", domain, quota)
			}
		}
	}
}

// visit is one slot: it claims, moves and ends tasks, and waits for signals and due times.
func visit(ctx context.Context, t *testing.T, l *ledger.Ledger, owner string, v *visits, sites []core.SiteLimits) {
	changed, stop := l.Subscribe()
	defer stop()
	for ctx.Err() == nil {
		rec, err := l.Claim(ctx, owner, time.Hour, nil)
		if errors.Is(err, core.ErrNothing) {
			next, err := l.NextDue(ctx, owner)
			if err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
			wait := time.Minute
			if !next.IsZero() {
				wait = time.Until(next)
			}
			select {
			case <-changed:
			case <-time.After(wait):
			case <-ctx.Done():
			}
			continue
		}
		if err != nil {
			if ctx.Err() == nil {
				t.Error(err)
			}
			return
		}
		i := slices.IndexFunc(sites, func(s core.SiteLimits) bool { return s.Domain == rec.Domain })
		v.begin(t, rec, sites[i].Concurrency)
		_, err = l.Advance(ctx, rec.Lease, core.Move{To: core.Starting})
		v.end(rec)
		if err == nil {
			_, err = l.Advance(ctx, rec.Lease, core.Move{To: core.Dropped})
		}
		if err != nil && ctx.Err() == nil {
			t.Error(err)
			return
		}
		v.finish()
	}
}

func TestFleetHoldsTheStrictestLimits(t *testing.T) {
	clock := ledgertest.NewClock()
	l := ledgertest.OpenAt(t, ledgertest.Postgres(t), clock.Now)
	ctx := t.Context()
	join := func(owner string, s core.SiteLimits) {
		t.Helper()
		s.Domain = "s0.org"
		must(t, l.Join(ctx, owner, time.Minute))
		must(t, l.PutSites(ctx, owner, []core.SiteLimits{s}))
	}
	claims := func(owner string, want int) {
		t.Helper()
		for n := 0; ; n++ {
			_, err := l.Claim(ctx, owner, time.Hour, nil)
			if errors.Is(err, core.ErrNothing) {
				if n != want {
					t.Fatalf("%s claimed %d tasks, want %d", owner, n, want)
				}
				return
			}
			must(t, err)
		}
	}
	for i := range 20 {
		_, err := ledgertest.Admit(ctx, l, lifeTask(int64(i), 1), time.Time{})
		must(t, err)
	}
	join("a", core.SiteLimits{Driver: "d", Concurrency: 5})
	join("b", core.SiteLimits{Driver: "d", Concurrency: 2, Every: 2 * time.Second, MaxPerDay: 4, Expires: clock.Now().Add(80 * time.Second)})
	claims("a", 1) // b's pace
	clock.Add(2 * time.Second)
	claims("a", 1)
	clock.Add(2 * time.Second)
	claims("a", 0) // b's concurrency
	must(t, l.Leave(ctx, "b"))
	claims("a", 3) // now a's own
	ss, err := l.Sites(ctx)
	must(t, err)
	if ss[0].Concurrency != 5 || ss[0].Running != 5 || ss[0].Today != 5 {
		t.Errorf("site %+v", ss[0])
	}
	join("c", core.SiteLimits{Driver: "d", Concurrency: 9, Expires: clock.Now().Add(30 * time.Second)})
	join("a", core.SiteLimits{Driver: "d", Concurrency: 9})
	clock.Add(40 * time.Second)
	_, err = l.Beat(ctx, "a", time.Hour)
	must(t, err)
	claims("a", 0) // c's basis is over
	clock.Add(20 * time.Second)
	claims("a", 4) // and c is not alive any more
}

func TestServersClockDecides(t *testing.T) {
	url := ledgertest.Postgres(t)
	l := ledgertest.OpenAt(t, url, nil)
	ctx := t.Context()
	must(t, l.Join(ctx, "bench", time.Hour))
	must(t, l.PutSites(ctx, "bench", []core.SiteLimits{{Domain: "s0.org", Driver: "d", Concurrency: 1}}))
	conn, err := pgx.Connect(ctx, url)
	must(t, err)
	defer func() { must(t, conn.Close(context.Background())) }()
	server := func() (now time.Time) {
		must(t, conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now))
		return now.UTC()
	}
	before := server()
	_, err = ledgertest.Admit(ctx, l, lifeTask(1, 1), time.Time{})
	must(t, err)
	rec, err := l.Claim(ctx, "bench", time.Hour, nil)
	must(t, err)
	if after := server(); rec.Created.Before(before.Truncate(time.Microsecond)) || rec.Due.After(after) || rec.Due.Before(rec.Created) {
		t.Errorf("created %v, claimed %v, between %v and %v", rec.Created, rec.Due, before, after)
	}
	// A runner that slept past its lease finds itself fenced.
	must(t, ledger.Exec(ctx, l, `UPDATE task SET expires = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`))
	if _, err := l.Advance(ctx, rec.Lease, core.Move{To: core.Starting}); !errors.Is(err, core.ErrLeaseLost) {
		t.Errorf("advance: %v", err)
	}
	must(t, l.Leave(ctx, "other"))
	must(t, ledger.Exec(ctx, l, `UPDATE site SET ready_at = 1`))
	again, err := l.Claim(ctx, "bench", time.Hour, nil)
	must(t, err)
	if again.Lease.Epoch != rec.Lease.Epoch+1 {
		t.Errorf("epoch %d after %d", again.Lease.Epoch, rec.Lease.Epoch)
	}
}

// words is a log handler that passes on messages.
type words chan string

func (w words) Enabled(context.Context, slog.Level) bool { return true }
func (w words) WithAttrs([]slog.Attr) slog.Handler       { return w }
func (w words) WithGroup(string) slog.Handler            { return w }
func (w words) Handle(_ context.Context, r slog.Record) error {
	w <- r.Message
	return nil
}

func TestChangesAreHeardByOthers(t *testing.T) {
	url := ledgertest.Postgres(t)
	said := make(words, 100)
	a, err := ledger.Open(t.Context(), ledger.Options{URL: url, Keys: ledgertest.NewKey("test"), Logger: slog.New(said)})
	must(t, err)
	defer func() { must(t, a.Close()) }()
	b := ledgertest.OpenAt(t, url, nil)
	changed, stop := a.Subscribe()
	defer stop()
	limit := time.After(30 * time.Second)
	listens := func() {
		t.Helper()
		for {
			select {
			case word := <-said:
				if strings.Contains(word, "listens") {
					select {
					case <-changed: // coming back counts as a change
					default: // so it was before Subscribe
					}
					return
				}
			case <-limit:
				t.Fatal("the ledger does not listen")
			}
		}
	}
	admit := func(id string) {
		t.Helper()
		_, err := ledgertest.Admit(t.Context(), b, core.Task{ID: id, Domain: "a.org"}, time.Time{})
		must(t, err)
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("task %s was not heard of", id)
		}
	}
	listens()
	admit("1")
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer func() { must(t, conn.Close(context.Background())) }()
	_, err = conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = 'rollcall' AND datname = current_database()`)
	must(t, err)
	listens()
	admit("2")
	if _, err := a.Task(t.Context(), "2"); err != nil {
		t.Error(err)
	}
}

func TestPostgreSQLOpensOnceForAll(t *testing.T) {
	url := ledgertest.Postgres(t)
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			l, err := open(t, url, "test")
			if err == nil {
				err = l.Close()
			}
			errs[i] = err
		})
	}
	wg.Wait()
	must(t, errors.Join(errs...))
	l, err := open(t, url, "test")
	must(t, err)
	fill(t, l)
	if err := l.Backup(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("backup: %v", err)
	}
	if _, err := open(t, url, "other"); err == nil || !strings.Contains(err.Error(), "another master key") {
		t.Errorf("another key: %v", err)
	}
	must(t, ledger.Exec(t.Context(), l, `INSERT INTO schema_version (version_id, is_applied) VALUES (99999, true)`))
	if _, err := open(t, url, "test"); err == nil || !strings.Contains(err.Error(), "newer rollcall") {
		t.Errorf("a newer schema: %v", err)
	}
	whole(t, l)
	must(t, l.Close())
}

func TestPostgreSQLKeepsNoSecretInClear(t *testing.T) {
	url := ledgertest.Postgres(t)
	l := ledgertest.OpenAt(t, url, nil)
	fill(t, l)
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer func() { must(t, conn.Close(context.Background())) }()
	rows, err := conn.Query(t.Context(), `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`)
	must(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	seen := 0
	for _, table := range tables {
		rows, err := conn.Query(t.Context(), `SELECT t::text FROM `+table+` AS t`)
		must(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		must(t, err)
		seen += len(lines)
		if f := found([]byte(strings.Join(lines, "\n"))); len(f) > 0 {
			t.Errorf("%s has %v", table, f)
		}
	}
	if seen < 10 {
		t.Errorf("only %d rows were looked at", seen)
	}
}

func TestPostgreSQLThatIsNotThere(t *testing.T) {
	_, err := open(t, "postgres://nobody:hunter22secret@127.0.0.1:1/none?sslmode=disable", "test")
	if err == nil || strings.Contains(err.Error(), "hunter22secret") || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("error %v", err)
	}
}
