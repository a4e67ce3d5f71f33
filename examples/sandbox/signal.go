package sandbox

import (
	"context"
	"sync"
)

// signal wakes everyone who waits for a change.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

// next is closed at the change after this call.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

// wait returns nil once ok says so; ok is asked at the start and at every change.
func (s *signal) wait(ctx context.Context, ok func() bool) error {
	for {
		next := s.next()
		if ok() {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
