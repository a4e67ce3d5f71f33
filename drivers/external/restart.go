package external

import (
	"fmt"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// How a plugin that keeps dying is started again. The first deaths cost nothing
// but their own runs; from then on each one doubles the time in which it is left alone.
const (
	freeDeaths   = 2
	shortestRest = time.Second
	longestRest  = time.Minute
	// seriesOver is how long after its last death, rests not counted, a plugin's
	// deaths are forgotten.
	seriesOver = 5 * time.Minute
)

// series counts the deaths of a plugin in a row, over all slots. Its zero value
// is a plugin that never died.
type series struct {
	mu     sync.Mutex
	deaths int
	last   time.Time
	rest   time.Duration // after the last death
	why    string        // of the last death
}

// died adds the death, at now, of a process that was begun then. Those that were
// begun before the last death died with it, and are not counted again. It returns
// for how long the plugin is not started.
func (s *series) died(begun, now time.Time, why string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaths > 0 && begun.Before(s.last) {
		return 0
	}
	if s.deaths > 0 && now.Sub(s.last) > s.rest+seriesOver {
		s.deaths = 0
	}
	s.deaths++
	s.last, s.why, s.rest = now, why, 0
	if n := s.deaths - freeDeaths; n > 0 {
		s.rest = longestRest
		if n < 7 {
			s.rest = min(longestRest, shortestRest<<(n-1))
		}
	}
	return s.rest
}

// served ends the series: a process answered as it should.
func (s *series) served() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaths, s.rest, s.why = 0, 0, ""
}

// admits returns nil when a process may be started at now, else why not yet.
func (s *series) admits(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.rest - now.Sub(s.last)
	if s.rest == 0 || left <= 0 {
		return nil
	}
	return &core.Fault{Code: core.Crashed, Why: fmt.Sprintf("%s; that was failure %d in a row, and it is not started again for another %v",
		s.why, s.deaths, max(left.Round(time.Second), time.Second))}
}
