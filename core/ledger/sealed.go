package ledger

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-run/rollcall/core"
)

// The documents below are what is sealed. Values are carried with their secrecy.

type valueDoc struct {
	Text   string `json:"t"`
	Secret bool   `json:"s,omitempty"`
}

func (v valueDoc) value() core.Value {
	if v.Secret {
		return core.Secret(v.Text)
	}
	return core.Text(v.Text)
}

func docOf(v core.Value) valueDoc { return valueDoc{v.Reveal(), v.IsSecret()} }

type entityDoc struct {
	Fields   map[string]valueDoc `json:"fields,omitempty"`
	Social   []string            `json:"social,omitempty"`
	Connect  []string            `json:"connect,omitempty"`
	Avatars  []string            `json:"avatars,omitempty"`
	Covers   []string            `json:"covers,omitempty"`
	Images   []byte              `json:"images,omitempty"` // base64 keeps the bytes as they came
	Extra    map[string][]byte   `json:"extra,omitempty"`
	Options  map[string]any      `json:"options,omitempty"`
	Language string              `json:"language,omitempty"`
}

type factsDoc struct {
	Facts  map[string]valueDoc `json:"facts,omitempty"`
	Fields map[string]string   `json:"fields,omitempty"`
}

type answerDoc struct {
	Status core.Status         `json:"status"`
	Code   core.Code           `json:"code,omitempty"`
	Reason string              `json:"reason,omitempty"`
	Field  string              `json:"field,omitempty"`
	Facts  map[string]valueDoc `json:"facts,omitempty"`
	After  time.Duration       `json:"after,omitempty"`
	Fields map[string]string   `json:"fields,omitempty"`
}

type intentDoc struct {
	Username valueDoc      `json:"username"`
	Email    valueDoc      `json:"email"`
	Password valueDoc      `json:"password"`
	Mark     core.MailMark `json:"mark"`
	HasMark  bool          `json:"has_mark,omitempty"`
}

type accountDoc struct {
	Username    valueDoc `json:"username"`
	Email       valueDoc `json:"email"`
	Password    valueDoc `json:"password"`
	TOTP        valueDoc `json:"totp"`
	LinkProfile string   `json:"link_profile,omitempty"`
}

type reportDoc struct {
	Complete    bool     `json:"complete,omitempty"`
	Status      string   `json:"status,omitempty"`
	LinkProfile string   `json:"link_profile,omitempty"`
	Email       valueDoc `json:"email"`
	Username    valueDoc `json:"username"`
	Password    valueDoc `json:"password"`
	Note        string   `json:"note,omitempty"`
	Message     string   `json:"message,omitempty"`
}

func valuesDoc[M ~map[string]core.Value](m M) map[string]valueDoc {
	if m == nil {
		return nil
	}
	out := make(map[string]valueDoc, len(m))
	for k, v := range m {
		out[k] = docOf(v)
	}
	return out
}

func valuesOf(m map[string]valueDoc) map[string]core.Value {
	if m == nil {
		return nil
	}
	out := make(map[string]core.Value, len(m))
	for k, v := range m {
		out[k] = v.value()
	}
	return out
}

func entityDocOf(t core.Task) entityDoc {
	e := t.Entity
	d := entityDoc{Fields: valuesDoc(e.Fields), Social: e.Social, Connect: e.Connect, Avatars: e.Avatars,
		Covers: e.Covers, Images: e.Images, Options: t.Options, Language: t.Language}
	if e.Extra != nil {
		d.Extra = make(map[string][]byte, len(e.Extra))
		for k, v := range e.Extra {
			d.Extra[k] = v
		}
	}
	return d
}

func (d entityDoc) into(t *core.Task) {
	t.Entity = core.Entity{Fields: valuesOf(d.Fields), Social: d.Social, Connect: d.Connect, Avatars: d.Avatars,
		Covers: d.Covers, Images: d.Images}
	if d.Extra != nil {
		t.Entity.Extra = make(map[string]json.RawMessage, len(d.Extra))
		for k, v := range d.Extra {
			t.Entity.Extra[k] = v
		}
	}
	t.Options, t.Language = d.Options, d.Language
}

// utf8Of returns an error that names the first text of the task which JSON
// would silently change.
func utf8Of(t core.Task) error {
	for _, name := range slices.Sorted(maps.Keys(t.Entity.Fields)) {
		if !utf8.ValidString(t.Entity.Fields[name].Reveal()) {
			return fmt.Errorf("task %s: the field %s is not valid UTF-8", t.ID, name)
		}
	}
	return nil
}

func utf8Facts(id string, f core.Facts) error {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if !utf8.ValidString(f[name].Reveal()) {
			return fmt.Errorf("task %s: the fact %s is not valid UTF-8", id, name)
		}
	}
	return nil
}

// seal makes the sealed form of a document, for this transaction to store. row and
// field bind it to its place.
func (x *tx) seal(doc any, table, row, field string) ([]byte, error) {
	plain, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	if err := x.keepKey(); err != nil {
		return nil, err
	}
	sealed, err := x.l.keys.Seal(plain, aad(table, row, field))
	if err != nil {
		return nil, fmt.Errorf("seal %s of %s %s: %w", field, table, row, err)
	}
	return sealed, nil
}

// unseal reads a document back; nothing stored leaves doc as it is.
func (l *Ledger) unseal(sealed []byte, doc any, table, row, field string) error {
	if len(sealed) == 0 {
		return nil
	}
	plain, err := l.keys.Open(sealed, aad(table, row, field))
	if err != nil {
		return fmt.Errorf("open %s of %s %s: %w", field, table, row, err)
	}
	return json.Unmarshal(plain, doc)
}

func aad(table, row, field string) string { return table + "/" + row + "/" + field }

// bookkeeping are the extra fields that a task manager changes by itself from
// round to round; they don't make an entity another one.
var bookkeeping = []string{"status", "retry_count", "max_retries", "attempts", "created_at", "updated_at", "deleted_at",
	"started_at", "finished_at", "error_message"}

// entityMac is equal for entities that say the same.
func (l *Ledger) entityMac(t core.Task) ([]byte, error) {
	d := entityDocOf(t)
	d.Options, d.Language = nil, ""
	d.Extra = maps.Clone(d.Extra)
	for _, name := range bookkeeping {
		delete(d.Extra, name)
	}
	plain, err := json.Marshal(d) // map keys are sorted
	if err != nil {
		return nil, err
	}
	return l.mac("entity", string(t.Kind), string(plain)), nil
}

// secretsMac is equal for the same e-mail, username and password.
func (l *Ledger) secretsMac(t core.Task) []byte {
	e := t.Entity
	return l.mac("credentials", strings.ToLower(e.Get(core.FieldEmail).Reveal()), e.Get(core.FieldUsername).Reveal(),
		e.Get(core.FieldPassword).Reveal())
}

// plain makes a text storable by both databases: valid UTF-8 without NUL.
func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}
