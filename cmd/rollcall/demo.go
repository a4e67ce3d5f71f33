package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core/browser"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

func (c *cli) demoCommand() *cobra.Command {
	var keep string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole path on this machine: tasks in, profiles out, in a real browser",
		Long: "Starts a task manager, a mailbox, four sites and a bulk API on loopback, runs their tasks with the real\n" +
			"runner and a real Chromium, prints what became of them and removes everything again. Tasks\n" +
			"that need a person, and sites that nobody allowed, are part of it and are reported as such.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.demo(cmd.Context(), keep) },
	}
	cmd.Flags().StringVar(&keep, "keep", "", "keep configuration, state and drivers in this directory")
	return c.withJSON(cmd)
}

// demoEvery is the time between two bulk calls on this machine, where nobody
// needs the ten minutes of the real platform.
const demoEvery = 2 * time.Second

func (c *cli) demo(ctx context.Context, keep string) (err error) {
	dir := keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "rollcall-demo-"); err != nil {
			return fmt.Errorf("make a directory for the demo: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	sb, err := sandbox.Start(ctx, sandbox.Options{HoolaEvery: demoEvery})
	if err != nil {
		return fmt.Errorf("start the sandbox: %w", err)
	}
	defer sb.Close()
	sb.LoadDemo()
	path, err := sandboxHouse(sb, dir)
	if err != nil {
		return err
	}
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.err, "demo: %d tasks, task manager %s, state in %s\n", len(sb.Manager.Tasks()), sb.Manager.URL, dir)
	if _, shell, err := browser.Find(cfg.Browser.Path, cfg.Browser.Headless); err == nil && cfg.Browser.Headless && !shell {
		fmt.Fprintf(c.err, "demo: %s; %s\n", noShell, installShell)
	}
	err = c.run(ctx, cfg, runFlags{once: true, wait: 30 * time.Second})
	var exit *exitError
	if errors.As(err, &exit) && exit.err == nil && exit.code != exitFailed {
		// The demo's tasks include some that must not be done; that they were
		// told apart is what it shows.
		err = nil
	}
	if err != nil {
		return err
	}
	return c.checkDemo(sb)
}

// checkDemo compares what the task manager knows with what the demo's tasks are
// made for, so that the demo fails when the product does.
func (c *cli) checkDemo(sb *sandbox.Sandbox) error {
	var wrong []error
	done := 0
	for _, t := range sb.Manager.Tasks() {
		want := sb.DemoWant(t.ID)
		if t.Status != want {
			wrong = append(wrong, fmt.Errorf("task %s on %s is %s, and should be %s", t.ID, t.Domain, t.Status, want))
			continue
		}
		done++
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	if !c.json {
		fmt.Fprintf(c.out, "\nall %d demo tasks ended as they should\n", done)
	}
	return nil
}

// sandboxHouse writes the sandbox's configuration and a key to seal with into dir.
func sandboxHouse(sb *sandbox.Sandbox, dir string) (string, error) {
	path, err := sb.WriteConfig(dir)
	if err != nil {
		return "", err
	}
	key := filepath.Join(dir, "seal.key")
	if _, err := os.Stat(key); errors.Is(err, os.ErrNotExist) {
		if err := secret.Generate(key); err != nil {
			return "", err
		}
	}
	return path, nil
}

func (c *cli) sandboxCommand() *cobra.Command {
	var dir string
	var tasks bool
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Serve a task manager, a mailbox and sites to try drivers on, until stopped",
		Long: "Serves everything that a driver author needs on loopback: a strict task manager, a mailbox\n" +
			"and four sites, and writes a configuration for them. In a second terminal:\n\n" +
			"  rollcall run --once -c DIR/rollcall.toml",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			sb, err := sandbox.Start(ctx, sandbox.Options{HoolaEvery: demoEvery})
			if err != nil {
				return fmt.Errorf("start the sandbox: %w", err)
			}
			defer sb.Close()
			if tasks {
				sb.LoadDemo()
			}
			path, err := sandboxHouse(sb, dir)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.out, "task manager  %s  (X-API-Key: %s)\nadmin         %s\nmailbox       %s\n", sb.Manager.URL, sb.Manager.APIKey, sb.Admin.URL, sb.Mail.URL)
			for _, s := range sb.Sites() {
				fmt.Fprintf(c.out, "%-13s %s  (%s)\n", s.Name, s.URL, s.Domain)
			}
			fmt.Fprintf(c.out, "%-13s %s  (%s)\n", "hoola", sb.Hoola.URL, sandbox.HoolaDomain)
			fmt.Fprintf(c.out, "\nrollcall run --once -c %s\n", path)
			<-ctx.Done()
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "sandbox", "directory for the configuration, the drivers and the state")
	cmd.Flags().BoolVar(&tasks, "tasks", true, "fill the task manager with the demo's tasks")
	return cmd
}
