package text

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rollcall-run/rollcall/core"
)

// CheckLimit reports what makes a limit impossible: an unreadable chars, min
// above max, more classes than the characters allow, an unknown format.
func CheckLimit(l core.Limit) error {
	set, err := charset(l.Chars)
	if err != nil {
		return err
	}
	if l.Min < 0 || l.Max < 0 || l.Max > 0 && l.Min > l.Max {
		return fmt.Errorf("min = %d and max = %d: no text has such a length", l.Min, l.Max)
	}
	if l.Classes < 0 || l.Classes > 4 {
		return fmt.Errorf("classes = %d: there are four classes, lower, upper, digit and other", l.Classes)
	}
	if have := len(set.classes(l.Lower)); l.Classes > have {
		return fmt.Errorf("classes = %d, but chars and lower allow only %d", l.Classes, have)
	}
	if l.Max > 0 && l.Classes > l.Max {
		return fmt.Errorf("classes = %d does not fit into max = %d", l.Classes, l.Max)
	}
	return known(l.Format)
}

// chars is a set of allowed characters; the nil set allows all.
type chars struct{ ranges []rune }

// charset reads a class body such as "a-z0-9_.-".
func charset(body string) (*chars, error) {
	if body == "" {
		return nil, nil
	}
	bad := fmt.Errorf("chars = %q is not the inside of a character class, such as \"a-z0-9_.-\"", body)
	re, err := syntax.Parse("["+body+"]", syntax.Perl)
	if err != nil {
		return nil, bad
	}
	switch {
	case re.Op == syntax.OpCharClass && len(re.Rune) > 0:
		return &chars{re.Rune}, nil
	case re.Op == syntax.OpLiteral && len(re.Rune) == 1 && re.Flags&syntax.FoldCase == 0:
		return &chars{[]rune{re.Rune[0], re.Rune[0]}}, nil
	case re.Op == syntax.OpAnyChar:
		return nil, nil
	}
	return nil, bad
}

func (c *chars) has(r rune) bool {
	if c == nil {
		return true
	}
	for i := 0; i+1 < len(c.ranges); i += 2 {
		if c.ranges[i] <= r && r <= c.ranges[i+1] {
			return true
		}
	}
	return false
}

// alphabet are the characters that passwords and variants are made of, by class.
var alphabet = []string{"abcdefghijkmnpqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789", "!#%+-_.=?@*"}

// classes are the allowed characters of each class that has any, in the
// order lower, upper, digit, other.
func (c *chars) classes(lower bool) []string {
	var out []string
	for i, all := range alphabet {
		if lower && i == 1 {
			continue
		}
		pick := strings.Map(func(r rune) rune {
			if c.has(r) {
				return r
			}
			return -1
		}, all)
		if pick == "" && c != nil { // the class may have only unusual members
			for r := rune('!'); r <= '~'; r++ {
				if c.has(r) && class(r) == i {
					pick += string(r)
				}
			}
		}
		if pick != "" {
			out = append(out, pick)
		}
	}
	return out
}

// class is 0 for lower case, 1 for upper case, 2 for digits, 3 for all else.
func class(r rune) int {
	switch {
	case unicode.IsLower(r):
		return 0
	case unicode.IsUpper(r):
		return 1
	case unicode.IsDigit(r):
		return 2
	}
	return 3
}

// Restrict drops the characters that the limit does not allow, after trying
// them without diacritics, and lowers the case where asked. Length is not touched.
func Restrict(s string, l core.Limit) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if l.Lower {
		s = strings.ToLower(s)
	}
	set, err := charset(l.Chars)
	if err != nil || set == nil {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if set.has(r) {
			b.WriteRune(r)
			continue
		}
		if r < utf8.RuneSelf {
			continue
		}
		for _, a := range ascii(string(r)) {
			if set.has(a) {
				b.WriteRune(a)
			}
		}
	}
	return b.String()
}
