package runner_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "replay this one seed, telling its story")
	simFirst = flag.Uint64("sim.first", 1, "the first seed of the simulation")
	simSeeds = flag.Uint64("sim.seeds", simDefault, "how many seeds are simulated")
)

func simVerbose() bool { return *simSeed != 0 }

// TestSimulation lives through many short lives of one or two runners on one
// ledger: with crashes at any step, pauses longer than a lease, clocks that jump,
// lost and late answers, stale lists, re-queues and people who edit states. After
// each of them: no account twice, no sign-up again without a proof of absence, no
// report before its start or after its end, every task ended, and ended right.
func TestSimulation(t *testing.T) {
	first, n := *simFirst, *simSeeds
	if *simSeed != 0 {
		first, n = *simSeed, 1
	}
	var (
		mu    sync.Mutex
		total simCount
		next  = first
	)
	take := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next >= first+n || t.Failed() {
			return 0, false
		}
		next++
		return next - 1, true
	}
	begin := time.Now()
	t.Run("lives", func(t *testing.T) {
		for shard := range 2 {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				for {
					seed, ok := take()
					if !ok {
						return
					}
					w := simulate(t, seed)
					mu.Lock()
					total.add(w.count)
					mu.Unlock()
					if len(w.wrong) > 0 {
						t.Errorf("seed %d (replay with -run TestSimulation -sim.seed=%d):\n%s", seed, seed, strings.Join(w.wrong, "\n"))
						return
					}
				}
			})
		}
	})
	t.Logf("%d seeds in %s: %+v", next-first, time.Since(begin).Round(time.Millisecond), total)
	if n >= 100 && !t.Failed() && !total.enough() {
		t.Errorf("too little happened: %+v", total)
	}
}

func (c *simCount) add(o simCount) {
	for i, v := range o.all() {
		*c.all()[i] += *v
	}
}

func (c *simCount) all() []*int {
	return []*int{&c.Tasks, &c.Submits, &c.Unanswered, &c.Second, &c.Crashes, &c.Pauses, &c.Jumps, &c.Edits, &c.Requeues, &c.Stale, &c.Lost, &c.People, &c.Reports, &c.Reused}
}

func (c *simCount) enough() bool {
	for _, v := range c.all() {
		if *v < 5 {
			return false
		}
	}
	return true
}

// simulate is one life, in a bubble of its own time.
func simulate(t *testing.T, seed uint64) *simWorld {
	w := &simWorld{seed: seed, asked: map[string]uint64{}, tasks: map[string]*simTask{}, accounts: map[string]*simAccount{}}
	finished := false
	defer func() {
		if !finished {
			t.Logf("seed %d did not come to its end (-sim.seed=%d)", seed, seed)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		r := w.roll("world")
		w.people(r)
		clock := func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			return time.Now().Add(w.jump)
		}
		store := ledgertest.NewMemory(clock)
		ctx, stop := context.WithCancel(t.Context())
		var machines sync.WaitGroup
		for i := range 1 + r.IntN(2) {
			machines.Go(func() { w.machine(ctx, store, i) })
		}
		chaos := r.IntN(3) == 0
		for end := time.Now().Add(2*time.Minute + upTo(r, 8*time.Minute)); time.Now().Before(end); {
			<-time.After(upTo(r, time.Minute))
			w.meddle(r, store, chaos)
		}
		w.mu.Lock()
		w.calm, w.jump = true, 0
		w.mu.Unlock()
		for end := time.Now().Add(6 * time.Hour); !w.over(store) && time.Now().Before(end); {
			<-time.After(30 * time.Second)
			w.help(store, true)
		}
		stop()
		machines.Wait()
		w.ended(simRecords(store))
	})
	finished = true
	for _, line := range w.story {
		t.Log(strings.TrimSpace(line))
	}
	return w
}

func simRecords(store *ledgertest.Memory) map[string]core.Record {
	records := map[string]core.Record{}
	all, _ := store.Tasks(context.Background(), core.TaskFilter{})
	for _, rec := range all {
		records[rec.ID] = rec
	}
	return records
}

// people fills the world with tasks, and with accounts that are there already.
func (w *simWorld) people(r *rand.Rand) {
	w.manifest = core.Manifest{API: 1, Name: "sim", Domains: []string{simDomain}, Needs: []string{"username", "email", "password"}, Public: true,
		Probe:  core.Probe{Authoritative: r.IntN(3) > 0, Settle: simSettle},
		Phases: []core.Phase{core.Register, core.Login, core.Profile, core.ConnectPhase}}
	if r.IntN(3) == 0 {
		w.manifest.Phases = append(w.manifest.Phases, core.Confirm)
	}
	if r.IntN(3) == 0 {
		w.manifest.Phases = append(w.manifest.Phases, core.Verify)
	}
	w.onExists = []string{"fail", "variant", "adopt"}[r.IntN(3)]
	w.reuse = w.roll("reuse").IntN(2) == 0
	n := 1 + r.IntN(4)
	for i := range n {
		id := fmt.Sprintf("t%d", i)
		name := id
		if i > 0 && r.IntN(8) == 0 {
			name = "t0" // the same person twice
		}
		t := core.Task{ID: id, Domain: simDomain, Kind: core.Onboard, Entity: core.Entity{Fields: map[string]core.Value{
			core.FieldEmail: core.Text(name + "@mail.test"), core.FieldUsername: core.Text("user" + name), core.FieldPassword: core.Secret("Pass-word-" + name)}}}
		status := "register"
		user := "user" + name
		switch r.IntN(8) {
		case 0:
			w.accounts[user] = &simAccount{password: "someone else's"}
		case 1:
			w.accounts[user] = &simAccount{password: "Pass-word-" + name, email: name + "@mail.test"}
		case 2:
			if name == id {
				t.Kind, status = core.Connect, "connect"
				w.accounts[user] = &simAccount{password: "Pass-word-" + name, email: name + "@mail.test"}
			}
		}
		task := &simTask{task: t}
		task.set(status)
		w.tasks[id], w.order = task, append(w.order, id)
	}
	w.count.Tasks += n
}

// machine starts a runner again and again, until ctx ends.
func (w *simWorld) machine(ctx context.Context, store *ledgertest.Memory, i int) {
	for start := 0; ctx.Err() == nil; start++ {
		w.mu.Lock()
		r, calm := w.roll("machine", i), w.calm
		w.mu.Unlock()
		m := &simMachine{w: w, store: store, name: simName(i, start), boot: time.Now().Add(-upTo(r, time.Hour))}
		life, end := context.WithCancel(ctx)
		var pauses sync.WaitGroup
		if !calm {
			switch r.IntN(4) {
			case 0, 1:
				m.dieAt = 1 + r.Int64N(120)
			case 2: // SIGTERM
				stop := time.AfterFunc(upTo(r, 4*time.Minute), end)
				defer stop.Stop()
			}
			if r.IntN(3) == 0 {
				pauses.Go(func() {
					if simAway(life, upTo(r, 3*time.Minute)) == nil {
						w.mu.Lock()
						w.count.Pauses++
						w.tell("%s is stopped", m.name)
						w.mu.Unlock()
						m.pause(upTo(r, 90*time.Second))
					}
				})
			}
		}
		err := m.live(life, false)
		end()
		pauses.Wait()
		w.mu.Lock()
		if m.dead.Load() {
			w.count.Crashes++
			w.tell("%s was killed", m.name)
		} else if err != nil && !errors.Is(err, context.Canceled) {
			w.violation("%s ended by itself: %v", m.name, err)
		}
		w.mu.Unlock()
		if simAway(ctx, upTo(r, 45*time.Second)) != nil {
			return
		}
	}
}

// meddle is what time and people do while runners work.
func (w *simWorld) meddle(r *rand.Rand, store *ledgertest.Memory, chaos bool) {
	switch r.IntN(10) {
	case 0:
		w.edit(r)
	case 1, 2:
		if chaos {
			w.mu.Lock()
			w.jump = time.Duration(r.Int64N(int64(40*time.Minute))) - 20*time.Minute
			w.count.Jumps++
			w.tell("the ledger's clock is %s off", w.jump)
			w.mu.Unlock()
		}
	case 3, 4, 5:
		w.help(store, false)
	}
}

// help is people who answer, who look at the site for what the runner can't
// tell, and who let rested sites go on.
func (w *simWorld) help(store *ledgertest.Memory, all bool) {
	ctx := context.Background()
	asks, _ := store.Asks(ctx, false)
	for _, a := range asks {
		w.did(store.AnswerAsk(ctx, a.ID, "", "ann"))
	}
	if all {
		_ = store.ResumeSite(ctx, simDomain)
	}
	for _, rec := range simRecords(store) {
		if !rec.Due.IsZero() || rec.Lease.Owner != "" {
			continue
		}
		if rec.State == core.Unknown {
			w.resolve(ctx, store, rec)
		} else if all && !rec.State.Final() && rec.State != core.Parked && rec.State != core.Reporting {
			w.did(store.Retry(ctx, rec.ID, "ann"))
		}
	}
}

func (w *simWorld) did(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.count.People++
	}
}

// resolve tells the truth about an unknown task, once it can be told.
func (w *simWorld) resolve(ctx context.Context, store *ledgertest.Memory, rec core.Record) {
	verdict := core.VerdictAbsent
	w.mu.Lock()
	t := w.tasks[rec.ID]
	user := rec.Entity.Get(core.FieldUsername).Reveal()
	if rec.Intent != nil {
		user = rec.Intent.Username.Reveal()
	}
	if a := w.accounts[user]; a != nil && (a.task == rec.ID || a.email == rec.Entity.Get(core.FieldEmail).Reveal()) {
		verdict = core.VerdictCreated
	}
	for _, s := range t.submits {
		if time.Since(s.at) < 2*simSettle {
			w.mu.Unlock()
			return // too early to say
		}
	}
	if verdict == core.VerdictAbsent {
		w.absent(t, 2*simSettle)
	}
	w.tell("people: %s is %s", rec.ID, verdict)
	w.mu.Unlock()
	w.did(store.Resolve(ctx, rec.ID, verdict, "ann"))
}

// over reports whether nothing is left to do.
func (w *simWorld) over(store *ledgertest.Memory) bool {
	records := simRecords(store)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.coming > 0 {
		return false
	}
	for id, t := range w.tasks {
		if rec := records[id]; rec.State != "" && !rec.State.Final() || !t.touched && !t.final() {
			return false
		}
	}
	return true
}
