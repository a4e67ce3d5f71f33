package lua

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/text"
)

// Bounds of task.extra.
const (
	maxExtraDepth = 10
	maxExtraNodes = 2000
)

// declared fails unless the manifest declares the field.
func (r *run) declared(name string) {
	m := r.driver.manifest
	if !slices.Contains(m.Needs, name) && !slices.Contains(m.Wants, name) {
		r.h.fail("the field %q is not declared: add it to needs or wants", name)
	}
}

// taskTable makes the read-only task.
func (h *host) taskTable() lua.LValue {
	r, L := h.run, h.L
	data := L.CreateTable(0, 24)
	data.RawSetString("id", lua.LString(r.task.ID))
	data.RawSetString("domain", lua.LString(r.task.Domain))
	data.RawSetString("attempt", lua.LNumber(r.task.Attempt))
	data.RawSetString("language", orNil(r.task.Language))
	data.RawSetString("options", h.freeze("task.options", h.optionsTable()))
	facts := L.CreateTable(0, len(r.task.Facts))
	for _, k := range slices.Sorted(maps.Keys(r.task.Facts)) {
		facts.RawSetString(k, h.give(r.task.Facts[k]))
	}
	data.RawSetString("facts", h.freeze("task.facts", facts))
	e := r.task.Entity
	var links []string
	if site := e.Get(core.FieldWebsite); !site.Empty() {
		links = append(links, site.Reveal())
	}
	for _, u := range e.Social {
		if !slices.Contains(links, u) {
			links = append(links, u)
		}
	}
	data.RawSetString("links", h.list("task.links", links))
	data.RawSetString("connect", h.list("task.connect", e.Links()))
	social := L.CreateTable(0, len(e.Social))
	for _, u := range e.Social {
		if n := text.Network(u); n != "" && social.RawGetString(n) == lua.LNil {
			social.RawSetString(n, lua.LString(h.clean(u)))
		}
	}
	data.RawSetString("social", h.freeze("task.social", social))
	data.RawSetString("extra", h.freeze("task.extra", h.extra(e.Extra)))
	m := r.driver.manifest
	for _, f := range slices.Concat(m.Needs, m.Wants) {
		data.RawSetString(f, h.taskField(f))
	}
	known := slices.Concat(taskAlways, m.Needs, m.Wants)
	index := L.NewFunction(func(L *lua.LState) int {
		name, ok := L.Get(2).(lua.LString)
		if !ok {
			h.fail("task has fields by name")
		}
		if v := data.RawGetString(string(name)); v != lua.LNil {
			L.Push(v)
			return 1
		}
		switch {
		case slices.Contains(known, string(name)):
			L.Push(lua.LNil)
		case slices.Contains(TaskFields, string(name)):
			h.run.declared(string(name))
		case slices.Contains(core.MailboxFields, string(name)):
			h.fail("task.%s belongs to the mailbox and never reaches a driver: mail.wait reads the mail", string(name))
		default:
			h.fail("task has no field %q%s", string(name), near(string(name), slices.Concat(taskAlways, TaskFields)))
		}
		return 1
	})
	return h.freezeWith("task", data, index)
}

// taskField is a declared field as the script sees it; nil when the task has none.
func (h *host) taskField(name string) lua.LValue {
	e := h.run.task.Entity
	switch name {
	case FieldFullName:
		if v := e.Get(name); !v.Empty() {
			return h.give(v)
		}
		return h.give(core.Text(fullName(e, h.run.task.Language)))
	case FieldAvatar, FieldCover:
		if name == FieldAvatar && len(e.Avatars) == 0 || name == FieldCover && len(e.Covers) == 0 {
			return lua.LNil
		}
		return h.handle(asset{name}, h.meta.asset)
	case FieldAboutHTML:
		if v := e.Get(name); !v.Empty() {
			return h.give(v)
		}
		return h.give(e.Get(core.FieldAbout))
	case core.FieldAvatarURL:
		return h.give(orFirst(e.Get(name), e.Avatars))
	case core.FieldCoverURL:
		return h.give(orFirst(e.Get(name), e.Covers))
	case core.FieldPassword:
		return h.give(core.Secret(e.Get(name).Reveal()))
	}
	return h.give(e.Get(name))
}

func orFirst(v core.Value, list []string) core.Value {
	if v.Empty() && len(list) > 0 {
		return core.Text(list[0])
	}
	return v
}

// fullName puts the family name first where the site speaks Vietnamese.
func fullName(e core.Entity, language string) string {
	first, last := e.Get(core.FieldFirstName).Reveal(), e.Get(core.FieldLastName).Reveal()
	if lang, _, _ := strings.Cut(strings.ToLower(language), "-"); lang == "vi" {
		first, last = last, first
	}
	return strings.TrimSpace(first + " " + last)
}

// optionsTable is the defaults of the manifest under what the site configures.
func (h *host) optionsTable() *lua.LTable {
	t := h.L.CreateTable(0, 8)
	for name, o := range h.run.driver.manifest.Options {
		v := o.Default
		if set, ok := h.run.task.Options[name]; ok {
			v = set
		}
		t.RawSetString(name, scalar(v))
	}
	return t
}

func scalar(v any) lua.LValue {
	switch v := v.(type) {
	case string:
		return lua.LString(v)
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case int64:
		return lua.LNumber(v)
	case int:
		return lua.LNumber(v)
	}
	return lua.LNil
}

func (h *host) list(name string, list []string) lua.LValue {
	t := h.L.CreateTable(len(list), 0)
	for _, s := range list {
		t.Append(lua.LString(h.clean(s)))
	}
	return h.freeze(name, t)
}

// extra is the entity's unnamed fields; what is too deep or too much is left out
// and logged.
func (h *host) extra(fields map[string]json.RawMessage) *lua.LTable {
	t := h.L.CreateTable(0, len(fields))
	nodes := 0
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		var v any
		if json.Unmarshal(fields[k], &v) != nil {
			continue
		}
		lv, ok := h.fromJSON(v, 0, &nodes)
		if !ok {
			h.logLine("task.extra."+k+" is left out: it is nested too deeply or too large", nil)
			continue
		}
		t.RawSetString(k, lv)
	}
	return t
}

func (h *host) fromJSON(v any, depth int, nodes *int) (lua.LValue, bool) {
	if *nodes++; *nodes > maxExtraNodes || depth > maxExtraDepth {
		return nil, false
	}
	switch v := v.(type) {
	case string:
		return lua.LString(h.clean(v)), true
	case []any:
		t := h.L.CreateTable(len(v), 0)
		for _, e := range v {
			lv, ok := h.fromJSON(e, depth+1, nodes)
			if !ok {
				return nil, false
			}
			t.Append(lv)
		}
		return h.freeze("task.extra", t), true
	case map[string]any:
		t := h.L.CreateTable(0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			lv, ok := h.fromJSON(v[k], depth+1, nodes)
			if !ok {
				return nil, false
			}
			t.RawSetString(k, lv)
		}
		return h.freeze("task.extra", t), true
	}
	return scalar(v), true
}
