package browser

import (
	"slices"
	"strings"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/text"
)

// Names of the fields that are made of the entity's.
const (
	FieldFullName  = "full_name"  // first and last name; last name first where the site's language is Vietnamese
	FieldAboutHTML = "about_html" // about as the task manager sent it
	Avatar         = "avatar"     // the image for Upload
	Cover          = "cover"
)

// Task is a task as Lua's task shows it.
type Task struct {
	core.Task
	page *Page
}

// Get is a field that the manifest needs or wants; empty when the task has none.
// An undeclared one fails the page.
func (t Task) Get(name string) core.Value {
	if !t.page.declared("task", name) {
		return core.Value{}
	}
	e := t.Entity
	v := e.Get(name)
	switch {
	case name == core.FieldPassword:
		return core.Secret(v.Reveal())
	case !v.Empty():
	case name == FieldFullName:
		return core.Text(t.fullName())
	case name == FieldAboutHTML:
		return e.Get(core.FieldAbout)
	case name == core.FieldAvatarURL && len(e.Avatars) > 0:
		return core.Text(e.Avatars[0])
	case name == core.FieldCoverURL && len(e.Covers) > 0:
		return core.Text(e.Covers[0])
	}
	return v
}

// Has reports whether the task has the field, or the image Avatar or Cover.
func (t Task) Has(name string) bool {
	switch name {
	case Avatar:
		return t.page.declared("task", name) && len(t.Entity.Avatars) > 0
	case Cover:
		return t.page.declared("task", name) && len(t.Entity.Covers) > 0
	}
	return !t.Get(name).Empty()
}

func (t Task) fullName() string {
	first, last := t.Entity.Get(core.FieldFirstName).Reveal(), t.Entity.Get(core.FieldLastName).Reveal()
	if lang, _, _ := strings.Cut(strings.ToLower(t.Language), "-"); lang == "vi" {
		first, last = last, first
	}
	return strings.TrimSpace(first + " " + last)
}

// Fact is what an earlier phase learnt; empty when it is not known.
func (t Task) Fact(name string) string { return t.Facts[name].Reveal() }

// Option is the driver's setting for this site, the manifest's default where the
// site sets none. One that the manifest lacks fails the page.
func (t Task) Option(name string) any {
	o, ok := t.page.run.Manifest.Options[name]
	if !ok {
		t.page.wrong("task", "the manifest has no option %q", name)
		return nil
	}
	if v, ok := t.Options[name]; ok {
		return v
	}
	return o.Default
}

// Setting is an option that is a text.
func (t Task) Setting(name string) string {
	v := t.Option(name)
	s, ok := v.(string)
	if !ok && v != nil {
		t.page.wrong("task", "the option %q is a %T, not a text", name, v)
	}
	return s
}

// Links are the website and the social links together.
func (t Task) Links() []string {
	var out []string
	if site := t.Entity.Get(core.FieldWebsite); !site.Empty() {
		out = append(out, site.Reveal())
	}
	for _, u := range t.Entity.Social {
		if !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out
}

// Social is the first social link to a network: "facebook", "x", …
func (t Task) Social(network string) string {
	i := slices.IndexFunc(t.Entity.Social, func(u string) bool { return text.Network(u) == network })
	if i < 0 {
		return ""
	}
	return t.Entity.Social[i]
}

// Connect is the list that the connect phase adds.
func (t Task) Connect() []string { return t.Entity.Links() }

// declared fails the page unless the manifest needs or wants the field.
func (p *Page) declared(verb, name string) bool {
	m := p.run.Manifest
	if slices.Contains(m.Needs, name) || slices.Contains(m.Wants, name) {
		return true
	}
	if slices.Contains(core.MailboxFields, name) {
		p.wrong(verb, "%s belongs to the mailbox and never reaches a driver: Mail reads the mail", name)
	} else {
		p.wrong(verb, "the field %q is not declared: add it to Needs or Wants", name)
	}
	return false
}
