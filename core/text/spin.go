package text

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// maxSpin bounds the nesting of groups; deeper ones stay as they are written.
const maxSpin = 16

// Spin resolves {a|b|c}, nested too, by choosing one alternative of each group.
// The same text and seed make the same choices. Braces without a | of their
// own, unbalanced braces, and everything inside an HTML tag stay as written; a
// tag inside an alternative is chosen with it.
func Spin(text, seed string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	s := spinner{text: text, seed: seed, groups: groups(text)}
	s.write(0, len(text), 0)
	return s.out.String()
}

// group is a pair of braces: where it ends, and where its bars are.
type group struct {
	end  int
	bars []int
}

type spinner struct {
	text, seed string
	groups     map[int]group // by the place of the opening brace
	out        strings.Builder
}

// groups finds the balanced braces outside of tags in one pass.
func groups(text string) map[int]group {
	out := map[int]group{}
	type open struct {
		at   int
		bars []int
	}
	var stack []open
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '<':
			i = tagEnd(text, i)
		case '{':
			stack = append(stack, open{at: i})
		case '|':
			if n := len(stack); n > 0 {
				stack[n-1].bars = append(stack[n-1].bars, i)
			}
		case '}':
			if n := len(stack); n > 0 {
				if top := stack[n-1]; len(top.bars) > 0 {
					out[top.at] = group{end: i, bars: top.bars}
				}
				stack = stack[:n-1]
			}
		}
	}
	return out
}

// maxTag bounds how far a tag's end is looked for, in bytes.
const maxTag = 8 << 10

// tagEnd is the place of the > that ends the tag at i, or i when no tag starts there.
func tagEnd(text string, i int) int {
	if i+1 >= len(text) {
		return i
	}
	c := text[i+1] | 0x20
	if (c < 'a' || c > 'z') && text[i+1] != '/' && text[i+1] != '!' {
		return i
	}
	quote := byte(0)
	for j := i + 2; j < len(text) && j < i+maxTag; j++ {
		switch c := text[j]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			if text[j-1] == '=' {
				quote = c
			}
		case c == '>':
			return j
		}
	}
	return i
}

func (s *spinner) write(from, to, depth int) {
	for i := from; i < to; {
		g, ok := s.groups[i]
		if !ok {
			next := strings.IndexByte(s.text[i+1:to], '{')
			end := to
			if next >= 0 {
				end = i + 1 + next
			}
			s.out.WriteString(s.text[i:end])
			i = end
			continue
		}
		if depth >= maxSpin {
			s.out.WriteString(s.text[i : g.end+1])
		} else {
			k := s.choose(i, len(g.bars)+1)
			a, b := i+1, g.end
			if k > 0 {
				a = g.bars[k-1] + 1
			}
			if k < len(g.bars) {
				b = g.bars[k]
			}
			s.write(a, b, depth+1)
		}
		i = g.end + 1
	}
}

// choose picks one of n for the group at place i.
func (s *spinner) choose(i, n int) int {
	h := sha256.New()
	h.Write([]byte(s.seed))
	h.Write(binary.BigEndian.AppendUint64([]byte{0}, uint64(i)))
	return int(binary.BigEndian.Uint64(h.Sum(nil)[:8]) % uint64(n))
}
