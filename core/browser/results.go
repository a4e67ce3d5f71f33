package browser

// Note records what became of a field or image that Fields and Upload don't
// know of: "refused: …", "hidden: …", or one of their own results.
func (p *Page) Note(field, result string) error {
	if err := p.results.Note(field, result, p.shown()); err != nil {
		return p.explain(err, &verb{name: "note", at: -1})
	}
	return nil
}

// Results are the fields' results so far, for Outcome.Fields.
func (p *Page) Results() map[string]string { return p.results.All() }
