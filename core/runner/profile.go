package runner

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// confirmed fills the profile of a proved account and reads it back.
func (v *visit) confirmed() error {
	if err := v.bind(); err != nil {
		v.later(time.Now().Add(v.r.o.Limits.BackoffMax), false, err.Error())
		return nil
	}
	if err := v.signIn(); err != nil || v.rec.State != core.Confirmed || v.ended {
		return err
	}
	o := core.Outcome{Status: core.Done}
	if v.b.Manifest.Has(core.Profile) {
		var err error
		if o, err = v.phase(core.Profile); err != nil {
			return v.broke(core.Profile, err)
		}
	}
	return v.written(core.Profile, core.Profiled, o)
}

// connect adds links to the profile of an account that exists.
func (v *visit) connect() error {
	if !v.b.Manifest.Has(core.ConnectPhase) {
		return v.reject(core.Outcome{Status: core.Rejected, Code: core.InvalidInput, Field: "connect",
			Reason: fmt.Sprintf("the driver %s has no connect phase", v.b.Driver)})
	}
	if err := v.signIn(); err != nil || v.rec.State != core.Prepared || v.ended {
		return err
	}
	o, err := v.phase(core.ConnectPhase)
	if err != nil {
		return v.broke(core.ConnectPhase, err)
	}
	return v.written(core.ConnectPhase, core.Connected, o)
}

// written settles a phase that wrote to the profile.
func (v *visit) written(p core.Phase, to core.State, o core.Outcome) error {
	switch o.Status {
	case core.Waiting:
		return v.wait(p, o)
	case core.Blocked:
		return v.park(p, o)
	case core.Rejected:
		v.saw("")
		return v.reject(o)
	}
	link := v.rec.Facts[core.FactLinkProfile].Reveal()
	if a := v.rec.Account; link == "" && a != nil {
		link = a.LinkProfile
	}
	if link == "" && p == core.Profile {
		return v.broke(p, &core.Fault{Code: core.DriverError, Phase: p, Why: "done without link_profile: the report needs the profile's address"})
	}
	if link != "" {
		if err := v.readBack(link); err != nil {
			return v.broke(p, err)
		}
	}
	v.saw("")
	fields := maps.Clone(o.Fields)
	if v.cut > 0 && (fields[core.FieldAbout] == "set" || fields[core.FieldAbout] == "kept") {
		fields[core.FieldAbout] = fmt.Sprintf("truncated(%d)", v.cut)
	}
	m := core.Move{To: to, Fields: fields, Facts: core.Facts{core.FactLinkProfile: core.Text(link)}, Event: say("the links are on the profile " + link)}
	if a := v.rec.Account; a != nil && link != "" && a.LinkProfile != link {
		seen := *a
		seen.LinkProfile = link
		m.Account = &seen
	}
	after := v.record()
	after.Facts, after.Fields = after.Facts.Merge(m.Facts), maps.Clone(after.Fields)
	if after.Fields == nil {
		after.Fields = map[string]string{}
	}
	maps.Copy(after.Fields, fields)
	if m.Account != nil {
		after.Account = m.Account
	}
	return v.finish(m, v.completion(after))
}

// readBack reads the profile logged-out, through the same egress rules: done is
// believed when the page is there.
func (v *visit) readBack(link string) error {
	fault := func(why string) error {
		return &core.Fault{Code: core.LayoutChanged, Verb: "link_profile", URL: v.r.line(link), Why: why}
	}
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fault("is not an absolute http address")
	}
	if !v.b.Manifest.Public {
		return nil
	}
	ctx, cancel := context.WithTimeout(v.ctx, 30*time.Second)
	defer cancel()
	status, _, body, err := v.slot.gate.Fetch(ctx, link)
	switch {
	case err != nil:
		return fault("can't be read logged-out: " + err.Error())
	case status != 200:
		return fault(fmt.Sprintf("answers %d to a reader who is not signed in; a site that hides profiles needs public = false in its driver", status))
	}
	if site := v.rec.Entity.Get(core.FieldWebsite).Reveal(); site != "" && !mentions(body, site) {
		v.learn(nil, core.Event{Kind: "log", Level: "WARN", Text: "the profile page was read, but its HTML does not mention the website"})
	}
	return nil
}

// mentions reports whether the page has the address, with or without its scheme and final slash.
func mentions(body []byte, site string) bool {
	_, bare, ok := strings.Cut(site, "://")
	if !ok {
		bare = site
	}
	return strings.Contains(string(body), strings.TrimSuffix(bare, "/"))
}

// complete makes the report of a finished task durable.
func (v *visit) complete() error { return v.finish(v.completion(v.record())) }

// finish ends a task that was plainly done.
func (v *visit) finish(moves ...core.Move) error {
	err := v.move(moves...)
	v.done = err == nil
	return err
}

// completion is the move to the report of a finished task.
func (v *visit) completion(rec core.Record) core.Move {
	rep := core.Report{Complete: true, LinkProfile: rec.Facts[core.FactLinkProfile].Reveal(), Note: v.noteText(rec)}
	if rep.LinkProfile == "" && rec.Account != nil {
		rep.LinkProfile = rec.Account.LinkProfile
	}
	if rep.LinkProfile == "" {
		// A connect task of an account that was not made here: its page is not known.
		if b, err := v.r.o.Catalog.Lookup(v.domain); err == nil {
			rep.LinkProfile = b.Base + "/"
		}
	}
	differs := func(name string) core.Value {
		if got := effective(rec, name); !got.Equal(rec.Entity.Get(name)) {
			return got
		}
		return core.Value{}
	}
	rep.Email, rep.Username, rep.Password = differs(core.FactEmail), differs(core.FactUsername), differs(core.FactPassword)
	return core.Move{To: core.Reporting, Report: &rep, Event: say("reporting complete")}
}

// fail makes the report of a failed task durable.
func (v *visit) fail() error {
	s := v.r.o.States
	rep := core.Report{Status: s.RegisterFailed, Message: v.reason(), Note: v.noteText(v.rec)}
	switch {
	case v.rec.Kind == core.Connect:
		rep.Status = s.ConnectFailed
	case v.rec.Account != nil:
		rep.Status = s.ProfileFailed
	}
	return v.move(core.Move{To: core.Reporting, Report: &rep, Event: say("reporting " + rep.Status + ": " + rep.Message)})
}

// reason is the error message of a failed task: the site's word, else what broke.
func (v *visit) reason() string {
	var why string
	switch a := v.rec.Answer; {
	case v.rec.Fault != "" && (a == nil || a.Status != core.Rejected):
		why = v.rec.Fault
	case a != nil:
		why = string(a.Code)
		if a.Field != "" {
			why += " (" + a.Field + ")"
		}
		why += ": " + a.Reason
	default:
		why = "failed without a reason"
	}
	return v.r.text(why, 1000)
}

// noteText is the driver's note and what became of the fields that were not simply set.
func (v *visit) noteText(rec core.Record) string {
	var parts []string
	if n := rec.Facts[core.FactNote].Reveal(); n != "" {
		parts = append(parts, n)
	}
	for _, name := range slices.Sorted(maps.Keys(rec.Fields)) {
		if how := rec.Fields[name]; how != "set" && how != "kept" {
			parts = append(parts, name+": "+how)
		}
	}
	return v.r.text(strings.Join(parts, "; "), 1000)
}
