package external

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/rollcall-run/rollcall/core"
)

// How much of what a process prints during one run is kept in the task's log.
const (
	spokenLines = 100
	spokenLine  = 1 << 10 // bytes of a line
)

// The ways on which a process' output comes.
const (
	fromStream = iota // the standard error that it was started with
	fromRemote        // what go-plugin carries
	fromWays
)

// spoken hands what a process prints during a run to the log of its task.
type spoken struct {
	mu   sync.Mutex
	log  func(line string) // nil while no run is under way
	left int               // lines until there are too many
	part [fromWays][]byte  // the line that is not ended yet
}

// open lets what is printed from now on into the log of services, nil for none,
// until end is called.
func (s *spoken) open(ctx context.Context, services core.Services) (end func()) {
	if services == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = spokenLines
	s.log = func(line string) { services.Log(ctx, slog.LevelInfo, line) }
	return func() {
		cancel() // a line that is on its way does not hold up the end
		s.mu.Lock()
		defer s.mu.Unlock()
		for way := range s.part {
			s.say(way)
		}
		s.log = nil
	}
}

// write takes output of one way.
func (s *spoken) write(way int, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log == nil {
		return // nobody's task
	}
	for line := range bytes.Lines(b) {
		line, ended := bytes.CutSuffix(line, []byte("\n"))
		s.part[way] = append(s.part[way], line[:min(len(line), max(0, spokenLine+1-len(s.part[way])))]...)
		if ended {
			s.say(way)
		}
	}
}

// say logs the line that has come.
func (s *spoken) say(way int) {
	line, more := s.part[way], ""
	s.part[way] = s.part[way][:0]
	if len(line) > spokenLine {
		line, more = line[:spokenLine], "…"
	}
	text := strings.TrimSpace(strings.ToValidUTF8(string(line), "\uFFFD"))
	if text == "" || s.left <= 0 {
		return
	}
	if s.left--; s.left == 0 {
		s.log("it printed more, which is not kept")
		return
	}
	s.log("printed: " + text + more)
}
