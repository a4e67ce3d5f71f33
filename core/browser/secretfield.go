package browser

import (
	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// guard refuses a secret where it does not belong.
func (p *Page) guard(v core.Value, i info, locator string) error {
	if !v.IsSecret() {
		return nil
	}
	c := page.Control{Tag: i.Tag, Type: i.Type, Name: i.Name, ID: i.ID, Autocomplete: i.Autocomplete, Inputmode: i.Inputmode, Pattern: i.Pattern,
		Page: i.Page, Action: i.Action, Maxlength: i.Maxlength}
	if why := page.SecretField(p.site(), p.o.Manifest.Permissions, c, locator); why != "" {
		return wrong("a secret is not typed here: %s", why)
	}
	return nil
}
