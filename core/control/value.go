package control

import (
	"encoding/json"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// veiled stands for the text of a secret that did not cross.
const veiled = "•••"

// valueDoc carries a core.Value. A secret crosses as Masked, without its text,
// unless the value was revealed on purpose.
type valueDoc struct {
	Text   string `json:"t,omitempty"`
	Secret bool   `json:"s,omitempty"`
	Masked bool   `json:"m,omitempty"`
}

func masked(v core.Value) valueDoc {
	if v.IsSecret() && !v.Empty() {
		return valueDoc{Masked: true}
	}
	return revealed(v)
}

func revealed(v core.Value) valueDoc {
	return valueDoc{Text: v.Reveal(), Secret: v.IsSecret()}
}

func (d valueDoc) value() core.Value {
	switch {
	case d.Masked:
		return core.Secret(veiled)
	case d.Secret:
		return core.Secret(d.Text)
	}
	return core.Text(d.Text)
}

type valuesDoc map[string]valueDoc

func valuesOf[M ~map[string]core.Value](m M) valuesDoc {
	if m == nil {
		return nil
	}
	out := make(valuesDoc, len(m))
	for k, v := range m {
		out[k] = masked(v)
	}
	return out
}

func (d valuesDoc) values() map[string]core.Value {
	if d == nil {
		return nil
	}
	out := make(map[string]core.Value, len(d))
	for k, v := range d {
		out[k] = v.value()
	}
	return out
}

// entityDoc leaves out the fields that the protocol does not name: nobody says
// which of them are secrets.
type entityDoc struct {
	Fields  valuesDoc       `json:"fields,omitempty"`
	Social  []string        `json:"social,omitempty"`
	Connect []string        `json:"connect,omitempty"`
	Avatars []string        `json:"avatars,omitempty"`
	Covers  []string        `json:"covers,omitempty"`
	Images  json.RawMessage `json:"images,omitempty"`
}

type outcomeDoc struct {
	Status core.Status       `json:"status"`
	Code   core.Code         `json:"code,omitempty"`
	Reason string            `json:"reason,omitempty"`
	Field  string            `json:"field,omitempty"`
	Facts  valuesDoc         `json:"facts,omitempty"`
	After  time.Duration     `json:"after,omitempty"`
	Fields map[string]string `json:"fields,omitempty"`
}

type intentDoc struct {
	ID        string           `json:"id"`
	Key       string           `json:"key"`
	Name      string           `json:"name"`
	Driver    string           `json:"driver"`
	Digest    string           `json:"digest"`
	Username  valueDoc         `json:"username"`
	Email     valueDoc         `json:"email"`
	Password  valueDoc         `json:"password"`
	Mark      core.MailMark    `json:"mark"`
	HasMark   bool             `json:"has_mark,omitempty"`
	At        time.Time        `json:"at"`
	State     core.IntentState `json:"state"`
	Committed bool             `json:"committed,omitempty"`
}

type accountDoc struct {
	TaskID      string    `json:"task"`
	Domain      string    `json:"domain"`
	Username    valueDoc  `json:"username"`
	Email       valueDoc  `json:"email"`
	Password    valueDoc  `json:"password"`
	TOTP        valueDoc  `json:"totp"`
	LinkProfile string    `json:"link_profile,omitempty"`
	Driver      string    `json:"driver"`
	Created     time.Time `json:"created"`
}

// accountOf takes how its values cross.
func accountOf(a core.Account, cross func(core.Value) valueDoc) accountDoc {
	return accountDoc{TaskID: a.TaskID, Domain: a.Domain, Username: cross(a.Username), Email: cross(a.Email), Password: cross(a.Password),
		TOTP: cross(a.TOTP), LinkProfile: a.LinkProfile, Driver: a.Driver, Created: a.Created}
}

func (d accountDoc) account() core.Account {
	return core.Account{TaskID: d.TaskID, Domain: d.Domain, Username: d.Username.value(), Email: d.Email.value(), Password: d.Password.value(),
		TOTP: d.TOTP.value(), LinkProfile: d.LinkProfile, Driver: d.Driver, Created: d.Created}
}
