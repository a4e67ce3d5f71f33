package page

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-run/rollcall/core"
)

// Control is what decides whether a secret may go into a control.
type Control struct {
	Tag, Type, Name, ID, Autocomplete, Inputmode, Pattern string
	Page, Action                                          string // addresses of its document and of what its form is sent to
	Maxlength                                             int
}

var (
	codeName   = regexp.MustCompile(`(?i)(^|[^a-z])(otp|totp|2fa|twofa|two[-_]?factor|mfa|tan|pin|code|token|passcode|one[-_]?time[a-z]*|(verif[a-z]*|auth[a-z]*|confirm[a-z]*|security|sms)[-_]?(code|token))([^a-z]|$)`)
	digitsOnly = regexp.MustCompile(`^\^?(\[0-9\]|\\d)[*+]?(\{\d+(,\d*)?\})?\$?$`)
)

// SecretField reports why a secret must not be typed into a control, "" when it
// may. The control's document must be of the site's own origin, and so must the
// address that its form is sent to. The control must be
//
//   - an input of type password, or
//   - one whose autocomplete names current-password, new-password or one-time-code, or
//   - a one-line input that is named like a code (otp, pin, code, token, …) and
//     takes digits or few characters: type tel or number, a numeric inputmode, a
//     pattern of digits, or a maxlength of at most 10, or
//   - named by the manifest's permission secret_fields:LOCATOR.
func SecretField(s Site, permissions []string, c Control, locator string) string {
	if !s.Own(c.Page) {
		return "its page is not the site's own"
	}
	if c.Action != "" && strings.HasPrefix(c.Action, "http") && !s.Own(c.Action) {
		return "its form is sent to another site"
	}
	if c.Tag == "input" && c.Type == "password" {
		return ""
	}
	if c.Tag == "input" {
		for token := range strings.FieldsSeq(strings.ToLower(c.Autocomplete)) {
			if token == "current-password" || token == "new-password" || token == "one-time-code" {
				return ""
			}
		}
		short := c.Maxlength > 0 && c.Maxlength <= 10
		digits := c.Type == "tel" || c.Type == "number" || c.Inputmode == "numeric" || c.Inputmode == "decimal" || digitsOnly.MatchString(c.Pattern)
		line := c.Type == "text" || c.Type == "tel" || c.Type == "number"
		if line && (digits || short) && (codeName.MatchString(c.Name) || codeName.MatchString(c.ID)) {
			return ""
		}
	}
	if slices.Contains(permissions, core.PermitSecretFields+":"+locator) {
		return ""
	}
	return "it is neither a password nor a one-time-code input, and the permission " + core.PermitSecretFields + ":" + locator + " is not in the manifest"
}
