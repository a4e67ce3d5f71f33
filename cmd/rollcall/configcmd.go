package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/secret"
)

func (c *cli) configCommand() *cobra.Command {
	cmd := group("config", "Check the configuration, or print its schema for an editor")
	cmd.AddCommand(
		c.withJSON(&cobra.Command{
			Use:   "check",
			Short: "Name everything that is wrong with the configuration, by file and line",
			Long: "Reads the configuration and the files that it names. Every problem is a line \"file:line: key:\n" +
				"what is wrong and what to do\". Warnings are about sites that are listed and don't run, and about\n" +
				"those that give up isolation between their tasks (reuse = true).\n\n" +
				"Exit codes: 0 nothing is wrong, 2 something is.",
			Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return c.configCheck() },
		}),
		&cobra.Command{
			Use:   "schema",
			Short: "Print the JSON schema of rollcall.toml",
			Args:  cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				_, err := c.out.Write(config.Schema())
				return err
			},
		},
	)
	return cmd
}

// group is a command that only holds others. A name it does not have is an error.
func group(use, short string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, SuggestionsMinimumDistance: 2,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			text := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				text += fmt.Sprintf("; did you mean %q?", near[0])
			}
			return errors.New(text)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
}

// problemLine is a configuration problem for programs.
type problemLine struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`
}

func (c *cli) configCheck() error {
	cfg, err := config.Load(c.configPath)
	var warnings []string
	if err == nil {
		warnings = cfg.Warnings(time.Now())
		err = cfg.Check()
	}
	problems := config.Problems(err)
	if err != nil && len(problems) == 0 {
		return usage(err)
	}
	if c.json {
		out := struct {
			Problems []problemLine `json:"problems"`
			Warnings []string      `json:"warnings"`
		}{[]problemLine{}, append([]string{}, warnings...)}
		for _, p := range problems {
			out.Problems = append(out.Problems, problemLine{p.File, p.Line, p.Key, p.Msg})
		}
		if err := json.NewEncoder(c.out).Encode(out); err != nil {
			return err
		}
	} else {
		for _, p := range problems {
			fmt.Fprintln(c.out, secret.Clean(p.Error()))
		}
		for _, w := range warnings {
			fmt.Fprintln(c.out, "warning: "+secret.Clean(w))
		}
	}
	if n := len(problems); n > 0 {
		return &exitError{code: exitUsage, err: fmt.Errorf("%s in %s", plural(n, "problem"), c.configPath)}
	}
	if !c.json {
		fmt.Fprintf(c.out, "%s: nothing is wrong; %s, %s\n", c.configPath, plural(len(cfg.Sites), "site"), plural(len(warnings), "warning"))
	}
	return nil
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
