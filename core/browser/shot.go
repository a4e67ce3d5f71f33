package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"strings"

	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
)

// shortSecret is the length below which a masked value is looked for in fields
// only: in running text it would hide half the page.
const shortSecret = 4

// Mask registers values that no picture of this context may show, wherever the
// page has them: a field, or text that echoes one.
func (c *Isolated) Mask(values ...core.Value) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range values {
		if !v.Empty() {
			c.masks = append(c.masks, v)
		}
	}
}

// Shot is a PNG of what the tab shows, with filled secret fields painted over:
// passwords, one-time codes, and whatever shows a value of Mask, in shadow roots
// and frames too. The fields are found from outside the page, which can neither
// notice nor prevent it. When they can't be found there is no picture.
func (c *Isolated) Shot(ctx context.Context, secrets ...core.Value) ([]byte, error) {
	c.Mask(secrets...)
	picture, err := c.shot(ctx)
	if err != nil {
		select {
		case <-c.dead:
			return nil, errors.New("take a picture of the page: its browser or renderer is gone")
		default:
			return nil, fmt.Errorf("take a picture of the page: %w", err)
		}
	}
	return picture, nil
}

func (c *Isolated) shot(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	defer context.AfterFunc(c.ending(ctx), cancel)()
	session, err := c.attached(ctx)
	if err != nil {
		return nil, err
	}
	on := c.process.control.on(ctx, session)
	c.mu.Lock()
	masks := append([]core.Value(nil), c.masks...)
	c.mu.Unlock()

	// What moves in between is covered where it was and where it went.
	before, err := c.covers(ctx, session, masks)
	if err != nil {
		return nil, err
	}
	taken, err := proto.PageCaptureScreenshot{Format: proto.PageCaptureScreenshotFormatPng, FromSurface: true}.Call(on)
	if err != nil {
		return nil, err
	}
	after, err := c.covers(ctx, session, masks)
	if err != nil {
		return nil, err
	}
	all := append(before, after...)
	if len(all) == 0 {
		return taken.Data, nil
	}
	view, err := proto.PageGetLayoutMetrics{}.Call(on)
	if err != nil {
		return nil, err
	}
	return paint(taken.Data, all, view.CSSVisualViewport)
}

// ending is a context that ends when the isolated context is dead, or ctx is.
func (c *Isolated) ending(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		select {
		case <-c.dead:
		case <-ctx.Done():
		}
	}()
	return ctx
}

// covers are the rectangles to paint over, in CSS pixels of the tab.
func (c *Isolated) covers(ctx context.Context, session proto.TargetSessionID, masks []core.Value) ([]proto.DOMQuad, error) {
	on := c.process.control.on(ctx, session)
	nodes, err := secretNodes(on, masks)
	if err != nil {
		return nil, err
	}
	// Frames of other sites are targets of their own. One that holds a secret is
	// covered whole.
	frames, err := c.frames(ctx, masks)
	if err != nil {
		return nil, err
	}
	for len(frames) > 0 {
		f := frames[0]
		frames = frames[1:]
		if !f.secret {
			continue
		}
		owner, err := proto.DOMGetFrameOwner{FrameID: f.frame}.Call(on)
		if err == nil {
			nodes = append(nodes, owner.BackendNodeID)
			continue
		}
		if !answered(err) {
			return nil, err
		}
		// A frame within a frame of another site: then the outer ones are covered.
		for i := range frames {
			frames[i].secret = true
		}
		for _, o := range f.others {
			if owner, err := (proto.DOMGetFrameOwner{FrameID: o}).Call(on); err == nil {
				nodes = append(nodes, owner.BackendNodeID)
			} else if !answered(err) {
				return nil, err
			}
		}
	}
	var out []proto.DOMQuad
	for _, id := range nodes {
		quads, err := proto.DOMGetContentQuads{BackendNodeID: id}.Call(on)
		if err != nil {
			if answered(err) { // it is not shown, or no longer there
				continue
			}
			return nil, err
		}
		out = append(out, quads.Quads...)
	}
	return out, nil
}

// answered reports whether err is the browser's own no, not a failure to ask.
func answered(err error) bool {
	var e *cdp.Error
	return errors.As(err, &e)
}

// frame is a frame of another site in this context.
type frame struct {
	frame  proto.PageFrameID
	secret bool
	others []proto.PageFrameID
}

// frames looks into the frames of other sites in this context.
func (c *Isolated) frames(ctx context.Context, masks []core.Value) ([]frame, error) {
	on := c.process.control.on(ctx, "")
	list, err := proto.TargetGetTargets{Filter: proto.TargetTargetFilter{{Type: "iframe"}}}.Call(on)
	if err != nil {
		return nil, err
	}
	var out []frame
	var ids []proto.PageFrameID
	for _, t := range list.TargetInfos {
		if t.BrowserContextID != c.id {
			continue
		}
		f := frame{frame: proto.PageFrameID(t.TargetID)}
		s, err := proto.TargetAttachToTarget{TargetID: t.TargetID, Flatten: true}.Call(on)
		if err != nil {
			if answered(err) { // gone meanwhile
				continue
			}
			return nil, err
		}
		nodes, err := secretNodes(c.process.control.on(ctx, s.SessionID), masks)
		derr := proto.TargetDetachFromTarget{SessionID: s.SessionID}.Call(on)
		if err = errors.Join(err, derr); err != nil && !answered(err) {
			return nil, err
		}
		f.secret = err != nil || len(nodes) > 0
		out, ids = append(out, f), append(ids, f.frame)
	}
	for i := range out {
		out[i].others = ids
	}
	return out, nil
}

// secretNodes are the nodes of a session's documents that show a secret.
func secretNodes(on caller, masks []core.Value) ([]proto.DOMBackendNodeID, error) {
	snap, err := proto.DOMSnapshotCaptureSnapshot{ComputedStyles: []string{}}.Call(on)
	if err != nil {
		return nil, err
	}
	text := func(i proto.DOMSnapshotStringIndex) string {
		if i < 0 || int(i) >= len(snap.Strings) {
			return ""
		}
		return snap.Strings[i]
	}
	var out []proto.DOMBackendNodeID
	for _, d := range snap.Documents {
		n := d.Nodes
		if n == nil {
			continue
		}
		values := map[int]string{}
		for _, rare := range []*proto.DOMSnapshotRareStringData{n.InputValue, n.TextValue} {
			if rare == nil {
				continue
			}
			for k, i := range rare.Index {
				if k < len(rare.Value) {
					values[i] = text(rare.Value[k])
				}
			}
		}
		for i, id := range n.BackendNodeID {
			value, field := values[i]
			secret := false
			switch {
			case field:
				secret = value != "" && (secretField(attributes(n, i, text)) || shows(value, masks, 0))
			case i < len(n.NodeValue):
				secret = shows(text(n.NodeValue[i]), masks, shortSecret)
			}
			if secret {
				out = append(out, id)
			}
		}
	}
	return out, nil
}

// attributes of the i-th node, name and value in turn.
func attributes(n *proto.DOMSnapshotNodeTreeSnapshot, i int, text func(proto.DOMSnapshotStringIndex) string) []string {
	if i >= len(n.Attributes) {
		return nil
	}
	out := make([]string, len(n.Attributes[i]))
	for k, s := range n.Attributes[i] {
		out[k] = text(s)
	}
	return out
}

// secretField reports whether an input's own attributes say that it holds a secret.
func secretField(attrs []string) bool {
	for i := 0; i+1 < len(attrs); i += 2 {
		value := strings.ToLower(strings.TrimSpace(attrs[i+1]))
		switch strings.ToLower(attrs[i]) {
		case "type":
			if value == "password" {
				return true
			}
		case "autocomplete":
			for word := range strings.FieldsSeq(value) {
				if word == "one-time-code" || word == "current-password" || word == "new-password" {
					return true
				}
			}
		}
	}
	return false
}

// shows reports whether text has one of the values: as a whole, or in it when
// the value has at least least characters.
func shows(text string, masks []core.Value, least int) bool {
	if text == "" {
		return false
	}
	for _, v := range masks {
		s := v.Reveal()
		if text == s || len(s) >= max(least, shortSecret) && strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// paint covers the quads of the picture.
func paint(picture []byte, quads []proto.DOMQuad, view *proto.PageVisualViewport) ([]byte, error) {
	src, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, fmt.Errorf("mask secrets: %w", err)
	}
	scale := 1.0
	if view != nil && view.ClientWidth > 0 {
		scale = float64(src.Bounds().Dx()) / view.ClientWidth
	}
	out := image.NewNRGBA(src.Bounds())
	draw.Draw(out, out.Bounds(), src, src.Bounds().Min, draw.Src)
	for _, q := range quads {
		draw.Draw(out, around(q, scale), image.NewUniform(color.NRGBA{0x22, 0x22, 0x22, 0xff}), image.Point{}, draw.Src)
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, out); err != nil {
		return nil, fmt.Errorf("mask secrets: %w", err)
	}
	return b.Bytes(), nil
}

// around is the upright rectangle about a quad, with two pixels to spare.
func around(q proto.DOMQuad, scale float64) image.Rectangle {
	if len(q) < 8 {
		return image.Rectangle{}
	}
	left, top := math.Inf(1), math.Inf(1)
	right, bottom := math.Inf(-1), math.Inf(-1)
	for i := 0; i+1 < len(q); i += 2 {
		left, right = min(left, q[i]), max(right, q[i])
		top, bottom = min(top, q[i+1]), max(bottom, q[i+1])
	}
	at := func(v, spare float64) int {
		return int(max(-1e6, min(1e6, v*scale+spare)))
	}
	return image.Rect(at(left, -3), at(top, -3), at(right, 3), at(bottom, 3))
}
