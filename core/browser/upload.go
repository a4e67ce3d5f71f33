package browser

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// Upload gives the task's image called asset, avatar or cover, fitted to the
// manifest's limits, to a file input, hidden or not, or to the file chooser that
// a click on the element opens. core.ErrNoAsset passes through.
func (p *Page) Upload(ctx context.Context, loc Locator, asset string, s *Signs) (Seen, error) {
	return p.run(ctx, "upload", loc, ActionTime, func(ctx context.Context, v *verb) (Seen, error) {
		if asset != "avatar" && asset != "cover" {
			return Seen{}, wrong("there is no image %q: name avatar or cover", p.clip(asset, 40))
		}
		path, err := p.s.Services.Asset(ctx, asset, p.o.Manifest.Limits[asset].Fit)
		if err != nil {
			return Seen{}, page.ServiceError{Err: err}
		}
		t, err := p.find(ctx, v, "any", s)
		if err != nil {
			return Seen{}, err
		}
		p.begin(s != nil)
		if t.info.Tag == "input" && t.info.Type == "file" {
			err = p.setFile(ctx, v, t, path)
		} else {
			err = p.chooseFile(ctx, v, path)
		}
		if err != nil {
			return Seen{}, err
		}
		seen, err := p.after(ctx, v, t.memory, s)
		if err == nil {
			p.results[asset] = "set"
		}
		return seen, err
	})
}

func (p *Page) setFile(ctx context.Context, v *verb, t target, path string) error {
	id, err := p.object(ctx, v.until, t.world, t.handle)
	if err != nil {
		return err
	}
	if err := p.done(ctx, v, p.c.send(t.world.session, proto.DOMSetFileInputFiles{Files: []string{path}, ObjectID: id})); err != nil {
		return err
	}
	var r struct{ N, Size int }
	if err := p.at(ctx, v.until, t.world, "chosen", map[string]any{"handle": t.handle}, &r); err != nil {
		if errors.Is(err, errGone) {
			return nil
		}
		return err
	}
	// A page that sends the file at once may have emptied the input already.
	if r.N > 0 && r.Size == 0 {
		return &core.Fault{Code: core.DriverError, Why: "the browser can't read the image's file"}
	}
	return nil
}

// chooseFile clicks what opens a file chooser and answers it.
func (p *Page) chooseFile(ctx context.Context, v *verb, path string) error {
	opened := make(chan proto.DOMBackendNodeID, 1)
	p.mu.Lock()
	p.st.chooser = opened
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.st.chooser = nil
		p.mu.Unlock()
		p.c.send(p.session, proto.PageSetInterceptFileChooserDialog{})
	}()
	if err := p.done(ctx, v, p.c.send(p.session, proto.PageSetInterceptFileChooserDialog{Enabled: true})); err != nil {
		return err
	}
	t, err := p.look(ctx, v, v.loc, "click", nil)
	if err != nil {
		return err
	}
	p.press(t.x, t.y)
	step, cancel := context.WithDeadline(ctx, v.until)
	defer cancel()
	select {
	case node := <-opened:
		return p.done(ctx, v, p.c.send(p.session, proto.DOMSetFileInputFiles{Files: []string{path}, BackendNodeID: node}))
	case <-p.c.ended:
		return errLost
	case <-step.Done():
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &core.Fault{Code: core.LayoutChanged, Why: fmt.Sprintf("the click on the <%s> opened no file chooser", t.info.Tag)}
	}
}
