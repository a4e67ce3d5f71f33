package browser

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
)

// press sends a whole click without waiting for the answer of each part. What it
// returns is the answer of the last.
func (p *Page) press(x, y float64) *call {
	mouse := func(kind proto.InputDispatchMouseEventType, button proto.InputMouseButton, buttons int) *call {
		e := proto.InputDispatchMouseEvent{Type: kind, X: x, Y: y, Button: button, Buttons: &buttons}
		if button != proto.InputMouseButtonNone {
			e.ClickCount = 1
		}
		return p.c.send(p.session, e)
	}
	mouse(proto.InputDispatchMouseEventTypeMouseMoved, proto.InputMouseButtonNone, 0)
	mouse(proto.InputDispatchMouseEventTypeMousePressed, proto.InputMouseButtonLeft, 1)
	return mouse(proto.InputDispatchMouseEventTypeMouseReleased, proto.InputMouseButtonLeft, 0)
}

// done waits until the page has taken an input event in.
func (p *Page) done(ctx context.Context, v *verb, k *call) error {
	step, cancel := context.WithDeadline(ctx, v.until.Add(patience))
	defer cancel()
	err := k.wait(step, nil)
	if errors.Is(err, context.DeadlineExceeded) {
		p.free()
		return &core.Fault{Code: core.Timeout, Why: "the page does not answer: a script of it runs without end"}
	}
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

// finish waits for the signs of an input that was sent, or for its being taken in.
func (p *Page) finish(ctx context.Context, v *verb, t target, k *call, s *Signs) (Seen, error) {
	if s != nil {
		return p.after(ctx, v, t.memory, s)
	}
	if err := p.done(ctx, v, k); err != nil {
		return Seen{}, err
	}
	p.mu.Lock()
	tabs := len(p.st.tabs)
	p.mu.Unlock()
	if tabs > 0 {
		return Seen{}, p.tabFault()
	}
	return Seen{}, nil
}

// Click clicks the one element, once it is visible, enabled, steady and not covered.
func (p *Page) Click(ctx context.Context, loc Locator, s *Signs) (Seen, error) {
	return p.run(ctx, "click", loc, ActionTime, func(ctx context.Context, v *verb) (Seen, error) {
		t, err := p.find(ctx, v, "click", s)
		if err != nil {
			return Seen{}, err
		}
		p.begin(s != nil)
		return p.finish(ctx, v, t, p.press(t.x, t.y), s)
	})
}

// Hover moves the mouse over the one element.
func (p *Page) Hover(ctx context.Context, loc Locator, s *Signs) (Seen, error) {
	return p.run(ctx, "hover", loc, ActionTime, func(ctx context.Context, v *verb) (Seen, error) {
		t, err := p.find(ctx, v, "hover", s)
		if err != nil {
			return Seen{}, err
		}
		p.begin(s != nil)
		no := 0
		k := p.c.send(p.session, proto.InputDispatchMouseEvent{Type: proto.InputDispatchMouseEventTypeMouseMoved, X: t.x, Y: t.y, Buttons: &no})
		return p.finish(ctx, v, t, k, s)
	})
}

// Check makes a checkbox, switch or radio button on or off; one that is so
// already is left alone.
func (p *Page) Check(ctx context.Context, loc Locator, on bool, s *Signs) (Seen, error) {
	return p.run(ctx, "check", loc, ActionTime, func(ctx context.Context, v *verb) (Seen, error) {
		t, err := p.find(ctx, v, "group", s)
		if err != nil {
			return Seen{}, err
		}
		return p.check(ctx, v, t, on, s)
	})
}

func (p *Page) check(ctx context.Context, v *verb, t target, on bool, s *Signs) (Seen, error) {
	toggle := t.info.Type == "checkbox" || t.info.Type == "radio"
	switch {
	case !toggle && t.info.Role != "checkbox" && t.info.Role != "switch" && t.info.Role != "menuitemcheckbox" && t.info.Role != "radio":
		return Seen{}, wrong("a <%s> can't be checked", t.info.Tag)
	case t.info.Checked == on:
		return Seen{}, nil
	case t.info.Type == "radio" && !on:
		return Seen{}, wrong("a radio button can't be switched off: choose another one")
	}
	t, err := p.look(ctx, v, v.loc, "click", s)
	if err != nil {
		return Seen{}, err
	}
	p.begin(s != nil)
	k := p.press(t.x, t.y)
	if err := p.done(ctx, v, k); err != nil {
		return Seen{}, err
	}
	var r reply
	if err := p.at(ctx, v.until, t.world, "checked", map[string]any{"handle": t.handle}, &r); err != nil && !errors.Is(err, errGone) {
		return Seen{}, err
	} else if err == nil && r.State == "ok" && r.On != on {
		return Seen{}, &core.Fault{Code: core.LayoutChanged, Why: "the click did not change it"}
	}
	return p.after(ctx, v, t.memory, s)
}

// Choose selects in a list or a group of radio buttons: the first alternative
// that is there, by value, then by label. Lists that a page draws itself
// (combobox, listbox) are opened and clicked.
func (p *Page) Choose(ctx context.Context, loc Locator, want []string, s *Signs) (Seen, error) {
	return p.run(ctx, "choose", loc, ActionTime, func(ctx context.Context, v *verb) (Seen, error) {
		if len(want) == 0 {
			return Seen{}, wrong("nothing is named to choose")
		}
		t, err := p.find(ctx, v, "group", s)
		if err != nil {
			return Seen{}, err
		}
		p.begin(s != nil)
		var r reply
		if err := p.at(ctx, v.until, t.world, "pick", map[string]any{"handle": t.handle, "want": want}, &r); err != nil && !errors.Is(err, errGone) {
			return Seen{}, err
		}
		switch r.State {
		case "none":
			return p.chooseDrawn(ctx, v, want, s)
		case "nochoice":
			return Seen{}, &core.Fault{Code: core.LayoutChanged, Why: "there is no choice " + strings.Join(want, " or "), Detail: "candidates: " + strings.Join(r.Near, " | ")}
		case "differs":
			return Seen{}, &core.Fault{Code: core.LayoutChanged, Why: "the control did not take the choice"}
		}
		return p.after(ctx, v, t.memory, s)
	})
}

// chooseDrawn opens a list that the page draws and clicks the option in it.
func (p *Page) chooseDrawn(ctx context.Context, v *verb, want []string, s *Signs) (Seen, error) {
	t, err := p.look(ctx, v, v.loc, "click", nil)
	if err != nil {
		return Seen{}, err
	}
	if t.info.Role != "combobox" && t.info.Role != "listbox" && t.info.Role != "button" {
		return Seen{}, wrong("a <%s> is no list of choices", t.info.Tag)
	}
	if t.info.Role != "listbox" {
		if err := p.done(ctx, v, p.press(t.x, t.y)); err != nil {
			return Seen{}, err
		}
	}
	var locs Locator
	for _, w := range want {
		locs = append(locs, `role=option[name=`+strconv.Quote(w)+`]`)
	}
	at := v.at
	o, err := p.look(ctx, v, locs, "click", s)
	v.at = at
	if err != nil {
		return Seen{}, err
	}
	return p.finish(ctx, v, o, p.press(o.x, o.y), s)
}

// CommitClick is Commit with a click; that the click is possible is made sure of
// before the intent becomes durable.
func (p *Page) CommitClick(ctx context.Context, loc Locator, s Signs) (Seen, error) {
	return p.commit(ctx, "submit", loc, s, func(ctx context.Context, v *verb) error {
		v.until = time.Now().Add(ActionTime)
		_, err := p.find(ctx, v, "click", nil)
		return err
	}, func(ctx context.Context, v *verb) error {
		v.until = time.Now().Add(ActionTime)
		t, err := p.look(ctx, v, loc, "click", nil)
		if err != nil {
			return err
		}
		p.begin(true)
		p.press(t.x, t.y)
		return nil
	})
}
