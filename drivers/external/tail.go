package external

import (
	"strings"
	"sync"
)

// How many bytes of a process' output are kept: the begin, where a crash says
// what it is, and the end.
const (
	headSize = 2 << 10
	tailSize = 6 << 10
)

// tail keeps the begin and the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	head []byte
	text []byte
	lost bool // something in between
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	first := min(len(p), headSize-len(t.head))
	t.head = append(t.head, p[:first]...)
	p = p[first:]
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
	t.head, t.text, t.lost = t.head[:0], t.text[:0], false
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	between := ""
	if t.lost {
		between = "\n…\n"
	}
	return strings.ToValidUTF8(string(t.head)+between+string(t.text), "\uFFFD")
}
