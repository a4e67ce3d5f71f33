package text

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Has reports whether s says one of the phrases. Both are compared in NFC,
// case-folded, with white space collapsed and invisible characters dropped.
// Empty phrases are never said.
func Has(s string, phrases []string) bool {
	s = fold(s)
	for _, p := range phrases {
		if p = fold(p); p != "" && strings.Contains(s, p) {
			return true
		}
	}
	return false
}

func fold(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == 0xAD || r >= 0x200B && r <= 0x200F || r == 0x2060 || r == 0xFEFF {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = cases.Fold().String(norm.NFC.String(s))
	return strings.Join(strings.Fields(norm.NFC.String(s)), " ")
}

// letters are what decomposition does not reduce to a base letter.
var letters = strings.NewReplacer("đ", "d", "Đ", "D", "ø", "o", "Ø", "O", "ł", "l", "Ł", "L", "ß", "ss",
	"æ", "ae", "Æ", "AE", "œ", "oe", "Œ", "OE", "ı", "i", "þ", "th", "Þ", "Th", "ð", "d", "Ð", "D")

// ascii drops diacritics; what has no ASCII base letter stays.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(letters.Replace(strings.ToValidUTF8(s, ""))) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Slug is s in lower-case ASCII letters and digits joined by single hyphens:
// "Đặng Thị Hương" is dang-thi-huong. It is empty when nothing of s is left.
func Slug(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(ascii(s)) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			gap = false
			b.WriteRune(r)
		} else {
			gap = true
		}
	}
	return b.String()
}
