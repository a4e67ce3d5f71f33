package browser

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-run/rollcall/core"
)

var (
	codeName   = regexp.MustCompile(`(?i)(^|[^a-z])(otp|totp|2fa|twofa|two[-_]?factor|mfa|tan|pin|code|token|passcode|one[-_]?time[a-z]*|(verif[a-z]*|auth[a-z]*|confirm[a-z]*|security|sms)[-_]?(code|token))([^a-z]|$)`)
	digitsOnly = regexp.MustCompile(`^\^?(\[0-9\]|\\d)[*+]?(\{\d+(,\d*)?\})?\$?$`)
)

// secretField reports why a secret must not be typed into a control, "" when it
// may. The control's document must be of the site's own origin, and so must the
// address that its form is sent to. The control must be
//
//   - an input of type password, or
//   - one whose autocomplete names current-password, new-password or one-time-code, or
//   - a one-line input that is named like a code (otp, pin, code, token, …) and
//     takes digits or few characters: type tel or number, a numeric inputmode, a
//     pattern of digits, or a maxlength of at most 10, or
//   - named by the manifest's permission secret_fields:LOCATOR.
func (p *Page) secretField(i info, locator string) string {
	if !p.own(i.Page) {
		return "its page is not the site's own"
	}
	if i.Action != "" && strings.HasPrefix(i.Action, "http") && !p.own(i.Action) {
		return "its form is sent to another site"
	}
	if i.Tag == "input" && i.Type == "password" {
		return ""
	}
	if i.Tag == "input" {
		for token := range strings.FieldsSeq(strings.ToLower(i.Autocomplete)) {
			if token == "current-password" || token == "new-password" || token == "one-time-code" {
				return ""
			}
		}
		short := i.Maxlength > 0 && i.Maxlength <= 10
		digits := i.Type == "tel" || i.Type == "number" || i.Inputmode == "numeric" || i.Inputmode == "decimal" || digitsOnly.MatchString(i.Pattern)
		line := i.Type == "text" || i.Type == "tel" || i.Type == "number"
		if line && (digits || short) && (codeName.MatchString(i.Name) || codeName.MatchString(i.ID)) {
			return ""
		}
	}
	if slices.Contains(p.o.Manifest.Permissions, core.PermitSecretFields+":"+locator) {
		return ""
	}
	return "it is neither a password nor a one-time-code input, and the permission " + core.PermitSecretFields + ":" + locator + " is not in the manifest"
}

// guard refuses a secret where it does not belong.
func (p *Page) guard(v core.Value, i info, locator string) error {
	if !v.IsSecret() {
		return nil
	}
	if why := p.secretField(i, locator); why != "" {
		return wrong("a secret is not typed here: %s", why)
	}
	return nil
}
