package lua

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a script's source.
const (
	MaxSource  = 64 << 10 // bytes of one file
	maxNesting = 100      // open brackets and blocks at one place
	maxDepth   = 250      // of the syntax tree
)

// Source is a script as it was read.
type Source struct {
	Name   string // of the driver, the file's name without .lua
	Path   string // shown in errors and time lines; Name + ".lua" when empty
	Digest string // SHA-256 of the text and the lib files it requires; computed when empty, else compared
	Text   []byte
	Lib    fs.FS // holds lib/NAME.lua for require "lib.NAME"; nil when there is none
	Quiet  bool  // nobody watches: a verb that went well is not logged by itself, only together with others
}

func (s Source) file() string {
	if s.Path != "" {
		return s.Path
	}
	return s.Name + ".lua"
}

// LoadError says why a script can't be loaded, and where.
type LoadError struct {
	File string
	Line int // 0 when the whole file is meant
	Msg  string
}

func (e *LoadError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
	}
	return e.File + ": " + e.Msg
}

// checkText refuses what a reader could not see or the compiler could not bear.
func checkText(file string, text []byte) *LoadError {
	if len(text) > MaxSource {
		return &LoadError{file, 0, fmt.Sprintf("the source has %d bytes, the limit is %d: move shared parts to lib", len(text), MaxSource)}
	}
	line := 1
	for i := 0; i < len(text); {
		if c := text[i]; c >= ' ' && c <= '~' || c == '\t' || c == '\r' {
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return &LoadError{file, line, "the source is not valid UTF-8"}
		case r == '\n':
			line++
		case invisible(r):
			return &LoadError{file, line, fmt.Sprintf("invisible character U+%04X: what can't be seen can't be reviewed, delete it", r)}
		}
		i += n
	}
	return checkNesting(file, text)
}

// invisible reports characters that hide or reorder what a reader sees.
func invisible(r rune) bool {
	if r == '\t' || r == '\r' {
		return false
	}
	switch r {
	case '\u115F', '\u1160', '\u3164', '\uFFA0', '\u2028', '\u2029', '\u2800', '\u034F', '\u17B4', '\u17B5':
		return true
	}
	return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r) ||
		unicode.Is(unicode.Variation_Selector, r)
}

// checkNesting counts open brackets and blocks without parsing.
func checkNesting(file string, text []byte) *LoadError {
	line, depth := 1, 0
	deep := func() *LoadError {
		return &LoadError{file, line, fmt.Sprintf("nested deeper than %d levels", maxNesting)}
	}
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '\n':
			line++
			i++
		case c == '-' && i+1 < len(text) && text[i+1] == '-':
			i += 2
			if n := longBracket(text[i:]); n > 0 {
				line += bytes.Count(text[i:i+n], []byte{'\n'})
				i += n
				continue
			}
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case c == '"' || c == '\'':
			for i++; i < len(text) && text[i] != c && text[i] != '\n'; i++ {
				if text[i] == '\\' && i+1 < len(text) {
					i++
					if text[i] == '\n' {
						line++
					}
				}
			}
			i++
		case c == '[' && longBracket(text[i:]) > 0:
			n := longBracket(text[i:])
			line += bytes.Count(text[i:i+n], []byte{'\n'})
			i += n
		case c == '(' || c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return deep()
			}
			i++
		case c == ')' || c == '}' || c == ']':
			depth--
			i++
		case c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			start := i
			for i < len(text) && (text[i] == '_' || text[i] >= '0' && text[i] <= '9' || text[i] >= 'a' && text[i] <= 'z' || text[i] >= 'A' && text[i] <= 'Z') {
				i++
			}
			switch string(text[start:i]) {
			case "do", "then", "function", "repeat":
				if depth++; depth > maxNesting {
					return deep()
				}
			case "end", "until", "elseif":
				depth--
			}
		default:
			i++
		}
	}
	return nil
}

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

// digest is the SHA-256 of the text and of the lib files, by name.
func digest(text []byte, libs map[string][]byte) string {
	h := sha256.New()
	write := func(name string, b []byte) {
		fmt.Fprintf(h, "%s %d\n", name, len(b))
		h.Write(b)
	}
	write("driver", text)
	names := make([]string, 0, len(libs))
	for name := range libs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		write(name, libs[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// near returns ` (did you mean "x"?)` for the known name closest to name, or "".
func near(name string, known []string) string {
	best, dist := "", 3
	if len(name) <= 3 {
		dist = 2
	}
	for _, k := range known {
		if d := distance(strings.ToLower(name), k, dist); d < dist || d == dist && best == "" && d < len(k)/2 {
			best, dist = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance is the edit distance of a and b, with swaps; above limit it may stop early.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
