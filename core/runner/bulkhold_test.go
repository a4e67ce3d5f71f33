package runner_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// list imports n users and runs calls until nothing more can go out.
type list struct {
	t  *testing.T
	sb *sandbox.Sandbox
	l  *ledger.Ledger
	b  *runner.Bulk
	s  runner.BulkService
}

func newList(t *testing.T) *list {
	sb, err := sandbox.Start(t.Context(), sandbox.Options{HoolaEvery: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sb.Close() })
	x := &list{t: t, sb: sb, l: ledgertest.SQLite(t).(*ledger.Ledger), s: hoolaService(t, sb)}
	x.s.Site.HoldAbove = 0.2
	if x.b, err = runner.NewBulk(runner.BulkOptions{Site: x.s.Site, API: x.s.API, Store: x.l, Clock: testMoment}); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *list) add(n, batch int) {
	x.t.Helper()
	var rows []core.BulkRow
	for i := range n {
		rows = append(rows, core.BulkRow{Num: i + 1, Fields: map[string]core.Value{"name": core.Text("Nguyễn Văn"), "username": core.Text(fmt.Sprintf("user%d", i)),
			"email": core.Text(fmt.Sprintf("u%d@x.example", i)), "password": core.Secret("secret12")}})
	}
	if _, err := x.l.AddImport(x.t.Context(), core.BulkImport{Domain: x.s.Site.Domain, Name: "list", Digest: "d", Batch: batch}, rows); err != nil {
		x.t.Fatal(err)
	}
}

// run returns the counts of the rows, and why the site is held.
func (x *list) run() (map[core.BulkState]int, string) {
	x.t.Helper()
	for {
		wait, err := x.b.Next(x.t.Context())
		if err != nil {
			x.t.Fatal(err)
		}
		w, err := x.l.BulkWindow(x.t.Context(), x.s.Site, testMoment())
		if err != nil {
			x.t.Fatal(err)
		}
		if w.Held || w.Rows == 0 && !w.Calling {
			all, err := x.l.Imports(x.t.Context(), x.s.Site.Domain)
			if err != nil {
				x.t.Fatal(err)
			}
			return all[0].Counts, w.HeldWhy
		}
		<-time.After(wait)
	}
}

// TestManyRefusalsHoldTheNextCall: a bad list costs one call, not all of them.
func TestManyRefusalsHoldTheNextCall(t *testing.T) {
	x := newList(t)
	for i := range 30 {
		x.sb.Hoola.Add(sandbox.HoolaUser{Name: "Someone", Username: fmt.Sprint("other", i), Email: fmt.Sprintf("u%d@x.example", i), Password: "secret12"})
	}
	x.add(250, 0)
	count, why := x.run()
	if !strings.HasPrefix(why, "30 of 100 users of a batch were refused (30%)") || count[core.BulkFailed] != 30 || count[core.BulkCreated] != 70 || count[core.BulkWaiting] != 150 {
		t.Errorf("%v, held: %q", count, why)
	}
	if err := x.l.ResumeSite(t.Context(), x.s.Site.Domain); err != nil {
		t.Fatal(err)
	}
	if count, why = x.run(); why != "" || count[core.BulkCreated] != 220 {
		t.Errorf("%v, held: %q", count, why)
	}
}

// TestSmallCallsAreJudgedTogether: users that come one at a time are judged by
// the share of them that was refused, and two refusals alone hold nothing.
func TestSmallCallsAreJudgedTogether(t *testing.T) {
	for _, c := range []struct {
		name    string
		refused []int
		why     string
		made    int
	}{
		{"every one of the first", []int{0, 1, 2}, "3 of 3 users of the last batches were refused (100%)", 0},
		{"one in seven", []int{0, 7, 14}, "", 17},
		{"two", []int{0, 1}, "", 18},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newList(t)
			for _, i := range c.refused {
				x.sb.Hoola.Add(sandbox.HoolaUser{Name: "Someone", Username: fmt.Sprint("other", i), Email: fmt.Sprintf("u%d@x.example", i), Password: "secret12"})
			}
			x.add(20, 1)
			count, why := x.run()
			if c.why == "" && why != "" || !strings.HasPrefix(why, c.why) || count[core.BulkCreated] != c.made || count[core.BulkFailed] != len(c.refused) {
				t.Errorf("%v, held: %q", count, why)
			}
		})
	}
}

// TestRefusedCallIsImportedAgain: every row has the platform's words, and the
// same file goes out again in smaller calls.
func TestRefusedCallIsImportedAgain(t *testing.T) {
	x := newList(t)
	x.sb.Hoola.Fault(func(c sandbox.HoolaCall) sandbox.HoolaFault {
		if len(c.Users) > 4 {
			return sandbox.HoolaFault{Code: "13"}
		}
		return sandbox.HoolaFault{}
	})
	x.add(10, 0)
	if count, why := x.run(); count[core.BulkRefused] != 10 || why != "" {
		t.Errorf("%v, held: %q", count, why)
	}
	x.add(10, 4)
	if count, _ := x.run(); count[core.BulkCreated] != 10 || len(x.sb.Hoola.Calls()) != 4 {
		t.Errorf("%v in %d calls", count, len(x.sb.Hoola.Calls()))
	}
}

// TestOddAnswers: rows that come backwards, double, foreign or not at all, a web
// page, and a redirect, which nobody follows.
func TestOddAnswers(t *testing.T) {
	x := newList(t)
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	x.sb.Hoola.Fault(func(c sandbox.HoolaCall) sandbox.HoolaFault {
		switch c.N {
		case 1:
			return sandbox.HoolaFault{Reorder: true, Foreign: true, Missing: 2}
		case 2:
			return sandbox.HoolaFault{Fault: sandbox.Fault{Kind: sandbox.HTMLPage}}
		case 3:
			return sandbox.HoolaFault{Fault: sandbox.Fault{Kind: sandbox.Redirected, Location: other.URL}}
		}
		return sandbox.HoolaFault{}
	})
	x.add(10, 0)
	count, why := x.run()
	if count[core.BulkUncertain] != 2 || !strings.HasPrefix(why, "3 calls in a row had no known outcome (HTTP 307: the site redirects to "+other.URL+", where nothing was sent; check base_url)") {
		t.Errorf("%v, held: %q", count, why)
	}
	if err := x.l.ResumeSite(t.Context(), x.s.Site.Domain); err != nil {
		t.Fatal(err)
	}
	count, _ = x.run()
	if count[core.BulkCreated] != 8 || count[core.BulkUnconfirmed] != 2 || len(x.sb.Hoola.Users()) != 10 || len(x.sb.Hoola.Calls()) != 4 || elsewhere.Load() != 0 {
		t.Errorf("%v, %d users in %d calls, %d elsewhere", count, len(x.sb.Hoola.Users()), len(x.sb.Hoola.Calls()), elsewhere.Load())
	}
}
