package machine

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

const (
	// PerSlot is the memory, in bytes, that a slot should have: a browser context
	// with a heavy page and a worker.
	PerSlot = 300 << 20
	// perCore is how many tasks a core is given: while one waits for its site
	// another works.
	perCore = 2

	stallHigh = 10 // percent of the time: claims are cut
	stallLow  = 1  // percent: the pressure is over
	calm      = 3  // looks in a row without pressure before a slot comes back
)

// Slots is how many tasks may run at once, and why.
type Slots struct {
	N   int
	Why string
}

// Most is the number of slots that the cores can make use of.
func Most(f Figures) int { return max(int(f.Cores*perCore), 1) }

// Choose is the number of slots for a machine with these figures.
func Choose(f Figures) Slots {
	n := Most(f)
	why := fmt.Sprintf("%s, two tasks a core", cores(f.Cores))
	if f.Free > 0 {
		why += fmt.Sprintf(", and %s", free(f))
		if fit := int(f.Free / PerSlot); fit < n {
			n = max(fit, 1)
			why = fmt.Sprintf("%s at %d MB a task; the %s would take %d", free(f), PerSlot>>20, cores(f.Cores), Most(f))
		}
	}
	return Slots{n, why}
}

func cores(n float64) string {
	if n == 1 {
		return "1 core"
	}
	return fmt.Sprintf("%.3g cores", n)
}

func free(f Figures) string {
	s := fmt.Sprintf("%d MB of %d MB free", f.Free>>20, f.Memory>>20)
	if f.Group {
		s += " within the cgroup's limit"
	}
	return s
}

// Watch adapts the number of slots to what memory there is. It is used by one
// goroutine.
type Watch struct {
	now   Slots
	quiet int // looks in a row without pressure
}

// NewWatch begins with the number that Choose gave.
func NewWatch(begin Slots) *Watch { return &Watch{now: begin} }

// Look takes new figures and reports whether the number changed. Under pressure it
// is halved, at each look; when that is over it comes back by one after every few
// looks, as far as memory for one more is free. In between nothing changes.
func (w *Watch) Look(f Figures) (Slots, bool) {
	reserve := min(max(f.Memory/16, 128<<20), PerSlot)
	known := f.Free > 0 || f.Memory > 0
	switch {
	case known && f.Free < reserve:
		return w.fewer(fmt.Sprintf("memory is short: %s", free(f)))
	case f.Stall >= stallHigh:
		return w.fewer(fmt.Sprintf("memory is under pressure: tasks waited for it %.0f%% of the last ten seconds", f.Stall))
	case known && f.Free < 2*reserve+PerSlot || f.Stall >= stallLow:
		w.quiet = 0
		return w.now, false
	}
	if w.quiet++; w.quiet < calm || w.now.N >= Most(f) {
		return w.now, false
	}
	w.quiet = 0
	w.now = Slots{w.now.N + 1, "memory is free again: " + free(f)}
	return w.now, true
}

func (w *Watch) fewer(why string) (Slots, bool) {
	w.quiet = 0
	if w.now.N <= 1 {
		return w.now, false
	}
	w.now = Slots{w.now.N / 2, why}
	return w.now, true
}

// LookEvery is how often Follow looks.
const LookEvery = 5 * time.Second

// Follow looks at every tick until ctx ends, sets the number whenever it changes
// and says why in one line of the log.
func Follow(ctx context.Context, begin Slots, tick <-chan time.Time, read func() Figures, set func(int), log *slog.Logger) {
	w := NewWatch(begin)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		before := w.now.N
		s, changed := w.Look(read())
		if !changed {
			continue
		}
		set(s.N)
		level := slog.LevelInfo
		if s.N < before {
			level = slog.LevelWarn
		}
		log.Log(ctx, level, "slots changed", "slots", s.N, "before", before, "why", s.Why)
	}
}
