package browser

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/rollcall-run/rollcall/core"
)

// minSecret is the length in bytes below which a secret is too common a text to
// be looked for.
const minSecret = 4

// redactor takes the run's secrets, in their usual encodings, out of texts.
type redactor struct {
	mu    sync.Mutex
	known []string
	with  *strings.Replacer // nil when known has grown
}

var _ core.Redactor = (*redactor)(nil)

// Add registers values for the rest of the run; release does nothing.
func (r *redactor) Add(values ...core.Value) (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range values {
		if s := v.Reveal(); len(s) >= minSecret && !slices.Contains(r.known, s) {
			r.known, r.with = append(r.known, s), nil
		}
	}
	return func() {}
}

// Redact replaces every known secret by •••.
func (r *redactor) Redact(text string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) == 0 {
		return text
	}
	if r.with == nil {
		var forms []string
		for _, s := range r.known {
			quoted, _ := json.Marshal(s) // a string always can be
			b := []byte(s)
			forms = append(forms, s, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s), strings.Trim(string(quoted), `"`),
				base64.RawStdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b), hex.EncodeToString(b))
		}
		slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
		var pairs []string
		for _, f := range forms {
			pairs = append(pairs, f, "•••")
		}
		r.with = strings.NewReplacer(pairs...)
	}
	return r.with.Replace(text)
}
