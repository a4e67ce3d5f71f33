package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/secret"
)

func (c *cli) doctorCommand() *cobra.Command {
	return c.withJSON(&cobra.Command{
		Use:   "doctor",
		Short: "Check this machine and the configuration, and say how to mend what is wrong",
		Long: "Checks what a run needs, one line each, and names the command that mends what is wrong. It\n" +
			"changes nothing: it lists one task and starts none, and its browser opens a blank page.\n\n" +
			"Exit codes: 0 a run can start, 1 something is wrong.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.doctor(cmd.Context()) },
	})
}

// The grades of a finding.
const (
	gradeOK   = "ok"
	gradeWarn = "warn"
	gradeFail = "FAIL"
)

// examined is one line of the doctor.
type examined struct {
	Check string `json:"check"`
	Grade string `json:"grade"`
	Text  string `json:"text"`
	Mend  string `json:"mend,omitempty"` // what to do, where something is wrong
}

// examination looks at one thing after the other.
type examination struct {
	cfg   *config.Config
	say   func(examined)
	lines []examined
}

func (e *examination) add(check, grade, mend, format string, args ...any) {
	l := examined{Check: check, Grade: grade, Text: secret.Clean(fmt.Sprintf(format, args...)), Mend: secret.Clean(mend)}
	e.lines = append(e.lines, l)
	e.say(l)
}

func (e *examination) ok(check, format string, args ...any) {
	e.add(check, gradeOK, "", format, args...)
}

func (e *examination) warn(check, mend, format string, args ...any) {
	e.add(check, gradeWarn, mend, format, args...)
}

func (e *examination) fail(check, mend, format string, args ...any) {
	e.add(check, gradeFail, mend, format, args...)
}

func (c *cli) doctor(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	e := &examination{say: func(l examined) {
		if c.json {
			return
		}
		fmt.Fprintf(c.out, "%-5s %-14s %s\n", l.Grade, l.Check, l.Text)
		if l.Mend != "" {
			fmt.Fprintf(c.out, "%20s → %s\n", "", l.Mend)
		}
	}}
	if e.configuration(c.configPath) {
		e.key()
		e.ledger(ctx)
		e.taskManager(ctx)
		e.mailboxes(ctx)
		e.drivers(ctx)
	} else {
		// The machine can be looked at all the same.
		e.cfg = config.Default()
	}
	e.browser(ctx)
	e.machine()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("the checks were interrupted: %w", err)
	}
	count := map[string]int{}
	for _, l := range e.lines {
		count[l.Grade]++
	}
	if c.json {
		if err := json.NewEncoder(c.out).Encode(e.lines); err != nil {
			return err
		}
	}
	if n := count[gradeFail]; n > 0 {
		return &exitError{code: exitFailed, err: fmt.Errorf("%s in the way of a run", plural(n, "problem"))}
	}
	if !c.json {
		fmt.Fprintln(c.out, strings.TrimSuffix(fmt.Sprintf("a run can start; %s", plural(count[gradeWarn], "warning")), "; 0 warnings"))
	}
	return nil
}

// What is said where the headless shell is missing. The figures are of
// docs/benchmarks.md.
const (
	noShell      = "the whole Chromium is used without a window: it takes two to three times the processor time, and twice the memory, of the headless shell"
	installShell = "Debian: apt install chromium-headless-shell; elsewhere chrome-headless-shell"
)
