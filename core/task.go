package core

import (
	"encoding/json"
	"maps"
	"slices"
)

// Kind says which of the task manager's two phases a task belongs to.
type Kind string

const (
	// Onboard is sign-up, profile and links in one go: the protocol's status
	// "register", also when a task carries no status at all.
	Onboard Kind = "onboard"
	// Connect adds links to the profile of an account that exists: status "connect".
	Connect Kind = "connect"
)

// Task is one unit of work from the task manager.
type Task struct {
	ID, RequestID string
	Domain        string // lower-case A-label, matched exactly
	Kind          Kind
	Entity        Entity         // who is enrolled; never changes
	Facts         Facts          // what earlier phases and attempts learnt
	Attempt       int            // 1 for the first run of this round
	Options       map[string]any // the driver's settings for this site: string, bool, float64 by name
	Language      string         // BCP 47 tag of the site's context, "en" for example; empty when none is set
}

// Names of the entity's plain fields. The first group is a person's and the
// account's, the second belongs to the mailbox and never reaches a driver.
const (
	FieldEmail     = "email"
	FieldUsername  = "username"
	FieldPassword  = "password"
	FieldFirstName = "first_name"
	FieldLastName  = "last_name"
	FieldPhone     = "phone"
	FieldAddress   = "address"
	FieldLocation  = "location"
	FieldAbout     = "about" // HTML as the task manager sent it
	FieldWebsite   = "website"
	FieldAvatarURL = "avatar_url"
	FieldCoverURL  = "cover_url"
	FieldBirthday  = "birthday"

	FieldMailPassword = "pass_mail"    // password of the mailbox
	FieldMailTOTP     = "twofa"        // base32 TOTP secret of the mailbox
	FieldAppPassword  = "app_password" // application password of the mailbox
)

// MailboxFields are the credentials of the task's mailbox: only core/mail uses them.
var MailboxFields = []string{FieldMailPassword, FieldMailTOTP, FieldAppPassword}

// SecretFields are the entity fields whose values are secrets.
var SecretFields = []string{FieldPassword, FieldMailPassword, FieldMailTOTP, FieldAppPassword}

// Entity is who is enrolled: plain fields by name, and the lists that a task
// carries. It is never changed after decoding; With and Public return copies.
type Entity struct {
	Fields  map[string]Value           // by the names above; an absent field is not in the map
	Social  []string                   // social_connect
	Connect []string                   // entity_connect, the connect phase's list
	Avatars []string                   // image addresses from images and avatar_url, in order of preference
	Covers  []string                   // the same for the cover
	Images  json.RawMessage            // images as it came, any shape
	Extra   map[string]json.RawMessage // fields the protocol does not name
}

// Get returns the field, empty when the task has none.
func (e Entity) Get(name string) Value { return e.Fields[name] }

// With returns a copy in which name is v; an empty v removes the field.
func (e Entity) With(name string, v Value) Entity {
	e.Fields = maps.Clone(e.Fields)
	if e.Fields == nil {
		e.Fields = map[string]Value{}
	}
	if v.Empty() {
		delete(e.Fields, name)
	} else {
		e.Fields[name] = v
	}
	return e
}

// ForDriver returns a copy without the mailbox's credentials.
func (e Entity) ForDriver() Entity {
	e.Fields = maps.Clone(e.Fields)
	for _, name := range MailboxFields {
		delete(e.Fields, name)
	}
	e.Social, e.Connect = slices.Clone(e.Social), slices.Clone(e.Connect)
	return e
}

// Links is the list that a connect phase adds: entity_connect, else social_connect.
func (e Entity) Links() []string {
	if len(e.Connect) > 0 {
		return e.Connect
	}
	return e.Social
}

// Secrets returns every secret text of the entity that is not empty.
func (e Entity) Secrets() []Value {
	var out []Value
	for _, v := range e.Fields {
		if v.IsSecret() && !v.Empty() {
			out = append(out, v)
		}
	}
	return out
}

// Facts is what was learnt about a task, by name. The reserved names below are
// also fields of the report to the task manager.
type Facts map[string]Value

// The reserved facts.
const (
	FactLinkProfile = "link_profile"
	FactUsername    = "username"
	FactEmail       = "email"
	FactPassword    = "password"
	FactNote        = "note"
)

// Merge returns a new map with o's values over f's. An empty value in o removes the fact.
func (f Facts) Merge(o Facts) Facts {
	out := make(Facts, len(f)+len(o))
	maps.Copy(out, f)
	for k, v := range o {
		if v.Empty() {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}
