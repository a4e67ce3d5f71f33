package secret

import (
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/rollcall-run/rollcall/core"
)

// mask replaces what is redacted.
const mask = "•••"

// minRunes is the length, in characters, below which a value is not looked for:
// it would match half of ordinary text.
const minRunes = 6

// Redactor removes registered values from text. The zero Redactor is ready, has
// nothing registered, and is safe for concurrent use.
//
// A value is found as it is and in these forms: base64, standard and URL
// alphabet, padded or not, alone or in the middle of longer encoded data; hex
// in either case; and with any of its characters written as a percent escape,
// an HTML entity (named, decimal, hexadecimal) or a backslash escape of JSON,
// JavaScript and Go, in any mixture. A value with spaces is also found without
// them, one of several lines also by its single lines. Values of less than six
// characters are not looked for.
type Redactor struct {
	mu     sync.Mutex
	held   map[string]int
	forms  map[string][]pattern // computed once per held value
	stale  bool
	finder atomic.Pointer[finder] // nil while nothing is registered
	dirty  atomic.Bool
}

var _ core.Redactor = (*Redactor)(nil)

// NewRedactor returns a Redactor with nothing registered.
func NewRedactor() *Redactor { return &Redactor{} }

// Add registers values, secret or not, until release is called. A value that
// was added several times is redacted until the last release; calling one
// release again has no effect.
func (r *Redactor) Add(values ...core.Value) (release func()) {
	var texts []string
	for _, v := range values {
		texts = append(texts, spellings(v.Reveal())...)
	}
	if len(texts) == 0 {
		return func() {}
	}
	r.change(texts, 1)
	var once sync.Once
	return func() { once.Do(func() { r.change(texts, -1) }) }
}

// change adds n to the count of each text.
func (r *Redactor) change(texts []string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == nil {
		r.held, r.forms = map[string]int{}, map[string][]pattern{}
	}
	for _, t := range texts {
		before := r.held[t]
		r.held[t] = before + n
		switch {
		case before == 0:
			r.forms[t] = patterns(t)
			r.stale = true
		case before+n == 0:
			delete(r.held, t)
			delete(r.forms, t)
			r.stale = true
		}
	}
	if r.stale {
		r.dirty.Store(true)
	}
}

// current returns the finder for what is registered now, nil for nothing.
func (r *Redactor) current() *finder {
	if !r.dirty.Load() {
		return r.finder.Load()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stale {
		var f *finder
		if len(r.forms) > 0 {
			f = newFinder(r.forms)
		}
		r.finder.Store(f)
		r.stale = false
		r.dirty.Store(false)
	}
	return r.finder.Load()
}

// Redact returns text with every registered value replaced by •••. Text without
// any is returned as it is. Values that overlap are replaced as one piece.
func (r *Redactor) Redact(text string) string {
	f := r.current()
	if f == nil || len(text) < minRunes {
		return text
	}
	return cut(text, f.find(text))
}

// cut replaces the spans, which are sorted and apart, by the mask.
func cut(text string, spans []span) string {
	if len(spans) == 0 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	at := 0
	for _, s := range spans {
		b.WriteString(text[at:s.from])
		b.WriteString(mask)
		at = s.to
	}
	b.WriteString(text[at:])
	return b.String()
}

// spellings are the texts to look for because of one value.
func spellings(v string) []string {
	out := make([]string, 0, 2)
	add := func(s string) {
		if utf8.RuneCountInString(s) < minRunes {
			return
		}
		for _, have := range out {
			if have == s {
				return
			}
		}
		out = append(out, s)
	}
	add(v)
	if strings.ContainsAny(v, " \t\r\n\u00a0") {
		fields := strings.Fields(v)
		add(strings.Join(fields, ""))
		if strings.ContainsAny(v, "\r\n") {
			for line := range strings.Lines(v) {
				add(strings.TrimSpace(line))
			}
		} else {
			add(strings.TrimSpace(v))
		}
	}
	return out
}
