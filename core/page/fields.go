package page

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/rollcall-run/rollcall/core"
)

// Identity names the fields that are never cut: a shortened one is another account.
var Identity = []string{core.FieldUsername, core.FieldEmail, core.FieldPassword}

// Entry is a field that the task has a value for.
type Entry struct {
	Field
	Text core.Value // what is filled in
	Cut  bool       // shortened
}

// Plan keeps the fields that there is a value for, cut to the manifest's limits,
// and beside them those that take an image.
func Plan(fields []Field, o Options) (entries []*Entry, uploads []Field, err error) {
	seen := map[string]bool{}
	for _, f := range fields {
		if f.Name == "" || seen[f.Name] {
			return nil, nil, Wrong("each field is named once, %q is not", f.Name)
		}
		seen[f.Name] = true
		if err := f.At.Check(); err != nil {
			return nil, nil, err
		}
		if f.Name == "avatar" || f.Name == "cover" {
			uploads = append(uploads, f)
			continue
		}
		value := valueOf(f, o.Task.Entity)
		if value.Empty() && len(f.Want) == 0 && f.Value == nil {
			continue
		}
		if err := Typeable(value); err != nil {
			return nil, nil, err
		}
		e := &Entry{Field: f, Text: value}
		if limit := o.Manifest.Limits[f.Name].Max; limit > 0 && uniseg.GraphemeClusterCount(value.Reveal()) > limit {
			if err := e.Shorten(firstGraphemes(value.Reveal(), limit)); err != nil {
				return nil, nil, err
			}
		}
		entries = append(entries, e)
	}
	return entries, uploads, nil
}

// Typeable refuses what no control can hold.
func Typeable(v core.Value) error {
	if strings.ContainsRune(v.Reveal(), 0) {
		return Wrong("the text has a NUL character in it")
	}
	return nil
}

// valueOf is what the task has for a field.
func valueOf(f Field, e core.Entity) core.Value {
	if f.Value != nil {
		return *f.Value
	}
	if f.Name == "full_name" {
		return core.Text(strings.TrimSpace(e.Get(core.FieldFirstName).Reveal() + " " + e.Get(core.FieldLastName).Reveal()))
	}
	if slices.Contains(core.MailboxFields, f.Name) {
		return core.Value{}
	}
	return e.Get(f.Name)
}

// Shorten cuts the text, unless an account is known by it.
func (e *Entry) Shorten(to string) error {
	if e.Text.IsSecret() || slices.Contains(Identity, e.Name) {
		return &core.Fault{Code: core.LayoutChanged, Locator: e.Name, Why: fmt.Sprintf("%s is longer than the %d characters that fit, and is never cut", e.Name, uniseg.GraphemeClusterCount(to))}
	}
	e.Text, e.Cut = core.Text(strings.TrimRight(to, " \n\t")), true
	return nil
}

// FitLength shortens to what maxlength n lets in.
func (e *Entry) FitLength(n int) error {
	if n <= 0 {
		return nil
	}
	if short := FirstUnits(e.Text.Reveal(), n); short != e.Text.Reveal() {
		return e.Shorten(short)
	}
	return nil
}

// Truncated is the result of a field whose text was cut.
func (e *Entry) Truncated() string {
	return fmt.Sprintf("truncated(%d)", uniseg.GraphemeClusterCount(e.Text.Reveal()))
}

// firstGraphemes is the beginning of s with at most n characters as a person counts them.
func firstGraphemes(s string, n int) string {
	g := uniseg.NewGraphemes(s)
	for i := 0; g.Next(); i++ {
		if i == n {
			from, _ := g.Positions()
			return s[:from]
		}
	}
	return s
}

// FirstUnits is the beginning of s with at most n UTF-16 units, as maxlength
// counts, whole graphemes only. A line break counts as one.
func FirstUnits(s string, n int) string {
	g := uniseg.NewGraphemes(s)
	units := 0
	for g.Next() {
		for _, r := range g.Runes() {
			if units++; r > 0xffff {
				units++
			}
		}
		if units > n {
			from, _ := g.Positions()
			return s[:from]
		}
	}
	return s
}
