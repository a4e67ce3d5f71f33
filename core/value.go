package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

// masked is what a secret prints as, everywhere but in Reveal.
const masked = "•••"

// Value is a piece of text that knows whether it is a secret. A secret prints
// as ••• through fmt, log/slog, encoding/json and errors; only Reveal gives the
// text. The zero Value is the empty, public text.
type Value struct {
	text   string
	secret bool
}

// Text returns a public value.
func Text(s string) Value { return Value{text: s} }

// Secret returns a value that prints as •••.
func Secret(s string) Value { return Value{text: s, secret: true} }

// Reveal returns the text itself. Whoever calls it decides where the text goes;
// it never goes into a log, an error or a report.
func (v Value) Reveal() string { return v.text }

// IsSecret reports whether v prints as •••.
func (v Value) IsSecret() bool { return v.secret }

// Empty reports whether the text is empty.
func (v Value) Empty() bool { return v.text == "" }

// Equal reports whether both hold the same text, secret or not.
func (v Value) Equal(o Value) bool { return v.text == o.text }

// String returns the text of a public value, ••• for a secret and "" for an
// empty one.
func (v Value) String() string {
	if v.secret && v.text != "" {
		return masked
	}
	return v.text
}

// Format makes every fmt verb, %#v and %x included, print what String returns.
func (v Value) Format(f fmt.State, verb rune) {
	if verb == 'q' {
		fmt.Fprintf(f, "%q", v.String())
		return
	}
	fmt.Fprint(f, v.String())
}

// LogValue keeps a secret out of log/slog.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalJSON writes what String returns: a Value that must survive a store or
// a process border is carried by the code that seals or types it, not by JSON.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(v.String()) }

// UnmarshalJSON refuses: a masked value can't be read back.
func (v *Value) UnmarshalJSON([]byte) error {
	return errors.New("core.Value is not read from JSON: decode a string and wrap it in Text or Secret")
}

// GobEncode refuses, so that no codec carries the text by accident.
func (v Value) GobEncode() ([]byte, error) {
	return nil, errors.New("core.Value is not encoded: reveal it where it is sealed")
}
