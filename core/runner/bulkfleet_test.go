package runner_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/hoola"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// fleet runs two runners on one PostgreSQL until nothing is left to do.
func (h *house) fleet(catalog core.Catalog) {
	h.t.Helper()
	url := ledgertest.Postgres(h.t)
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 2 {
		l := ledgertest.OpenAt(h.t, url, nil)
		if i == 0 {
			h.store = l
		}
		o := h.opts
		o.Owner, o.Store, o.Batches, o.Catalog, o.Dir = fmt.Sprint("fleet-", i), l, l, catalog, h.t.TempDir()
		r, err := runner.New(o)
		if err != nil {
			h.t.Fatal(err)
		}
		wg.Go(func() {
			if err := r.Run(ctx, nil); err != nil {
				h.t.Errorf("%s: %v", o.Owner, err)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		h.dump()
		h.t.Fatal("the fleet did not end by itself")
	}
}

// TestFleetSharesOneWindow: two runners with tasks of one tenant make one call at
// a time, none too early and none too large, and each user goes out once.
func TestFleetSharesOneWindow(t *testing.T) {
	const tasks = 120
	h := newBulkHouse(t)
	h.opts.Limits.ListLimit = tasks
	for i := range tasks {
		h.add(hoolaTask(fmt.Sprint("t", i), fmt.Sprint("minh", i)))
	}
	h.fleet(h.site)
	if n := h.sb.Manager.Count(sandbox.StateProfiled); n != tasks {
		t.Errorf("%d of %d tasks are done", n, tasks)
	}
	sent := map[string]int{}
	calls := h.sb.Hoola.Calls()
	for _, c := range calls {
		if c.Early || c.Refused != "" || len(c.Users) > 100 {
			t.Errorf("call %d: early %t, refused %q, %d users", c.N, c.Early, c.Refused, len(c.Users))
		}
		for _, u := range c.Users {
			sent[u.Username]++
		}
	}
	for name, n := range sent {
		if n != 1 {
			t.Errorf("%s was sent %d times", name, n)
		}
	}
	if len(sent) != tasks || len(calls) < 2 {
		t.Errorf("%d users in %d calls", len(sent), len(calls))
	}
}

// oneVisit is a catalog with a pace of one visit at a time.
type oneVisit struct{ *site }

func (c oneVisit) Lookup(d string) (core.Binding, error) {
	b, err := c.site.Lookup(d)
	b.Pace = core.Pace{Every: 10 * time.Millisecond, Concurrency: 1}
	return b, err
}

// TestFleetVisitsABulkSiteOneAtATime: what follows the calls keeps the pace of
// the driver, whichever runner does it.
func TestFleetVisitsABulkSiteOneAtATime(t *testing.T) {
	const tasks = 12
	h := newBulkHouse(t)
	s := h.opts.Bulks[0]
	s.Site.Domain, s.Row = domain, hoola.FromTask("{last_name} {first_name}")
	h.opts.Bulks = []runner.BulkService{s}
	var mu sync.Mutex
	visiting, visits := "", map[string]bool{}
	h.site.phase = func(ctx context.Context, p core.Phase, task core.Task, _ core.Session) (core.Outcome, error, bool) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case p == core.Login && visiting != "":
			t.Errorf("task %s is visited while %s is", task.ID, visiting)
		case p == core.Login:
			visiting, visits[task.ID] = task.ID, true
		case p == core.Profile:
			visiting = ""
		}
		return core.Outcome{}, nil, false
	}
	for i := range tasks {
		user := fmt.Sprint("minh", i)
		task := hoolaTask(fmt.Sprint("t", i), user)
		task.Domain = domain
		h.site.accounts[user] = task.Password // the call's account, as the site knows it
		h.add(task)
	}
	h.fleet(oneVisit{h.site})
	if n := h.sb.Manager.Count(sandbox.StateProfiled); n != tasks || len(visits) != tasks || len(h.site.submits) != 0 {
		t.Errorf("%d of %d tasks are done after %d visits, %d sign-ups", n, tasks, len(visits), len(h.site.submits))
	}
}

// watched tells the interval that windows are read with.
type watched struct {
	core.BulkStore
	every chan time.Duration
}

func (w watched) BulkWindow(ctx context.Context, s core.BulkSite, now core.Moment) (core.BulkWindow, error) {
	select {
	case w.every <- s.Every:
	default:
	}
	return w.BulkStore.BulkWindow(ctx, s, now)
}

// TestSetBulksWhileItRuns: a tenant comes, changes and goes without a restart.
func TestSetBulksWhileItRuns(t *testing.T) {
	h := newBulkHouse(t)
	w := watched{h.store.(core.BulkStore), make(chan time.Duration)}
	s := h.opts.Bulks[0]
	h.opts.Bulks, h.opts.Batches, h.opts.Once = nil, w, false
	h.add(hoolaTask("one", "minha"))
	r, err := runner.New(h.opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, nil) }()
	set := func(all ...runner.BulkService) {
		t.Helper()
		if err := r.SetBulks(all); err != nil {
			t.Fatal(err)
		}
	}
	late := time.After(time.Minute)
	until := func(want time.Duration) {
		t.Helper()
		for {
			select {
			case got := <-w.every:
				if got == want {
					return
				}
			case <-late:
				t.Fatalf("no window is read with %s", want)
			}
		}
	}
	set(s)
	until(s.Site.Every)
	h.waitState("one", core.Reported)
	s.Site.Every = time.Hour
	set(s)
	until(time.Hour)
	set()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := len(h.sb.Hoola.Calls()); n != 1 {
		t.Errorf("%d calls", n)
	}
}
