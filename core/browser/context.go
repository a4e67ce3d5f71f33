package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
)

// Isolated is a browser context: one task's cookies, storage, cache and tabs.
type Isolated struct {
	browser *Chromium
	process *process
	id      proto.BrowserBrowserContextID
	target  proto.TargetTargetID
	dead    chan struct{}
	die     func()
	close   sync.Once

	mu      sync.Mutex
	session proto.TargetSessionID // ours on the page; "" until it is needed
	masks   []core.Value
}

var _ core.BrowserContext = (*Isolated)(nil)

// openWithin bounds the opening of a context, closeWithin its end.
const (
	openWithin  = 20 * time.Second
	closeWithin = 5 * time.Second
)

// Context opens a context with one blank tab. All it connects to goes through
// proxy, loopback addresses included. With o.Own its process is started for it,
// and ends with it.
func (b *Chromium) Context(ctx context.Context, proxy string, o core.ContextOptions) (core.BrowserContext, error) {
	c, err := b.isolate(ctx, proxy, o)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (b *Chromium) isolate(ctx context.Context, proxy string, o core.ContextOptions) (*Isolated, error) {
	if !strings.HasPrefix(proxy, "http://") {
		return nil, fmt.Errorf("open a browser context: the proxy %q is not http://HOST:PORT", proxy)
	}
	if strings.ContainsFunc(o.Language, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-,;=. ", r))
	}) {
		return nil, fmt.Errorf("open a browser context: the language %q is not a list of language tags", o.Language)
	}
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	for {
		p, err := b.seat(ctx, o.Own)
		if err != nil {
			return nil, err
		}
		c := &Isolated{browser: b, process: p, dead: make(chan struct{})}
		c.die = sync.OnceFunc(func() { close(c.dead) })
		if err = c.open(ctx, proxy, o); err == nil {
			return c, nil
		}
		died := p.ended() || errors.Is(err, errNoControl)
		c.dispose()
		b.leave(p, false)
		if !died || ctx.Err() != nil {
			return nil, fmt.Errorf("open a browser context: %w", err)
		}
		p.kill("its connection is gone") // a dead one: the next seat is another's
		<-p.dead
	}
}

func (c *Isolated) open(ctx context.Context, proxy string, o core.ContextOptions) error {
	on := c.process.control.on(ctx, "")
	made, err := proto.TargetCreateBrowserContext{ProxyServer: proxy, ProxyBypassList: "<-loopback>"}.Call(on)
	if err != nil {
		return err
	}
	c.id = made.BrowserContextID

	tab, err := proto.TargetCreateTarget{URL: "about:blank", BrowserContextID: c.id}.Call(on)
	if err != nil {
		return err
	}
	c.target = tab.TargetID
	c.process.control.watch(c.target, c.die)
	go func() {
		select {
		case <-c.process.dead:
		case <-c.process.control.alive.Done():
		case <-c.dead:
		}
		c.process.control.unwatch(c.target)
		c.die()
	}()
	if o.Language != "" {
		session, err := c.attached(ctx)
		if err != nil {
			return err
		}
		// The override asks for a User-Agent too: the browser's own stays. Its
		// answer would wait for the tab's renderer; what counts is that the
		// browser has it before any navigation, which the next answer shows.
		if err := c.process.control.send(session, proto.EmulationSetUserAgentOverride{
			UserAgent: c.process.agent, AcceptLanguage: o.Language,
		}); err != nil {
			return err
		}
	}
	return c.setDownloads(on, o.Downloads)
}

func (c *Isolated) setDownloads(on caller, allow bool) error {
	set := proto.BrowserSetDownloadBehavior{
		Behavior:         proto.BrowserSetDownloadBehaviorBehaviorDeny,
		BrowserContextID: c.id,
		EventsEnabled:    true,
	}
	if allow {
		set.Behavior = proto.BrowserSetDownloadBehaviorBehaviorAllowAndName
		set.DownloadPath = c.downloads()
	}
	return set.Call(on)
}

// downloads is the context's own directory; the browser makes it.
func (c *Isolated) downloads() string {
	return filepath.Join(c.process.profile.path, "downloads", string(c.id))
}

// attached returns our session on the page. It stays, for what is overridden
// through it ends with it.
func (c *Isolated) attached(ctx context.Context) (proto.TargetSessionID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == "" {
		a, err := proto.TargetAttachToTarget{TargetID: c.target, Flatten: true}.Call(c.process.control.on(ctx, ""))
		if err != nil {
			return "", err
		}
		c.session = a.SessionID
	}
	return c.session, nil
}

// ControlURL is the DevTools endpoint of the context's browser process.
func (c *Isolated) ControlURL() string { return c.process.endpoint }

// ContextID is the browser's name of the context.
func (c *Isolated) ContextID() string { return string(c.id) }

// TargetID is the browser's name of the tab.
func (c *Isolated) TargetID() string { return string(c.target) }

// Dead is closed when the browser, the tab or its renderer is gone, by Close too.
func (c *Isolated) Dead() <-chan struct{} { return c.dead }

// Own makes the regular file at path readable by the browser: mode 0400, and
// the browser's when the runner is root. Links are refused.
func (c *Isolated) Own(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("hand a file to the browser: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("hand a file to the browser: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !info.Mode().IsRegular() || ok && st.Nlink > 1 {
		return fmt.Errorf("hand a file to the browser: %s is not a plain file of one name", path)
	}
	u := *c.browser.o.User
	if abs, err := filepath.Abs(path); err != nil {
		return fmt.Errorf("hand a file to the browser: %w", err)
	} else if at := barrier(filepath.Dir(abs), u); at != "" {
		return fmt.Errorf("hand a file to the browser: its user %d can't pass %s; chmod o+x it, or keep the files below another state directory", u.UID, at)
	}
	if os.Geteuid() == 0 {
		if err := f.Chown(u.UID, u.GID); err != nil {
			return fmt.Errorf("hand a file to the browser: %w", err)
		}
	}
	if err := f.Chmod(0o400); err != nil {
		return fmt.Errorf("hand a file to the browser: %w", err)
	}
	return nil
}

// Close ends the context with its tabs, cookies and downloads. It returns
// within seconds whatever the browser does; a second call does nothing.
func (c *Isolated) Close() error {
	var err error
	c.close.Do(func() {
		lived := !c.process.ended()
		err = c.dispose()
		c.browser.leave(c.process, lived && err == nil)
	})
	return err
}

func (c *Isolated) dispose() error {
	defer c.die()
	if c.id == "" || c.process.ended() {
		return nil
	}
	c.process.control.unwatch(c.target)
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	err := proto.TargetDisposeBrowserContext{BrowserContextID: c.id}.Call(c.process.control.on(ctx, ""))
	if rerr := os.RemoveAll(c.downloads()); err == nil {
		err = rerr
	}
	if errors.Is(err, errNoControl) {
		return nil // the browser is gone or about to be, and the context with it
	}
	if err != nil && !c.process.ended() {
		return fmt.Errorf("close a browser context: %w", err)
	}
	return nil
}
