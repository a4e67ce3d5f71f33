package browser

import (
	"context"
	"errors"

	"github.com/rollcall-run/rollcall/core"
)

// Page is one tab of a browser context, driven by the verbs.
type Page struct{}

var errNotYetBuilt = errors.New("this verb is being built")

func Attach(ctx context.Context, s core.Session, o AttachOptions) (*Page, error) {
	return nil, errNotYetBuilt
}
func (p *Page) Close() error { return nil }
func (p *Page) Open(ctx context.Context, path string, s *Signs) (Seen, error) {
	return Seen{}, errNotYetBuilt
}
func (p *Page) Fill(ctx context.Context, loc Locator, v core.Value, s *Signs) (Seen, error) {
	return Seen{}, errNotYetBuilt
}
func (p *Page) Type(ctx context.Context, loc Locator, v core.Value, s *Signs) (Seen, error) {
	return Seen{}, errNotYetBuilt
}
func (p *Page) Paste(ctx context.Context, loc Locator, html string, s *Signs) (Seen, error) {
	return Seen{}, errNotYetBuilt
}
func (p *Page) Choose(ctx context.Context, loc Locator, want []string, s *Signs) (Seen, error) {
	return Seen{}, errNotYetBuilt
}
func (p *Page) Check(ctx context.Context, loc Locator, on bool, s *Signs) (Seen, error) {
	return Seen{}, errNotYetBuilt
}
func (p *Page) Press(ctx context.Context, loc Locator, key string, s *Signs) (Seen, error) {
	return Seen{}, errNotYetBuilt
}
func (p *Page) Hover(ctx context.Context, loc Locator, s *Signs) (Seen, error) {
	return Seen{}, errNotYetBuilt
}
func (p *Page) Click(ctx context.Context, loc Locator, s *Signs) (Seen, error) {
	return Seen{}, errNotYetBuilt
}
func (p *Page) Upload(ctx context.Context, loc Locator, asset string, s *Signs) (Seen, error) {
	return Seen{}, errNotYetBuilt
}
func (p *Page) Fields(ctx context.Context, fields []Field) (changed int, err error) {
	return 0, errNotYetBuilt
}
func (p *Page) Note(field, result string) error { return errNotYetBuilt }
func (p *Page) Results() map[string]string      { return nil }
func (p *Page) Agree(ctx context.Context, loc Locator, s *Signs) (Seen, error) {
	return Seen{}, errNotYetBuilt
}
func (p *Page) Commit(ctx context.Context, name string, action func(context.Context) error, s Signs) (Seen, error) {
	return Seen{}, errNotYetBuilt
}
func (p *Page) CommitClick(ctx context.Context, loc Locator, s Signs) (Seen, error) {
	return Seen{}, errNotYetBuilt
}
func (p *Page) Await(ctx context.Context, s Signs) (Seen, error) { return Seen{}, errNotYetBuilt }
func (p *Page) Human(ctx context.Context, code core.Code, say string, s *Signs) (Seen, error) {
	return Seen{}, errNotYetBuilt
}
func (p *Page) Ask(ctx context.Context, code core.Code, say string) (core.Value, error) {
	return core.Value{}, errNotYetBuilt
}
func (p *Page) Exists(ctx context.Context, loc Locator) (bool, error) { return false, errNotYetBuilt }
func (p *Page) Text(ctx context.Context, loc Locator) (string, error) { return "", errNotYetBuilt }
func (p *Page) Attr(ctx context.Context, loc Locator, name string) (string, error) {
	return "", errNotYetBuilt
}
func (p *Page) URL(ctx context.Context, path string) (string, error) { return "", errNotYetBuilt }
