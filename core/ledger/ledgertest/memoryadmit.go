package ledgertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-run/rollcall/core"
)

// Reserve implements core.Store.
func (m *Memory) Reserve(ctx context.Context, l core.Lease, b core.Booking) error {
	return m.write(ctx, l, func(t *row, _ time.Time) error { return m.book(t, b) })
}

func (m *Memory) book(t *row, b core.Booking) error {
	names := map[string]string{}
	for _, id := range b.Identities {
		names[id.Kind] = normal(id.Value.Reveal(), id.KeepCase)
	}
	secrets := names[core.FieldEmail] + "\n" + names[core.FieldUsername] + "\n" + b.Password.Reveal()
	key := func(id core.Identity) string {
		return t.rec.Domain + "\n" + id.Kind + "\n" + normal(id.Value.Reveal(), id.KeepCase)
	}
	for _, id := range b.Identities {
		other, booked := m.identities[key(id)]
		if names[id.Kind] == "" || !booked || other.task == t.rec.ID {
			continue
		}
		e := &core.TakenError{Kind: id.Kind, TaskID: other.task, SameCredentials: other.task != "" && other.secrets == secrets}
		if o := m.tasks[other.task]; o != nil {
			e.Proved = o.rec.Account != nil
		}
		return e
	}
	for _, id := range b.Identities {
		if names[id.Kind] != "" {
			m.identities[key(id)] = booking{t.rec.ID, secrets}
		}
	}
	return nil
}

// normal is the form in which two spellings of one name are equal.
func normal(s string, keepCase bool) string {
	s = norm.NFC.String(strings.TrimSpace(s))
	if !keepCase {
		s = norm.NFC.String(strings.ToLower(s))
	}
	return s
}

func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// stamp is a time as a database keeps it.
func stamp(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

func utf8Facts(f core.Facts) error {
	for name, v := range f {
		if !utf8.ValidString(v.Reveal()) {
			return fmt.Errorf("the fact %s is not valid UTF-8", name)
		}
	}
	return nil
}

// says is equal for entities that say the same, but for what a task manager
// counts by itself.
func says(t core.Task) (string, error) {
	fields := map[string]string{}
	for k, v := range t.Entity.Fields {
		if !utf8.ValidString(v.Reveal()) {
			return "", fmt.Errorf("task %s: the field %s is not valid UTF-8", t.ID, k)
		}
		fields[k] = v.Reveal()
	}
	e := t.Entity
	extra := maps.Clone(e.Extra)
	delete(extra, "retry_count")
	text, err := json.Marshal([]any{t.Kind, fields, e.Social, e.Connect, e.Avatars, e.Covers, e.Images, extra})
	return string(text), err
}

func credentials(t core.Task) string {
	e := t.Entity
	return strings.ToLower(e.Get(core.FieldEmail).Reveal()) + "\n" + e.Get(core.FieldUsername).Reveal() + "\n" + e.Get(core.FieldPassword).Reveal()
}

// Look implements core.Store.
func (m *Memory) Look(_ context.Context, tasks []core.Task) (map[string]core.Known, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]core.Known{}
	for _, t := range tasks {
		known := m.tasks[t.ID]
		if known == nil {
			continue
		}
		entity, err := says(t)
		if err != nil {
			return nil, err
		}
		ended := known.rec.State.Final()
		out[t.ID] = core.Known{State: known.rec.State, Round: known.rec.Round, SameEntity: ended && entity == known.entity,
			SameCredentials: ended && credentials(t) == known.secrets, Updated: known.rec.Updated}
	}
	return out, nil
}

// Admit implements core.Store.
func (m *Memory) Admit(_ context.Context, tasks []core.Task, due time.Time) ([]core.Admission, error) {
	out := make([]core.Admission, len(tasks))
	for i, t := range tasks {
		out[i].OK, out[i].Err = m.admit(t, due)
	}
	return out, nil
}

func (m *Memory) admit(in core.Task, due time.Time) (bool, error) {
	entity, err := says(in)
	if err == nil && (in.ID == "" || in.Domain == "") {
		err = errors.New("a task needs an id and a domain")
	}
	if err == nil {
		err = utf8Facts(in.Facts)
	}
	if err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	if due.IsZero() {
		due = now
	}
	known := m.tasks[in.ID]
	if known == nil {
		in.Attempt = 1
		t := &row{rec: core.Record{Task: in, State: core.Ready, Round: 1, Due: stamp(due), Created: now, Updated: now,
			Lease: core.Lease{TaskID: in.ID}}, entity: entity, secrets: credentials(in)}
		t.log(now, core.Event{Kind: "state", Text: "listed by the task manager"})
		m.tasks[in.ID] = t
		m.changed()
		return true, nil
	}
	if !known.rec.State.Final() {
		return false, nil
	}
	if known.rec.Domain != in.Domain {
		return false, fmt.Errorf("the task manager moved %s to another site", in.ID)
	}
	t := *known
	r := &t.rec
	in.Facts = r.Facts
	r.Task = in
	r.Changed, r.NewSecrets = entity != t.entity, credentials(in) != t.secrets
	t.entity, t.secrets = entity, credentials(in)
	r.Round++
	r.Broken, r.Fault, r.Phase, r.WaitingSince = 0, "", "", time.Time{}
	if err := m.move(&t, core.Move{To: core.Ready, Due: due}, now); err != nil {
		return false, err
	}
	m.tasks[in.ID] = &t
	m.changed()
	return true, nil
}
