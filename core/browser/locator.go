package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
)

// crossList is the "cross" of a reply: one crossing for a locator, a list for signs.
type crossList struct {
	One   *crossing
	Signs []crossSign
}

// UnmarshalJSON reads either form.
func (c *crossList) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, &c.Signs)
	}
	return json.Unmarshal(data, &c.One)
}

// info is what the page tells of a control.
type info struct {
	Tag, Type, Name, ID, Autocomplete, Inputmode, Pattern, Role string
	Page, Action, Label                                         string
	Maxlength                                                   int
	Editable, Multiple, Checked                                 bool
}

// point is a place in a frame's viewport, in CSS pixels.
type point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// target is an element that was found fit to act on.
type target struct {
	world  world
	handle int
	x, y   float64 // where to click, in the tab
	info   info
	memory memory
}

// find waits until one element matches and is what want asks for, through frames
// of other origins too, and takes the memory for the signs.
func (p *Page) find(ctx context.Context, v *verb, want string, s *Signs) (target, error) {
	if err := v.loc.Check(); err != nil {
		return target{}, err
	}
	if err := s.Check(); err != nil {
		return target{}, err
	}
	if err := p.settle(ctx, v, false); err != nil {
		return target{}, err
	}
	return p.look(ctx, v, v.loc, want, s)
}

func (p *Page) look(ctx context.Context, v *verb, loc Locator, want string, s *Signs) (target, error) {
	type hop struct {
		world  world
		handle int
	}
	for {
		locs, frame := loc, ""
		var hops []hop
		m := memory{}
		t, again, err := func() (target, bool, error) {
			for {
				arg := map[string]any{"locs": locs, "want": want}
				if frame == "" {
					arg["dismiss"] = p.o.Manifest.Dismiss
					if s != nil {
						p.count++
						m.id = p.count
						arg["id"], arg["signs"] = m.id, wire(s)
					}
				}
				var r reply
				w, err := p.inPage(ctx, v.until, frame, "act", arg, &r)
				if err != nil {
					return target{}, frame != "" && errors.Is(err, errGone) && time.Now().Before(v.until), err
				}
				if len(hops) == 0 && r.At >= 0 && (r.State == "ok" || r.State == "cross") {
					v.at = r.At
				}
				switch r.State {
				case "ok":
					t := target{world: w, handle: r.Handle, x: r.X, y: r.Y, info: r.Info, memory: m}
					if len(hops) == 0 {
						p.recall(ctx, v, w, &t.memory, r.Watch)
						return t, false, nil
					}
					inner := point{t.x, t.y}
					for _, h := range slices.Backward(hops) {
						var at point
						if err := p.at(ctx, v.until, h.world, "spot", map[string]any{"handle": h.handle, "to": inner}, &at); err != nil {
							return t, errors.Is(err, errGone), err
						}
						inner = point{inner.X + at.X, inner.Y + at.Y}
					}
					t.x, t.y = inner.X, inner.Y
					if want == "click" || want == "hover" {
						if err := p.at(ctx, v.until, hops[0].world, "painted", map[string]any{}, nil); err != nil {
							return t, errors.Is(err, errGone), err
						}
					}
					t.memory, err = p.remember(ctx, v, s)
					return t, false, err
				case "dismiss":
					if err := p.done(ctx, v, p.press(r.X, r.Y)); err != nil {
						return target{}, false, err
					}
				case "cross":
					hops = append(hops, hop{w, r.Cross.One.Handle})
					locs = Locator{r.Cross.One.Rest}
					if frame, err = p.frameOf(ctx, v.until, w, r.Cross.One.Handle); err != nil {
						return target{}, errors.Is(err, errGone), err
					}
				default:
					return target{}, false, p.notFound(&r)
				}
			}
		}()
		if err == nil || !again {
			return t, err
		}
	}
}

// at calls a function in one very document.
func (p *Page) at(ctx context.Context, until time.Time, w world, name string, arg map[string]any, out any) error {
	limit := max(0, time.Until(until))
	if d, ok := ctx.Deadline(); ok {
		limit = min(limit, max(0, time.Until(d)))
	}
	arg["timeout"] = limit.Milliseconds()
	step, cancel := context.WithTimeout(ctx, limit+patience)
	defer cancel()
	err := valueOf(step, p.invoke(w, name, arg), out)
	if errors.Is(err, context.DeadlineExceeded) {
		p.free()
		return &core.Fault{Code: core.Timeout, Why: "the page does not answer: a script of it runs without end"}
	}
	return err
}

// object is the remote object of a kept element.
func (p *Page) object(ctx context.Context, until time.Time, w world, handle int) (proto.RuntimeRemoteObjectID, error) {
	ctx, cancel := context.WithDeadline(ctx, until.Add(patience))
	defer cancel()
	var r struct {
		Result struct{ ObjectID proto.RuntimeRemoteObjectID }
	}
	err := p.c.sendTo(w.session, w.id, "Runtime.callFunctionOn", map[string]any{
		"functionDeclaration": "function(h){return rollcall.element({handle:h})}",
		"uniqueContextId":     w.id,
		"arguments":           []map[string]any{{"value": handle}},
	}).wait(ctx, &r)
	if err == nil && r.Result.ObjectID == "" {
		err = errGone
	}
	return r.Result.ObjectID, err
}

// frameOf is the frame that a kept frame element holds.
func (p *Page) frameOf(ctx context.Context, until time.Time, w world, handle int) (string, error) {
	id, err := p.object(ctx, until, w, handle)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithDeadline(ctx, until.Add(patience))
	defer cancel()
	var r proto.DOMDescribeNodeResult
	if err := p.c.send(w.session, proto.DOMDescribeNode{ObjectID: id}).wait(ctx, &r); err != nil {
		return "", err
	}
	if r.Node == nil || r.Node.FrameID == "" {
		return "", errGone
	}
	return string(r.Node.FrameID), nil
}

// notFound makes the fault of a reply that found nothing fit.
func (p *Page) notFound(r *reply) error {
	switch r.State {
	case "failed":
		return p.lost()
	case "badlocator":
		return wrong("%s", r.Why)
	}
	if r.Page != nil {
		r.Page.Status = p.statusNow(r.Page.Status)
	}
	if r.Page != nil && (r.Page.Status == 429 || r.Page.Status >= 500) {
		return p.status(r.Page.Status, r.Page)
	}
	f := &core.Fault{Code: core.LayoutChanged, Why: r.Why, Detail: r.Page.String()}
	if f.Why == "" {
		f.Why = "nothing matches"
	}
	if r.Page != nil && r.Page.Ready == "loading" {
		f.Code = core.Timeout
	}
	if r.Page != nil && r.Page.Status >= 400 {
		f.Code = core.HTTPError
	}
	if r.Covers != "" {
		f.Detail += "\ncovered by: " + r.Covers
	}
	if len(r.Near) > 0 {
		f.Detail += "\ncandidates: " + strings.Join(r.Near, " | ")
	}
	return f
}
