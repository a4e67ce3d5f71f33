package browser

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-rod/rod/lib/input"
	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// Fill sets a control, whatever its kind, and reads it back: text with trusted
// input events, lists and dates with their own. A text that the control does not
// take as it is is an error. An empty value clears.
func (p *Page) Fill(ctx context.Context, loc Locator, value core.Value, s *Signs) (Seen, error) {
	return p.run(ctx, "fill", loc, ActionTime, func(ctx context.Context, v *verb) (Seen, error) {
		if err := page.Typeable(value); err != nil {
			return Seen{}, err
		}
		t, err := p.find(ctx, v, "group", s)
		if err != nil {
			return Seen{}, err
		}
		if err := p.guard(value, t.info, v.locator()); err != nil {
			return Seen{}, err
		}
		p.begin(s != nil)
		if err := p.set(ctx, v, t, value, nil, s != nil); err != nil {
			return Seen{}, err
		}
		return p.after(ctx, v, t.memory, s)
	})
}

// put is what a control said to being set.
type put struct {
	State, Kind, Got   string
	Near               []string
	Same, Prefix       bool
	Length, Want, Kept int
}

// set sets one control and fails unless it then holds the value.
func (p *Page) set(ctx context.Context, v *verb, t target, value core.Value, want []string, blur bool) error {
	r, err := p.write(ctx, v, t, value, want, blur)
	if err != nil {
		return err
	}
	return r.fault(t.info)
}

// write sets one control and tells what it then holds. Secrets and what the
// control takes so are written in the page; editors, and text that the page did
// not take so, by the browser's own text input.
func (p *Page) write(ctx context.Context, v *verb, t target, value core.Value, want []string, blur bool) (put, error) {
	var r put
	arg := map[string]any{"handle": t.handle, "value": value.Reveal(), "secret": value.IsSecret(), "want": want}
	if value.IsSecret() || (t.info.Tag != "textarea" && t.info.Tag != "input" && !t.info.Editable) || t.info.Type == "checkbox" || t.info.Type == "radio" || native[t.info.Type] {
		if err := p.at(ctx, v.until, t.world, "put", arg, &r); err != nil {
			return r, err
		}
		if r.State == "typed" && blur {
			_ = p.at(ctx, v.until, t.world, "blur", map[string]any{"handle": t.handle}, nil)
		}
		return r, nil
	}
	if t.info.Type == "file" || t.info.Type == "submit" || t.info.Type == "button" || t.info.Type == "image" || t.info.Type == "reset" {
		return put{State: "none", Kind: t.info.Type}, nil
	}
	return p.insert(ctx, v, t, value, blur)
}

var native = map[string]bool{"date": true, "time": true, "month": true, "week": true, "datetime-local": true, "color": true, "range": true}

// insert replaces the text of the focused element by the browser's text input.
func (p *Page) insert(ctx context.Context, v *verb, t target, value core.Value, blur bool) (put, error) {
	var r put
	var f reply
	if err := p.at(ctx, v.until, t.world, "focusKept", map[string]any{"handle": t.handle}, &f); err != nil {
		return r, err
	}
	if f.State != "ok" {
		return put{State: "nofocus"}, nil
	}
	if value.Empty() {
		if err := p.at(ctx, v.until, t.world, "clear", map[string]any{"handle": t.handle}, nil); err != nil {
			return r, err
		}
	} else if err := p.done(ctx, v, p.c.send(p.session, proto.InputInsertText{Text: value.Reveal()})); err != nil {
		return r, err
	}
	err := p.at(ctx, v.until, t.world, "back", map[string]any{"handle": t.handle, "value": value.Reveal(), "blur": blur}, &r)
	return r, err
}

func (r put) fault(i info) error {
	fault := func(format string, args ...any) error {
		f := &core.Fault{Code: core.LayoutChanged, Why: fmt.Sprintf(format, args...)}
		if len(r.Near) > 0 {
			f.Detail = "candidates: " + strings.Join(r.Near, " | ")
		}
		return f
	}
	switch r.State {
	case "set", "kept":
		return nil
	case "typed":
		if r.Same {
			return nil
		}
		if i.Maxlength > 0 && r.Prefix {
			return fault("the control holds %d of %d characters: its maxlength is %d", r.Length, r.Want, i.Maxlength)
		}
		return fault("the control did not take the text as it is: it holds %d characters, %d were typed", r.Length, r.Want)
	case "differs":
		return fault("the control did not take the value: an input of type %s takes %s", i.Type, forms[i.Type])
	case "nochoice":
		return fault("there is no such choice")
	case "gone":
		return fault("the element went away while it was filled")
	case "nofocus":
		return fault("the element does not take the focus")
	}
	if i.Type == "file" {
		return wrong("a file input is not filled: use upload")
	}
	return wrong("a <%s> can't be filled", strings.TrimSpace(i.Tag+" "+i.Type))
}

var forms = map[string]string{
	"date": "2006-01-02", "time": "15:04", "month": "2006-01", "week": "2006-W01", "datetime-local": "2006-01-02T15:04", "color": "#rrggbb", "range": "a number in its range",
}

// Type types key by key into the element, after what it holds. Characters that
// are on no US key come by text input.
func (p *Page) Type(ctx context.Context, loc Locator, value core.Value, s *Signs) (Seen, error) {
	return p.run(ctx, "type", loc, ActionTime, func(ctx context.Context, v *verb) (Seen, error) {
		if err := page.Typeable(value); err != nil {
			return Seen{}, err
		}
		t, err := p.find(ctx, v, "group", s)
		if err != nil {
			return Seen{}, err
		}
		if err := p.guard(value, t.info, v.locator()); err != nil {
			return Seen{}, err
		}
		if t.info.Tag != "input" && t.info.Tag != "textarea" && !t.info.Editable && t.info.Role != "combobox" {
			return Seen{}, wrong("a <%s> can't be typed into", t.info.Tag)
		}
		if t.info.Type == "file" || t.info.Type == "checkbox" || t.info.Type == "radio" {
			return Seen{}, wrong("an input of type %s can't be typed into", t.info.Type)
		}
		p.begin(s != nil)
		var last *call
		for _, r := range value.Reveal() {
			// Where each key goes is looked at again for a secret: a page may move the focus.
			if last == nil || value.IsSecret() {
				var f reply
				arg := map[string]any{"handle": t.handle, "end": last == nil, "secret": value.IsSecret(), "only": last != nil}
				if err := p.at(ctx, v.until, t.world, "focusKept", arg, &f); err != nil {
					return Seen{}, err
				}
				if f.State != "ok" {
					return Seen{}, &core.Fault{Code: core.LayoutChanged, Why: "the element lost the focus"}
				}
			}
			last = p.key(r)
			if value.IsSecret() {
				if err := p.done(ctx, v, last); err != nil {
					return Seen{}, err
				}
			}
		}
		if last != nil {
			if err := p.done(ctx, v, last); err != nil {
				return Seen{}, err
			}
		}
		return p.after(ctx, v, t.memory, s)
	})
}

// key sends one character.
func (p *Page) key(r rune) *call {
	if r == '\n' {
		r = '\r'
	}
	if k := input.Key(r); (r >= ' ' && r < 127) || r == '\r' || r == '\t' {
		mod := 0
		if upper(k) {
			mod = input.ModifierShift
		}
		p.c.send(p.session, k.Encode(proto.InputDispatchKeyEventTypeKeyDown, mod))
		return p.c.send(p.session, k.Encode(proto.InputDispatchKeyEventTypeKeyUp, mod))
	}
	return p.c.send(p.session, proto.InputInsertText{Text: string(r)})
}

// upper reports whether a key's character needs shift.
func upper(k input.Key) bool {
	return (k >= 'A' && k <= 'Z') || strings.ContainsRune(`~!@#$%^&*()_+{}|:"<>?`, rune(k))
}

var keys = map[string]input.Key{
	"enter": input.Enter, "tab": input.Tab, "escape": input.Escape, "backspace": input.Backspace, "delete": input.Delete, "space": input.Space,
	"arrowup": input.ArrowUp, "arrowdown": input.ArrowDown, "arrowleft": input.ArrowLeft, "arrowright": input.ArrowRight,
	"home": input.Home, "end": input.End, "pageup": input.PageUp, "pagedown": input.PageDown,
}

// Press focuses the element and presses one key: a name such as Enter, Tab,
// Escape, ArrowDown, or one character of a US keyboard.
func (p *Page) Press(ctx context.Context, loc Locator, key string, s *Signs) (Seen, error) {
	return p.run(ctx, "press", loc, ActionTime, func(ctx context.Context, v *verb) (Seen, error) {
		k, ok := keys[strings.ToLower(key)]
		if !ok && len(key) == 1 && key[0] > ' ' && key[0] < 127 {
			k, ok = input.Key(key[0]), true
		}
		if !ok {
			return Seen{}, wrong("there is no key %q: name Enter, Tab, Escape, Backspace, Delete, Space, Home, End, PageUp, PageDown, an Arrow key, or one character", p.clip(key, 20))
		}
		t, err := p.find(ctx, v, "focus", s)
		if err != nil {
			return Seen{}, err
		}
		p.begin(s != nil)
		mod := 0
		if upper(k) {
			mod = input.ModifierShift
		}
		p.c.send(p.session, k.Encode(proto.InputDispatchKeyEventTypeKeyDown, mod))
		return p.finish(ctx, v, t, p.c.send(p.session, k.Encode(proto.InputDispatchKeyEventTypeKeyUp, mod)), s)
	})
}

// Paste puts HTML into a rich editor as a person's paste would, in place of what
// it holds; a plain text control gets the HTML as text.
func (p *Page) Paste(ctx context.Context, loc Locator, html string, s *Signs) (Seen, error) {
	return p.run(ctx, "paste", loc, ActionTime, func(ctx context.Context, v *verb) (Seen, error) {
		t, err := p.find(ctx, v, "edit", s)
		if err != nil {
			return Seen{}, err
		}
		p.begin(s != nil)
		var r put
		if err := p.at(ctx, v.until, t.world, "paste", map[string]any{"handle": t.handle, "html": html}, &r); err != nil && !errors.Is(err, errGone) {
			return Seen{}, err
		}
		if r.State == "typed" && !r.Same {
			return Seen{}, &core.Fault{Code: core.LayoutChanged, Why: fmt.Sprintf("the editor did not take the text: it holds %d characters, %d were pasted", r.Length, r.Want)}
		}
		if r.State != "typed" {
			return Seen{}, r.fault(t.info)
		}
		return p.after(ctx, v, t.memory, s)
	})
}
