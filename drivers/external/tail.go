package external

import (
	"strings"
	"sync"
)

// tailSize is how many bytes of a process' output are kept.
const tailSize = 8 << 10

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
	lost bool
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if len(p) > tailSize {
		p = p[len(p)-tailSize:]
		t.lost = true
	}
	if over := len(t.text) + len(p) - tailSize; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
		t.lost = true
	}
	t.text = append(t.text, p...)
	return n, nil
}

func (t *tail) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text, t.lost = t.text[:0], false
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := strings.ToValidUTF8(string(t.text), "\uFFFD")
	if t.lost {
		return "…" + s
	}
	return s
}
