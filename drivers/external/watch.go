//go:build linux

package external

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"time"
)

// watchEvery is how often the memory of the processes is looked at while they work.
const watchEvery = 10 * time.Millisecond

// watcher kills processes that use too much memory. One goroutine serves all,
// and it sleeps while none works.
type watcher struct {
	mu    sync.Mutex
	watch map[*process]bool
	wake  chan struct{}
	stop  chan struct{}
	done  chan struct{}
}

func newWatcher() *watcher {
	w := &watcher{watch: map[*process]bool{}, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

func (w *watcher) add(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch[p] = true
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) remove(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watch, p)
}

func (w *watcher) close() {
	close(w.stop)
	<-w.done
}

func (w *watcher) run() {
	defer close(w.done)
	ticker := time.NewTicker(watchEvery)
	ticker.Stop()
	defer ticker.Stop()
	var list []*process
	for {
		select {
		case <-w.stop:
			return
		case <-w.wake:
			ticker.Reset(watchEvery)
		case <-ticker.C:
		}
		w.mu.Lock()
		list = list[:0]
		for p := range w.watch {
			list = append(list, p)
		}
		if len(list) == 0 {
			ticker.Stop()
		}
		w.mu.Unlock()
		for _, p := range list {
			if p.resident() > int64(p.host.opt.MemoryMB)<<20 {
				p.kill(killMemory)
			}
		}
		clear(list)
	}
}

var pageSize = int64(os.Getpagesize())

// resident is the resident size of the process in bytes, 0 when it is gone.
func (p *process) resident() int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * pageSize
}
