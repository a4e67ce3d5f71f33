package ledger_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

const bulkDomain = "abc.example"

var bulkSite = core.BulkSite{Domain: bulkDomain, Max: 3, Every: 10 * time.Minute, Timeout: 5 * time.Minute, HoldAbove: 0.2}

func bulkUsers(from, n int) []core.BulkRow {
	var out []core.BulkRow
	for i := range n {
		out = append(out, core.BulkRow{Num: i + 1, Line: i + 2, Cells: []core.Value{core.Text("x"), core.Secret("hidden")}, Fields: map[string]core.Value{
			"username": core.Text(fmt.Sprintf("user%d", from+i)), "email": core.Text(fmt.Sprintf("u%d@x.vn", from+i)), "password": core.Secret("canary-bulk-77")}})
	}
	return out
}

func moment(boot string, minutes float64) core.Moment {
	return core.Moment{Boot: boot, At: time.Duration(minutes * float64(time.Minute))}
}

func bulkBegin(t *testing.T, l *ledger.Ledger, now core.Moment) (core.BulkBatch, error) {
	t.Helper()
	rows, err := l.BulkNext(t.Context(), bulkDomain, bulkSite.Max)
	must(t, err)
	b := core.BulkBegin{Site: bulkSite, Now: now, Hash: "h"}
	for _, r := range rows {
		b.Rows = append(b.Rows, r.ID)
	}
	return l.BulkBegin(t.Context(), b)
}

func bulkEnd(b core.BulkBatch, now core.Moment, state core.BulkState) core.BulkEnd {
	e := core.BulkEnd{Domain: bulkDomain, Batch: b.ID, Now: now, How: "done"}
	for _, r := range b.Rows {
		e.Rows = append(e.Rows, core.BulkRowEnd{ID: r.ID, State: state, UserID: "id-" + r.ID})
	}
	return e
}

func opens(t *testing.T, l *ledger.Ledger, now core.Moment) time.Duration {
	t.Helper()
	w, err := l.BulkWindow(t.Context(), bulkSite, now)
	must(t, err)
	return w.OpensIn
}

// TestBulkWindow: calls are apart by the clock that never jumps, whatever the
// wall clock says, and a boot that sees a call first counts from then.
func TestBulkWindow(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			clock := ledgertest.NewClock()
			l := ledgertest.OpenAt(t, d.url(t), clock.Now)
			imp, err := l.AddImport(t.Context(), core.BulkImport{Domain: bulkDomain, Name: "a.csv", Digest: "1", Header: []string{"a"}}, bulkUsers(0, 8))
			must(t, err)
			if imp.Rows != 8 || imp.Counts[core.BulkWaiting] != 8 || imp.Adopted {
				t.Fatalf("%+v", imp)
			}
			one, err := bulkBegin(t, l, moment("A", 100))
			must(t, err)
			if len(one.Rows) != 3 || one.Call != 1 || one.Rows[2].Num != 3 {
				t.Fatalf("%+v", one)
			}
			if _, err := bulkBegin(t, l, moment("A", 300)); !errors.Is(err, core.ErrNothing) {
				t.Errorf("a second call beside the first: %v", err)
			}
			clock.Add(-time.Hour)
			must(t, l.BulkEnd(t.Context(), bulkEnd(one, moment("A", 102), core.BulkCreated)))
			if err := l.BulkEnd(t.Context(), bulkEnd(one, moment("A", 103), core.BulkFailed)); !errors.Is(err, core.ErrLeaseLost) {
				t.Errorf("a second end: %v", err)
			}
			clock.Add(5 * time.Hour)
			if got := opens(t, l, moment("A", 105)); got != 7*time.Minute {
				t.Errorf("opens in %s", got)
			}
			if _, err := bulkBegin(t, l, moment("A", 111.9)); !errors.Is(err, core.ErrNothing) {
				t.Errorf("early: %v", err)
			}
			// Another boot, whose clock begins anew: a full window from its first look.
			if got := opens(t, l, moment("B", 1)); got != 10*time.Minute {
				t.Errorf("another boot: opens in %s", got)
			}
			if _, err := bulkBegin(t, l, moment("C", 500)); !errors.Is(err, core.ErrNothing) {
				t.Errorf("a boot that never looked: %v", err)
			}
			two, err := bulkBegin(t, l, moment("B", 11))
			must(t, err)
			// B dies; A may give the call up when its time is over, and then waits on.
			w, err := l.BulkWindow(t.Context(), bulkSite, moment("A", 200))
			must(t, err)
			if !w.Calling || w.LostIn != 5*time.Minute || w.OpensIn != 15*time.Minute || w.Calls != 2 {
				t.Errorf("%+v", w)
			}
			open, err := l.BulkOpen(t.Context(), bulkDomain)
			must(t, err)
			if open.ID != two.ID || len(open.Rows) != 3 {
				t.Errorf("%+v", open)
			}
			end := bulkEnd(open, moment("A", 205), core.BulkUncertain)
			end.RetryAfter, end.Hold = 30*time.Minute, "look"
			must(t, l.BulkEnd(t.Context(), end))
			if w, err = l.BulkWindow(t.Context(), bulkSite, moment("A", 206)); err != nil || w.OpensIn != 29*time.Minute || !w.Held || w.HeldWhy != "look" || w.Rows != 5 {
				t.Errorf("%+v, %v", w, err)
			}
			if _, err := bulkBegin(t, l, moment("A", 300)); !errors.Is(err, core.ErrNothing) {
				t.Errorf("a held site: %v", err)
			}
			must(t, l.ResumeSite(t.Context(), bulkDomain))
			three, err := bulkBegin(t, l, moment("A", 300))
			must(t, err)
			if r := three.Rows[0]; !r.Uncertain || r.Sends != 2 || r.Fields["password"].Reveal() != "canary-bulk-77" {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestBulkImports: a file is imported once, a user once, and nothing is lost by
// a new key or by retention.
func TestBulkImports(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			clock := ledgertest.NewClock()
			l := ledgertest.OpenAt(t, d.url(t), clock.Now)
			ctx := t.Context()
			rows := bulkUsers(0, 2)
			rows = append(rows, core.BulkRow{Num: 3, State: core.BulkInvalid, Message: "bad", Fields: map[string]core.Value{}})
			first, err := l.AddImport(ctx, core.BulkImport{Domain: bulkDomain, Name: "a.csv", Digest: "1", Header: []string{"h"}}, rows)
			must(t, err)
			batch, err := bulkBegin(t, l, moment("A", 0))
			must(t, err)
			must(t, l.BulkEnd(ctx, bulkEnd(batch, moment("A", 1), core.BulkRefused)))
			again, err := l.AddImport(ctx, core.BulkImport{Domain: bulkDomain, Name: "b.csv", Digest: "1", Batch: 1}, rows)
			must(t, err)
			if again.ID != first.ID || !again.Adopted || again.Batch != 1 || again.Counts[core.BulkWaiting] != 2 || again.Counts[core.BulkInvalid] != 1 {
				t.Errorf("%+v", again)
			}
			other, err := l.AddImport(ctx, core.BulkImport{Domain: bulkDomain, Name: "c.csv", Digest: "2"}, bulkUsers(1, 2))
			must(t, err)
			if other.Counts[core.BulkSame] != 1 || other.Counts[core.BulkWaiting] != 1 {
				t.Errorf("%+v", other.Counts)
			}
			twin, err := l.BulkTwin(ctx, bulkDomain, "U1@X.VN", "nobody", "")
			must(t, err)
			if twin.Import != first.ID || twin.Num != 2 {
				t.Errorf("%+v", twin)
			}
			if _, err := l.BulkTwin(ctx, bulkDomain, "no@x.vn", "nobody", ""); !errors.Is(err, core.ErrNothing) {
				t.Errorf("a twin of nobody: %v", err)
			}
			must(t, l.Reseal(ctx, ledgertest.NewKey("other")))
			next, err := l.BulkNext(ctx, bulkDomain, 10)
			must(t, err)
			if len(next) != 3 || next[0].BatchSize != 1 || next[0].Cells[1].Reveal() != "hidden" {
				t.Errorf("%+v", next)
			}
			clock.Add(20 * time.Minute)
			b := core.BulkBegin{Site: bulkSite, Now: moment("A", 30), Hash: "h"}
			for _, r := range next {
				b.Rows = append(b.Rows, r.ID)
			}
			batch, err = l.BulkBegin(ctx, b)
			must(t, err)
			must(t, l.BulkEnd(ctx, bulkEnd(batch, moment("A", 31), core.BulkCreated)))
			_, err = l.Retain(ctx, clock.Now().Add(time.Hour))
			must(t, err)
			n := 0
			must(t, l.ImportRows(ctx, first.ID, func(r core.BulkRow) error {
				if n++; len(r.Fields) > 0 {
					t.Errorf("row %d still has its user", r.Num)
				}
				return nil
			}))
			if _, err := l.BulkTwin(ctx, bulkDomain, "u0@x.vn", "", ""); err != nil || n != 3 {
				t.Errorf("%d rows, the name is forgotten: %v", n, err)
			}
		})
	}
}
