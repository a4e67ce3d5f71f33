package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/control"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/secret"
)

// controlPath is the socket of the runner that works in the state directory.
func controlPath(cfg *config.Config) string { return filepath.Join(cfg.State.Dir, "control.sock") }

// serveControl lets commands reach this runner until stop is called.
func (h *house) serveControl(ctx context.Context) (stop func(), err error) {
	v, _ := buildVersion()
	return control.Serve(ctx, controlPath(h.cfg), redacting{h.store}, control.Options{Logger: h.log, Version: v, Bulk: h.store})
}

// redacting is an Admin whose free texts, which sites and drivers had a part in,
// show none of the task's secrets.
type redacting struct{ core.Admin }

func (a redacting) Tasks(ctx context.Context, f core.TaskFilter) ([]core.Record, error) {
	all, err := a.Admin.Tasks(ctx, f)
	for i := range all {
		all[i] = withoutSecrets(all[i])
	}
	return all, err
}

func (a redacting) Task(ctx context.Context, id string) (core.Record, error) {
	rec, err := a.Admin.Task(ctx, id)
	return withoutSecrets(rec), err
}

func (a redacting) Events(ctx context.Context, id string) ([]core.Event, error) {
	rec, err := a.Admin.Task(ctx, id)
	if err != nil {
		return nil, err
	}
	all, err := a.Admin.Events(ctx, id)
	r := redactorOf(rec)
	for i := range all {
		all[i].Text = r.Redact(all[i].Text)
		for k, v := range all[i].Attrs {
			all[i].Attrs[k] = r.Redact(v)
		}
	}
	return all, err
}

func withoutSecrets(rec core.Record) core.Record {
	r := redactorOf(rec)
	rec.Fault = r.Redact(rec.Fault)
	if rec.Answer != nil {
		a := *rec.Answer
		a.Reason = r.Redact(a.Reason)
		rec.Answer = &a
	}
	for k, v := range rec.Fields {
		rec.Fields[k] = r.Redact(v)
	}
	return rec
}

func redactorOf(rec core.Record) *secret.Redactor {
	r := secret.NewRedactor()
	r.Add(rec.Entity.Secrets()...)
	add := func(values ...core.Value) {
		for _, v := range values {
			if v.IsSecret() && !v.Empty() {
				r.Add(v)
			}
		}
	}
	for _, v := range rec.Facts {
		add(v)
	}
	if rec.Answer != nil {
		for _, v := range rec.Answer.Facts {
			add(v)
		}
	}
	if in := rec.Intent; in != nil {
		add(in.Username, in.Email, in.Password)
	}
	if a := rec.Account; a != nil {
		add(a.Username, a.Email, a.Password, a.TOTP)
	}
	return r
}

// errNoLedger is returned where there is nothing to read yet.
var errNoLedger = errors.New("`rollcall run` makes it")

// startTime is how long a command waits for a runner that has the ledger but
// does not answer yet, or for another command to end.
const startTime = 5 * time.Second

// openAdmin reaches the ledger: through the runner that has it, and directly
// where none runs and with PostgreSQL, which anybody may open beside runners.
// end is never nil.
func (c *cli) openAdmin(ctx context.Context, cfg *config.Config) (admin core.Admin, end func(), err error) {
	nothing := func() {}
	address, err := cfg.Store.Address()
	if err != nil {
		return nil, nothing, usage(err)
	}
	log := slog.New(c.warnings(secret.NewRedactor()))
	file, isFile := strings.CutPrefix(address.Reveal(), "sqlite:")
	direct := func() (core.Admin, func(), error) {
		l, err := openLedger(ctx, cfg, log)
		if err != nil {
			return nil, nothing, err
		}
		return redacting{l}, func() {
			if err := l.Close(); err != nil {
				log.Warn("the ledger did not close cleanly", "err", err)
			}
		}, nil
	}
	if !isFile {
		return direct()
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, nothing, fmt.Errorf("there is no ledger at %s yet: %w", file, errNoLedger)
	}
	for deadline := time.Now().Add(startTime); ; {
		runner, err := control.Dial(ctx, controlPath(cfg))
		if err == nil {
			return runner, runner.Close, nil
		}
		if !errors.Is(err, control.ErrNoRunner) {
			return nil, nothing, err
		}
		admin, end, err := direct()
		var used *ledger.InUseError
		if !errors.As(err, &used) || time.Now().After(deadline) {
			return admin, end, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, nothing, ctx.Err()
		}
	}
}

// warnings handles log lines of commands that print their own results.
func (c *cli) warnings(r *secret.Redactor) slog.Handler {
	return secret.Handler(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}), r)
}

// withAdmin runs f with the configuration and its ledger. An interrupt ends ctx,
// so that f cleans up.
func (c *cli) withAdmin(cmd *cobra.Command, f func(context.Context, *config.Config, core.Admin) error) error {
	cfg, err := config.Load(c.configPath)
	if err != nil {
		return usage(err)
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	admin, end, err := c.openAdmin(ctx, cfg)
	if err != nil {
		return err
	}
	defer end()
	return f(ctx, cfg, admin)
}

// later says when a change takes effect that only a runner can act on.
func later(cfg *config.Config, admin core.Admin) string {
	if _, running := admin.(*control.Client); running || !strings.HasPrefix(cfg.Store.URL, "sqlite:") {
		return ""
	}
	return "; no runner is running here, so it goes on with the next `rollcall run`"
}

// person names who gives a command, for the ledger.
func person() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return fmt.Sprintf("user id %d", os.Getuid())
}

// unknownTask puts an unknown id into words.
func unknownTask(id string, err error) error {
	if errors.Is(err, core.ErrUnknownTask) {
		return fmt.Errorf("the ledger has no task %q; `rollcall task list` shows what it has", id)
	}
	return err
}
