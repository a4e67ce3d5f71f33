package ledger

import "sync"

// subscribers get a token after each change. The zero value is ready.
type subscribers struct {
	mu     sync.Mutex
	all    map[chan struct{}]struct{}
	closed bool
}

func (s *subscribers) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.all {
		select {
		case c <- struct{}{}:
		default: // it has one already
		}
	}
}

func (s *subscribers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.all {
		delete(s.all, c)
		close(c)
	}
}

// Subscribe implements core.Store. The channel is closed by cancel and by Close.
func (l *Ledger) Subscribe() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	s := &l.subs
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		close(c)
		return c, func() {}
	}
	if s.all == nil {
		s.all = map[chan struct{}]struct{}{}
	}
	s.all[c] = struct{}{}
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, ok := s.all[c]; ok {
			delete(s.all, c)
			close(c)
		}
	}
}

// changed tells every runner that something may go on now.
func (l *Ledger) changed() {
	l.subs.notify()
	l.announce()
}
