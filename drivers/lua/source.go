package lua

import (
	"fmt"
	"io/fs"
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
	depth := 0
	for t := range tokens(text) {
		switch t.kind {
		case '(', '{', '[':
			depth++
		case ')', '}', ']':
			depth--
		case word:
			switch string(t.text) {
			case "do", "then", "function", "repeat":
				depth++
			case "end", "until", "elseif":
				depth--
			}
		}
		if depth > maxNesting {
			return &LoadError{file, t.line, fmt.Sprintf("nested deeper than %d levels", maxNesting)}
		}
	}
	return nil
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
