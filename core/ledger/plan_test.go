package ledger_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

// crowd fills a ledger as it looks after a long life: many finished tasks, many
// that wait, sites, reports and questions.
func crowd(t testing.TB, l *ledger.Ledger, finished int) {
	t.Helper()
	numbers := func(n int) string {
		return fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)`, n)
	}
	task := func(state, domain, due, ended string) string {
		return ` INSERT INTO task (id, request_id, domain, kind, state, from_state, phase, driver, digest, round, broken, changed, new_secrets,
			entity_mac, secrets_mac, fault, intent_id, waiting_since, ask_expired, due, owner, epoch, ended, seq, created, updated)
			SELECT '` + state + `' || i, '', ` + domain + `, 'onboard', '` + state + `', '', '', '', '', 1, 0, 0, 0, {blob}, {blob}, '', '', 0, 0, ` +
			due + `, '', 1, ` + ended + `, 1, 1, 1 FROM n`
	}
	const farAway = `9000000000000000`
	for _, q := range []string{
		// PostgreSQL wants WITH after INSERT INTO or before it; both take it before.
		numbers(finished) + task("reported", `'s' || (i % 2000) || '.org'`, `NULL`, `i`),
		numbers(20_000/slower) + task("waiting", `'s' || (i % 2000) || '.org'`, farAway+` + i`, `NULL`),
		numbers(20_000/slower) + task("ready", `'s' || (i % 2000) || '.org'`, farAway+` + i`, `NULL`),
		numbers(2000) + ` INSERT INTO site (domain, ready_at) SELECT 's' || i || '.org', ` + farAway + ` FROM n`,
		numbers(2000) + ` INSERT INTO runner_site (domain, owner, driver, every, concurrency, max_per_day, expires)
			SELECT 's' || i || '.org', 'crowd' || (i % 3), 'd', 0, 1, 0, 0 FROM n`,
		numbers(3000) + ` INSERT INTO outbox (task_id, kind, body, tries, next_at, owner, epoch, created)
			SELECT 'waiting' || i, '', {blob}, 0, ` + farAway + `, '', 0, 0 FROM n`,
		numbers(3000) + ` INSERT INTO ask (id, task_id, domain, kind, code, say, url, hash, state, shot, created, expires)
			SELECT 'ask' || i, 'waiting' || i, '', '', '', '', '', '', 'open', '', 0, ` + farAway + ` FROM n`,
		numbers(10_000) + ` INSERT INTO event (task_id, seq, at, kind, state, phase, level, text, attrs) SELECT 'waiting' || i, 1, 0, '', '', '', '', '', '' FROM n`,
		numbers(5000) + ` INSERT INTO entity (task_id, sealed) SELECT 'waiting' || i, {blob} FROM n`,
		numbers(5000) + ` INSERT INTO intent (id, task_id, key, state, committed, at, name, driver, digest, sealed)
			SELECT 'intent' || i, 'waiting' || i, {blob}, 'done', 0, 0, '', '', '', {blob} FROM n`,
		numbers(5000) + ` INSERT INTO account (task_id, domain, driver, created, sealed) SELECT 'waiting' || i, '', '', i, {blob} FROM n`,
		numbers(5000) + ` INSERT INTO identity (domain, kind, mac, task_id) SELECT 's' || i, 'email', {blob}, 'waiting' || i FROM n`,
		numbers(3000) + ` INSERT INTO bulk_import (id, domain, name, mac, size, batch, created, kept, sealed)
			SELECT 'import' || i, 's' || i || '.org', '', {blob}, 1, 100, ` + farAway + ` + i, i % 2, {blob} FROM n`,
		numbers(10_000) + ` INSERT INTO bulk_row (id, domain, import_id, task_id, num, line, state, batch, batch_size, place, sends, uncertain,
			user_id, message, email_mac, username_mac, seq, updated, sealed)
			SELECT 'row' || i, 's' || (i % 2000) || '.org', 'import' || (i % 3000), 'reported' || i, i, i, 'created', 'b' || (i / 100), 100, i % 100, 1, 0,
			'', '', {blob}, {blob}, i, 0, {blob} FROM n`,
		numbers(2000) + ` INSERT INTO bulk_row (id, domain, import_id, task_id, num, line, state, batch, batch_size, place, sends, uncertain,
			user_id, message, email_mac, username_mac, seq, updated, sealed)
			SELECT 'to send' || i, 's' || i || '.org', 'import' || i, '', 1, 1, 'waiting', '', 0, 0, 0, 0, '', '', {blob}, {blob}, i, 0, {blob} FROM n`,
		numbers(2000) + ` INSERT INTO bulk_site (domain, calls) SELECT 's' || i || '.org', 1 FROM n`,
		numbers(2000) + ` INSERT INTO bulk_seen (domain, boot, calls, ended, moment) SELECT 's' || i || '.org', 'boot', 1, 1, 0 FROM n`,
		numbers(5000) + ` INSERT INTO bulk_batch (id, domain, call, size, hash, how, message, began, ended)
			SELECT 'batch' || i, 's' || i || '.org', 1, 1, '', '', '', 0, 0 FROM n`,
		numbers(2000) + ` INSERT INTO bulk_visit (domain, task_id, epoch) SELECT 's' || i || '.org', 'waiting' || i, 1 FROM n`,
		`ANALYZE`,
	} {
		must(t, ledger.Exec(t.Context(), l, q))
	}
}

// exact are indexes that hold nothing but the rows that Join wants, all of them.
var exact = regexp.MustCompile(`^SCAN (task USING INDEX task_lease|outbox USING INDEX outbox_owner)$`)

// small are the tables that a fleet of any size leaves small.
var small = regexp.MustCompile(`\b(runner|lister|meta|flag|b|d|l|r|json_each|jsonb_to_recordset|d_1)\b`)

// TestNoLoopScansATable runs everything that the runner's loop does and looks at
// the plan of every statement: each finds its rows by an index, and none sorts.
func TestNoLoopScansATable(t *testing.T) {
	t.Parallel()
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			l := ledgertest.OpenAt(t, d.url(t), nil)
			crowd(t, l, 100_000/slower)
			rec := ledger.Record(l)
			loop(t, l)
			statements := rec.Statements()
			if len(statements) < 40 {
				t.Errorf("only %d statements were seen", len(statements))
			}
			for _, q := range statements {
				if q == "SELECT 1" || strings.Contains(q, "DELETE FROM runner") {
					continue
				}
				if strings.Contains(q, "FROM bulk_import WHERE kept = 1") {
					continue // once a retention; PostgreSQL joins either way, by size
				}
				// The rows of one call are a hundred; those of an import are counted when a person looks.
				// A site has as many leases as tasks that run; PostgreSQL may sort those few.
				few := strings.Contains(q, "ORDER BY expires LIMIT 1") || strings.Contains(q, "FROM runner_site") || strings.Contains(q, "FROM ask") ||
					strings.Contains(q, "FROM bulk_row WHERE batch = $1") || strings.Contains(q, "FROM bulk_row WHERE import_id = $1 GROUP BY state")
				plan, err := rec.Explain(t.Context(), q)
				if err != nil {
					t.Errorf("%v\n%s", err, q)
					continue
				}
				for _, step := range plan {
					scan := strings.HasPrefix(step, "SCAN ") || strings.Contains(step, "Seq Scan on ")
					sort := strings.Contains(step, "TEMP B-TREE") || strings.HasPrefix(strings.TrimLeft(step, "-> "), "Sort ")
					if exact.MatchString(step) {
						continue
					}
					if scan && !small.MatchString(step) && !strings.HasPrefix(step, "SCAN CONSTANT") && !strings.HasSuffix(step, "-ROW VALUES CLAUSE") || sort && !few {
						t.Errorf("%s\n  in the plan of\n%s\n%s", step, q, strings.Join(plan, "\n"))
					}
				}
			}
		})
	}
}

// loop does what a runner's loop does, each method at least once.
func loop(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	ctx := t.Context()
	must(t, l.PutSites(ctx, "bench", []core.SiteLimits{{Domain: "s0.org", Driver: "d", Concurrency: 5}}))
	must(t, l.Join(ctx, "bench", time.Hour))
	must(t, l.PutSites(ctx, "bench", []core.SiteLimits{{Domain: "s0.org", Driver: "d", Concurrency: 5}}))
	_, err := l.Look(ctx, []core.Task{lifeTask(1, 1)})
	must(t, err)
	_, err = l.TakeList(ctx, "bench", time.Hour)
	must(t, err)
	must(t, live(ctx, l, lifeTask(1, 1)))
	_, err = ledgertest.Admit(ctx, l, lifeTask(1, 1), time.Time{})
	must(t, err)
	r, err := l.Claim(ctx, "bench", time.Hour, nil)
	must(t, err)
	must(t, l.Note(ctx, r.Lease, core.Facts{"a": core.Text("b")}, core.Event{Text: "x"}))
	must(t, l.Note(ctx, r.Lease, nil, core.Event{Text: "x"}))
	for _, s := range []core.State{core.Starting, core.Prepared, core.Held} {
		r, err = l.Advance(ctx, r.Lease, core.Move{To: s})
		must(t, err)
	}
	ask := core.Ask{Kind: core.AskAnswer, Code: core.OTPSMS, Say: "code"}
	id, _, _, err := l.OpenAsk(ctx, r.Lease, ask, time.Now().Add(time.Hour))
	must(t, err)
	must(t, l.SetShot(ctx, r.Lease, id, "x"))
	must(t, l.AnswerAsk(ctx, id, "1", "ann"))
	_, _, err = l.TakeAnswer(ctx, r.Lease, id)
	must(t, err)
	id, _, _, err = l.OpenAsk(ctx, r.Lease, ask, time.Now().Add(time.Hour))
	must(t, err)
	must(t, l.CloseAsk(ctx, r.Lease, id))
	_, _, _, err = l.OpenAsk(ctx, r.Lease, ask, time.Now().Add(-time.Hour))
	must(t, err)
	_, err = l.ExpireAsks(ctx)
	must(t, err)
	_, err = l.Beat(ctx, "bench", time.Hour)
	must(t, err)
	for _, cause := range []string{"x", "y", "y", ""} {
		_, err = l.SiteSaw(ctx, "s0.org", cause, 2, time.Hour)
		must(t, err)
	}
	must(t, l.Defer(ctx, r.Lease, time.Now().Add(time.Hour), true, core.Event{Text: "x"}))
	must(t, l.Retry(ctx, r.ID, "ann"))
	r, err = l.Claim(ctx, "bench", time.Hour, nil)
	must(t, err)
	for _, m := range []core.Move{{To: core.Prepared}, {To: core.Failed, FreeIdentities: true}, {To: core.Reporting, Report: &core.Report{Message: "x"}}} {
		r, err = l.Advance(ctx, r.Lease, m)
		must(t, err)
	}
	it, err := l.ClaimReport(ctx, "bench", time.Hour)
	must(t, err)
	must(t, l.DeferReport(ctx, it, time.Now(), core.Event{Text: "x"}))
	if _, err := l.Claim(ctx, "bench", time.Hour, nil); !errors.Is(err, core.ErrNothing) {
		t.Fatalf("claim: %v", err)
	}
	_, err = l.NextDue(ctx, "bench")
	must(t, err)
	_, err = l.NextReport(ctx)
	must(t, err)
	_, err = l.Retain(ctx, time.UnixMicro(50))
	must(t, err)
	must(t, l.SetFlag(ctx, "f", "x"))
	_, err = l.Flag(ctx, "f")
	must(t, err)
	bulkLoop(t, l)
	must(t, l.Leave(ctx, "bench"))
}

// BenchmarkClaim shows that to claim a task and give it back costs the same however many tasks are finished.
func BenchmarkClaim(b *testing.B) {
	for _, finished := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("finished=%d", finished), func(b *testing.B) {
			l := ledgertest.OpenAt(b, databases[0].url(b), nil)
			crowd(b, l, finished)
			must(b, l.Join(b.Context(), "bench", time.Hour))
			must(b, l.PutSites(b.Context(), "bench", []core.SiteLimits{{Domain: "s0.org", Driver: "d", Concurrency: 5}}))
			_, err := ledgertest.Admit(b.Context(), l, lifeTask(1, 1), time.Time{})
			must(b, err)
			must(b, ledger.Checkpoint(b.Context(), l)) // not of what filled it
			b.ResetTimer()
			cpu := cpuTime(b)
			for b.Loop() {
				r, err := l.Claim(b.Context(), "bench", time.Hour, nil)
				must(b, err)
				must(b, l.Defer(b.Context(), r.Lease, time.Now(), false, core.Event{}))
			}
			b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-us/op")
		})
	}
}
