package browser

import (
	"maps"
	"slices"
	"strings"
)

// Note records what became of a field or image that Fields and Upload don't
// know of: "refused: …", "hidden: …", or one of their own results.
func (p *Page) Note(field, result string) error {
	err := func() error {
		if field == "" || len(field) > 64 {
			return wrong("note needs the name of a field")
		}
		word, _, why := strings.Cut(result, ": ")
		plain := slices.Contains([]string{"set", "kept", "unsupported"}, result) || (strings.HasPrefix(result, "truncated(") && strings.HasSuffix(result, ")"))
		if !plain && !(why && (word == "refused" || word == "hidden")) {
			return wrong("a note is refused: … or hidden: …, or set, kept, truncated(n), unsupported")
		}
		return nil
	}()
	if err != nil {
		return p.explain(err, &verb{name: "note", at: -1})
	}
	p.results[field] = p.clip(result, 300)
	return nil
}

// Results are the fields' results so far, for Outcome.Fields.
func (p *Page) Results() map[string]string { return maps.Clone(p.results) }
