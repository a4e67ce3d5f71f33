package browser

import (
	"context"
	"errors"
	"time"
)

// peek reads from the page as it is, without waiting for anything but a document.
func (p *Page) peek(ctx context.Context, verbName string, loc Locator, arg map[string]any) (reply, error) {
	var r reply
	_, err := p.run(ctx, verbName, loc, ActionTime, func(ctx context.Context, v *verb) (Seen, error) {
		if err := loc.Check(); err != nil {
			return Seen{}, err
		}
		p.mu.Lock()
		tabs := len(p.st.tabs)
		p.mu.Unlock()
		if tabs > 0 {
			return Seen{}, p.tabFault()
		}
		arg["what"] = verbName
		locs, frame := loc, ""
		for {
			r = reply{}
			arg["locs"] = locs
			w, err := p.inPage(ctx, v.until, frame, "peek", arg, &r)
			if errors.Is(err, errGone) && time.Now().Before(v.until) {
				locs, frame = loc, ""
				continue
			}
			if err != nil {
				return Seen{}, err
			}
			if frame == "" && r.State == "ok" {
				v.at = r.At
			}
			switch r.State {
			case "ok":
				return Seen{}, nil
			case "cross":
				locs = Locator{r.Cross.One.Rest}
				if frame, err = p.frameOf(ctx, v.until, w, r.Cross.One.Handle); err != nil {
					return Seen{}, err
				}
			case "secret":
				return Seen{}, wrong("what a secret field holds is never read")
			default:
				return Seen{}, p.notFound(&r)
			}
		}
	})
	return r, err
}

// Exists reports whether anything visible matches now.
func (p *Page) Exists(ctx context.Context, loc Locator) (bool, error) {
	r, err := p.peek(ctx, "exists", loc, map[string]any{})
	return err == nil && r.N > 0, err
}

// Text is the visible text of the one element now, redacted. Where a secret was
// typed it is refused.
func (p *Page) Text(ctx context.Context, loc Locator) (string, error) {
	r, err := p.peek(ctx, "text", loc, map[string]any{})
	return p.redact(r.Value), err
}

// Attr is an attribute of the one element now, hidden or not, redacted; "" when
// it has none. href and src are made absolute; value and checked are what the
// control holds. Where a secret was typed it is refused.
func (p *Page) Attr(ctx context.Context, loc Locator, name string) (string, error) {
	if name == "" {
		return "", p.explain(wrong("the attribute has no name"), &verb{name: "attr", loc: loc, at: -1})
	}
	r, err := p.peek(ctx, "attr", loc, map[string]any{"name": name})
	return p.redact(r.Value), err
}
