package lua

import (
	"bytes"
	"iter"
	"strings"
)

// Kinds of tokens; any other is the character itself.
const (
	word   byte = 'a'
	quoted byte = '"'
)

// token is a piece of a source that is neither a blank nor a comment.
type token struct {
	kind byte
	line int    // on which it begins
	text []byte // of a word; of a quoted one what is between the quotes, as it is written
}

// tokens splits a source without parsing it, so that a text may be looked at that
// no parser should see. It ends at the end of any text.
func tokens(text []byte) iter.Seq[token] {
	return func(yield func(token) bool) {
		line := 1
		for i := 0; i < len(text); {
			t := token{kind: text[i], line: line}
			from := i
			switch c := text[i]; {
			case c == '\n' || c == ' ' || c == '\t' || c == '\r':
				if c == '\n' {
					line++
				}
				i++
				continue
			case c == '-' && i+1 < len(text) && text[i+1] == '-':
				i += 2
				if n := longBracket(text[i:]); n > 0 {
					i += n
				} else if n := bytes.IndexByte(text[i:], '\n'); n >= 0 {
					i += n
				} else {
					i = len(text)
				}
				line += bytes.Count(text[from:i], []byte{'\n'})
				continue
			case c == '"' || c == '\'':
				for i++; i < len(text) && text[i] != c && text[i] != '\n'; i++ {
					if text[i] == '\\' && i+1 < len(text) {
						i++
					}
				}
				t.kind, t.text = quoted, text[from+1:min(i, len(text))]
				i++
			case c == '[' && longBracket(text[i:]) > 0:
				i += longBracket(text[i:])
				t.kind, t.text = quoted, bytes.Trim(text[from:i], "[=]")
			case letter(c):
				for i < len(text) && (letter(text[i]) || text[i] >= '0' && text[i] <= '9') {
					i++
				}
				t.kind, t.text = word, text[from:i]
			default:
				i++
			}
			line += bytes.Count(text[from:min(i, len(text))], []byte{'\n'})
			if !yield(t) {
				return
			}
		}
	}
}

func letter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// longBracket returns the length of the long string at the head of text, 0 when there is none.
func longBracket(text []byte) int {
	if len(text) < 2 || text[0] != '[' {
		return 0
	}
	i := 1
	for i < len(text) && text[i] == '=' {
		i++
	}
	if i >= len(text) || text[i] != '[' {
		return 0
	}
	closing := "]" + strings.Repeat("=", i-1) + "]"
	end := bytes.Index(text[i:], []byte(closing))
	if end < 0 {
		return len(text)
	}
	return i + end + len(closing)
}
