package external

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"sync"
)

// manifestSlot is the first slot in which manifests are asked for.
const manifestSlot = "manifest"

// mostReaders bounds the processes that read manifests.
const mostReaders = 4

// readers are the slots in which manifests are asked for: one for each core, so that
// a folder of thousands is soon read. The first free one is taken, so that whoever
// reads one after the other starts one process.
type readers struct {
	turn chan struct{}
	mu   sync.Mutex
	used []bool
}

func newReaders() *readers {
	n := min(mostReaders, runtime.GOMAXPROCS(0))
	return &readers{turn: make(chan struct{}, n), used: make([]bool, n)}
}

// take waits for a free slot. done gives it back.
func (r *readers) take(ctx context.Context) (slot string, done func(), err error) {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return "", nil, context.Cause(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := slices.Index(r.used, false)
	r.used[n] = true
	slot = manifestSlot
	if n > 0 {
		slot += "-" + strconv.Itoa(n)
	}
	return slot, func() {
		r.mu.Lock()
		r.used[n] = false
		r.mu.Unlock()
		<-r.turn
	}, nil
}
