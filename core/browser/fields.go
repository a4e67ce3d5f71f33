package browser

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
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
	*page.Entry
	result string
	read   readField
}

type readField struct {
	State, Why, Kind, Off, Value string
	At, Handle                   int
	Many                         bool
	Info                         info
	Near                         []string
}

func (p *Page) fields(ctx context.Context, v *verb, fields []Field) (int, error) {
	entries, uploads, err := page.Plan(fields, p.o)
	if err != nil {
		return 0, err
	}
	work := make([]*fieldWork, len(entries))
	for i, e := range entries {
		work[i] = &fieldWork{Entry: e}
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
		if r.State == "typed" && !r.Same && !w.Text.IsSecret() && !r.Prefix {
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
	if err := p.guard(w.Text, w.read.Info, loc); err != nil {
		var f *core.Fault
		if errors.As(err, &f) {
			f.Why = "the field " + w.Name + ": " + f.Why
		}
		return err
	}
	if w.read.Kind == "text" {
		if err := w.FitLength(w.read.Info.Maxlength); err != nil {
			return err
		}
	}
	if len(w.Want) == 0 && (w.read.Kind == "text" || w.read.Kind == "rich" || w.read.Kind == "native") && w.read.Info.Type != "password" && !w.Text.IsSecret() {
		same := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
		if same(w.read.Value) == same(w.Text.Reveal()) {
			w.result = "kept"
		}
	}
	return nil
}

// writeAll writes in one round trip.
func (p *Page) writeAll(ctx context.Context, v *verb, work []*fieldWork) (map[*fieldWork]put, error) {
	if len(work) == 0 {
		return nil, nil
	}
	arg := make([]map[string]any, len(work))
	for i, w := range work {
		arg[i] = map[string]any{"handle": w.read.Handle, "value": w.Text.Reveal(), "secret": w.Text.IsSecret(), "want": w.Want}
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
	if err := p.guard(w.Text, t.info, w.At[0]); err != nil {
		return put{}, err
	}
	if t.info.Type != "checkbox" && (t.info.Role == "checkbox" || t.info.Role == "switch") {
		one := &verb{name: "check", loc: w.At, at: -1, until: v.until}
		on := slices.Contains([]string{"true", "yes", "on", "1"}, strings.ToLower(w.Text.Reveal()))
		if t.info.Checked == on {
			return put{State: "kept"}, nil
		}
		_, err := p.check(ctx, one, t, on, nil)
		return put{State: "set"}, err
	}
	return p.write(ctx, v, t, w.Text, w.Want, true)
}

// judge makes the field's result of what its control said.
func (w *fieldWork) judge(r put) error {
	switch {
	case r.State == "kept":
		w.result = "kept"
	case r.State == "set", r.State == "typed" && r.Same:
		w.result = "set"
		if w.Cut {
			w.result = w.Truncated()
		}
	case r.State == "typed" && r.Prefix && !w.Text.IsSecret() && !slices.Contains(page.Identity, w.Name):
		w.Text = core.Text(r.Got)
		w.result = w.Truncated()
	case r.State == "typed" && masked(r.Got, w.Text.Reveal()):
		w.result = "set"
	case (r.State == "nochoice" || r.State == "differs" || r.State == "none") && !slices.Contains(page.Identity, w.Name):
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
