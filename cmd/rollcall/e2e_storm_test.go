package main_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

var (
	fleetRunners  = flag.Int("fleet.runners", 3, "runners on one PostgreSQL")
	fleetPauses   = flag.Int("fleet.pauses", 4, "how often one is stopped for twice its lease")
	fleetKills    = flag.Int("fleet.kills", 3, "how often one is killed and started again")
	fleetTroubles = flag.Int("fleet.troubles", 4, "how often the database or the way to it is away")
)

// fleetLease is the lease of the fleet's configuration.
const fleetLease = 2 * time.Second

// fleetSites are the limits of the two sites. One runner has as many slots as
// they allow visits in all: where a site has room, whoever is awake has a slot.
var fleetSites = map[string]limits{
	sandbox.BoardDomain:     {concurrency: 3, every: 150 * time.Millisecond},
	sandbox.CommunityDomain: {concurrency: 1, every: 400 * time.Millisecond},
}

// fleet is several runners on one PostgreSQL, each with a wire of its own to it.
type fleet struct {
	*world
	server  *ledgertest.Server
	members []*member
	watch   map[string]*lookout // by domain

	awake chan struct{} // a token for all runners but one: somebody always works
	boot  sync.RWMutex  // held while the database is away: a runner that starts needs it
	done  atomic.Int64  // pauses and kills so far
	tick  chan struct{} // gets a token at each of them

	mu    sync.Mutex
	kills []kill
	away  []span // when not everybody could reach the database
	short int    // pauses and kills that came at an intent
	pulse pulse
}

// span is a stretch of time.
type span struct{ from, to time.Time }

func (s span) meets(from, to time.Time) bool { return s.from.Before(to) && from.Before(s.to) }

// member is one place in the fleet: a runner, and after a kill the next one.
type member struct {
	f      *fleet
	name   string
	wire   *wire
	random *rand.Rand
	r      *running
	events []event
}

// event is what befalls a member.
type event struct {
	kill   bool
	intent bool // as soon as the next intent is durable, otherwise at a random moment
}

func newFleet(t *testing.T, runners int, seed uint64) *fleet {
	server, err := ledgertest.StartPostgres(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.End(); err != nil {
			t.Errorf("the database: %v", err)
		}
	})
	f := &fleet{
		world: newWorld(t, settings{slots: 4, store: server.URL, scripts: own(t, "1s", "20s")}), server: server,
		awake: make(chan struct{}, runners-1), tick: make(chan struct{}, 1), watch: map[string]*lookout{},
	}
	if err := f.ledger().Close(); err != nil { // makes the tables
		t.Fatal(err)
	}
	keepDiary(t, server.URL)
	edits := []string{}
	for _, s := range []*sandbox.Site{f.sb.Board, f.sb.Community} {
		o := newLookout(t, s)
		f.watch[s.Domain] = o
		l := fleetSites[s.Domain]
		edits = append(edits,
			fmt.Sprintf("base_url = %q\npace = { every = \"1ms\", concurrency = 4 }", s.URL),
			fmt.Sprintf("base_url = %q\npace = { every = %q, concurrency = %d }", o.url, l.every, l.concurrency))
	}
	for i := range runners {
		m := &member{f: f, name: fmt.Sprintf("runner%d", i+1), random: rand.New(rand.NewPCG(seed, uint64(i+1)))}
		var through string
		m.wire, through = newWire(t, server.URL)
		f.config(m.name, append(edits, fmt.Sprintf("url = %q", server.URL), fmt.Sprintf("url = %q", through))...)
		f.members = append(f.members, m)
	}
	return f
}

// plan shares the pauses and kills out.
func (f *fleet) plan(random *rand.Rand, pauses, kills int) {
	all := make([]event, pauses+kills)
	for i := range all {
		all[i].kill = i < kills
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i, e := range all {
		e.intent = random.IntN(2) == 0
		m := f.members[i%len(f.members)]
		m.events = append(m.events, e)
	}
}

// start starts the member's runner and returns when it works.
func (m *member) start() {
	m.f.boot.RLock()
	defer m.f.boot.RUnlock()
	m.r = m.f.world.start(m.f.path(m.name + ".toml"))
	m.r.killed = nil // what it left is scanned at the end: the others write to the same places
	m.r.browser()
}

// live takes the member through its events.
func (m *member) live() {
	f := m.f
	for i, e := range m.events {
		f.awake <- struct{}{}
		m.moment(e)
		at := time.Now()
		if !m.r.freeze() {
			f.t.Errorf("the runner ended by itself\n%s", m.r.tail())
			<-f.awake
			return
		}
		if e.kill {
			m.r.crash()
			f.mu.Lock()
			f.kills = append(f.kills, kill{m.r.cmd.Process.Pid, at})
			f.mu.Unlock()
			m.start()
		} else {
			m.rest(2*fleetLease + m.upTo(500*time.Millisecond))
			m.r.signal(syscall.SIGCONT)
		}
		f.done.Add(1)
		select {
		case f.tick <- struct{}{}:
		default:
		}
		<-f.awake
		if f.t.Failed() {
			f.t.Logf("%s stops after %d events", m.name, i+1)
			return
		}
	}
}

func (m *member) upTo(d time.Duration) time.Duration {
	return time.Duration(m.random.Int64N(int64(d)))
}

func (m *member) rest(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-m.r.ctx.Done():
	}
}

// moment returns when the event is due.
func (m *member) moment(e event) {
	if !e.intent {
		m.rest(m.upTo(2 * time.Second))
		return
	}
	ctx, cancel := context.WithTimeout(m.r.ctx, 5*time.Second) // there may be no work for it
	defer cancel()
	lines, grown := m.r.log()
	for seen := len(lines); ; {
		select {
		case <-grown:
		case <-ctx.Done():
			return
		}
		for lines, grown = m.r.log(); seen < len(lines); seen++ {
			if lines[seen].is("msg", "state", "state", "intent") {
				m.rest(m.upTo(20 * time.Millisecond))
				m.f.mu.Lock()
				m.f.short++
				m.f.mu.Unlock()
				return
			}
		}
	}
}

// feed keeps the fleet busy until ctx ends.
func (f *fleet) feed(ctx context.Context) {
	for ctx.Err() == nil {
		if f.open() < 8 {
			f.add(f.sb.Board, sandbox.StateRegister, 4)
			f.add(f.sb.Community, sandbox.StateRegister, 1)
			f.add(f.sb.Board, sandbox.StateConnect, 1)
		}
		_ = f.sb.Manager.Wait(ctx, func(*sandbox.Manager) bool { return f.open() < 8 })
	}
}

// TestPausesUnderLoadNeverDoubleASignUp stops runners of a fleet for twice their
// lease and kills them, at random moments and where an intent has just become
// durable, several at a time, but never all; meanwhile the database is restarted
// and cut off. What it looks at is the outside: the task manager, the accounts,
// the calls that the sites saw, and a diary of the leases that the database keeps.
func TestPausesUnderLoadNeverDoubleASignUp(t *testing.T) {
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-crash.seed=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	f := newFleet(t, *fleetRunners, seed)
	f.plan(random, *fleetPauses, *fleetKills)
	begun := time.Now()
	for _, m := range f.members {
		m.start()
	}
	feeding, full := context.WithCancel(t.Context())
	var lives, rest sync.WaitGroup
	var made []string
	rest.Go(func() { f.feed(feeding) })
	rest.Go(func() { f.pulse.run(feeding) })
	rest.Go(func() { made = f.weather(feeding, random, *fleetTroubles, *fleetPauses+*fleetKills) })
	for _, m := range f.members {
		lives.Go(m.live)
	}
	lives.Wait()
	full()
	rest.Wait()
	if t.Failed() {
		t.FailNow()
	}
	f.world.await(f.members[0].r)
	for _, m := range f.members {
		if m.r.ctx.Err() != nil {
			t.Fatalf("%s ended by itself\n%s", m.name, m.r.tail())
		}
		m.r.stop()
	}
	f.checkDone()
	seen := f.judge()
	t.Logf("%d runners, %d pauses of twice the lease, %d kills (%d of both at an intent), %d troubles with the database, %d tasks: 0 lost, 0 doubled; %s; %s",
		len(f.members), *fleetPauses, *fleetKills, f.short, len(made), len(f.tasks), seen, time.Since(begun).Round(time.Second))
}

// judge holds what the sites and the diary saw against the limits, and says it in figures.
func (f *fleet) judge() string {
	f.t.Helper()
	all, wrong := claims(readDiary(f.t, f.server.URL), fleetSites)
	var said []string
	for domain, o := range f.watch {
		names := map[string]string{}
		for _, t := range f.tasks {
			if t.Domain == domain {
				names[strings.ToLower(t.Email)], names[strings.ToLower(t.Username)] = t.ID, t.ID
			}
		}
		for _, a := range o.site.Accounts() {
			names[strings.ToLower(a.Username)] = names[strings.ToLower(a.Email)]
		}
		mine := slices.DeleteFunc(slices.Clone(all), func(c claim) bool { return c.domain != domain })
		seen, stale := visits(o.calls, mine, func(name string) string { return names[strings.ToLower(name)] })
		wrong = append(wrong, stale...)
		wrong = append(wrong, crowds(seen, fleetSites[domain])...)
		most := inTheAir(seen)
		if limit := fleetSites[domain].concurrency; most > limit {
			wrong = append(wrong, fmt.Sprintf("%s had %d visits at once, want %d at most", domain, most, limit))
		}
		said = append(said, fmt.Sprintf("%s: %d visits, %d at once at most, %s", o.site.Name, len(seen), most, gaps(seen)))
	}
	slices.Sort(said)
	over, lost := takeovers(f.kills, all)
	for _, c := range lost {
		wrong = append(wrong, fmt.Sprintf("%s: its runner was killed and nobody took it over", c))
	}
	var delays []time.Duration
	spared := 0
	for _, o := range over {
		if slices.ContainsFunc(f.away, func(s span) bool { return s.meets(o.at, o.by.begun) }) {
			spared++
			continue
		}
		delays = append(delays, o.after())
		if lost := f.pulse.lost(o.at, o.by.begun); o.after() > 2*fleetLease+4*lost {
			wrong = append(wrong, fmt.Sprintf("%s was taken over %s after its runner was killed (%s lost), want %s: %s", o.of, o.after(), lost, 2*fleetLease, o.by))
		}
	}
	slices.Sort(delays)
	if len(delays) > 0 {
		said = append(said, fmt.Sprintf("%d tasks of killed runners taken over after %s (median) to %s, %d more over an outage",
			len(delays), delays[len(delays)/2].Round(time.Millisecond), delays[len(delays)-1].Round(time.Millisecond), spared))
	}
	for _, w := range wrong {
		f.t.Error(w)
	}
	return strings.Join(said, "; ")
}

func gaps(all []visit) string {
	var d []time.Duration
	for i := 1; i < len(all); i++ {
		d = append(d, all[i].first.Sub(all[i-1].first))
	}
	slices.Sort(d)
	if len(d) == 0 {
		return ""
	}
	return fmt.Sprintf("starts %s apart at least, 1%%: %s", d[0].Round(time.Millisecond), d[len(d)/100].Round(time.Millisecond))
}
