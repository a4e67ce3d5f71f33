package secret

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"
)

// pattern is one form of a registered value.
type pattern struct {
	text  string
	b64   bool   // the neighbouring base64 characters carry bits of the value too
	runes []rune // when set, each character may also be written as an escape
}

// span is a piece of a text.
type span struct{ from, to int }

// patterns are the forms in which one text is looked for.
func patterns(s string) []pattern {
	out := []pattern{{text: s}}
	if utf8.ValidString(s) {
		out[0].runes = []rune(s)
	}
	lower := hex.EncodeToString([]byte(s))
	out = append(out, pattern{text: lower})
	if upper := strings.ToUpper(lower); upper != lower {
		out = append(out, pattern{text: upper})
	}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			p := pattern{text: middle(enc, s, shift), b64: true}
			if slices.ContainsFunc(out, func(have pattern) bool { return have.text == p.text }) {
				continue
			}
			if strings.ContainsAny(p.text, "+/") {
				p.runes = []rune(p.text)
			}
			out = append(out, p)
		}
	}
	return out
}

// middle is the part of the base64 form of s that does not depend on what
// stands before and after it, when s begins shift bytes into a group of three.
func middle(enc *base64.Encoding, s string, shift int) string {
	coded := enc.EncodeToString(append(make([]byte, shift, shift+len(s)), s...))
	if (shift+len(s))%3 != 0 {
		coded = coded[:len(coded)-1]
	}
	if shift > 0 {
		coded = coded[shift+1:]
	}
	return coded
}

// prefix is the number of bytes by which the table of forms is keyed; every
// form is longer.
const prefix = 4

// finder looks for many patterns in one pass. It never changes.
type finder struct {
	seen    [1 << 10]uint64      // a bit for each hashed prefix
	exact   map[uint32][]pattern // by prefix
	escaped map[rune][]pattern   // by first character
	first   [128]bool            // ASCII characters with which one of escaped begins
	wide    bool                 // one of escaped begins with another character
	space   bool                 // one of escaped has a space, which + may stand for
	longest int                  // bytes of the longest form, escapes included
}

func newFinder(forms map[string][]pattern) *finder {
	f := &finder{exact: map[uint32][]pattern{}, escaped: map[rune][]pattern{}}
	for _, ps := range forms {
		for _, p := range ps {
			k := key(p.text)
			h := hash(k)
			f.seen[h>>6] |= 1 << (h & 63)
			f.exact[k] = append(f.exact[k], p)
			f.longest = max(f.longest, len(p.text)+4)
			if len(p.runes) == 0 {
				continue
			}
			r := p.runes[0]
			f.escaped[r] = append(f.escaped[r], p)
			if r < 128 {
				f.first[r] = true
			} else {
				f.wide = true
			}
			f.space = f.space || strings.Contains(p.text, " ")
			f.longest = max(f.longest, len(p.runes)*maxEscape)
		}
	}
	return f
}

func key(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func hash(k uint32) uint32 { return (k * 2654435761) >> 16 }

// find returns the spans of text that hold a pattern, sorted and apart.
func (f *finder) find(text string) []span {
	var spans []span
	for i := 0; i+prefix <= len(text); i++ {
		k := key(text[i : i+prefix])
		h := hash(k)
		if f.seen[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		for _, p := range f.exact[k] {
			if strings.HasPrefix(text[i:], p.text) {
				spans = append(spans, grown(text, span{i, i + len(p.text)}, p.b64))
			}
		}
	}
	if strings.ContainsAny(text, `%&\`) || f.space && strings.Contains(text, "+") {
		spans = f.findEscaped(text, spans)
	}
	return merged(spans)
}

// findEscaped adds the spans in which a character of the value is written as an escape.
func (f *finder) findEscaped(text string, spans []span) []span {
	var units [8]unit
	for i := 0; i < len(text); i++ {
		c := text[i]
		special := c == '%' || c == '&' || c == '\\' || c == '+'
		if !special && (c < 128 && !f.first[c] || c >= 128 && !f.wide) {
			continue
		}
		for _, u := range decode(units[:0], text, i) {
			for _, p := range f.escaped[u.r] {
				if end := match(text, i+u.n, p.runes[1:]); end > 0 {
					spans = append(spans, grown(text, span{i, end}, p.b64))
				}
			}
		}
	}
	return spans
}

// match walks along runes from at, each written in any way, and returns where
// the last one ends, 0 when they are not there.
func match(text string, at int, runes []rune) int {
	var units [8]unit
	var a, b [8]int
	cur, next := append(a[:0], at), b[:0]
	for _, r := range runes {
		next = next[:0]
		for _, p := range cur {
			if p < len(text) && text[p] < 128 && rune(text[p]) != r && !mayEscape(text[p]) {
				continue
			}
			for _, u := range decode(units[:0], text, p) {
				if u.r == r && !slices.Contains(next, p+u.n) {
					next = append(next, p+u.n)
				}
			}
		}
		if len(next) == 0 {
			return 0
		}
		cur, next = next, cur
	}
	return slices.Max(cur)
}

// grown widens a base64 span by the characters at its edges that hold some of
// the value's bits, and by padding.
func grown(text string, s span, b64 bool) span {
	if !b64 {
		return s
	}
	if s.from > 0 && isBase64(text[s.from-1]) {
		s.from--
	}
	if s.to < len(text) && isBase64(text[s.to]) {
		s.to++
	}
	for range 2 {
		if s.to < len(text) && text[s.to] == '=' {
			s.to++
		}
	}
	return s
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_'
}

// merged sorts spans and joins those that touch.
func merged(spans []span) []span {
	if len(spans) < 2 {
		return spans
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	out := spans[:1]
	for _, s := range spans[1:] {
		if last := &out[len(out)-1]; s.from <= last.to {
			last.to = max(last.to, s.to)
		} else {
			out = append(out, s)
		}
	}
	return out
}
