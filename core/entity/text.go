package entity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// cut returns s with at most n characters (code points). What is cut off ends
// at a boundary of what a person sees as one character, and an ellipsis stands
// in its place. Bytes that are not UTF-8 become U+FFFD.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	kept, runes, state := 0, 0, -1
	for rest := s; rest != ""; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		runes += utf8.RuneCountInString(cluster)
		if runes > n-1 {
			break
		}
		kept += len(cluster)
	}
	return strings.TrimRightFunc(s[:kept], unicode.IsSpace) + "…"
}

// oneLine makes a stranger's text fit for one line of an error: white space is
// one space, control and format characters are left out, and it has n
// characters at most.
func oneLine(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if hidden(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	return cut(strings.Join(strings.Fields(s), " "), n)
}

// hidden reports whether r acts on a display instead of showing on it.
func hidden(r rune) bool {
	return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
}
