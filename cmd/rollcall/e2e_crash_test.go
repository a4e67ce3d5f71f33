package main_test

import (
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

var (
	crashSeed  = flag.Uint64("crash.seed", 0, "seed of the random kills; 0 takes one from the clock")
	crashKills = flag.Int("crash.kills", 40, "how often the runner is killed, and a fourth of that on PostgreSQL")
)

func TestKillNineAtRandomMomentsLosesNothingAndDoublesNothing(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		killAtRandom(t, newWorld(t, settings{slots: 4, scripts: own(t, "300ms", "20s")}), *crashKills)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		killAtRandom(t, newWorld(t, settings{slots: 4, scripts: own(t, "300ms", "20s"), store: ledgertest.Postgres(t)}), max(*crashKills/4, 1))
	})
}

// killAtRandom kills the runner so many times, somewhere between two lines of
// its log, and feeds it so that there is work at every kill.
func killAtRandom(t *testing.T, w *world, kills int) {
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-crash.seed=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	config := w.config("one")
	w.add(w.sb.Board, sandbox.StateRegister, 12)
	w.add(w.sb.Community, sandbox.StateRegister, 6)
	w.add(w.sb.Board, sandbox.StateConnect, 2)
	w.add(w.sb.Community, sandbox.StateConnect, 2)
	var roots []string
	for range kills {
		if w.open() < 8 {
			w.add(w.sb.Board, sandbox.StateRegister, 5)
			w.add(w.sb.Community, sandbox.StateRegister, 3)
			w.add(w.sb.Board, sandbox.StateConnect, 1)
		}
		r := w.start(config)
		lines, extra := 1+random.IntN(60), time.Duration(random.Int64N(int64(60*time.Millisecond)))
		r.await("enough to be killed", func(entry) bool { lines--; return lines < 0 })
		select {
		case <-time.After(extra):
		case <-r.ctx.Done():
		}
		r.crash()
		roots = append(roots, r.profile)
	}
	r := w.start(config)
	w.await(r)
	roots = append(roots, r.browserProfiles())
	r.stop()
	w.checkDone()
	checkProfiles(t, roots...)
	t.Logf("%d kills, %d tasks", kills, len(w.tasks))
}

// TestKillNineWithATaskAtEveryEffect stops a task before and after each effect
// on the outside, kills the runner with all of them in the air, and only then
// lets the outside go on.
func TestKillNineWithATaskAtEveryEffect(t *testing.T) {
	w := newWorld(t, settings{slots: 10, scripts: own(t, "5s", "40s")})
	steps := []struct {
		name   string
		site   *sandbox.Site
		call   sandbox.CallName // held at the task manager …
		fault  sandbox.Fault
		commit sandbox.CommitFault // … or at the site's sign-up
		posts  int
	}{
		{name: "start, no effect", site: w.sb.Board, call: sandbox.CallStart, fault: sandbox.Fault{Kind: sandbox.DropBefore}, posts: 1},
		{name: "start, effect", site: w.sb.Board, call: sandbox.CallStart, fault: sandbox.Fault{Kind: sandbox.DropAfter}, posts: 1},
		{name: "sign-up, account made", site: w.sb.Board, commit: sandbox.CommitFault{Kind: sandbox.CommitReset}, posts: 1},
		{name: "sign-up, account made, page left open", site: w.sb.Board, commit: sandbox.CommitFault{Kind: sandbox.CommitHang}, posts: 1},
		{name: "sign-up, account made late", site: w.sb.Board, commit: sandbox.CommitFault{Kind: sandbox.CommitLate, Delay: 2 * time.Second}, posts: 1},
		{name: "sign-up, no account", site: w.sb.Board, commit: sandbox.CommitFault{Kind: sandbox.RefuseHang}, posts: 2},
		{name: "sign-up by mail, account made", site: w.sb.Community, commit: sandbox.CommitFault{Kind: sandbox.CommitReset}, posts: 1},
		{name: "sign-up by mail, no account", site: w.sb.Community, commit: sandbox.CommitFault{Kind: sandbox.RefuseError}, posts: 2},
		{name: "report, no effect", site: w.sb.Board, call: sandbox.CallComplete, fault: sandbox.Fault{Kind: sandbox.DropBefore}, posts: 1},
		{name: "report, effect", site: w.sb.Community, call: sandbox.CallComplete, fault: sandbox.Fault{Kind: sandbox.DropAfter}, posts: 1},
	}
	gates := map[string]*gate{} // by task id and by e-mail
	var mu sync.Mutex
	once := func(key string) *gate {
		mu.Lock()
		defer mu.Unlock()
		g := gates[key]
		delete(gates, key)
		return g
	}
	var all []*gate
	byKey := map[string]int{}
	for i, s := range steps {
		task := w.add(s.site, sandbox.StateRegister, 1)[0]
		g := newGate(t)
		all = append(all, g)
		key := task.Email
		if s.call != "" {
			key = task.ID + string(s.call)
		}
		gates[key], byKey[key] = g, i
	}
	w.sb.Manager.Fault(func(c sandbox.Call) sandbox.Fault {
		key := c.TaskID + string(c.Name)
		if g := once(key); g != nil {
			g.hold()
			return steps[byKey[key]].fault
		}
		return sandbox.Fault{}
	})
	hook := func(s sandbox.Submit) sandbox.CommitFault {
		key := field(s, "email")
		if g := once(key); g != nil {
			g.hold()
			return steps[byKey[key]].commit
		}
		return sandbox.CommitFault{}
	}
	w.sb.Board.OnCommit(hook)
	w.sb.Community.OnCommit(hook)

	config := w.config("one")
	r := w.start(config)
	// One report is on its way at a time: whichever comes second is reached by the
	// next runner, and that one is killed too.
	last := len(all) - 2
	for i, g := range all[:last] {
		g.await(t, r, steps[i].name)
	}
	first, second := all[last], all[last+1]
	if !r.either(first.reached, second.reached) {
		first, second = second, first
	}
	r.crash()
	for _, g := range all {
		if g != second {
			g.open()
		}
	}
	next := w.start(config)
	second.await(t, next, "the second report")
	next.crash()
	second.open()
	again := w.start(config, "--once", "--wait", "60s")
	if code := again.end(patience); code != exitDone {
		t.Errorf("ended with %d\n%s", code, again.tail())
	}
	for i, s := range steps {
		w.checkReported(w.tasks[i])
		w.checkSite(w.tasks[i], s.posts)
		if t.Failed() {
			t.Logf("that was: %s", s.name)
		}
	}
	checkAbsence(t, w)
	checkProfiles(t, r.profile, next.profile)
}

// checkAbsence wants a second sign-up only after the lease and the settle time
// of the first one, in which it might still have taken effect.
func checkAbsence(t *testing.T, w *world) {
	t.Helper()
	for _, task := range w.tasks {
		all := w.submits(task)
		for i := 1; i < len(all); i++ {
			if all[i-1].Account != "" {
				t.Errorf("task %s was signed up again although it had an account: %s", task.ID, describe(all))
			}
			if gap := all[i].At.Sub(all[i-1].At); gap < 6*time.Second {
				t.Errorf("task %s was signed up again after %s, before the first sign-up could have settled", task.ID, gap)
			}
		}
	}
}
