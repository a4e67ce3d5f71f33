//go:build linux

package external

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"time"
)

// The memory of the processes is looked at while they work: the nearer one is to its
// limit the sooner, so that none gets far past it at the fastest that memory can be
// taken.
const (
	watchLeast = 10 * time.Millisecond
	watchMost  = 100 * time.Millisecond
	fastest    = 4 << 20 // bytes in a millisecond
)

// nextLook is when a process that has so much left is looked at again.
func nextLook(left int64) time.Duration {
	return min(max(time.Duration(left/fastest)*time.Millisecond, watchLeast), watchMost)
}

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
	timer := time.NewTimer(watchMost)
	timer.Stop()
	defer timer.Stop()
	var list []*process
	for {
		select {
		case <-w.stop:
			return
		case <-w.wake:
		case <-timer.C:
		}
		w.mu.Lock()
		list = list[:0]
		for p := range w.watch {
			list = append(list, p)
		}
		w.mu.Unlock()
		next := watchMost
		for _, p := range list {
			left := int64(p.host.opt.MemoryMB)<<20 - p.resident()
			if left < 0 {
				p.kill(killMemory)
			}
			next = min(next, nextLook(left))
		}
		if len(list) > 0 {
			timer.Reset(next)
		}
		clear(list)
	}
}

var pageSize = int64(os.Getpagesize())

// resident is the resident size of the process in bytes, 0 when it is gone.
func (p *process) resident() int64 {
	var buf [128]byte
	n := p.statm.read(p.pid, buf[:])
	_, rest, _ := bytes.Cut(buf[:n], []byte(" "))
	field, _, _ := bytes.Cut(rest, []byte(" "))
	pages, err := strconv.ParseInt(string(field), 10, 64)
	if err != nil {
		return 0
	}
	return pages * pageSize
}

// statm is /proc/PID/statm, kept open: it is read many times a second.
type statm struct {
	mu   sync.Mutex
	file *os.File
	over bool
}

// read reads the file from its beginning; nothing once the process is gone.
func (s *statm) read(pid int, buf []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return 0
	}
	if s.file == nil {
		f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/statm")
		if err != nil {
			return 0
		}
		s.file = f
	}
	n, _ := s.file.ReadAt(buf, 0) // a process that is gone reads as nothing
	return n
}

func (s *statm) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.file != nil {
		_ = s.file.Close() // it was only read
	}
}
