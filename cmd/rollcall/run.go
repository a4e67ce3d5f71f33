package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/runner"
)

type runFlags struct {
	once     bool
	wait     time.Duration
	unlisted unlisted
}

func (c *cli) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Pull tasks and run them, until stopped or, with --once, until nothing is left",
		Long: "Pulls tasks from the task manager and runs those whose site is allowed and has a driver.\n\n" +
			"With --once it lists until nothing new comes and ends when every task is reported, held\n" +
			"back, parked for a person, unknown, or due later than --wait.\n\n" +
			"The first SIGTERM or SIGINT lets running tasks end, the second stops at once; neither\n" +
			"costs a task an attempt. SIGHUP reads the configuration again.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 partly done, 4 held back,\n5 waiting for a person.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(c.configPath)
			if err != nil {
				return usage(err)
			}
			if err := f.unlisted.add(cfg); err != nil {
				return err
			}
			return c.run(cmd.Context(), cfg, f)
		},
	}
	cmd.Flags().BoolVar(&f.once, "once", false, "end when nothing is left to do")
	cmd.Flags().DurationVar(&f.wait, "wait", 10*time.Minute, "with --once: wait for tasks that are due within this time")
	f.unlisted.flags(cmd)
	return c.withJSON(cmd)
}

// run assembles a runner and runs it, with its display and its signals.
func (c *cli) run(ctx context.Context, cfg *config.Config, f runFlags) error {
	soft, hard, stopSignals := stopOnSignals(ctx)
	defer stopSignals()
	show := c.display(cfg)
	defer show.close()
	h, err := assemble(soft, cfg, show.handler)
	if err != nil {
		return err
	}
	defer h.close()
	o := h.runner
	o.Once, o.Wait, o.Observe = f.once, f.wait, show.observe
	r, err := runner.New(o)
	if err != nil {
		return err
	}
	stopFollow := h.slots.follow(soft, r, h.log)
	defer stopFollow()
	stopReload := h.reloadOnHangup(soft, c.configPath, r)
	defer stopReload()
	stopWatch := h.watchScripts(soft)
	defer stopWatch()
	control, err := h.serveControl(soft)
	if err != nil {
		return err
	}
	defer control()
	runErr := r.Run(soft, hard)
	show.close()
	tally := r.Tally()
	report, err := h.summarize(context.WithoutCancel(ctx), tally)
	if err != nil {
		return errors.Join(runErr, err)
	}
	if err := c.printSummary(report); err != nil {
		return err
	}
	if runErr != nil {
		return runErr
	}
	if code := report.code(); code != exitDone && f.once {
		return &exitError{code: code}
	}
	return nil
}

// stopOnSignals returns a context that ends at the first SIGTERM or SIGINT, and
// one that ends at the second.
func stopOnSignals(ctx context.Context) (soft, hard context.Context, stop func()) {
	soft, endSoft := context.WithCancel(ctx)
	hard, endHard := context.WithCancel(context.WithoutCancel(ctx))
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for _, end := range []func(){endSoft, endHard} {
			select {
			case <-signals:
				end()
			case <-done:
				return
			}
		}
	}()
	return soft, hard, func() {
		signal.Stop(signals)
		close(done)
		endSoft()
		endHard()
	}
}

// owner names this process start: host, process and time, so that no two share it.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), time.Now().UTC().Format("20060102T150405.000000"))
}

// limits are the configuration's numbers for the runner.
func limits(cfg *config.Config) runner.Limits {
	return runner.Limits{
		Lease: cfg.Lease.Duration, Heartbeat: cfg.Lease.Heartbeat, Phase: cfg.Limits.Phase,
		MailHold: cfg.Mail.Hold, MailWithin: cfg.Mail.Within,
		HumanHold: cfg.Human.Hold, HumanExpires: cfg.Human.Expires,
		Attempts: cfg.Retry.Attempts, BackoffMin: cfg.Retry.BackoffMin, BackoffMax: cfg.Retry.BackoffMax,
		PauseAfter: cfg.Retry.PauseAfter, PauseFor: cfg.Retry.PauseFor, WaitMax: cfg.Retry.WaitMax,
		OutboxMin: cfg.Retry.ReportMin, OutboxMax: cfg.Retry.ReportMax,
		Poll: cfg.Entity.Poll, ListLimit: cfg.Entity.Limit, Retention: cfg.State.Retention,
	}
}

func states(s config.States) core.StateNames {
	return core.StateNames{
		Register: s.Register, Registering: s.Registering, Profiled: s.Profiled,
		RegisterFailed: s.RegisterFailed, ProfileFailed: s.ProfileFailed,
		Connect: s.Connect, Connecting: s.Connecting, Completed: s.Completed, ConnectFailed: s.ConnectFailed,
	}
}
