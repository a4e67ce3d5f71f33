package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// line makes one redacted, printable line of at most 300 characters.
func (r *Runner) line(s string) string {
	return strings.Join(strings.Fields(r.text(s, 300)), " ")
}

// text redacts, drops what a terminal or a log could take for a command, and cuts
// it to at most that many characters.
func (r *Runner) text(s string, most int) string {
	return printable(r.o.Redact.Redact(strings.ToValidUTF8(s, "�")), most)
}

// printable is text without the redaction.
func printable(s string, most int) string {
	s = strings.ToValidUTF8(s, "�")
	var b strings.Builder
	n, total := 0, utf8.RuneCountInString(s)
	for _, c := range s {
		if n == most-1 && total > most {
			b.WriteString("…")
			break
		}
		switch {
		case c == '\n' || c == '\t':
		case unicode.IsControl(c), unicode.In(c, unicode.Bidi_Control):
			c = '�'
		}
		b.WriteRune(c)
		n++
	}
	return b.String()
}

// safeName is a directory name for a task id, which the task manager chooses.
func safeName(id string) string {
	plain := len(id) <= 64 && id != "" && strings.IndexFunc(id, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	}) < 0
	if plain {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "t" + hex.EncodeToString(sum[:16])
}
