//go:build linux

package external

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// forker starts processes from one thread that ends only with it: the kernel
// kills a process with Pdeathsig when the thread that forked it ends. The thread
// carries no-new-privs, and so do its children.
type forker struct {
	jobs chan func()
	done chan struct{}
}

func newForker() *forker {
	f := &forker{jobs: make(chan func()), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		for job := range f.jobs {
			if err == nil {
				job()
			}
		}
	}()
	return f
}

func (f *forker) do(start func() error) error {
	result := make(chan error, 1)
	f.jobs <- func() { result <- start() }
	return <-result
}

func (f *forker) close() {
	close(f.jobs)
	<-f.done
}
