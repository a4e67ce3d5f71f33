// Command rollcall runs account-onboarding work on websites whose operator
// allows it. See `rollcall help` and the README.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/secret"
)

func main() {
	os.Exit(execute(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// The exit codes. Of several that apply the first of this order is used: usage,
// failed, partly, person, held back, done.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitPartly   = 3
	exitHeldBack = 4
	exitPerson   = 5
)

// exitError is an error with the code the process ends with. A nil err ends
// quietly: the command has said everything.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage marks an error as one of usage or configuration.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code: exitUsage, err: err}
}

// streams are what a command reads and prints. Nothing else in this package
// touches os.Stdin and os.Stdout.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// cli is what every command shares.
type cli struct {
	streams
	configPath string
	json       bool
}

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	// What a program reads is exact. A terminal gets text only, whoever wrote it.
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		out = secret.Screen(f)
	}
	c := &cli{streams: streams{in: in, out: out, err: errOut}}
	root := c.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	code := exitFailed
	var exit *exitError
	switch {
	case errors.As(err, &exit):
		code = exit.code
	case len(config.Problems(err)) > 0:
		code = exitUsage
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(errOut, "rollcall: "+secret.CleanLines(text))
	}
	return code
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rollcall",
		Short: "Account onboarding on websites whose operator allows it",
		Long: "rollcall pulls tasks from a task manager, signs up, fills profiles and inserts links\n" +
			"on sites that you allowed, one account a person at most, and reports back.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().StringVarP(&c.configPath, "config", "c", "rollcall.toml", "configuration file")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddCommand(c.commands()...)
	markUsage(root)
	return root
}

// markUsage makes wrong arguments exit with the usage code, in every command.
func markUsage(cmd *cobra.Command) {
	if args := cmd.Args; args != nil {
		cmd.Args = func(cmd *cobra.Command, a []string) error { return usage(args(cmd, a)) }
	}
	for _, sub := range cmd.Commands() {
		markUsage(sub)
	}
}

// withJSON adds --json to a command that prints data.
func (c *cli) withJSON(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON, for programs")
	return cmd
}
