package entity

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-run/rollcall/core"
	"golang.org/x/net/idna"
)

// maxLinks bounds the elements of one array of a task; the protocol's largest has 150.
const maxLinks = 10_000

// textFields are the task's plain fields.
var textFields = []string{
	core.FieldEmail, core.FieldUsername, core.FieldPassword, core.FieldFirstName, core.FieldLastName,
	core.FieldPhone, core.FieldAddress, core.FieldLocation, core.FieldAbout, core.FieldWebsite,
	core.FieldAvatarURL, core.FieldCoverURL, core.FieldBirthday,
	core.FieldMailPassword, core.FieldMailTOTP, core.FieldAppPassword,
}

// decoded is one task of an answer.
type decoded struct {
	listed   core.Listed
	warnings []string
	err      error // why it can't be read
}

// listing decodes the items of a list.
func (c *Client) listing(items []json.RawMessage) core.Listing {
	var out core.Listing
	var notes tally
	seen := map[string]bool{}
	for i, raw := range items {
		d := c.decode(raw)
		id := d.listed.Task.ID
		switch {
		case d.err != nil:
			out.Unread = append(out.Unread, core.UnreadItem{Index: i, ID: id, Why: d.err.Error()})
			continue
		case seen[id]:
			notes.add("the list has a task twice; the first one counts", id)
			continue
		}
		seen[id] = true
		for _, w := range d.warnings {
			notes.add(w, id)
		}
		out.Tasks = append(out.Tasks, d.listed)
	}
	out.Warnings = notes.lines()
	return out
}

// tally counts equal warnings, so that a thousand tasks give one line.
type tally struct {
	order []string
	count map[string]int
	first map[string]string
}

func (t *tally) add(what, id string) {
	if t.count == nil {
		t.count, t.first = map[string]int{}, map[string]string{}
	}
	if t.count[what] == 0 {
		t.order = append(t.order, what)
		t.first[what] = id
	}
	t.count[what]++
}

func (t *tally) lines() []string {
	var out []string
	for _, what := range t.order {
		line := what + " (task " + oneLine(t.first[what], maxID)
		if n := t.count[what] - 1; n > 0 {
			line += fmt.Sprintf(" and %d more", n)
		}
		out = append(out, line+")")
	}
	return out
}

// decode reads one task. With an error, the task has its id at most.
func (c *Client) decode(raw json.RawMessage) (d decoded) {
	if int64(len(raw)) > c.o.ItemLimitBytes {
		d.err = fmt.Errorf("it is larger than %d bytes; raise [limits] item_mb", c.o.ItemLimitBytes)
		return d
	}
	fields, err := members(raw)
	if err != nil {
		d.err = err
		return d
	}
	for _, f := range fields {
		if f.name == "id" {
			if id, err := text(f.raw); err == nil && checkID(id) == nil {
				d.listed.Task.ID = id
			}
		}
	}
	task := core.Task{Entity: core.Entity{Fields: map[string]core.Value{}}}
	for _, f := range fields {
		if string(f.raw) == "null" {
			continue
		}
		if err := c.field(&task, &d, f); err != nil {
			d.err = fmt.Errorf("%s: %w", oneLine(f.name, maxWords), err)
			return d
		}
	}
	switch {
	case task.ID == "":
		d.err = errors.New("id: it is missing")
		return d
	case task.Domain == "":
		d.err = errors.New("domain: it is missing")
		return d
	}
	task.Entity.Avatars = withFirst(task.Entity.Get(core.FieldAvatarURL).Reveal(), task.Entity.Avatars)
	task.Entity.Covers = withFirst(task.Entity.Get(core.FieldCoverURL).Reveal(), task.Entity.Covers)
	task.Kind = c.kindOf(&d)
	d.listed.Task = task
	return d
}

// field reads one member of a task.
func (c *Client) field(task *core.Task, d *decoded, f member) (err error) {
	e := &task.Entity
	switch f.name {
	case "id":
		if task.ID, err = text(f.raw); err == nil {
			if err = checkID(task.ID); err != nil {
				err = errors.New(strings.TrimPrefix(err.Error(), "id: "))
			}
		}
	case "request_id":
		task.RequestID, err = text(f.raw)
	case "domain":
		var s string
		if s, err = text(f.raw); err == nil {
			task.Domain, err = domain(s)
		}
	case "status":
		d.listed.Status, err = text(f.raw)
	case "social_connect":
		e.Social, err = texts(f.raw)
	case "entity_connect":
		e.Connect, err = texts(f.raw)
	case "images":
		if !sound(f.raw) {
			return errUTF8
		}
		e.Images = f.raw
		var strange bool
		e.Avatars, e.Covers, strange = images(f.raw)
		if strange {
			d.warnings = append(d.warnings, "images has a shape that is not known; the driver gets it as it came")
		}
	default:
		if slices.Contains(textFields, f.name) {
			var s string
			if s, err = text(f.raw); err == nil && s != "" {
				e.Fields[f.name] = value(f.name, s)
			}
			return err
		}
		if !sound(f.raw) {
			return errUTF8
		}
		if e.Extra == nil {
			e.Extra = map[string]json.RawMessage{}
		}
		e.Extra[f.name] = f.raw
	}
	return err
}

func value(name, s string) core.Value {
	if slices.Contains(core.SecretFields, name) {
		return core.Secret(s)
	}
	return core.Text(s)
}

// kindOf is the task's kind by its status, with a warning where that is a guess.
func (c *Client) kindOf(d *decoded) core.Kind {
	s := c.o.States
	switch d.listed.Status {
	case s.Connect, s.Connecting, s.Completed, s.ConnectFailed:
		return core.Connect
	case s.Register, s.Registering, s.Profiled, s.RegisterFailed, s.ProfileFailed:
	case "":
		d.warnings = append(d.warnings, "status is absent and taken as "+s.Register)
	default:
		d.warnings = append(d.warnings, fmt.Sprintf("status %q is not one of [entity.states]", oneLine(d.listed.Status, maxWords)))
	}
	return core.Onboard
}

// texts reads an array of texts. An empty text stands for an empty array, as
// some servers write it; empty elements are left out.
func texts(raw []byte) ([]string, error) {
	if string(raw) == `""` {
		return nil, nil
	}
	items, _, err := elements(raw, maxLinks)
	if err != nil {
		return nil, err
	}
	var out []string
	for i, item := range items {
		if string(item) == "null" {
			continue
		}
		s, err := text(item)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i+1, err)
		}
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out, nil
}

// hosts turns names into the form in which the network knows them.
var hosts = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true), idna.Transitional(false))

// domain is the lower-case A-label form of a host name.
func domain(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", errors.New("it is empty")
	}
	host, err := hosts.ToASCII(s)
	if err != nil || strings.HasSuffix(host, ".") {
		return "", fmt.Errorf("%q is not a host name", oneLine(s, maxWords))
	}
	return host, nil
}
