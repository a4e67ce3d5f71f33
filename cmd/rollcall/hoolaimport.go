package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/control"
	"github.com/rollcall-run/rollcall/core/hoola"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/core/secret"
)

type importFlags struct {
	fileFlags
	detach     bool
	output     string
	failedOnly bool
}

// openBulk reaches the part of the ledger about bulk calls. make says that a
// ledger is made where there is none.
func (c *cli) openBulk(ctx context.Context, cfg *config.Config, make bool) (core.BulkAdmin, func(), error) {
	nothing := func() {}
	address, err := cfg.Store.Address()
	if err != nil {
		return nil, nothing, usage(err)
	}
	log := slog.New(c.warnings(secret.NewRedactor()))
	file, isFile := strings.CutPrefix(address.Reveal(), "sqlite:")
	if _, err := os.Stat(file); isFile && !make && errors.Is(err, fs.ErrNotExist) {
		return nil, nothing, fmt.Errorf("there is no ledger at %s yet: %w", file, errNoLedger)
	}
	for deadline := time.Now().Add(startTime); ; {
		if running, err := control.Dial(ctx, controlPath(cfg)); err == nil && isFile {
			return running, running.Close, nil
		} else if err != nil && !errors.Is(err, control.ErrNoRunner) {
			return nil, nothing, err
		}
		l, err := openLedger(ctx, cfg, log)
		var used *ledger.InUseError
		if err == nil {
			return l, func() {
				if err := l.Close(); err != nil {
					log.Warn("the ledger did not close cleanly", "err", err)
				}
			}, nil
		}
		if !errors.As(err, &used) || time.Now().After(deadline) {
			return nil, nothing, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, nothing, ctx.Err()
		}
	}
}

// hoolaImport stores a list and has it sent: by a runner where one runs, else here.
func (c *cli) hoolaImport(ctx context.Context, cfg *config.Config, file string, f importFlags) (err error) {
	h, err := tenant(cfg, f.site)
	if err != nil {
		return err
	}
	output, err := resultPath(file, f.output)
	if err != nil {
		return usage(err)
	}
	redact := secret.NewRedactor()
	log := slog.New(c.warnings(redact))
	service, err := hoolaService(h, redact, log)
	if err != nil {
		return usage(err)
	}
	l, data, err := c.readUsers(file, f.fileFlags)
	if err != nil {
		return err
	}
	for _, r := range l.Rows {
		if p := r.Fields[hoola.FieldPassword]; !p.Empty() {
			redact.Add(p)
		}
	}
	soft, hard, stop := stopOnSignals(ctx)
	defer stop()
	if err := os.MkdirAll(cfg.State.Dir, 0o700); err != nil {
		return fmt.Errorf("make the state directory ([state] dir): %w", err)
	}
	admin, end, err := c.openBulk(soft, cfg, true)
	if err != nil {
		return err
	}
	defer end()
	sum := sha256.Sum256(data)
	imp, err := admin.AddImport(soft, core.BulkImport{Domain: h.Domain, Name: filepath.Base(file), Digest: hex.EncodeToString(sum[:]), Header: l.Header, Batch: f.batch}, l.Rows)
	if err != nil {
		return err
	}
	if !c.json {
		c.printImported(imp, l)
	}
	if f.detach {
		return c.detached(cfg, admin, imp)
	}
	follow := &follower{c: c, admin: admin, site: service.Site, imp: imp, bar: c.bar()}
	runErr := c.sendImport(soft, hard, cfg, admin, service, log, redact, follow)
	follow.bar.close()
	after := context.WithoutCancel(ctx)
	done, err := importOf(after, admin, imp)
	if err != nil {
		return errors.Join(runErr, err)
	}
	if err := writeResult(after, admin, done, output, f.failedOnly); err != nil {
		return errors.Join(runErr, err)
	}
	if err := c.printResult(done, output, follow.held); err != nil {
		return errors.Join(runErr, err)
	}
	if runErr != nil {
		return runErr
	}
	if soft.Err() != nil && open(done) > 0 {
		return &exitError{code: exitPartly, err: fmt.Errorf("interrupted; the same command goes on with the %d users that are left", open(done))}
	}
	return importCode(done, follow.held)
}

// detached says who will send the list.
func (c *cli) detached(cfg *config.Config, admin core.BulkAdmin, imp core.BulkImport) error {
	if c.json {
		return json.NewEncoder(c.out).Encode(importLineOf(imp))
	}
	who := "the next `rollcall run` sends it"
	if running, ok := admin.(*control.Client); ok {
		who = fmt.Sprintf("the runner (process %d) sends it", running.PID)
	} else if !strings.HasPrefix(cfg.Store.URL, "sqlite:") {
		who = "a runner on this database sends it"
	}
	_, err := fmt.Fprintf(c.out, "%s; rollcall hoola status shows how far it is\n", who)
	return err
}

// sendImport waits until every row of the import has an end. Where no runner has
// the ledger the calls are made here.
func (c *cli) sendImport(soft, hard context.Context, cfg *config.Config, admin core.BulkAdmin, s runner.BulkService, log *slog.Logger, redact *secret.Redactor, follow *follower) error {
	store, here := admin.(*ledger.Ledger)
	if !here {
		return follow.until(soft, time.Second)
	}
	ctx, cancel := context.WithCancel(soft)
	defer cancel()
	b, err := runner.NewBulk(runner.BulkOptions{Site: s.Site, API: s.API, Store: store, Clock: bootMoment, Hard: hard, Log: log, Redact: redact.Redact,
		Task: store.Task, Link: s.Link, Driver: s.Driver,
		Observe: func(n runner.BulkNotice) {
			if n.Text != "" {
				follow.say(n.Text)
			}
		}})
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		err := b.Run(ctx)
		cancel()
		sent <- err
	}()
	err = follow.until(ctx, 200*time.Millisecond)
	cancel()
	return errors.Join(err, <-sent)
}

// follower shows how far an import is.
type follower struct {
	c     *cli
	admin core.BulkAdmin
	site  core.BulkSite
	imp   core.BulkImport
	bar   *bar
	held  string
}

// until returns when every row has an end, a person is needed, or ctx ends.
func (f *follower) until(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		imp, err := importOf(ctx, f.admin, f.imp)
		if err == nil {
			var w core.BulkWindow
			if w, err = f.admin.BulkWindow(ctx, f.site, bootMoment()); err == nil {
				f.bar.show(imp, w)
				if open(imp) == 0 {
					return nil
				}
				if w.Held && !w.Calling {
					f.held = w.HeldWhy
					return nil
				}
			}
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *follower) say(text string) {
	if !f.c.json {
		f.bar.say(secret.Clean(text))
	}
}

func importOf(ctx context.Context, admin core.BulkAdmin, imp core.BulkImport) (core.BulkImport, error) {
	all, err := admin.Imports(ctx, imp.Domain)
	if err != nil {
		return imp, err
	}
	for _, i := range all {
		if i.ID == imp.ID {
			return i, nil
		}
	}
	return imp, fmt.Errorf("the ledger has no import %s", imp.ID)
}

// open is how many rows have no end yet.
func open(imp core.BulkImport) int {
	n := 0
	for s, k := range imp.Counts {
		if !s.Final() {
			n += k
		}
	}
	return n
}

// resultPath is where the result goes; it never replaces the list itself.
func resultPath(file, output string) (string, error) {
	if output == "" {
		if output = strings.TrimSuffix(file, filepath.Ext(file)) + ".result.csv"; file == "-" {
			output = "users.result.csv"
		}
	}
	if ext := strings.ToLower(filepath.Ext(output)); ext != ".csv" && ext != ".xlsx" {
		return "", fmt.Errorf("-o %s: the result is a .csv or an .xlsx file", output)
	}
	if a, err := os.Stat(file); err == nil {
		if b, err := os.Stat(output); err == nil && os.SameFile(a, b) {
			return "", fmt.Errorf("-o %s is the list itself; name another file", output)
		}
	}
	return output, nil
}

// writeResult writes the result beside its place and then puts it there, so that
// a full disk leaves no half of it.
func writeResult(ctx context.Context, admin core.BulkAdmin, imp core.BulkImport, path string, failedOnly bool) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".rollcall-*") // mode 0600: the list has passwords
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write the result to %s: %w", path, err), tmp.Close(), os.Remove(tmp.Name()))
		}
	}()
	res, err := hoola.NewResults(io.Writer(tmp), imp.Header, strings.EqualFold(filepath.Ext(path), ".xlsx"))
	if err != nil {
		return err
	}
	err = admin.ImportRows(ctx, imp.ID, func(r core.BulkRow) error {
		if failedOnly && !hoola.Correctable(r.State) {
			return nil
		}
		return res.Row(imp.Header, r)
	})
	if closed := res.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
