package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/drivers/external"
	"github.com/rollcall-run/rollcall/plugins"
)

// Where a plugin that no configuration lists comes from.
const (
	placeDev      = "--dev"
	placeReattach = "--reattach"
)

// unlisted are the plugins that flags name.
type unlisted struct {
	dev      []string
	reattach string
}

func (u *unlisted) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&u.dev, "dev", nil, "run this plugin although the configuration does not list it, for developing")
	cmd.Flags().StringVar(&u.reattach, "reattach", "", "use the plugin that serves at this address, started with "+plugins.DebugFlag)
}

// add puts them beside the plugins of the configuration, and in the place of one
// at the same path.
func (u *unlisted) add(cfg *config.Config) error {
	for _, path := range u.dev {
		abs, err := filepath.Abs(path)
		if err != nil {
			return usage(fmt.Errorf("--dev %s: %w", path, err))
		}
		sum, _, err := fileSum(abs)
		if err != nil {
			return usage(fmt.Errorf("--dev %w", err))
		}
		// A build that was trusted earlier stands at the same path.
		cfg.Plugins = slices.DeleteFunc(slices.Clone(cfg.Plugins), func(p config.Plugin) bool { return p.Path == abs })
		cfg.Plugins = append(cfg.Plugins, config.Plugin{Path: abs, SHA256: sum, Place: placeDev})
	}
	if u.reattach != "" {
		cfg.Plugins = append(cfg.Plugins, config.Plugin{Path: u.reattach, Place: placeReattach})
	}
	return nil
}

// openPlugin makes a listed or unlisted plugin usable.
func openPlugin(host *external.Host, p config.Plugin, log *slog.Logger) (*external.Plugin, error) {
	switch p.Place {
	case placeReattach:
		log.Warn("a plugin that somebody started is used, for developing only: nothing limits or checks it", "address", p.Path)
		return host.Attach(p.Path)
	case placeDev:
		log.Warn("a plugin runs that the configuration does not list, for developing only", "path", p.Path, "sha256", p.SHA256)
	}
	return host.Plugin(p.Path, p.SHA256)
}

// fileSum is the SHA-256 of a regular file, and its size.
func fileSum(path string) (sum string, size int64, err error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a file")
	}
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w", path, plainError(err))
	}
	f, err := os.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w", path, plainError(err))
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return "", 0, fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// plainError is an error of a file without its path.
func plainError(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err
	}
	return err
}

func (c *cli) driverTrustCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "trust PATH",
		Short: "Allow a plugin: a driver that is a program of its own",
		Long: "Shows what allowing the program means, asks, and writes its path and SHA-256 into the\n" +
			"configuration. Nothing of it runs before the answer. Other bytes at that path are never\n" +
			"run: after a rebuild, trust it again.\n\n" +
			"Exit codes: 0 allowed, 1 not allowed, 2 bad usage or no plugin.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.driverTrust(cmd.Context(), args[0], yes) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "don't ask")
	return cmd
}

func (c *cli) driverTrust(ctx context.Context, path string, yes bool) error {
	cfg, err := config.Load(c.configPath)
	if err != nil {
		return usage(err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return usage(fmt.Errorf("find %s: %w", path, err))
	}
	sum, size, err := fileSum(abs)
	if err != nil {
		return usage(fmt.Errorf("the plugin %w", err))
	}
	before := ""
	for _, p := range cfg.Plugins {
		if p.Path == abs {
			before = strings.ToLower(p.SHA256)
		}
	}
	if before == sum {
		fmt.Fprintf(c.out, "%s is allowed already, as it is\n", secret.Clean(path))
		return nil
	}
	fmt.Fprintf(c.out, "file    %s (%d kB)\nsha256  %s\n", secret.Clean(abs), (size+1023)>>10, sum)
	if before != "" {
		fmt.Fprintf(c.out, "before  %s\n", before)
	}
	fmt.Fprint(c.out, "\nAllowing it means: rollcall starts this program and gives it the tasks of its sites, with\n"+
		"passwords in clear and a browser of its own. It is not held as a script is: it can read\n"+
		"what its user can read and reach any host. Allow only what you built or would run yourself.\n")
	if !yes {
		fmt.Fprint(c.out, "\nAllow it? [y/N] ")
		answer, _ := bufio.NewReader(c.in).ReadString('\n') // the end of the input is a no
		if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
			fmt.Fprintln(c.out)
			return errors.New("not allowed; nothing was written")
		}
	}
	m, err := c.askManifest(ctx, cfg, abs, sum)
	if err != nil {
		return usage(fmt.Errorf("nothing was written: %w", err))
	}
	if err := trustPlugin(c.configPath, abs, sum); err != nil {
		return err
	}
	serves := strings.Join(m.Domains, " ")
	if m.Family {
		serves = "sites that the configuration binds to it"
	}
	fmt.Fprintf(c.out, "\nallowed: the driver %s %s for %s; a running runner takes it at its next start\n", secret.Clean(m.Name), secret.Clean(m.Version), secret.Clean(serves))
	return nil
}

// askManifest starts the plugin, once, to learn what it is.
func (c *cli) askManifest(ctx context.Context, cfg *config.Config, path, sum string) (m core.Manifest, err error) {
	err = c.withPlugin(ctx, cfg, config.Plugin{Path: path, SHA256: sum}, func(_ *external.Host, p *external.Plugin) error {
		m, err = p.Manifest(ctx)
		return err
	})
	return m, err
}

// withPlugin runs f with a plugin in a host of its own.
func (c *cli) withPlugin(ctx context.Context, cfg *config.Config, p config.Plugin, f func(*external.Host, *external.Plugin) error) (err error) {
	dir, err := os.MkdirTemp("", "rollcall-plugin-")
	if err != nil {
		return fmt.Errorf("make a directory for the plugin: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	host, err := external.New(external.Options{
		Command: []string{"/proc/self/exe", "worker"}, MemoryMB: cfg.Limits.WorkerMB, StateDir: dir,
		Sources: func(b core.Binding) (plugins.DriverRef, error) {
			return plugins.DriverRef{}, fmt.Errorf("%s is no plugin", b.Driver)
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	plugin, err := openPlugin(host, p, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return f(host, plugin)
}
