package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/drivers/lua"
)

func (c *cli) driverCheckCommand() *cobra.Command {
	return c.withJSON(&cobra.Command{
		Use:   "check [FILE|NAME…]",
		Short: "Name what is wrong with drivers, by file and line, without running them",
		Long: "Loads each driver strictly and looks for the mistakes that break on real sites: clicks that\n" +
			"nobody waits for, refusals that nobody looks at, undeclared fields and hosts, and more.\n" +
			"Without an argument it checks every driver in your folders. `rollcall driver doc RULE`\n" +
			"explains a rule.\n\nExit codes: 0 nothing is wrong, 1 something is, 2 a file can't be read.",
		ValidArgsFunction: c.completeDrivers,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := c.workshop(cmd)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				if args, err = ownScripts(cfg); err != nil {
					return err
				}
				if len(args) == 0 {
					return usage(fmt.Errorf("there is no driver in %s: name a file, or write one with `rollcall driver new NAME`", strings.Join(relatives(cfg.Drivers.Scripts), ", ")))
				}
			}
			return c.driverCheck(cfg, args)
		},
	})
}

// ruleDomain finds two drivers for one domain; it needs more than one file.
const ruleDomain = "domain-twice"

// findingLine is a finding for programs.
type findingLine struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

func (c *cli) driverCheck(cfg *config.Config, args []string) error {
	all := []findingLine{}
	clean := 0
	for _, arg := range args {
		s, err := findScript(cfg, arg)
		if err != nil {
			return err
		}
		found, err := lua.Check(s.Source)
		if err != nil {
			return fmt.Errorf("check %s: %w", s.Path, err)
		}
		twice, err := sameDomain(cfg, s)
		if err != nil {
			return err
		}
		found = append(found, twice...)
		if len(found) == 0 {
			clean++
		}
		for _, f := range found {
			all = append(all, findingLine{f.File, f.Line, f.Rule, f.Message})
			if !c.json {
				fmt.Fprintln(c.out, secret.Clean(f.String()))
			}
		}
	}
	switch {
	case c.json:
		if err := json.NewEncoder(c.out).Encode(all); err != nil {
			return err
		}
	case len(all) == 0:
		fmt.Fprintf(c.out, "%s checked, nothing is wrong\n", plural(clean, "driver"))
	}
	if len(all) > 0 {
		return &exitError{code: exitFailed, err: fmt.Errorf("%s in %s", plural(len(all), "finding"), plural(len(args)-clean, "driver"))}
	}
	return nil
}

// sameDomain finds drivers beside s that name a domain of its.
func sameDomain(cfg *config.Config, s script) ([]lua.Finding, error) {
	d, err := lua.Load(s.Source)
	if err != nil {
		return nil, nil // Check has said so
	}
	if s.bundled || len(d.Manifest().Domains) == 0 {
		return nil, nil
	}
	others, err := ownScripts(cfg)
	if err != nil {
		return nil, err
	}
	var found []lua.Finding
	for _, arg := range append(others, bundledNames()...) {
		o, err := findScript(cfg, arg)
		if err != nil || o.Name == s.Name {
			continue // a driver of the same name is replaced, not doubled
		}
		other, err := lua.Load(o.Source)
		if err != nil {
			continue // it has a check of its own
		}
		for _, domain := range other.Manifest().Domains {
			if slices.Contains(d.Manifest().Domains, domain) {
				found = append(found, lua.Finding{File: s.Path, Rule: ruleDomain, Message: fmt.Sprintf(
					"%s names the domain %s too: a run serves it with neither until [sites.%q] driver chooses one", o.Path, domain, domain)})
			}
		}
	}
	return found, nil
}

// readAtMost reads the first n bytes of a file.
func readAtMost(path string, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, n))
	return text, errors.Join(err, f.Close())
}
