package control

import (
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// recordDoc carries a core.Record, its secrets masked.
type recordDoc struct {
	ID        string         `json:"id"`
	RequestID string         `json:"request_id,omitempty"`
	Domain    string         `json:"domain"`
	Kind      core.Kind      `json:"kind"`
	Entity    entityDoc      `json:"entity"`
	Facts     valuesDoc      `json:"facts,omitempty"`
	Attempt   int            `json:"attempt"`
	Options   map[string]any `json:"options,omitempty"`
	Language  string         `json:"language,omitempty"`

	Lease        core.Lease        `json:"lease"`
	State        core.State        `json:"state"`
	From         core.State        `json:"from,omitempty"`
	Phase        core.Phase        `json:"phase,omitempty"`
	Driver       string            `json:"driver,omitempty"`
	Digest       string            `json:"digest,omitempty"`
	Round        int               `json:"round"`
	Broken       int               `json:"broken,omitempty"`
	Changed      bool              `json:"changed,omitempty"`
	NewSecrets   bool              `json:"new_secrets,omitempty"`
	Answer       *outcomeDoc       `json:"answer,omitempty"`
	Fault        string            `json:"fault,omitempty"`
	Intent       *intentDoc        `json:"intent,omitempty"`
	Account      *accountDoc       `json:"account,omitempty"`
	Fields       map[string]string `json:"fields,omitempty"`
	WaitingSince time.Time         `json:"waiting_since"`
	Due          time.Time         `json:"due"`
	AskExpired   bool              `json:"ask_expired,omitempty"`
	Done         bool              `json:"done,omitempty"`
	Created      time.Time         `json:"created"`
	Updated      time.Time         `json:"updated"`
}

func recordOf(r core.Record) recordDoc {
	e := r.Entity
	d := recordDoc{
		ID: r.ID, RequestID: r.RequestID, Domain: r.Domain, Kind: r.Kind, Facts: valuesOf(r.Facts), Attempt: r.Attempt,
		Entity:  entityDoc{Fields: valuesOf(e.Fields), Social: e.Social, Connect: e.Connect, Avatars: e.Avatars, Covers: e.Covers, Images: e.Images},
		Options: r.Options, Language: r.Language,
		Lease: r.Lease, State: r.State, From: r.From, Phase: r.Phase, Driver: r.Driver, Digest: r.Digest, Round: r.Round, Broken: r.Broken,
		Changed: r.Changed, NewSecrets: r.NewSecrets, Fault: r.Fault, Fields: r.Fields, WaitingSince: r.WaitingSince, Due: r.Due,
		AskExpired: r.AskExpired, Done: r.Done, Created: r.Created, Updated: r.Updated,
	}
	if a := r.Answer; a != nil {
		d.Answer = &outcomeDoc{Status: a.Status, Code: a.Code, Reason: a.Reason, Field: a.Field, Facts: valuesOf(a.Facts), After: a.After, Fields: a.Fields}
	}
	if i := r.Intent; i != nil {
		d.Intent = &intentDoc{ID: i.ID, Key: i.Key, Name: i.Name, Driver: i.Driver, Digest: i.Digest, Username: masked(i.Username),
			Email: masked(i.Email), Password: masked(i.Password), Mark: i.Mark, HasMark: i.HasMark, At: i.At, State: i.State, Committed: i.Committed}
	}
	if r.Account != nil {
		a := accountOf(*r.Account, masked)
		d.Account = &a
	}
	return d
}

func (d recordDoc) record() core.Record {
	e := d.Entity
	r := core.Record{
		Task: core.Task{ID: d.ID, RequestID: d.RequestID, Domain: d.Domain, Kind: d.Kind, Facts: d.Facts.values(), Attempt: d.Attempt,
			Entity:  core.Entity{Fields: e.Fields.values(), Social: e.Social, Connect: e.Connect, Avatars: e.Avatars, Covers: e.Covers, Images: e.Images},
			Options: d.Options, Language: d.Language},
		Lease: d.Lease, State: d.State, From: d.From, Phase: d.Phase, Driver: d.Driver, Digest: d.Digest, Round: d.Round, Broken: d.Broken,
		Changed: d.Changed, NewSecrets: d.NewSecrets, Fault: d.Fault, Fields: d.Fields, WaitingSince: d.WaitingSince, Due: d.Due,
		AskExpired: d.AskExpired, Done: d.Done, Created: d.Created, Updated: d.Updated,
	}
	if a := d.Answer; a != nil {
		r.Answer = &core.Outcome{Status: a.Status, Code: a.Code, Reason: a.Reason, Field: a.Field, Facts: a.Facts.values(), After: a.After, Fields: a.Fields}
	}
	if i := d.Intent; i != nil {
		r.Intent = &core.Intent{ID: i.ID, Key: i.Key, Name: i.Name, Driver: i.Driver, Digest: i.Digest, Username: i.Username.value(),
			Email: i.Email.value(), Password: i.Password.value(), Mark: i.Mark, HasMark: i.HasMark, At: i.At, State: i.State, Committed: i.Committed}
	}
	if d.Account != nil {
		a := d.Account.account()
		r.Account = &a
	}
	return r
}
