package page

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-run/rollcall/core"
)

// Shown makes what may be shown of a page: nothing that is registered as a secret.
type Shown struct{ Redactor core.Redactor } // may be nil

// Redact takes the registered secrets out.
func (w Shown) Redact(s string) string {
	if w.Redactor == nil {
		return s
	}
	return w.Redactor.Redact(s)
}

// Clip redacts s and cuts it to n characters, on one line.
func (w Shown) Clip(s string, n int) string {
	s = strings.Join(strings.Fields(w.Redact(s)), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

var queryNames = regexp.MustCompile(`(?i)^(.*[_.-])?(key|token|code|secret|password|pass|pwd|sig|signature|hash|nonce|auth|otp|session|sid|ticket)$`)

// URL is an address as it may be shown: no user info, no query value whose name
// says that it is a secret, nothing that is registered as one.
func (w Shown) URL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return w.Clip(raw, 200)
	}
	u.User = nil
	if u.RawQuery != "" {
		parts := strings.Split(u.RawQuery, "&")
		for i, part := range parts {
			name, _, ok := strings.Cut(part, "=")
			if plain, err := url.QueryUnescape(name); ok && err == nil && queryNames.MatchString(plain) {
				parts[i] = name + "=•••"
			}
		}
		u.RawQuery = strings.Join(parts, "&")
	}
	if len(u.Fragment) > 40 {
		u.Fragment = ""
	}
	return w.Clip(u.String(), 500)
}

// Results say per field what became of it, for Outcome.Fields.
type Results map[string]string

// All is a copy.
func (r Results) All() map[string]string { return maps.Clone(r) }

// Note records what became of a field or image that Fields and Upload don't know
// of: "refused: …", "hidden: …", or one of their own results.
func (r Results) Note(field, result string, w Shown) error {
	if field == "" || len(field) > 64 {
		return Wrong("note needs the name of a field")
	}
	word, _, why := strings.Cut(result, ": ")
	plain := slices.Contains([]string{"set", "kept", "unsupported"}, result) || (strings.HasPrefix(result, "truncated(") && strings.HasSuffix(result, ")"))
	if !plain && !(why && (word == "refused" || word == "hidden")) {
		return Wrong("a note is refused: … or hidden: …, or set, kept, truncated(n), unsupported")
	}
	r[field] = w.Clip(result, 300)
	return nil
}
