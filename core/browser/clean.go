package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
)

var _ core.Cleaner = (*Isolated)(nil)

// errWorn is why a context is not cleaned any more.
var errWorn = errors.New("its browser has served long enough")

// everyOrigin is what Storage.clearDataForOrigin takes for all origins at once:
// embedded ones too, whose storage is kept apart by the page that embeds them.
const everyOrigin = "*"

// cleanRounds is how often a context is cleaned that was found with something in
// it that could still write.
const cleanRounds = 4

// Clean implements core.Cleaner. The page is left first, then whatever else runs
// in the context is ended, and what is stored is cleared when nothing is left
// that could store anything.
func (c *Isolated) Clean(ctx context.Context) error {
	if err := c.clean(ctx); err != nil {
		return fmt.Errorf("clean a browser context: %w", err)
	}
	return nil
}

func (c *Isolated) clean(ctx context.Context) error {
	select {
	case <-c.dead:
		return errors.New("its page is gone")
	default:
	}
	if !c.browser.again(c.process) {
		return errWorn
	}
	session, err := c.attached(ctx)
	if err != nil {
		return err
	}
	on := c.process.control.on(ctx, session)
	if err := c.blank(ctx, on); err != nil {
		return err
	}
	for range cleanRounds {
		quiet, err := c.quieten(ctx)
		if err != nil {
			return err
		}
		if err := c.clear(ctx, on); err != nil {
			return err
		}
		if quiet {
			return c.inspect(on)
		}
	}
	return errors.New("something in it does not end")
}

// again counts another task of a context of p, and reports whether p may serve it.
func (b *Chromium) again(p *process) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || p.worn || b.o.MaxContexts >= 0 && p.opened >= b.o.MaxContexts {
		return false
	}
	p.opened++
	return true
}

// blank leaves the page for about:blank. Questions about leaving it, and dialogs
// that it still opens, are answered.
func (c *Isolated) blank(ctx context.Context, on caller) error {
	ctl := c.process.control
	var mu sync.Mutex
	loader, loaders := proto.NetworkLoaderID(""), map[proto.NetworkLoaderID]bool{}
	stands := make(chan struct{})
	check := sync.OnceFunc(func() { close(stands) })
	ctl.hear(on.session, func(e *cdp.Event) {
		switch e.Method {
		case "Page.javascriptDialogOpening":
			ctl.send(on.session, proto.PageHandleJavaScriptDialog{Accept: true})
		case "Page.frameNavigated":
			var n proto.PageFrameNavigated
			if json.Unmarshal(e.Params, &n) != nil || n.Frame.ParentID != "" {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if loaders[n.Frame.LoaderID] = true; n.Frame.LoaderID == loader {
				check()
			}
		}
	})
	defer ctl.unhear(on.session)
	if err := (proto.PageEnable{}).Call(on); err != nil {
		return err
	}
	// One that opened while nobody listened stands in the way of everything.
	if err := ctl.send(on.session, proto.PageHandleJavaScriptDialog{Accept: true}); err != nil {
		return err
	}
	to, err := proto.PageNavigate{URL: "about:blank"}.Call(on)
	if err != nil {
		return err
	}
	if to.ErrorText != "" || to.LoaderID == "" {
		return fmt.Errorf("its page can't be left: %s", to.ErrorText)
	}
	mu.Lock()
	if loader = to.LoaderID; loaders[loader] {
		check()
	}
	mu.Unlock()
	select {
	case <-stands:
	case <-c.dead:
		return errors.New("its page is gone")
	case <-ctx.Done():
		return ctx.Err()
	}
	return proto.PageDisable{}.Call(on)
}

// quieten closes the pop-ups and ends the workers of the context, and reports
// whether there was nothing to end.
func (c *Isolated) quieten(ctx context.Context) (quiet bool, err error) {
	others, err := c.others(ctx)
	if err != nil {
		return false, err
	}
	for _, t := range others {
		// One that has gone meanwhile is no fault; one that stays is seen again.
		proto.TargetCloseTarget{TargetID: t.TargetID}.Call(c.process.control.on(ctx, ""))
	}
	return len(others) == 0, ctx.Err()
}

// others are the context's targets but its own tab: pop-ups, frames, workers.
func (c *Isolated) others(ctx context.Context) ([]*proto.TargetTargetInfo, error) {
	all, err := proto.TargetGetTargets{}.Call(c.process.control.on(ctx, ""))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all.TargetInfos, func(t *proto.TargetTargetInfo) bool {
		return t.BrowserContextID != c.id || t.TargetID == c.target
	}), nil
}

// clear clears what the context has stored, and what its tab remembers.
func (c *Isolated) clear(ctx context.Context, on caller) error {
	browser := c.process.control.on(ctx, "")
	steps := []func() error{
		func() error {
			return proto.StorageClearDataForOrigin{Origin: everyOrigin, StorageTypes: "all"}.Call(on)
		},
		func() error { return proto.StorageClearCookies{BrowserContextID: c.id}.Call(browser) },
		func() error { return proto.BrowserResetPermissions{BrowserContextID: c.id}.Call(browser) },
		func() error { return proto.PageResetNavigationHistory{}.Call(on) },
		func() error { return proto.NetworkClearBrowserCache{}.Call(on) },
		func() error { return proto.HeapProfilerCollectGarbage{}.Call(on) }, // the renderer stays, and would keep every document of the task
		func() error { // switched off, the renderer's own cache of resources is emptied
			return errors.Join(proto.NetworkSetCacheDisabled{CacheDisabled: true}.Call(on), proto.NetworkSetCacheDisabled{}.Call(on))
		},
	}
	failed := make(chan error, len(steps))
	for _, step := range steps {
		go func() { failed <- step() }()
	}
	var errs []error
	for range steps {
		errs = append(errs, <-failed)
	}
	return errors.Join(errs...)
}

// inspect looks at what can be looked at: a step that did nothing shows here.
func (c *Isolated) inspect(on caller) error {
	kept, err := proto.StorageGetCookies{BrowserContextID: c.id}.Call(c.process.control.on(on.ctx, ""))
	if err != nil {
		return err
	}
	if n := len(kept.Cookies); n > 0 {
		return fmt.Errorf("%d cookies stayed", n)
	}
	const blank = `name = ""; JSON.stringify([location.href, history.length, name])`
	got, err := proto.RuntimeEvaluate{Expression: blank, ReturnByValue: true}.Call(on)
	if err != nil {
		return err
	}
	if s := got.Result.Value.String(); s != `["about:blank",1,""]` {
		return fmt.Errorf("its tab is not blank: %.200s", s)
	}
	return nil
}
