package runner_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/core/runner"
)

const simEvery = 10 * time.Minute

// simSite is a bulk site in memory that watches its callers.
type simSite struct {
	t *testing.T

	mu      sync.Mutex
	r       *rand.Rand
	busy    int
	ended   time.Time
	calls   int
	made    map[string]string // username → id
	settled map[string]bool   // the caller has stored an end for the user
	last    map[string][]core.BulkResult
}

// machine is one runner: its own clock since its own start, its own API.
type machine struct {
	site  *simSite
	name  string
	boot  int
	began time.Time
	crash string // the step at which it dies,
	after int    // once it has lived through so many others
	r     *rand.Rand
}

type crashed struct{}

func (m *machine) now() core.Moment {
	return core.Moment{Boot: fmt.Sprintf("%s-%d", m.name, m.boot), At: time.Since(m.began)}
}

func (m *machine) step(name string) {
	if name == "ended" {
		m.site.stored(m.name)
	}
	if name == "begun" && m.r.IntN(60) == 0 {
		<-time.After(time.Duration(m.r.IntN(40)) * time.Minute) // stopped, and woken later
	}
	if m.after--; m.after < 0 && name == m.crash {
		panic(crashed{})
	}
}

func (m *machine) Body(rows []core.BulkRow) ([]byte, error) {
	return fmt.Appendf(nil, "%d", len(rows)), nil
}

func (m *machine) Send(ctx context.Context, _ []byte, rows []core.BulkRow, late func() bool) ([]core.BulkResult, error) {
	if late() {
		return nil, &core.BulkError{Kind: core.BulkCallUnsent, Message: "late"}
	}
	return m.site.call(ctx, m.name, rows)
}

func (s *simSite) call(ctx context.Context, caller string, rows []core.BulkRow) ([]core.BulkResult, error) {
	s.mu.Lock()
	s.calls++
	if n := len(rows); n > 100 {
		s.t.Errorf("a call of %d users", n)
	}
	if gap := time.Since(s.ended); s.busy > 0 || !s.ended.IsZero() && gap < simEvery {
		s.t.Errorf("call %d comes %s after the last one's end, %d under way", s.calls, gap, s.busy)
	}
	for _, r := range rows {
		if name := r.Fields["username"].Reveal(); s.settled[r.ID] {
			s.t.Errorf("%s is sent again though its end was stored", name)
		}
	}
	s.busy++
	kind := s.r.IntN(20)
	n := len(rows)
	if kind == 1 {
		n = s.r.IntN(n + 1)
	}
	var out []core.BulkResult
	if kind > 3 || kind < 2 {
		for _, r := range rows[:n] {
			name := r.Fields["username"].Reveal()
			res := core.BulkResult{Row: r.ID, Answer: core.BulkExists, Message: "Email already in use"}
			if s.made[name] == "" && s.r.IntN(100) > 2 {
				s.made[name] = fmt.Sprintf("id%d", len(s.made))
				res = core.BulkResult{Row: r.ID, Answer: core.BulkMade, UserID: s.made[name]}
			} else if s.made[name] == "" {
				res.Answer = core.BulkDenied
			}
			out = append(out, res)
		}
	}
	takes := time.Duration(s.r.IntN(240)) * time.Second
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	s.ended = time.Now()
	s.last[caller] = nil
	switch kind {
	case 0, 1: // committed in whole or part, and the answer is lost
		return nil, &core.BulkError{Kind: core.BulkCallUncertain, Message: "connection reset"}
	case 2:
		return nil, &core.BulkError{Kind: core.BulkCallLater, Message: "too many", RetryAfter: time.Duration(s.r.IntN(3600)) * time.Second}
	case 3:
		return nil, &core.BulkError{Kind: core.BulkCallDenied, Message: "token"}
	case 4:
		out = out[:s.r.IntN(len(out)+1)] // the answer leaves some out
	}
	s.last[caller] = out
	return out, nil
}

// stored notes that a caller has stored what its last call said.
func (s *simSite) stored(caller string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.last[caller] {
		s.settled[r.Row] = true
	}
	s.last[caller] = nil
}

// TestBulkSimulation lets two runners on one ledger live through a thousand days
// of imports, crashes, reboots, pauses and clocks that jump.
func TestBulkSimulation(t *testing.T) {
	const days = simDays
	dir := t.TempDir()
	if shm, err := os.MkdirTemp("/dev/shm", "rollcall-sim-"); err == nil { // no disk to wait for
		dir = shm
		t.Cleanup(func() { _ = os.RemoveAll(shm) })
	}
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 11))
		var jump sync.Map // the wall clock's error
		jump.Store("by", time.Duration(0))
		wall := func() time.Time {
			by, _ := jump.Load("by")
			return time.Now().Add(by.(time.Duration))
		}
		l, err := ledger.Open(t.Context(), ledger.Options{URL: "sqlite:" + filepath.Join(dir, "l.db"), Keys: ledgertest.NewKey("test"), Now: wall})
		if err != nil {
			t.Fatal(err)
		}
		s := &simSite{t: t, r: rand.New(rand.NewPCG(5, 13)), made: map[string]string{}, settled: map[string]bool{}, last: map[string][]core.BulkResult{}}
		site := core.BulkSite{Domain: "abc.example", Max: 100, Every: simEvery, Timeout: 5 * time.Minute, HoldAbove: 0.5}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		crashes := map[string]int{}
		var mu sync.Mutex
		for i, name := range []string{"a", "b"} {
			m := &machine{site: s, name: name, began: time.Now(), r: rand.New(rand.NewPCG(uint64(i), 3))}
			wg.Go(func() {
				for ctx.Err() == nil {
					m.crash, m.after = []string{"gathered", "begun", "answered", "ended"}[m.r.IntN(4)], m.r.IntN(30)
					dead := m.live(ctx, l, site)
					if !dead {
						continue
					}
					mu.Lock()
					crashes[name]++
					mu.Unlock()
					if m.r.IntN(2) == 0 {
						m.boot, m.began = m.boot+1, time.Now().Add(time.Duration(m.r.IntN(600))*time.Second)
					}
					select {
					case <-time.After(time.Duration(m.r.IntN(1800)) * time.Second):
					case <-ctx.Done():
					}
				}
			})
		}
		rows, ids := 0, []string{}
		for day := range days {
			n := 1 + r.IntN(20)
			if r.IntN(12) == 0 {
				n = 1 + r.IntN(250)
			}
			var users []core.BulkRow
			for i := range n {
				name := fmt.Sprintf("u%dx%d", day, i)
				users = append(users, core.BulkRow{Num: i + 1, Fields: map[string]core.Value{"username": core.Text(name), "email": core.Text(name + "@x.example"), "password": core.Secret("secret12")}})
			}
			imp, err := l.AddImport(ctx, core.BulkImport{Domain: site.Domain, Name: "list", Digest: fmt.Sprint(day)}, users)
			if err != nil {
				t.Fatal(err)
			}
			rows, ids = rows+n, append(ids, imp.ID)
			jump.Store("by", time.Duration(r.IntN(7200)-3600)*time.Second)
			<-time.After(24 * time.Hour)
			if err := l.ResumeSite(ctx, site.Domain); err != nil { // a person looks once a day
				t.Fatal(err)
			}
		}
		for range 60 {
			<-time.After(24 * time.Hour)
			if err := l.ResumeSite(ctx, site.Domain); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		wg.Wait()
		counts := map[core.BulkState]int{}
		for _, id := range ids {
			if err := l.ImportRows(t.Context(), id, func(row core.BulkRow) error {
				counts[row.State]++
				if id := s.made[row.Fields["username"].Reveal()]; row.State == core.BulkCreated && id != row.UserID || row.State == core.BulkUnconfirmed && id == "" {
					t.Errorf("row %s is %s with id %q, the site has %q", row.ID, row.State, row.UserID, id)
				}
				if !row.State.Final() {
					t.Errorf("row %s has no result: %s, %d sends, %s", row.ID, row.State, row.Sends, row.Message)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%d days, %d users in %d calls, crashes %v: %v", days, rows, s.calls, crashes, counts)
		if s.calls < days/2 || crashes["a"]+crashes["b"] < days/10 {
			t.Errorf("too little happened: %d calls, crashes %v", s.calls, crashes)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

// live runs the machine until ctx ends or it crashes.
func (m *machine) live(ctx context.Context, l *ledger.Ledger, site core.BulkSite) (dead bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(crashed); !ok {
				panic(p)
			}
			dead = true
		}
	}()
	b, err := runner.NewBulk(runner.BulkOptions{Site: site, API: m, Store: l, Clock: m.now, Step: m.step, Sweep: 6 * time.Hour})
	if err != nil {
		m.site.t.Error(err)
		return true
	}
	if err := b.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		m.site.t.Error(err)
	}
	return false
}
