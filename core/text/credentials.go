package text

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-run/rollcall/core"
)

// madeLength is how long a password is that is made from nothing, in characters.
const madeLength = 20

// Password returns a password that the limit accepts: base itself where it
// does, otherwise what is usable of base, extended with characters from
// crypto/rand. So each call that changes gives another password, and the caller
// keeps the one it uses. The result is a secret. The error is the limit's, when
// no password can satisfy it; it never carries the password.
func Password(base core.Value, l core.Limit) (password core.Value, changed bool, err error) {
	if err := CheckLimit(l); err != nil {
		return core.Value{}, false, fmt.Errorf("the password's limit: %w", err)
	}
	set, _ := charset(l.Chars)
	s := base.Reveal()
	if s != "" && fits(s, l, set) {
		return core.Secret(s), false, nil
	}
	classes := set.classes(l.Lower)
	if len(classes) == 0 {
		return core.Value{}, false, fmt.Errorf("the password's limit: chars = %q has no character to make a password of", l.Chars)
	}
	// A base whose characters join with what is added counts short: then it is left out.
	for _, from := range []string{keep(s, l, set), ""} {
		if out := extend(clusters(from), classes, l); fits(out, l, set) {
			return core.Secret(out), true, nil
		}
	}
	return core.Value{}, false, fmt.Errorf("the password's limit can't be met: min = %d, max = %d, classes = %d, chars = %q", l.Min, l.Max, l.Classes, l.Chars)
}

// extend shortens kept to the limit and adds the missing classes and length.
func extend(kept, classes []string, l core.Limit) string {
	if l.Max > 0 && len(kept) > l.Max {
		kept = kept[:l.Max]
	}
	missing := lacking(strings.Join(kept, ""), classes, l.Classes)
	for l.Max > 0 && len(kept) > 0 && len(kept)+len(missing) > l.Max {
		kept = kept[:len(kept)-1]
		missing = lacking(strings.Join(kept, ""), classes, l.Classes)
	}
	want := l.Min
	if len(kept) == 0 {
		want = max(want, madeLength)
		if l.Max > 0 {
			want = min(want, l.Max)
		}
	}
	out := strings.Join(kept, "")
	for _, c := range missing {
		out += pick(c)
	}
	all := strings.Join(classes, "")
	for n := len(kept) + len(missing); n < want; n++ {
		out += pick(all)
	}
	return out
}

// fits reports whether a password is within the limit.
func fits(s string, l core.Limit, set *chars) bool {
	n := Length(s)
	if n < l.Min || l.Max > 0 && n > l.Max || l.Lower && strings.ToLower(s) != s {
		return false
	}
	for _, r := range s {
		if !set.has(r) {
			return false
		}
	}
	return len(classesOf(s)) >= l.Classes
}

func classesOf(s string) map[int]bool {
	have := map[int]bool{}
	for _, r := range s {
		have[class(r)] = true
	}
	return have
}

// lacking are the classes to add until s has n of them.
func lacking(s string, classes []string, n int) []string {
	have := classesOf(s)
	var out []string
	for _, c := range classes {
		if len(have) >= n {
			break
		}
		if k := class(rune(c[0])); !have[k] {
			have[k] = true
			out = append(out, c)
		}
	}
	return out
}

// keep drops what the limit does not allow. Unlike Restrict it replaces nothing.
func keep(s string, l core.Limit, set *chars) string {
	if l.Lower {
		s = strings.ToLower(s)
	}
	return strings.Map(func(r rune) rune {
		if set.has(r) {
			return r
		}
		return -1
	}, s)
}

func clusters(s string) []string {
	var out []string
	for g := uniseg.NewGraphemes(s); g.Next(); {
		out = append(out, g.Str())
	}
	return out
}

// pick draws one of the ASCII characters of from.
func pick(from string) string {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(len(from))))
	if err != nil {
		panic(err) // crypto/rand.Reader never fails
	}
	return from[i.Int64():][:1]
}

// Username is candidate n for a name: 0 is base made to fit the limit, each
// further n another variant with digits at its end (letters where digits are
// not allowed), and "" when the limit allows nothing. The same arguments give the same name. Changed says whether the
// name differs from base. An unreadable limit is ignored: CheckLimit tells.
func Username(base string, l core.Limit, n int) (name string, changed bool) {
	set, err := charset(l.Chars)
	if err != nil {
		set = nil
	}
	fit := Restrict(spaceless(norm.NFC.String(strings.ToValidUTF8(base, "")), l, set), l)
	if fit == "" {
		fit = Restrict("user", l)
	}
	parts := clusters(fit)
	if l.Max > 0 && len(parts) > l.Max {
		parts = parts[:l.Max]
	}
	if n > 0 || len(parts) < l.Min || len(parts) == 0 {
		parts = vary(parts, base, l, set, n)
	}
	name = strings.Join(parts, "")
	return name, name != base
}

// spaceless puts the first separator that is allowed where base has white
// space and the limit allows none.
func spaceless(s string, l core.Limit, set *chars) string {
	if set.has(' ') {
		return s
	}
	sep := ""
	for _, c := range []string{"_", ".", "-"} {
		if r := rune(c[0]); set.has(r) {
			sep = c
			break
		}
	}
	return strings.Join(strings.Fields(s), sep)
}

// vary ends the name with a number that is another for each n.
func vary(parts []string, base string, l core.Limit, set *chars, n int) []string {
	digits := "0123456789"
	if c := keep(digits, core.Limit{}, set); c != "" {
		digits = c
	} else if all := strings.Join(set.classes(l.Lower), ""); all != "" {
		digits = all
	} else {
		return parts
	}
	size := 4
	if l.Max > 0 {
		size = min(size, max(1, l.Max-2), l.Max)
	}
	size = max(size, l.Min-len(parts))
	sum := sha256.Sum256([]byte(base))
	span := uint64(1)
	for range min(size, 4) {
		span *= uint64(len(digits))
	}
	// The step shares no factor with the span, so that n and n+1 never meet.
	at := (binary.BigEndian.Uint64(sum[:8]) + uint64(n)*stepFor(span)) % span
	tail := make([]byte, size)
	for i := size - 1; i >= 0; i-- {
		tail[i] = digits[at%uint64(len(digits))]
		at /= uint64(len(digits))
	}
	if extra := strconv.Itoa(n / int(span)); n >= int(span) && Restrict(extra, l) == extra {
		tail = append(tail, extra...)
	}
	if l.Max > 0 {
		if len(tail) > l.Max {
			tail = tail[len(tail)-l.Max:]
		}
		parts = parts[:min(len(parts), l.Max-len(tail))]
	}
	return append(parts[:len(parts):len(parts)], string(tail))
}

// stepFor is a step that visits every number below span once.
func stepFor(span uint64) uint64 {
	for _, p := range []uint64{7919, 7907, 7901, 7883} {
		if span%p != 0 {
			return p
		}
	}
	return 1
}
