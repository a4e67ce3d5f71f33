package secret

import (
	"html"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxEscape is the length in bytes of the longest escape of one character that
// is recognised, and maxEntity that of an HTML entity.
const (
	maxEscape = 34
	maxEntity = 34
)

// unit is one way to read the text at a place: the character, and its length in bytes.
type unit struct {
	r rune
	n int
}

// mayEscape reports whether c begins an escape.
func mayEscape(c byte) bool { return c == '%' || c == '&' || c == '\\' || c == '+' }

// decode appends every way to read one character at text[at:].
func decode(dst []unit, text string, at int) []unit {
	if at >= len(text) {
		return dst
	}
	s := text[at:]
	r, n := utf8.DecodeRuneInString(s)
	if r != utf8.RuneError || n > 1 {
		dst = append(dst, unit{r, n})
	}
	switch s[0] {
	case '+':
		dst = append(dst, unit{' ', 1})
	case '%':
		dst = percent(dst, s)
	case '&':
		dst = entity(dst, s)
	case '\\':
		dst = backslash(dst, s)
	}
	return dst
}

// percent reads the percent escapes of one character's UTF-8 bytes.
func percent(dst []unit, s string) []unit {
	var raw [utf8.UTFMax]byte
	n := 0
	for n < len(raw) && 3*n+2 < len(s) && s[3*n] == '%' {
		v, ok := hexValue(s[3*n+1 : 3*n+3])
		if !ok {
			break
		}
		raw[n] = byte(v)
		n++
		if v < 128 {
			break
		}
	}
	if n == 0 {
		return dst
	}
	if r, size := utf8.DecodeRune(raw[:n]); r != utf8.RuneError || size > 1 {
		dst = append(dst, unit{r, 3 * size})
	}
	return dst
}

// entity reads one HTML entity, with its semicolon.
func entity(dst []unit, s string) []unit {
	end := strings.IndexByte(s[:min(len(s), maxEntity)], ';')
	if end < 2 {
		return dst
	}
	plain := html.UnescapeString(s[:end+1])
	if r, n := utf8.DecodeRuneInString(plain); n == len(plain) && (r != utf8.RuneError || n > 1) {
		dst = append(dst, unit{r, end + 1})
	}
	return dst
}

// backslash reads one escape of JSON, JavaScript or Go.
func backslash(dst []unit, s string) []unit {
	if len(s) < 2 {
		return dst
	}
	digits := 0
	switch s[1] {
	case '"', '\'', '\\', '/', '`':
		return append(dst, unit{rune(s[1]), 2})
	case 'n':
		return append(dst, unit{'\n', 2})
	case 'r':
		return append(dst, unit{'\r', 2})
	case 't':
		return append(dst, unit{'\t', 2})
	case 'b':
		return append(dst, unit{'\b', 2})
	case 'f':
		return append(dst, unit{'\f', 2})
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		return dst
	}
	if len(s) < 2+digits {
		return dst
	}
	v, ok := hexValue(s[2 : 2+digits])
	if !ok {
		return dst
	}
	n := 2 + digits
	if digits == 4 && utf16.IsSurrogate(rune(v)) {
		if len(s) < 12 || s[6] != '\\' || s[7] != 'u' {
			return dst
		}
		low, ok := hexValue(s[8:12])
		if !ok {
			return dst
		}
		v, n = uint64(utf16.DecodeRune(rune(v), rune(low))), 12
	}
	if v > utf8.MaxRune {
		return dst
	}
	return append(dst, unit{rune(v), n})
}

func hexValue(s string) (uint64, bool) {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return 0, false
		}
	}
	v, err := strconv.ParseUint(s, 16, 32)
	return v, err == nil
}
