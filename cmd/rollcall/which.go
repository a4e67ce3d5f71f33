package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/secret"
)

func (c *cli) whichCommand() *cobra.Command {
	return c.withJSON(&cobra.Command{
		Use:   "which DOMAIN",
		Short: "Say which driver serves a domain and why, or why none does",
		Long: "Says which driver serves a domain, where it comes from and how the site is visited. Where\n" +
			"none serves it: why, and what would change that.\n\nExit codes: 0 a driver serves it, 4 none does.",
		Args: cobra.ExactArgs(1), ValidArgsFunction: c.completeDomains,
		RunE: func(cmd *cobra.Command, args []string) error {
			domain, err := domainArg(args[0])
			if err != nil {
				return usage(err)
			}
			cfg, err := config.Load(c.configPath)
			if err != nil {
				return usage(err)
			}
			return c.which(cmd.Context(), cfg, domain)
		},
	})
}

// bindingLine is the answer of which for programs.
type bindingLine struct {
	Domain string `json:"domain"`
	Served bool   `json:"served"`
	// Where a driver serves it:
	Driver  string    `json:"driver,omitempty"`
	Version string    `json:"version,omitempty"`
	Source  string    `json:"source,omitempty"`
	Digest  string    `json:"digest,omitempty"`
	Base    string    `json:"base,omitempty"`
	Hosts   []string  `json:"hosts,omitempty"`
	Needs   []string  `json:"needs,omitempty"`
	Phases  []string  `json:"phases,omitempty"`
	Pace    *paceLine `json:"pace,omitempty"`
	Basis   string    `json:"allowed,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	Reuse   bool      `json:"reuse,omitempty"`
	// Where none does:
	Reason  string `json:"reason,omitempty"`
	Command string `json:"command,omitempty"`
}

type paceLine struct {
	Every       string `json:"every"`
	Concurrency int    `json:"concurrency"`
	MaxPerDay   int    `json:"max_per_day,omitempty"`
}

func paceOf(b core.Binding) *paceLine {
	return &paceLine{Every: b.Pace.Every.String(), Concurrency: b.Pace.Concurrency, MaxPerDay: b.MaxPerDay}
}

func (p paceLine) String() string {
	text := fmt.Sprintf("%s ×%d", p.Every, p.Concurrency)
	if p.MaxPerDay > 0 {
		text += fmt.Sprintf(", %d a day", p.MaxPerDay)
	}
	return text
}

func (c *cli) which(ctx context.Context, cfg *config.Config, domain string) (err error) {
	f, err := openFleet(ctx, cfg, slog.New(c.warnings(secret.NewRedactor())), false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := f.set.Lookup(domain)
	var none *core.NoBinding
	switch {
	case errors.As(err, &none) && c.json:
		if err := json.NewEncoder(c.out).Encode(bindingLine{Domain: domain, Reason: none.Reason, Command: none.Command}); err != nil {
			return err
		}
		return &exitError{code: exitHeldBack}
	case errors.As(err, &none):
		return &exitError{code: exitHeldBack, err: none}
	case err != nil:
		return err
	case c.json:
		l := bindingLine{Domain: domain, Served: true, Driver: b.Driver, Version: b.Manifest.Version, Source: b.Source, Digest: b.Digest, Base: b.Base,
			Hosts: b.Hosts, Needs: b.Manifest.Needs, Pace: paceOf(b), Basis: b.Basis, Expires: b.Expires, Reuse: b.Reuse}
		for _, p := range b.Manifest.Phases {
			l.Phases = append(l.Phases, string(p))
		}
		return json.NewEncoder(c.out).Encode(l)
	}
	_, err = fmt.Fprint(c.out, secret.CleanLines(f.set.Why(domain)))
	return err
}
