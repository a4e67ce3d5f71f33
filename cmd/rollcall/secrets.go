package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/secret"
)

func (c *cli) secretsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Change the master key that seals secrets at rest",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var to string
	rotate := &cobra.Command{
		Use:   "rotate",
		Short: "Seal everything in the ledger under a new master key",
		Long: "Makes a new master key, seals the whole ledger under it in one transaction, and puts it where\n" +
			"[store] key names its file; the old key stays beside it, for the backups that were made before.\n" +
			"No runner may use the ledger meanwhile. A rotation that broke off, however, is finished by\n" +
			"running it again: until then the ledger opens with one of the two keys, and both are kept.\n" +
			"Where [store] key is env:NAME or cred:NAME, name the new key's source with --to.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(c.configPath)
			if err != nil {
				return usage(err)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return c.rotate(ctx, cfg, to)
		},
	}
	rotate.Flags().StringVar(&to, "to", "", "source of the new key: file:PATH (made when it is missing), env:NAME or cred:NAME; [store] key is then yours to change")
	cmd.AddCommand(rotate)
	return cmd
}

// rotate seals the ledger under another key. Of the three steps (the new key on
// disk, the ledger sealed under it, the key in its place) each is durable before
// the next, and what an earlier run has done is not done again.
func (c *cli) rotate(ctx context.Context, cfg *config.Config, to string) error {
	from := cfg.Store.Key
	path, isFile := strings.CutPrefix(from, "file:")
	next := to
	switch {
	case to == "" && !isFile:
		return usage(fmt.Errorf("[store] key is %s, which rollcall can't write: name the new key's source with --to, and put it into [store] key afterwards", from))
	case to == "":
		next = "file:" + secret.Next(path)
	case to == from:
		return usage(errors.New("--to is the source of the key that is used now"))
	}
	address, err := cfg.Store.Address()
	if err != nil {
		return usage(err)
	}
	if file, ok := strings.CutPrefix(address.Reveal(), "sqlite:"); ok {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no ledger at %s yet: %w", file, errNoLedger)
		}
	}
	log := slog.New(c.warnings(secret.NewRedactor()))
	open := func(keys *secret.Keyring) (*ledger.Ledger, error) {
		return ledger.Open(ctx, ledger.Options{URL: address.Reveal(), Keys: keys, Logger: log})
	}
	old, err := secret.Load(from)
	if err != nil {
		return usage(fmt.Errorf("[store] key: %w", err))
	}
	l, err := open(old)
	sealed := false
	if errors.Is(err, secret.ErrWrongKey) {
		// A run before this one may have come as far as the ledger.
		if keys, missing := secret.Load(next); missing == nil {
			l, err = open(keys)
			sealed = err == nil
		}
	}
	if err != nil {
		return err
	}
	defer func() {
		if err := l.Close(); err != nil {
			log.Warn("the ledger did not close cleanly", "err", err)
		}
	}()
	if !sealed {
		keys, err := nextKey(next)
		if err != nil {
			return usage(err)
		}
		if keys.Verify(old.Check()) == nil {
			return usage(fmt.Errorf("%s holds the key that is used now", next))
		}
		if err := l.Reseal(ctx, keys); err != nil {
			return fmt.Errorf("%w; run it again to go on with the new key in %s", err, next)
		}
	}
	if err := l.Compact(ctx); err != nil {
		log.Warn("space that was freed may still hold text sealed under the old key", "err", err)
	}
	if to != "" {
		_, err = fmt.Fprintf(c.out, "sealed everything in the ledger under the key of %s\nnow put key = %q into [store] of %s; backups made before open with the old key only\n", to, to, c.configPath)
		return err
	}
	kept, err := secret.Promote(path, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "sealed everything in the ledger under a new key, which is in %s: keep a copy\nthe old key is in %s; backups made before open with it only: delete it when they are gone\n", relative(path), relative(kept))
	return err
}

// nextKey reads the new key, and makes it first where a file is missing.
func nextKey(source string) (*secret.Keyring, error) {
	if path, isFile := strings.CutPrefix(source, "file:"); isFile {
		if err := secret.Generate(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return secret.Load(source)
}

// unfinished adds to the refusal of a key what a rotation that broke off needs.
func unfinished(source string, err error) error {
	path, isFile := strings.CutPrefix(source, "file:")
	if !isFile || !errors.Is(err, secret.ErrWrongKey) {
		return err
	}
	if _, missing := os.Stat(secret.Next(path)); missing != nil {
		return err
	}
	return fmt.Errorf("a rotation of the master key broke off: run `rollcall secrets rotate` again to finish it: %w", err)
}
