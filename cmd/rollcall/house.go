package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/asset"
	"github.com/rollcall-run/rollcall/core/browser"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/control"
	"github.com/rollcall-run/rollcall/core/egress"
	"github.com/rollcall-run/rollcall/core/entity"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/machine"
	"github.com/rollcall-run/rollcall/core/mail"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/core/text"
	"github.com/rollcall-run/rollcall/drivers"
)

// house is every room, wired for one run.
type house struct {
	watched bool // a person follows each verb
	cfg     *config.Config
	log     *slog.Logger
	redact  *secret.Redactor
	store   *ledger.Ledger
	fleet   *fleet
	runner  runner.Options
	slots   slots
	closes  []func() error
}

// assemble opens what a run needs, in the order in which the cheapest mistake
// shows first. On an error nothing is left open.
func assemble(ctx context.Context, cfg *config.Config, handler func(*secret.Redactor) slog.Handler) (*house, error) {
	h := newHouse(cfg, handler)
	if err := cfg.Check(); err != nil {
		return nil, usage(err)
	}
	key, err := apiKey(cfg)
	if err != nil {
		return nil, err
	}
	h.redact.Add(key)
	manager, err := h.taskManager(key)
	if err != nil {
		return nil, err
	}
	return h, h.open(ctx, manager)
}

// apiKey is the key of the task manager.
func apiKey(cfg *config.Config) (core.Value, error) {
	key, err := cfg.Entity.APIKey.Resolve()
	if errors.Is(err, config.ErrUnset) {
		err = errors.New("[entity] api_key is not set: it is env:NAME or file:PATH")
	}
	return key, usage(err)
}

func newHouse(cfg *config.Config, handler func(*secret.Redactor) slog.Handler) *house {
	h := &house{cfg: cfg, redact: secret.NewRedactor()}
	h.log = slog.New(handler(h.redact))
	return h
}

func (h *house) taskManager(key core.Value) (*entity.Client, error) {
	manager, err := entity.New(entity.Options{
		BaseURL: h.cfg.Entity.BaseURL, Key: key, States: states(h.cfg.Entity.States),
		ListLimitBytes: int64(h.cfg.Limits.ListMB) << 20, ItemLimitBytes: int64(h.cfg.Limits.ItemMB) << 20,
		Timeout: h.cfg.Entity.Timeout, UserAgent: userAgent(), Logger: h.log,
	})
	return manager, usage(err)
}

// open opens every room but the task manager's. On an error nothing is left open.
func (h *house) open(ctx context.Context, manager core.TaskManager) (err error) {
	cfg := h.cfg
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if err := os.MkdirAll(cfg.State.Dir, 0o700); err != nil {
		return fmt.Errorf("make the state directory ([state] dir): %w", err)
	}
	if h.fleet, err = openFleet(ctx, cfg, h.log, h.watched); err != nil {
		return err
	}
	h.later(h.fleet.Close)
	for _, w := range cfg.Warnings(time.Now()) {
		h.log.Warn("configuration", "what", w)
	}
	if h.store, err = takeLedger(ctx, cfg, h.log); err != nil {
		return err
	}
	h.later(h.store.Close)
	h.slots = chooseSlots(cfg.Browser.Slots, machine.Reader{}.Figures())
	chromium, err := browser.Launch(ctx, browser.Options{
		Path: cfg.Browser.Path, Headless: cfg.Browser.Headless, Sandbox: cfg.Browser.Sandbox,
		Dir: filepath.Join(cfg.State.Dir, "browser"), Logger: h.log,
	})
	if err != nil {
		return err
	}
	h.later(chromium.Close)
	proxy, err := egress.New(egress.Options{Logger: h.log})
	if err != nil {
		return err
	}
	h.later(proxy.Close)
	boxes, err := openMail(cfg, h.log)
	if err != nil {
		return usage(err)
	}
	h.runner = runner.Options{
		Manager: manager, Store: h.store, Catalog: h.fleet.set, Egress: proxy, Browsers: chromium, Workers: h.fleet.host,
		Assets: asset.New(asset.Options{Allow: cfg.Assets.Allow, Logger: h.log}),
		Texts:  text.Texts{}, Redact: h.redact, Log: h.log,
		Owner: owner(), Slots: h.slots.most, Dir: cfg.State.Dir, Uploads: chromium.Files(), States: states(cfg.Entity.States),
		Exclusive: cfg.Entity.Exclusive, Connect: cfg.Entity.Connect, Server: cfg.Entity.BaseURL,
		Limits: limits(cfg),
	}
	bulks, err := hoolaServices(cfg, h.redact, h.log)
	if err != nil {
		return usage(err)
	}
	h.runner.Bulks, h.runner.Batches, h.runner.Clock = bulks, h.store, bootMoment
	if boxes != nil {
		h.later(boxes.Close)
		h.runner.Mail = boxes
	}
	return nil
}

func (h *house) later(f func() error) { h.closes = append(h.closes, f) }

// close closes the rooms, last opened first.
func (h *house) close() {
	for i := len(h.closes) - 1; i >= 0; i-- {
		if err := h.closes[i](); err != nil {
			h.log.Warn("did not close cleanly", "err", err)
		}
	}
	h.closes = nil
}

// takeLedger opens the ledger for a run. A short command may have the file open
// this moment and is waited for; another runner is not.
func takeLedger(ctx context.Context, cfg *config.Config, log *slog.Logger) (*ledger.Ledger, error) {
	said := false
	for deadline := time.Now().Add(startTime); ; {
		l, err := openLedger(ctx, cfg, log)
		var used *ledger.InUseError
		if !errors.As(err, &used) || time.Now().After(deadline) {
			return l, err
		}
		if runner, dialed := control.Dial(ctx, controlPath(cfg)); dialed == nil {
			runner.Close()
			return nil, err
		}
		if !said {
			log.Info("another process has the ledger; waiting for it", "pid", used.PID)
			said = true
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// openLedger opens the database with the key that seals it.
func openLedger(ctx context.Context, cfg *config.Config, log *slog.Logger) (*ledger.Ledger, error) {
	keys, err := secret.Load(cfg.Store.Key)
	if err != nil {
		return nil, usage(fmt.Errorf("[store] key: %w; `rollcall init` makes one", err))
	}
	url, err := cfg.Store.Address()
	if err != nil {
		return nil, usage(err)
	}
	l, err := ledger.Open(ctx, ledger.Options{URL: url.Reveal(), Keys: keys, Logger: log, Lease: cfg.Lease.Duration})
	return l, unfinished(cfg.Store.Key, err)
}

func openMail(cfg *config.Config, log *slog.Logger) (*mail.Mailboxes, error) {
	if len(cfg.Mail.Boxes) == 0 {
		return nil, nil
	}
	o := mail.Options{Logger: log}
	for match, b := range cfg.Mail.Boxes {
		box := mail.Box{Match: match, URL: b.IMAP, User: b.User}
		for _, p := range b.Password {
			v, err := p.Resolve()
			if err != nil {
				return nil, err
			}
			box.Password = append(box.Password, v.Reveal())
		}
		o.Boxes = append(o.Boxes, box)
	}
	return mail.New(o)
}

func userAgent() string {
	v, _ := buildVersion()
	return "rollcall/" + strings.Trim(v, "()")
}

// reloadOnHangup reads the configuration again at SIGHUP: sites, bulk tenants and
// driver folders. A file with an error keeps what was, loudly.
func (h *house) reloadOnHangup(ctx context.Context, path string, r *runner.Runner) (stop func()) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-hup:
			case <-ctx.Done():
				return
			case <-done:
				return
			}
			cfg, err := config.Load(path)
			var bulks []runner.BulkService
			if err == nil {
				bulks, err = hoolaServices(cfg, h.redact, h.log)
			}
			if err == nil {
				err = r.SetBulks(bulks)
			}
			if err != nil {
				h.log.Error("the configuration was not read again; the old one stays", "err", err)
				continue
			}
			h.fleet.set.SetSites(cfg.Sites, cfg.Pace)
			if err := h.fleet.set.Rescan(); err != nil {
				h.log.Error("the driver folders were not read again; the old drivers stay", "err", err)
				continue
			}
			h.log.Info("configuration read again: sites, bulk tenants and drivers; other settings need a restart", "file", path)
		}
	}()
	return func() { signal.Stop(hup); close(done) }
}

// watchScripts picks up changed and new drivers while the runner runs.
func (h *house) watchScripts(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := h.fleet.set.Run(ctx); err != nil && ctx.Err() == nil {
			h.log.Error("the driver folders are not watched; SIGHUP reads them again", "err", err)
		}
	}()
	return func() { cancel(); <-done }
}

func (h *house) summarize(ctx context.Context, t runner.Tally) (*summary, error) {
	return summarize(ctx, h.store, t)
}

var _ core.Catalog = (*drivers.Set)(nil)
