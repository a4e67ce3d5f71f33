package hoola

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-run/rollcall/core"
)

// The limits of a call.
const MaxUsers = 100

// The fields of a user, in the order of the call's body.
const (
	FieldName     = "name"
	FieldUsername = core.FieldUsername
	FieldEmail    = core.FieldEmail
	FieldPassword = core.FieldPassword
	FieldPhone    = core.FieldPhone
	FieldCity     = "city"
	FieldDistrict = "district"
	FieldStreet   = "street"
	FieldGender   = "gender"
	FieldJob      = "job"
)

// Fields lists the fields; the first four are required.
var Fields = []string{FieldName, FieldUsername, FieldEmail, FieldPassword, FieldPhone, FieldCity, FieldDistrict, FieldStreet, FieldGender, FieldJob}

const (
	required   = 4
	minName    = 3
	maxText    = 1000 // characters of a field without a rule of its own
	minPass    = 6
	maxPass    = 35
	maxAddress = 254
)

var username = regexp.MustCompile(`^[A-Za-z0-9]{3,20}$`)

// genders are the words that are taken for one of the two that the API has.
var genders = map[string]string{"nam": "Nam", "male": "Nam", "m": "Nam", "nữ": "Nữ", "nu": "Nữ", "female": "Nữ", "f": "Nữ"}

// Clean brings a user's texts into the form that is sent: NFC, without the
// invisible characters that files bring along. It says what it changed.
func Clean(fields map[string]core.Value) (notes []string) {
	for _, name := range Fields {
		v, ok := fields[name]
		if !ok {
			continue
		}
		text := v.Reveal()
		if inner, ok := asText(text); ok && name != FieldPassword {
			notes = append(notes, fmt.Sprintf("%s %s was read as %s: a spreadsheet wrote it as a text", name, short(text), short(inner)))
			text = inner
		}
		if name != FieldPassword {
			text = norm.NFC.String(strings.TrimSpace(strings.Map(visible, text)))
		}
		switch name {
		case FieldPhone:
			fixed := phone(text)
			if fixed != text {
				notes = append(notes, fmt.Sprintf("phone %s was read as %s: the zero was lost", text, fixed))
			}
			text = fixed
		case FieldGender:
			if g := genders[strings.ToLower(text)]; g != "" {
				if g != text {
					notes = append(notes, fmt.Sprintf("gender %s was read as %s", text, g))
				}
				text = g
			}
		}
		if text == "" {
			delete(fields, name)
			continue
		}
		fields[name] = core.Text(text)
		if v.IsSecret() || name == FieldPassword {
			fields[name] = core.Secret(text)
		}
	}
	return notes
}

// asText unwraps ="0987" and '0987, by which spreadsheets keep a number a text.
func asText(s string) (string, bool) {
	if len(s) > 3 && strings.HasPrefix(s, `="`) && strings.HasSuffix(s, `"`) {
		return s[2 : len(s)-1], true
	}
	if len(s) > 1 && s[0] == '\'' && strings.Trim(s[1:], "+0123456789 ") == "" {
		return s[1:], true
	}
	return s, false
}

// visible drops what has no width and is no part of a word.
func visible(r rune) rune {
	switch r {
	case '\ufeff', '\u200b', '\u200e', '\u200f', '\u2060':
		return -1
	case '\u00a0':
		return ' '
	}
	return r
}

var ninePhone = regexp.MustCompile(`^[35789][0-9]{8}$`)

// phone gives a Vietnamese mobile number the zero back that a spreadsheet took.
func phone(s string) string {
	s = strings.TrimSuffix(s, ".0")
	if ninePhone.MatchString(s) {
		return "0" + s
	}
	return s
}

// Check returns every rule that a cleaned user breaks, in the order of the fields.
func Check(fields map[string]core.Value) []*core.BulkFieldError {
	var out []*core.BulkFieldError
	for i, name := range Fields {
		v := fields[name]
		if rule := checkField(name, v.Reveal(), i < required); rule != "" {
			out = append(out, &core.BulkFieldError{Field: name, Value: short(v.String()), Rule: rule})
		}
	}
	return out
}

func checkField(name, s string, need bool) string {
	n := utf8.RuneCountInString(s)
	switch {
	case s == "" && need:
		return "it is missing"
	case s == "":
		return ""
	case !utf8.ValidString(s):
		return "it is not valid UTF-8"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "it holds a control character or a line break"
	}
	switch name {
	case FieldName:
		if n < minName {
			return fmt.Sprintf("it has %d characters, at least %d are needed", n, minName)
		}
	case FieldUsername:
		if !username.MatchString(s) {
			return "3 to 20 letters a-z, A-Z and digits, nothing else"
		}
	case FieldEmail:
		if a, err := mail.ParseAddress(s); err != nil || a.Address != s || n > maxAddress || !strings.Contains(s[strings.LastIndexByte(s, '@'):], ".") {
			return "it is not an e-mail address"
		}
	case FieldPassword:
		if n < minPass || n > maxPass {
			return fmt.Sprintf("it has %d characters, %d to %d are needed", n, minPass, maxPass)
		}
	case FieldGender:
		if s != "Nam" && s != "Nữ" {
			return "Nam or Nữ (male, female, M and F are understood)"
		}
	case FieldPhone:
		if strings.ContainsAny(s, "eE") && strings.ContainsFunc(s, unicode.IsDigit) {
			return "a spreadsheet has made a number of it; format the column as text"
		}
	}
	if n > maxText {
		return fmt.Sprintf("it has %d characters, at most %d are sent", n, maxText)
	}
	return ""
}

// short is a value for an error: one line of at most 60 characters.
func short(s string) string {
	s = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) {
			return '�'
		}
		return r
	}, s), "�")
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// name normalises a username or address for comparison.
func name(s string) string {
	return norm.NFC.String(strings.ToLower(strings.TrimSpace(norm.NFC.String(s))))
}

var field = regexp.MustCompile(`\{([a-z_]+)\}`)

// nameFields are the entity's fields that a name may be made of.
var nameFields = []string{core.FieldFirstName, core.FieldLastName, core.FieldUsername}

// CheckTemplate returns an error for a name template with unknown fields.
func CheckTemplate(template string) error {
	for _, m := range field.FindAllStringSubmatch(template, -1) {
		if !slices.Contains(nameFields, m[1]) {
			return fmt.Errorf("%s is not one of {%s}", m[0], strings.Join(nameFields, "}, {"))
		}
	}
	return nil
}

// FromTask returns the function that makes a user of a task: the name from the
// template, city from location, street from address. Its error is a
// *core.BulkFieldError when a rule is broken.
func FromTask(template string) func(core.Task) (core.BulkRow, error) {
	return func(t core.Task) (core.BulkRow, error) {
		e := t.Entity
		full := field.ReplaceAllStringFunc(template, func(f string) string { return e.Get(strings.Trim(f, "{}")).Reveal() })
		row := core.BulkRow{TaskID: t.ID, Fields: map[string]core.Value{
			FieldName: core.Text(strings.Join(strings.Fields(full), " ")), FieldUsername: e.Get(core.FieldUsername), FieldEmail: e.Get(core.FieldEmail),
			FieldPassword: e.Get(core.FieldPassword), FieldPhone: e.Get(core.FieldPhone), FieldCity: e.Get(core.FieldLocation), FieldStreet: e.Get(core.FieldAddress),
		}}
		Clean(row.Fields)
		if broken := Check(row.Fields); len(broken) > 0 {
			return row, broken[0]
		}
		return row, nil
	}
}

// Left says which of a task's profile fields the call does not set.
func Left(t core.Task) map[string]string {
	out := map[string]string{}
	for _, name := range []string{core.FieldAbout, core.FieldWebsite, core.FieldAvatarURL, core.FieldCoverURL, core.FieldBirthday} {
		if !t.Entity.Get(name).Empty() {
			out[name] = "not set: the bulk API makes the account only"
		}
	}
	if len(t.Entity.Links()) > 0 {
		out["links"] = "not set: the bulk API makes the account only"
	}
	return out
}

// Link returns the function that makes a profile's address of profile_url. Its
// result is empty when the address needs the user's id and there is none.
func Link(template string) func(userID, username string) string {
	return func(userID, username string) string {
		if userID == "" && strings.Contains(template, "{userId}") {
			return ""
		}
		return strings.NewReplacer("{userId}", escape(userID), "{username}", escape(username)).Replace(template)
	}
}
