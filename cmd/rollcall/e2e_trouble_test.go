package main_test

import (
	"context"
	"math/rand/v2"
	"time"
)

// trouble is a way in which the database is away for a while.
type trouble struct {
	name string
	make func(f *fleet, random *rand.Rand, d time.Duration)
}

var troubles = []trouble{
	{"all lose the database", func(f *fleet, _ *rand.Rand, d time.Duration) {
		f.outage(func() {
			for _, m := range f.members {
				m.wire.cut()
			}
			f.wait(d)
			for _, m := range f.members {
				m.wire.join()
			}
		})
	}},
	{"the database is restarted", func(f *fleet, _ *rand.Rand, d time.Duration) { f.restart("INT", d) }},
	{"one hears nothing of the database for longer than its lease", func(f *fleet, random *rand.Rand, d time.Duration) {
		m := f.members[random.IntN(len(f.members))]
		f.outage(func() {
			flow := m.wire.hold()
			f.wait(fleetLease + d)
			flow()
		})
	}},
	{"the database crashes", func(f *fleet, _ *rand.Rand, d time.Duration) { f.restart("QUIT", d) }},
	{"one loses the database", func(f *fleet, random *rand.Rand, d time.Duration) {
		m := f.members[random.IntN(len(f.members))]
		f.outage(func() {
			m.wire.cut()
			f.wait(fleetLease + d)
			m.wire.join()
		})
	}},
}

func (f *fleet) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-f.t.Context().Done():
	}
}

// outage notes when not everybody could reach the database.
func (f *fleet) outage(away func()) {
	f.boot.Lock()
	defer f.boot.Unlock()
	from := time.Now()
	away()
	f.mu.Lock()
	f.away = append(f.away, span{from, time.Now()})
	f.mu.Unlock()
}

func (f *fleet) restart(how string, d time.Duration) {
	f.outage(func() {
		if err := f.server.Down(how); err != nil {
			f.t.Error(err)
			return
		}
		f.wait(d)
		if err := f.server.Up(f.t.Context()); err != nil {
			f.t.Error(err)
		}
	})
}

// weather makes so many troubles, spread over the events, and returns what they were.
func (f *fleet) weather(ctx context.Context, random *rand.Rand, count, events int) (made []string) {
	for i := range count {
		for f.done.Load() < int64((i+1)*events/(count+1)) {
			select {
			case <-f.tick:
			case <-ctx.Done():
				return made
			}
		}
		o := troubles[i%len(troubles)]
		o.make(f, random, time.Second+time.Duration(random.Int64N(int64(time.Second))))
		made = append(made, o.name)
	}
	return made
}

// pulse tells how long the machine did nothing for us: it notes when a timer came late.
type pulse struct{ late []span }

const beat = 50 * time.Millisecond

func (p *pulse) run(ctx context.Context) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-tick.C:
			now := time.Now()
			if now.Sub(last) > 2*beat {
				p.late = append(p.late, span{last.Add(beat), now})
			}
			last = now
		case <-ctx.Done():
			return
		}
	}
}

// lost is how much of a stretch of time the machine took.
func (p *pulse) lost(from, to time.Time) (sum time.Duration) {
	for _, s := range p.late {
		if s.meets(from, to) {
			sum += s.to.Sub(s.from)
		}
	}
	return sum
}
