package proto

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// valid makes s valid for a string field.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func valids(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = valid(s)
	}
	return out
}

// each converts the values of a map; empty and nil give nil.
func each[A, B any](in map[string]A, convert func(A) B) map[string]B {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]B, len(in))
	for k, v := range in {
		out[valid(k)] = convert(v)
	}
	return out
}

// FromValue carries a value, secret or not.
func FromValue(v core.Value) *Value {
	return &Value{Text: []byte(v.Reveal()), Secret: v.IsSecret()}
}

// Core returns the value; nil is the empty one.
func (v *Value) Core() core.Value {
	if v.GetSecret() {
		return core.Secret(string(v.GetText()))
	}
	return core.Text(string(v.GetText()))
}

// FromFacts carries facts.
func FromFacts(f core.Facts) map[string]*Value { return each(f, FromValue) }

// CoreFacts is the way back of FromFacts.
func CoreFacts(f map[string]*Value) core.Facts { return each(f, (*Value).Core) }

// fromSettings carries options, which are strings, bools or float64s.
func fromSettings(in map[string]any) (map[string]*Setting, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(map[string]*Setting, len(in))
	for name, v := range in {
		s, err := fromSetting(v)
		if err != nil {
			return nil, fmt.Errorf("option %q %w", name, err)
		}
		out[valid(name)] = s
	}
	return out, nil
}

func fromSetting(v any) (*Setting, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return &Setting{Value: &Setting_Text{valid(v)}}, nil
	case bool:
		return &Setting{Value: &Setting_Flag{v}}, nil
	case float64:
		return &Setting{Value: &Setting_Number{v}}, nil
	}
	return nil, fmt.Errorf("is a %T; options are strings, bools or float64s", v)
}

func (s *Setting) core() any {
	switch v := s.GetValue().(type) {
	case *Setting_Text:
		return v.Text
	case *Setting_Flag:
		return v.Flag
	case *Setting_Number:
		return v.Number
	}
	return nil
}

// FromTask carries a task. It fails for an option of another type than string,
// bool or float64.
func FromTask(t core.Task) (*Task, error) {
	options, err := fromSettings(t.Options)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", t.ID, err)
	}
	return &Task{
		Id: valid(t.ID), RequestId: valid(t.RequestID), Domain: valid(t.Domain), Kind: valid(string(t.Kind)),
		Entity: &Entity{
			Fields: each(t.Entity.Fields, FromValue),
			Social: valids(t.Entity.Social), Connect: valids(t.Entity.Connect),
			Avatars: valids(t.Entity.Avatars), Covers: valids(t.Entity.Covers),
			Images: slices.Clone(t.Entity.Images),
			Extra:  each(t.Entity.Extra, func(raw json.RawMessage) []byte { return raw }),
		},
		Facts: FromFacts(t.Facts), Attempt: int64(t.Attempt), Options: options, Language: valid(t.Language),
	}, nil
}

// Core returns the task.
func (t *Task) Core() core.Task {
	e := t.GetEntity()
	return core.Task{
		ID: t.GetId(), RequestID: t.GetRequestId(), Domain: t.GetDomain(), Kind: core.Kind(t.GetKind()),
		Entity: core.Entity{
			Fields: each(e.GetFields(), (*Value).Core),
			Social: e.GetSocial(), Connect: e.GetConnect(), Avatars: e.GetAvatars(), Covers: e.GetCovers(),
			Images: e.GetImages(),
			Extra:  each(e.GetExtra(), func(raw []byte) json.RawMessage { return raw }),
		},
		Facts: CoreFacts(t.GetFacts()), Attempt: int(t.GetAttempt()),
		Options: each(t.GetOptions(), (*Setting).core), Language: t.GetLanguage(),
	}
}

// FromSession carries all of a session but its Services.
func FromSession(s core.Session) *Session {
	return &Session{
		ControlUrl: valid(s.ControlURL), ContextId: valid(s.ContextID), TargetId: valid(s.TargetID),
		Base: valid(s.Base), Proxy: valid(s.Proxy), Hosts: valids(s.Hosts),
	}
}

// Core returns the session with services.
func (s *Session) Core(services core.Services) core.Session {
	return core.Session{
		ControlURL: s.GetControlUrl(), ContextID: s.GetContextId(), TargetID: s.GetTargetId(),
		Base: s.GetBase(), Proxy: s.GetProxy(), Hosts: s.GetHosts(), Services: services,
	}
}

// FromOutcome carries an outcome.
func FromOutcome(o core.Outcome) *Outcome {
	return &Outcome{
		Status: valid(string(o.Status)), Code: valid(string(o.Code)), Reason: valid(o.Reason), Field: valid(o.Field),
		Facts: FromFacts(o.Facts), AfterNs: int64(o.After), Fields: each(o.Fields, valid),
	}
}

// Core returns the outcome. Whether it is possible is for core.Outcome.Check.
func (o *Outcome) Core() core.Outcome {
	return core.Outcome{
		Status: core.Status(o.GetStatus()), Code: core.Code(o.GetCode()), Reason: o.GetReason(), Field: o.GetField(),
		Facts: CoreFacts(o.GetFacts()), After: time.Duration(o.GetAfterNs()), Fields: maps.Clone(o.GetFields()),
	}
}

// FromManifest carries a manifest. It fails for an option whose default is not
// a string, bool or float64.
func FromManifest(m core.Manifest) (*Manifest, error) {
	var options map[string]*Option
	if len(m.Options) > 0 {
		options = make(map[string]*Option, len(m.Options))
	}
	for name, o := range m.Options {
		s, err := fromSetting(o.Default)
		if err != nil {
			return nil, fmt.Errorf("driver %s: option %q %w", m.Name, name, err)
		}
		options[valid(name)] = &Option{Default: s, Help: valid(o.Help)}
	}
	phases := make([]string, len(m.Phases))
	for i, p := range m.Phases {
		phases[i] = valid(string(p))
	}
	engines := map[string]string{}
	for p, e := range m.Engines {
		engines[valid(string(p))] = valid(e)
	}
	return &Manifest{
		Api: int64(m.API), Name: valid(m.Name), Version: valid(m.Version), Summary: valid(m.Summary),
		Domains: valids(m.Domains), Family: m.Family, Hosts: valids(m.Hosts), Needs: valids(m.Needs), Wants: valids(m.Wants),
		Limits: each(m.Limits, fromLimit), Pace: &Pace{EveryNs: int64(m.Pace.Every), Concurrency: int64(m.Pace.Concurrency)},
		Options: options, Engine: valid(m.Engine), Engines: engines, Dismiss: valids(m.Dismiss),
		Probe:  &Probe{Authoritative: m.Probe.Authoritative, SettleNs: int64(m.Probe.Settle)},
		Public: m.Public, Permissions: valids(m.Permissions), Skip: valid(m.Skip), Phases: phases,
	}, nil
}

// Core returns the manifest.
func (m *Manifest) Core() core.Manifest {
	var phases []core.Phase
	for _, p := range m.GetPhases() {
		phases = append(phases, core.Phase(p))
	}
	var engines map[core.Phase]string
	for p, e := range m.GetEngines() {
		if engines == nil {
			engines = map[core.Phase]string{}
		}
		engines[core.Phase(p)] = e
	}
	return core.Manifest{
		API: int(m.GetApi()), Name: m.GetName(), Version: m.GetVersion(), Summary: m.GetSummary(),
		Domains: m.GetDomains(), Family: m.GetFamily(), Hosts: m.GetHosts(), Needs: m.GetNeeds(), Wants: m.GetWants(),
		Limits: each(m.GetLimits(), (*Limit).core),
		Pace:   core.Pace{Every: time.Duration(m.GetPace().GetEveryNs()), Concurrency: int(m.GetPace().GetConcurrency())},
		Options: each(m.GetOptions(), func(o *Option) core.Option {
			return core.Option{Default: o.GetDefault().core(), Help: o.GetHelp()}
		}),
		Engine: m.GetEngine(), Engines: engines, Dismiss: m.GetDismiss(),
		Probe:  core.Probe{Authoritative: m.GetProbe().GetAuthoritative(), Settle: time.Duration(m.GetProbe().GetSettleNs())},
		Public: m.GetPublic(), Permissions: m.GetPermissions(), Skip: m.GetSkip(), Phases: phases,
	}
}

func fromLimit(l core.Limit) *Limit {
	return &Limit{
		Min: int64(l.Min), Max: int64(l.Max), Chars: valid(l.Chars), Lower: l.Lower, Classes: int64(l.Classes),
		Format: valid(l.Format), KeepCase: l.KeepCase, Fit: FromFit(l.Fit),
	}
}

func (l *Limit) core() core.Limit {
	return core.Limit{
		Min: int(l.GetMin()), Max: int(l.GetMax()), Chars: l.GetChars(), Lower: l.GetLower(), Classes: int(l.GetClasses()),
		Format: l.GetFormat(), KeepCase: l.GetKeepCase(), Fit: l.GetFit().Core(),
	}
}

// FromFit carries the limits of an image.
func FromFit(f core.Fit) *Fit {
	return &Fit{
		MaxWidth: int64(f.MaxWidth), MaxHeight: int64(f.MaxHeight), MinWidth: int64(f.MinWidth), MinHeight: int64(f.MinHeight),
		MaxKb: int64(f.MaxKB), Formats: valids(f.Formats), Square: f.Square,
	}
}

// Core returns the limits of an image.
func (f *Fit) Core() core.Fit {
	return core.Fit{
		MaxWidth: int(f.GetMaxWidth()), MaxHeight: int(f.GetMaxHeight()), MinWidth: int(f.GetMinWidth()), MinHeight: int(f.GetMinHeight()),
		MaxKB: int(f.GetMaxKb()), Formats: f.GetFormats(), Square: f.GetSquare(),
	}
}

// FromMailQuery carries a query.
func FromMailQuery(q core.MailQuery) *MailQuery {
	return &MailQuery{
		Link: valids(q.Link), AnyLink: q.AnyLink, Code: valid(q.Code), From: valid(q.From), Subject: valid(q.Subject),
		WithinNs: int64(q.Within),
	}
}

// Core returns the query.
func (q *MailQuery) Core() core.MailQuery {
	return core.MailQuery{
		Link: q.GetLink(), AnyLink: q.GetAnyLink(), Code: q.GetCode(), From: q.GetFrom(), Subject: q.GetSubject(),
		Within: time.Duration(q.GetWithinNs()),
	}
}

// FromMailMessage carries a message.
func FromMailMessage(m core.MailMessage) *MailMessage {
	return &MailMessage{
		Link: FromValue(m.Link), Code: FromValue(m.Code), Text: FromValue(m.Text), From: valid(m.From), Subject: valid(m.Subject),
	}
}

// Core returns the message.
func (m *MailMessage) Core() core.MailMessage {
	return core.MailMessage{
		Link: m.GetLink().Core(), Code: m.GetCode().Core(), Text: m.GetText().Core(), From: m.GetFrom(), Subject: m.GetSubject(),
	}
}

// FromAsk carries a question.
func FromAsk(a core.Ask) *Ask {
	return &Ask{Kind: valid(string(a.Kind)), Code: valid(string(a.Code)), Say: valid(a.Say), Url: valid(a.URL), Hash: valid(a.Hash)}
}

// Core returns the question.
func (a *Ask) Core() core.Ask {
	return core.Ask{Kind: core.AskKind(a.GetKind()), Code: core.Code(a.GetCode()), Say: a.GetSay(), URL: a.GetUrl(), Hash: a.GetHash()}
}

// FromAnswer carries an answer.
func FromAnswer(a core.Answer) *Answer {
	return &Answer{Text: FromValue(a.Text), By: valid(a.By)}
}

// Core returns the answer.
func (a *Answer) Core() core.Answer {
	return core.Answer{Text: a.GetText().Core(), By: a.GetBy()}
}
