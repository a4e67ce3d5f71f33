package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/idna"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/secret"
)

// domainArg reads a domain as people write it: in capitals, with letters beyond
// ASCII, or as an address.
func domainArg(arg string) (string, error) {
	name := strings.TrimSpace(arg)
	if strings.Contains(name, "://") {
		u, err := url.Parse(name)
		if err != nil {
			return "", fmt.Errorf("%q is not a domain", arg)
		}
		name = u.Hostname()
	}
	domain, err := idna.Lookup.ToASCII(strings.TrimSuffix(name, "/"))
	if err != nil || domain == "" {
		return "", fmt.Errorf("%q is not a domain", arg)
	}
	return domain, nil
}

func (c *cli) siteCommand() *cobra.Command {
	cmd := group("site", "List, pause and resume sites")
	var why string
	pause := &cobra.Command{
		Use:   "pause DOMAIN",
		Short: "Start nothing more on a site until it is resumed",
		Long:  "Nothing more is started on the site, by any runner, until it is resumed. What is under way ends.",
		Args:  cobra.ExactArgs(1), ValidArgsFunction: c.completeDomains,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withSite(cmd, args[0], func(ctx context.Context, domain string, _ *config.Config, admin core.Admin) error {
				if err := admin.PauseSite(ctx, domain, cmp.Or(why, "paused by "+person())); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.out, "%s is paused until: rollcall site resume %s\n", domain, domain)
				return err
			})
		},
	}
	pause.Flags().StringVar(&why, "why", "", "why, for whoever looks next")
	resume := &cobra.Command{
		Use:   "resume DOMAIN",
		Short: "End a site's pause, whoever or whatever paused it",
		Args:  cobra.ExactArgs(1), ValidArgsFunction: c.completeDomains,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withSite(cmd, args[0], func(ctx context.Context, domain string, cfg *config.Config, admin core.Admin) error {
				if err := admin.ResumeSite(ctx, domain); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.out, "%s is not paused%s\n", domain, later(cfg, admin))
				return err
			})
		},
	}
	cmd.AddCommand(c.siteListCommand(), pause, resume)
	return cmd
}

// withSite runs f for a site that the configuration or the ledger knows: a
// misspelt domain would be paused without effect.
func (c *cli) withSite(cmd *cobra.Command, arg string, f func(ctx context.Context, domain string, cfg *config.Config, admin core.Admin) error) error {
	domain, err := domainArg(arg)
	if err != nil {
		return usage(err)
	}
	return c.withAdmin(cmd, func(ctx context.Context, cfg *config.Config, admin core.Admin) error {
		if _, ok := cfg.Sites[domain]; !ok {
			sites, err := admin.Sites(ctx)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(sites, func(s core.SiteStatus) bool { return s.Domain == domain }) {
				return fmt.Errorf("there is no site %s in the configuration or the ledger; `rollcall site list` shows them", domain)
			}
		}
		return f(ctx, domain, cfg, admin)
	})
}

func (c *cli) siteListCommand() *cobra.Command {
	return c.withJSON(&cobra.Command{
		Use:   "list",
		Short: "List the sites with their pace, their use and their pauses",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withAdmin(cmd, func(ctx context.Context, cfg *config.Config, admin core.Admin) error {
				sites, err := admin.Sites(ctx)
				if err != nil {
					return err
				}
				lines := siteLines(cfg, sites)
				if c.json {
					return json.NewEncoder(c.out).Encode(lines)
				}
				return printSites(c.out, time.Now(), lines)
			})
		},
	})
}

// siteLine is a site for programs.
type siteLine struct {
	Domain      string    `json:"domain"`
	Allowed     string    `json:"allowed,omitempty"` // the configuration's basis
	Driver      string    `json:"driver,omitempty"`  // of the runners that are alive
	Every       string    `json:"every,omitempty"`
	Concurrency int       `json:"concurrency,omitempty"`
	MaxPerDay   int       `json:"max_per_day,omitempty"`
	Running     int       `json:"running"`
	Today       int       `json:"today"`
	Open        int       `json:"open"` // tasks that are not final
	NotBefore   time.Time `json:"not_before,omitzero"`
	Paused      bool      `json:"paused"`
	PausedUntil time.Time `json:"paused_until,omitzero"` // absent: until somebody resumes it
	PausedWhy   string    `json:"paused_why,omitempty"`
	ByPerson    bool      `json:"by_person,omitempty"`
}

// siteLines are the sites of the ledger and of the configuration, by domain.
func siteLines(cfg *config.Config, sites []core.SiteStatus) []siteLine {
	lines := []siteLine{}
	seen := map[string]bool{}
	for _, s := range sites {
		seen[s.Domain] = true
		l := siteLine{Domain: s.Domain, Allowed: cfg.Sites[s.Domain].Allowed, Driver: s.Driver, Concurrency: s.Concurrency, MaxPerDay: s.MaxPerDay,
			Running: s.Running, Today: s.Today, Open: s.Waiting, NotBefore: s.NotBefore,
			Paused: s.ByPerson || !s.PausedUntil.IsZero(), PausedWhy: s.PausedWhy, ByPerson: s.ByPerson}
		if s.Driver != "" {
			l.Every = s.Every.String()
		}
		if !s.ByPerson {
			l.PausedUntil = s.PausedUntil
		}
		lines = append(lines, l)
	}
	for domain, s := range cfg.Sites {
		if !seen[domain] {
			lines = append(lines, siteLine{Domain: domain, Allowed: s.Allowed})
		}
	}
	slices.SortFunc(lines, func(a, b siteLine) int { return strings.Compare(a.Domain, b.Domain) })
	return lines
}

func printSites(w io.Writer, now time.Time, lines []siteLine) error {
	if len(lines) == 0 {
		_, err := fmt.Fprintln(w, "no sites")
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "site\tallowed\tdriver\tpace\trunning\topen\ttoday\tnext visit\tpaused")
	for _, l := range lines {
		pace, today, next, paused := "-", fmt.Sprint(l.Today), "-", "-"
		if l.Every != "" {
			pace = fmt.Sprintf("%s ×%d", l.Every, l.Concurrency)
		}
		if l.MaxPerDay > 0 {
			today = fmt.Sprintf("%d of %d", l.Today, l.MaxPerDay)
		}
		if l.NotBefore.After(now) {
			next = apart(now, l.NotBefore)
		}
		if l.Paused {
			paused = "by a person"
			if !l.ByPerson {
				paused = "until " + when(now, l.PausedUntil)
			}
			if l.PausedWhy != "" {
				paused += ": " + short(secret.Clean(l.PausedWhy), 200)
			}
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", secret.Clean(l.Domain), cmp.Or(l.Allowed, "no"), cmp.Or(l.Driver, "-"), pace, l.Running, l.Open, today, next, paused)
	}
	return tw.Flush()
}
