package runner

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Facts of the runner's own. They never reach a driver or a report.
const (
	ownFact       = "_"
	factVariant   = "_variant"    // number of the user name candidate
	factAdopt     = "_adopt"      // "tried" once a login with the task's own credentials was tried
	factAbsent    = "_absent"     // a probe found no account after an intent
	factNewSecret = "_new_secret" // the round for which a person let changed credentials be
)

// prepared decides what a started task needs: nothing (the site's last word
// still holds), a person, a sign-in with the account it has, or a sign-up.
func (v *visit) prepared() error {
	if err := v.bind(); err != nil {
		// The site was allowed when the task was started; a person took it away.
		v.later(time.Now().Add(v.r.o.Limits.BackoffMax), false, err.Error())
		return nil
	}
	rec := v.rec
	open := rec.Intent != nil && rec.Intent.State == core.IntentOpen
	switch {
	case rec.NewSecrets && (rec.Account != nil || open) && rec.Facts[factNewSecret].Reveal() != strconv.Itoa(rec.Round):
		return v.askNewSecrets()
	case open:
		return v.move(core.Move{To: core.Unknown, Event: say("an earlier submit has no known outcome; probing")})
	case rec.Round > 1 && rec.Account == nil && rec.Answer != nil && rec.Answer.Status == core.Rejected && !rec.Changed:
		return v.move(core.Move{To: core.Failed, FreeIdentities: true, Event: say("the site's answer stands: " + rec.Answer.Reason)})
	}
	if missing := v.missing(); missing != "" {
		return v.reject(core.Outcome{Status: core.Rejected, Code: core.InvalidInput, Field: missing,
			Reason: fmt.Sprintf("the task has no %s, which the driver %s needs", missing, v.b.Driver)})
	}
	if rec.Kind == core.Connect {
		return v.connect()
	}
	if rec.Account != nil {
		if err := v.signIn(); err != nil || v.rec.State != core.Prepared || v.ended {
			return err
		}
		return v.prove("signed in with the account this task has")
	}
	if err := v.choose(); err != nil {
		return err
	}
	taken, err := v.reserve()
	if err != nil || v.ended || v.rec.State != core.Prepared {
		return err
	}
	if taken || !v.b.Manifest.Has(core.Register) || v.rec.Facts[factAdopt].Reveal() == "wanted" {
		return v.adopt()
	}
	if why := v.unseen(); why != "" {
		return v.look(why)
	}
	return v.register()
}

// missing names the first field that the driver needs and the task lacks.
func (v *visit) missing() string { return Missing(v.b.Manifest, v.rec.Entity) }

// Missing names the first field that a driver needs and an entity lacks, "" when
// it lacks none. A task with one is failed before its site is visited.
func Missing(m core.Manifest, e core.Entity) string {
	for _, name := range m.Needs {
		if name == "full_name" {
			if e.Get(core.FieldFirstName).Empty() && e.Get(core.FieldLastName).Empty() {
				return name
			}
			continue
		}
		if name == "avatar" && len(e.Avatars) > 0 || name == "cover" && len(e.Covers) > 0 {
			continue
		}
		if name == "about_html" {
			name = core.FieldAbout
		}
		if e.Get(name).Empty() {
			return name
		}
	}
	return ""
}

// askNewSecrets parks a task whose credentials changed although it has, or may
// have, an account: with which ones it goes on is a person's decision.
func (v *visit) askNewSecrets() error {
	ask := core.Ask{Kind: core.AskAct, Code: core.Contact,
		Say: fmt.Sprintf("the task came back with other credentials, but has an account or an open submit on %s; say done to go on with the account it has", v.rec.Domain)}
	ctx, cancel := v.ledger()
	defer cancel()
	_, _, answered, err := v.r.o.Store.OpenAsk(ctx, v.rec.Lease, ask, time.Now().Add(v.r.o.Limits.HumanExpires))
	if err != nil {
		return ofLedger(fmt.Errorf("ask about the changed credentials: %w", err))
	}
	if answered {
		return v.note(core.Facts{factNewSecret: core.Text(strconv.Itoa(v.rec.Round))})
	}
	return v.move(core.Move{To: core.Parked, Answer: &core.Outcome{Status: core.Blocked, Code: core.Contact, Reason: ask.Say}, Event: say(ask.Say)})
}

// choose makes the user name and the password that this sign-up uses durable,
// where they differ from the task's own.
func (v *visit) choose() error {
	facts, no := v.chosen()
	switch {
	case no != nil:
		return v.reject(*no)
	case len(facts) == 0:
		return nil
	}
	return v.note(facts)
}

// chosen is what choose stores, or the answer that there is nothing to choose.
func (v *visit) chosen() (core.Facts, *core.Outcome) {
	facts := core.Facts{}
	limits := v.b.Manifest.Limits
	if own := v.rec.Entity.Get(core.FieldUsername); !own.Empty() {
		n, _ := strconv.Atoi(v.rec.Facts[factVariant].Reveal())
		name := own.Reveal()
		if l, ok := limits[core.FieldUsername]; ok || n > 0 {
			name = v.r.o.Texts.Username(name, l, n)
		}
		if name == "" {
			return nil, &core.Outcome{Status: core.Rejected, Code: core.InvalidInput, Field: core.FieldUsername,
				Reason: "no user name that the site accepts can be made of the task's"}
		}
		if name != v.username().Reveal() {
			facts[core.FactUsername] = core.Text(name)
		}
	}
	if own := v.rec.Entity.Get(core.FieldPassword); !own.Empty() && v.rec.Facts[core.FactPassword].Empty() {
		if l, ok := limits[core.FieldPassword]; ok {
			made, err := v.r.o.Texts.Password(own, l)
			if err != nil {
				return nil, &core.Outcome{Status: core.Rejected, Code: core.InvalidInput, Field: core.FieldPassword, Reason: err.Error()}
			}
			if !made.Equal(own) {
				v.guard(made)
				facts[core.FactPassword] = made
			}
		}
	}
	return facts, nil
}

// The effective credentials: what was chosen or proved, else the task's.
func (v *visit) username() core.Value { return v.effective(core.FactUsername) }
func (v *visit) email() core.Value    { return v.effective(core.FactEmail) }
func (v *visit) password() core.Value { return v.effective(core.FactPassword) }

func (v *visit) effective(name string) core.Value { return effective(v.record(), name) }

func effective(rec core.Record, name string) core.Value {
	if f := rec.Facts[name]; !f.Empty() {
		return f
	}
	if a := rec.Account; a != nil {
		own := map[string]core.Value{core.FactUsername: a.Username, core.FactEmail: a.Email, core.FactPassword: a.Password}[name]
		if !own.Empty() {
			return own
		}
	}
	return rec.Entity.Get(name)
}

// booking is what the sign-up uses, once facts are stored.
func (v *visit) booking(facts core.Facts) core.Booking {
	rec := v.record()
	rec.Facts = rec.Facts.Merge(facts)
	b := core.Booking{Password: effective(rec, core.FactPassword)}
	add := func(kind string, val core.Value) {
		if !val.Empty() {
			b.Identities = append(b.Identities, core.Identity{Kind: kind, Value: val, KeepCase: v.b.Manifest.Limits[kind].KeepCase})
		}
	}
	add(core.FieldEmail, effective(rec, core.FactEmail))
	add(core.FieldUsername, effective(rec, core.FactUsername))
	return b
}

// reserve books the identities, unless that came with the start. taken says that the
// same person's account is another task's: it is adopted, not made.
func (v *visit) reserve() (taken bool, err error) {
	b := v.booking(nil)
	if v.booked != nil && v.booked.Equal(b) {
		return false, nil
	}
	ctx, cancel := v.ledger()
	defer cancel()
	err = v.r.o.Store.Reserve(ctx, v.rec.Lease, b)
	var other *core.TakenError
	switch {
	case err == nil:
		return false, nil
	case !errors.As(err, &other):
		return false, ofLedger(fmt.Errorf("book the identities: %w", err))
	case other.SameCredentials && other.Proved:
		return true, nil
	case other.SameCredentials && other.TaskID != "":
		v.later(time.Now().Add(v.backoff(v.rec.Broken+3)), false, "waiting for task "+other.TaskID+", which signs up the same account")
		return false, nil
	case other.Kind == core.FieldUsername && v.b.OnExists == "variant":
		return false, v.variant(other.Error())
	}
	return false, v.reject(core.Outcome{Status: core.Rejected, Code: core.AlreadyExists, Field: other.Kind, Reason: other.Error()})
}

// variant makes the next user name candidate durable. The task stays Prepared.
func (v *visit) variant(why string) error {
	n, _ := strconv.Atoi(v.rec.Facts[factVariant].Reveal())
	if n+1 > v.r.o.Limits.Variants {
		return v.reject(core.Outcome{Status: core.Rejected, Code: core.AlreadyExists, Field: core.FieldUsername,
			Reason: fmt.Sprintf("%d user names were taken; the last answer: %s", n+1, why)})
	}
	return v.note(core.Facts{factVariant: core.Text(strconv.Itoa(n + 1))},
		core.Event{Kind: "log", Level: "INFO", Text: "the user name is taken; trying the next candidate"})
}

// adopt takes over an account only if a login with the task's own credentials works.
func (v *visit) adopt() error {
	if err := v.note(core.Facts{factAdopt: core.Text("tried")}); err != nil {
		return err
	}
	if err := v.signIn(); err != nil || v.rec.State != core.Prepared || v.ended {
		return err
	}
	return v.prove("the account existed and the task's own credentials open it")
}

// reject ends a task with the site's (or the task's own) final no.
func (v *visit) reject(o core.Outcome) error {
	o.Reason = v.r.line(o.Reason)
	to := core.Move{To: core.Failed, Answer: &o, Facts: o.Facts, FreeIdentities: v.rec.Account == nil, Event: say(string(o.Code) + ": " + o.Reason)}
	if in := v.rec.Intent; in != nil && in.State == core.IntentOpen {
		to.End = core.IntentRefused
	}
	return v.move(to)
}

// prove records the account and goes on at Confirmed.
func (v *visit) prove(how string) error {
	a := core.Account{
		TaskID: v.rec.ID, Domain: v.rec.Domain, Username: v.username(), Email: v.email(), Password: v.password(),
		Driver: v.b.Driver, LinkProfile: v.rec.Facts[core.FactLinkProfile].Reveal(), Created: time.Now(),
	}
	if old := v.rec.Account; old != nil {
		a.TOTP, a.Created = old.TOTP, old.Created
	}
	if t := v.rec.Facts[factTOTP]; !t.Empty() {
		a.TOTP = t
	}
	m := core.Move{To: core.Confirmed, Account: &a, Event: say(how)}
	if in := v.rec.Intent; in != nil && in.State == core.IntentOpen {
		m.End = core.IntentDone
	}
	return v.move(m)
}

// driverTask is the task as a driver sees it: without the mailbox, with what is
// effective, and with the text that the profile takes.
func (v *visit) driverTask() core.Task {
	t := v.rec.Task
	t.Entity = t.Entity.ForDriver()
	for _, name := range []string{core.FieldUsername, core.FieldEmail, core.FieldPassword} {
		if val := v.effective(name); !val.Empty() {
			t.Entity = t.Entity.With(name, val)
		}
	}
	if about := t.Entity.Get(core.FieldAbout); !about.Empty() {
		spun := v.r.o.Texts.Spin(about.Reveal(), t.ID)
		t.Entity = t.Entity.With("about_html", core.Text(spun))
		text, cut := v.r.o.Texts.Fit(spun, v.b.Manifest.Limits[core.FieldAbout])
		t.Entity = t.Entity.With(core.FieldAbout, core.Text(text))
		if cut > 0 && slices.Contains(slices.Concat(v.b.Manifest.Wants, v.b.Manifest.Needs), core.FieldAbout) {
			v.cut = cut
		}
	}
	facts := core.Facts{}
	for k, f := range t.Facts {
		if !strings.HasPrefix(k, ownFact) {
			facts[k] = f
		}
	}
	t.Facts, t.Attempt = facts, v.rec.Broken+1
	t.Options, t.Language = v.b.Options, v.b.Language
	return t
}
