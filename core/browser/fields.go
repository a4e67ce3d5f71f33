package browser

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/rollcall-run/rollcall/core"
)

// Fields fills what the task has a value for, by kind of control and within the
// manifest's limits, and leaves alone what holds its value already. All controls
// are read in one round trip and written in another. It returns how many were
// changed, and records for each field set, kept, truncated(n) or unsupported. A
// control that is missing, or that can't take the value, is an error unless the
// field is optional; what identifies an account is never cut.
func (p *Page) Fields(ctx context.Context, fields []Field) (changed int, err error) {
	var locs Locator
	for _, f := range fields {
		locs = append(locs, f.Name)
	}
	_, err = p.run(ctx, "fields", locs, ActionTime, func(ctx context.Context, v *verb) (Seen, error) {
		var err error
		changed, err = p.fields(ctx, v, fields)
		return Seen{}, err
	})
	return changed, err
}

// fieldWork is a field that the task has a value for.
type fieldWork struct {
	Field
	value  core.Value
	result string
	cut    bool
	read   readField
}

type readField struct {
	State, Why, Kind, Off, Value string
	At, Handle                   int
	Many                         bool
	Info                         info
	Near                         []string
}

// identity names the fields that are never cut: a shortened one is another account.
var identity = []string{core.FieldUsername, core.FieldEmail, core.FieldPassword}

func (p *Page) fields(ctx context.Context, v *verb, fields []Field) (int, error) {
	work, uploads, err := p.plan(fields)
	if err != nil {
		return 0, err
	}
	if err := p.settle(ctx, v, false); err != nil {
		return 0, err
	}
	changed := 0
	if len(work) > 0 {
		if changed, err = p.fillAll(ctx, v, work); err != nil {
			return changed, err
		}
	}
	for _, f := range uploads {
		_, err := p.Upload(ctx, f.At, f.Name, nil)
		var fault *core.Fault
		switch {
		case errors.Is(err, core.ErrNoAsset):
		case err != nil && f.Optional && errors.As(err, &fault) && fault.Code == core.LayoutChanged:
			p.results[f.Name] = "unsupported"
		case err != nil:
			return changed, err
		default:
			changed++
		}
	}
	return changed, nil
}

// plan keeps the fields that there is a value for, cut to the limits.
func (p *Page) plan(fields []Field) (work []*fieldWork, uploads []Field, err error) {
	seen := map[string]bool{}
	for _, f := range fields {
		if f.Name == "" || seen[f.Name] {
			return nil, nil, wrong("each field is named once, %q is not", f.Name)
		}
		seen[f.Name] = true
		if err := f.At.check(); err != nil {
			return nil, nil, err
		}
		if f.Name == "avatar" || f.Name == "cover" {
			uploads = append(uploads, f)
			continue
		}
		value := p.value(f)
		if value.Empty() && len(f.Want) == 0 && f.Value == nil {
			continue
		}
		if err := text(value); err != nil {
			return nil, nil, err
		}
		w := &fieldWork{Field: f, value: value}
		if limit := p.o.Manifest.Limits[f.Name].Max; limit > 0 && uniseg.GraphemeClusterCount(value.Reveal()) > limit {
			if err := w.shorten(firstGraphemes(value.Reveal(), limit)); err != nil {
				return nil, nil, err
			}
		}
		work = append(work, w)
	}
	return work, uploads, nil
}

// value is what the task has for a field.
func (p *Page) value(f Field) core.Value {
	if f.Value != nil {
		return *f.Value
	}
	e := p.o.Task.Entity
	if f.Name == "full_name" {
		return core.Text(strings.TrimSpace(e.Get(core.FieldFirstName).Reveal() + " " + e.Get(core.FieldLastName).Reveal()))
	}
	if slices.Contains(core.MailboxFields, f.Name) {
		return core.Value{}
	}
	return e.Get(f.Name)
}

// shorten cuts the value, unless an account is known by it.
func (w *fieldWork) shorten(to string) error {
	if w.value.IsSecret() || slices.Contains(identity, w.Name) {
		return &core.Fault{Code: core.LayoutChanged, Locator: w.Name, Why: fmt.Sprintf("%s is longer than the %d characters that fit, and is never cut", w.Name, uniseg.GraphemeClusterCount(to))}
	}
	w.value, w.cut = core.Text(strings.TrimRight(to, " \n\t")), true
	return nil
}

// firstGraphemes is the beginning of s with at most n characters as a person counts them.
func firstGraphemes(s string, n int) string {
	g := uniseg.NewGraphemes(s)
	for i := 0; g.Next(); i++ {
		if i == n {
			from, _ := g.Positions()
			return s[:from]
		}
	}
	return s
}

// firstUnits is the beginning of s with at most n UTF-16 units, as maxlength
// counts, whole graphemes only. A line break counts as one.
func firstUnits(s string, n int) string {
	g := uniseg.NewGraphemes(s)
	units := 0
	for g.Next() {
		for _, r := range g.Runes() {
			if units++; r > 0xffff {
				units++
			}
		}
		if units > n {
			from, _ := g.Positions()
			return s[:from]
		}
	}
	return s
}

func (p *Page) fillAll(ctx context.Context, v *verb, work []*fieldWork) (int, error) {
	if err := p.readAll(ctx, v, work); err != nil {
		return 0, err
	}
	var write []*fieldWork
	for _, w := range work {
		if w.result != "" {
			continue
		}
		if err := p.fit(w); err != nil {
			return 0, err
		}
		if w.result == "" {
			write = append(write, w)
		}
	}
	changed := 0
	var atOnce []*fieldWork
	for _, w := range write {
		if w.read.Kind != "rich" && w.read.State != "cross" && w.read.Kind != "ariacheck" {
			atOnce = append(atOnce, w)
		}
	}
	p.begin(false)
	puts, err := p.writeAll(ctx, v, atOnce)
	if err != nil {
		return 0, err
	}
	for _, w := range write {
		r, written := puts[w]
		if !written {
			if r, err = p.fillOne(ctx, v, w); err != nil {
				return changed, err
			}
		}
		if r.State == "typed" && !r.Same && !w.value.IsSecret() && !r.Prefix {
			// The page did not take it at once: once more, as a person's keyboard would.
			if r, err = p.fillOne(ctx, v, w); err != nil {
				return changed, err
			}
		}
		if err := w.judge(r); err != nil {
			return changed, err
		}
		if w.result == "set" || strings.HasPrefix(w.result, "truncated") {
			changed++
		}
	}
	for _, w := range work {
		p.results[w.Name] = w.result
	}
	return changed, nil
}

// readAll reads every control in one round trip and judges what is missing.
func (p *Page) readAll(ctx context.Context, v *verb, work []*fieldWork) error {
	arg := make([]map[string]any, len(work))
	for i, w := range work {
		arg[i] = map[string]any{"at": w.At, "optional": w.Optional}
	}
	var r struct {
		State, Why string
		X, Y       float64
		Fields     []readField
		Page       *pageInfo
	}
	for {
		r.State, r.Fields = "", nil
		_, err := p.inPage(ctx, v.until, "", "readFields", map[string]any{"fields": arg, "dismiss": p.o.Manifest.Dismiss}, &r)
		if err != nil {
			return err
		}
		if r.State != "dismiss" {
			break
		}
		if err := p.done(ctx, v, p.press(r.X, r.Y)); err != nil {
			return err
		}
	}
	if r.State != "ok" || len(r.Fields) != len(work) {
		return p.notFound(&reply{State: r.State, Why: r.Why, Page: r.Page})
	}
	for i, w := range work {
		w.read = r.Fields[i]
		switch {
		case w.read.State == "missing" && w.Optional && !w.read.Many:
			w.result = "unsupported"
		case w.read.State == "missing":
			f := p.notFound(&reply{Why: "the field " + w.Name + " (" + strings.Join(w.At, " | ") + "): " + w.read.Why, Near: w.read.Near, Page: r.Page})
			return f
		case w.read.State == "ok" && (w.read.Off != "" || w.read.Kind == "none" || w.read.Kind == "file") && w.Optional:
			w.result = "unsupported"
		case w.read.State == "ok" && w.read.Off != "":
			return &core.Fault{Code: core.LayoutChanged, Why: "the field " + w.Name + " is " + w.read.Off, Detail: r.Page.String()}
		case w.read.State == "ok" && (w.read.Kind == "none" || w.read.Kind == "file"):
			return wrong("the field %s: a <%s %s> can't be filled", w.Name, w.read.Info.Tag, w.read.Info.Type)
		}
	}
	return nil
}

// fit cuts to maxlength, keeps what is right, and refuses misplaced secrets.
func (p *Page) fit(w *fieldWork) error {
	if w.read.State == "cross" {
		return nil
	}
	loc := w.At[max(0, min(w.read.At, len(w.At)-1))]
	if err := p.guard(w.value, w.read.Info, loc); err != nil {
		var f *core.Fault
		if errors.As(err, &f) {
			f.Why = "the field " + w.Name + ": " + f.Why
		}
		return err
	}
	if n := w.read.Info.Maxlength; n > 0 && w.read.Kind == "text" {
		if short := firstUnits(w.value.Reveal(), n); short != w.value.Reveal() {
			if err := w.shorten(short); err != nil {
				return err
			}
		}
	}
	if len(w.Want) == 0 && (w.read.Kind == "text" || w.read.Kind == "rich" || w.read.Kind == "native") && w.read.Info.Type != "password" && !w.value.IsSecret() {
		same := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
		if same(w.read.Value) == same(w.value.Reveal()) {
			w.result = "kept"
		}
	}
	return nil
}

func (w *fieldWork) truncated() string {
	return fmt.Sprintf("truncated(%d)", uniseg.GraphemeClusterCount(w.value.Reveal()))
}

// writeAll writes in one round trip.
func (p *Page) writeAll(ctx context.Context, v *verb, work []*fieldWork) (map[*fieldWork]put, error) {
	if len(work) == 0 {
		return nil, nil
	}
	arg := make([]map[string]any, len(work))
	for i, w := range work {
		arg[i] = map[string]any{"handle": w.read.Handle, "value": w.value.Reveal(), "secret": w.value.IsSecret(), "want": w.Want}
	}
	w, err := p.world(ctx, "", "")
	if err != nil {
		return nil, err
	}
	var r struct{ Fields []put }
	if err := p.at(ctx, v.until, w, "writeFields", map[string]any{"fields": arg, "blur": true}, &r); err != nil {
		if errors.Is(err, errGone) {
			return nil, &core.Fault{Code: core.LayoutChanged, Why: "the document went away while it was filled"}
		}
		return nil, err
	}
	if len(r.Fields) != len(work) {
		return nil, &core.Fault{Code: core.LayoutChanged, Why: "the document changed while it was filled"}
	}
	out := make(map[*fieldWork]put, len(work))
	for i, w := range work {
		out[w] = r.Fields[i]
	}
	return out, nil
}

// fillOne fills a field by itself: editors, frames of other origins, and what the
// page did not take at once.
func (p *Page) fillOne(ctx context.Context, v *verb, w *fieldWork) (put, error) {
	t, err := p.look(ctx, v, w.At, "group", nil)
	v.at = -1
	if err != nil {
		return put{}, err
	}
	if err := p.guard(w.value, t.info, w.At[0]); err != nil {
		return put{}, err
	}
	if t.info.Type != "checkbox" && (t.info.Role == "checkbox" || t.info.Role == "switch") {
		one := &verb{name: "check", loc: w.At, at: -1, until: v.until}
		on := slices.Contains([]string{"true", "yes", "on", "1"}, strings.ToLower(w.value.Reveal()))
		if t.info.Checked == on {
			return put{State: "kept"}, nil
		}
		_, err := p.check(ctx, one, t, on, nil)
		return put{State: "set"}, err
	}
	return p.write(ctx, v, t, w.value, w.Want, true)
}

// judge makes the field's result of what its control said.
func (w *fieldWork) judge(r put) error {
	switch {
	case r.State == "kept":
		w.result = "kept"
	case r.State == "set", r.State == "typed" && r.Same:
		w.result = "set"
		if w.cut {
			w.result = w.truncated()
		}
	case r.State == "typed" && r.Prefix && !w.value.IsSecret() && !slices.Contains(identity, w.Name):
		w.value = core.Text(r.Got)
		w.result = w.truncated()
	case r.State == "typed" && masked(r.Got, w.value.Reveal()):
		w.result = "set"
	case (r.State == "nochoice" || r.State == "differs" || r.State == "none") && !slices.Contains(identity, w.Name):
		if !w.Optional && r.State == "none" {
			return r.fault(w.read.Info)
		}
		w.result = "unsupported"
	default:
		f := core.AsFault(r.fault(w.read.Info), core.LayoutChanged)
		f.Why = "the field " + w.Name + ": " + f.Why
		return f
	}
	return nil
}

// masked reports whether a mask only added its own signs, as in (012) 345.
func masked(got, want string) bool {
	bare := func(s string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune(" -()./+:,", r) {
				return -1
			}
			return r
		}, s)
	}
	return got != "" && bare(got) != "" && bare(got) == bare(want)
}
