package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/machine"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/core/secret"
)

func (c *cli) planCommand() *cobra.Command {
	return c.withJSON(&cobra.Command{
		Use:   "plan",
		Short: "Show what a run would do with the task manager's list, changing nothing",
		Long: "Lists from the task manager and shows by site how many tasks would run, with which driver and\n" +
			"at which pace, and why the others would not, with what would change it. Nothing is started\n" +
			"and nothing is stored.\n\nExit codes: 0 something would run or there is nothing, 4 sites are held back and nothing would run.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(c.configPath)
			if err != nil {
				return usage(err)
			}
			return c.plan(cmd.Context(), cfg)
		},
	})
}

// plan is what a run would do.
type plan struct {
	Listed   int        `json:"listed"`
	Run      int        `json:"run"`
	AtLeast  string     `json:"at_least,omitempty"` // how long the pace of the sites makes it
	More     bool       `json:"more"`               // the list was cut at its largest size
	Sites    []planSite `json:"sites"`
	Unread   []string   `json:"unread,omitempty"`
	Warnings []string   `json:"warnings,omitempty"`
	Slots    int        `json:"slots,omitempty"` // tasks at once
	SlotsWhy string     `json:"slots_why,omitempty"`
}

type planSite struct {
	Domain  string             `json:"domain"`
	Tasks   int                `json:"tasks"`
	Run     int                `json:"run"`
	Driver  string             `json:"driver,omitempty"`
	Version string             `json:"version,omitempty"`
	Source  string             `json:"source,omitempty"`
	Pace    *paceLine          `json:"pace,omitempty"`
	Today   int                `json:"today"`           // begun this UTC day
	Known   map[core.State]int `json:"known,omitempty"` // what the ledger has of these tasks
	Not     []planReason       `json:"not,omitempty"`   // why the others would not run
}

// planReason is why tasks of a site would not run. Held says that the operator
// has not let the site run, or that no driver serves it.
type planReason struct {
	Tasks   int    `json:"tasks"`
	Reason  string `json:"reason"`
	Command string `json:"command,omitempty"`
	Held    bool   `json:"held"`
}

func (c *cli) plan(ctx context.Context, cfg *config.Config) (err error) {
	h := newHouse(cfg, c.warnings)
	key, err := apiKey(cfg)
	if err != nil {
		return err
	}
	h.redact.Add(key)
	manager, err := h.taskManager(key)
	if err != nil {
		return err
	}
	f, err := openFleet(ctx, cfg, h.log, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	page, err := manager.List(ctx, runner.MaxList)
	if err != nil {
		return fmt.Errorf("list from the task manager: %w", err)
	}
	admin, end, err := c.openAdmin(ctx, cfg)
	defer end()
	if err != nil && !errors.Is(err, errNoLedger) {
		return err
	}
	p, err := makePlan(ctx, page, planner{catalog: f.set, ledger: admin, connect: cfg.Entity.Connect, hoola: cfg.Hoola})
	if err != nil {
		return err
	}
	at := chooseSlots(cfg.Browser.Slots, machine.Reader{}.Figures())
	p.Slots, p.SlotsWhy = at.N, at.Why
	p.More = len(page.Tasks)+len(page.Unread) >= runner.MaxList
	if c.json {
		err = json.NewEncoder(c.out).Encode(p)
	} else {
		err = p.print(c.out)
	}
	if err == nil && p.Run == 0 && slices.ContainsFunc(p.Sites, planSite.held) {
		return &exitError{code: exitHeldBack}
	}
	return err
}

// planner is what a plan is made from; ledger is nil where there is none yet.
type planner struct {
	catalog core.Catalog
	ledger  core.Admin
	connect bool
	hoola   map[string]config.Hoola
}

// lookup is what serves a task: a driver, or the bulk API of a tenant.
func (p planner) lookup(t core.Task) (core.Binding, int, error) {
	h, ok := p.hoola[t.Domain]
	if !ok || t.Kind == core.Connect {
		b, err := p.catalog.Lookup(t.Domain)
		return b, 1, err
	}
	none := &core.NoBinding{Domain: t.Domain, Allowed: h.Allowed != ""}
	section := fmt.Sprintf("[hoola.%q]", t.Domain)
	switch {
	case h.Allowed == "":
		none.Reason, none.Command = "you have not recorded on what basis accounts may be made", "set "+section+" allowed = \"owner\", \"contract\" or \"terms\""
	case h.Expired(time.Now()):
		none.Reason, none.Command = "its basis has ended", "renew it and set "+section+" expires"
	case h.ProfileURL == "":
		none.Reason, none.Command = "the address of a profile made by its bulk API is not known", "set "+section+" profile_url"
	default:
		return core.Binding{Domain: t.Domain, Driver: "hoola", Source: "bulk API", Pace: core.Pace{Every: h.Every, Concurrency: 1}}, h.Batch, nil
	}
	return core.Binding{}, 1, none
}

// known are the sites and tasks of the ledger.
type known struct {
	paused map[string]core.SiteStatus
	state  map[string]core.State
}

func (p planner) known(ctx context.Context, tasks []core.Listed) (known, error) {
	k := known{paused: map[string]core.SiteStatus{}, state: map[string]core.State{}}
	if p.ledger == nil {
		return k, nil
	}
	sites, err := p.ledger.Sites(ctx)
	if err != nil {
		return k, err
	}
	for _, s := range sites {
		k.paused[s.Domain] = s
	}
	for _, t := range tasks {
		rec, err := p.ledger.Task(ctx, t.Task.ID)
		if errors.Is(err, core.ErrUnknownTask) {
			continue
		}
		if err != nil {
			return k, err
		}
		k.state[t.Task.ID] = rec.State
	}
	return k, nil
}

func makePlan(ctx context.Context, page core.Listing, o planner) (*plan, error) {
	k, err := o.known(ctx, page.Tasks)
	if err != nil {
		return nil, err
	}
	p := &plan{Listed: len(page.Tasks), Sites: []planSite{}, Warnings: page.Warnings}
	for _, u := range page.Unread {
		p.Unread = append(p.Unread, fmt.Sprintf("item %d (task %s) can't be read: %s", u.Index, cmp.Or(u.ID, "without an id"), u.Why))
	}
	sites := map[string]*planSite{}
	var slowest time.Duration
	for _, t := range page.Tasks {
		domain := t.Task.Domain
		s := sites[domain]
		if s == nil {
			s = &planSite{Domain: domain, Known: map[core.State]int{}, Today: k.paused[domain].Today}
			sites[domain] = s
		}
		s.Tasks++
		state, listed := k.state[t.Task.ID]
		if listed {
			s.Known[state]++
		}
		b, together, err := o.lookup(t.Task)
		if err == nil {
			s.Driver, s.Version, s.Source, s.Pace = b.Driver, b.Manifest.Version, b.Source, paceOf(b)
		}
		not, err := o.not(t.Task, b, err, state, k.paused[domain])
		if err != nil {
			return nil, err
		}
		if not != nil {
			s.add(*not)
			continue
		}
		s.Run++
		p.Run++
		slowest = max(slowest, time.Duration((s.Run-1)/together)*b.Pace.Every)
	}
	if slowest >= time.Second {
		p.AtLeast = span(slowest)
	}
	for _, domain := range slices.Sorted(maps.Keys(sites)) {
		p.Sites = append(p.Sites, *sites[domain])
	}
	return p, nil
}

// not says why a task would not run, nil when it would.
func (o planner) not(t core.Task, b core.Binding, lookup error, state core.State, site core.SiteStatus) (*planReason, error) {
	var none *core.NoBinding
	switch {
	case errors.As(lookup, &none):
		return &planReason{Reason: none.Reason, Command: none.Command, Held: true}, nil
	case lookup != nil:
		return nil, lookup
	case t.Kind == core.Connect && !o.connect:
		return &planReason{Reason: "connect tasks are switched off", Command: "set [entity] connect = true"}, nil
	}
	switch state {
	case core.Unknown:
		return &planReason{Reason: "nobody knows whether its account exists", Command: "rollcall task list --state unknown, then rollcall task resolve ID"}, nil
	case core.Held, core.Parked:
		return &planReason{Reason: "it waits for a person", Command: "rollcall human list"}, nil
	case "", core.Reported, core.Overtaken, core.Dropped:
	default:
		return &planReason{Reason: "it was taken before and is " + string(state), Command: "nothing; it goes on by itself"}, nil
	}
	if name := runner.Missing(b.Manifest, t.Entity); name != "" {
		return &planReason{Reason: fmt.Sprintf("it has no %s, which the driver %s needs; it would be started and failed", name, b.Driver),
			Command: "complete it in the task manager"}, nil
	}
	if site.ByPerson || !site.PausedUntil.IsZero() {
		reason := "the site is paused"
		if site.PausedWhy != "" {
			reason += ": " + site.PausedWhy
		}
		return &planReason{Reason: reason, Command: "rollcall site resume " + t.Domain}, nil
	}
	return nil, nil
}

func (s *planSite) add(r planReason) {
	r.Tasks = 1
	for i := range s.Not {
		if s.Not[i].Reason == r.Reason && s.Not[i].Command == r.Command {
			s.Not[i].Tasks++
			return
		}
	}
	s.Not = append(s.Not, r)
}

func (s planSite) held() bool {
	return slices.ContainsFunc(s.Not, func(r planReason) bool { return r.Held })
}

func (p *plan) print(w io.Writer) error {
	line := fmt.Sprintf("%s listed, %d would run", plural(p.Listed, "task"), p.Run)
	if p.AtLeast != "" {
		line += ", in at least " + p.AtLeast
	}
	if p.More {
		line += "; the list is cut here, there may be more"
	}
	fmt.Fprintln(w, line)
	if p.Slots > 0 {
		fmt.Fprintf(w, "%s at once: %s\n", plural(p.Slots, "task"), p.SlotsWhy)
	}
	if len(p.Sites) > 0 {
		fmt.Fprintln(w)
		tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(tw, "site\ttasks\trun\tdriver\tpace\tknown")
		for _, s := range p.Sites {
			driver, pace := "-", "-"
			if s.Driver != "" {
				driver = strings.TrimSpace(s.Driver + " " + s.Version)
			}
			if s.Pace != nil {
				pace = s.Pace.String()
				if s.Pace.MaxPerDay > 0 {
					pace += fmt.Sprintf(" (%d today)", s.Today)
				}
			}
			fmt.Fprintf(tw, "%s\t%d\t%d\t%s\t%s\t%s\n", secret.Clean(s.Domain), s.Tasks, s.Run, driver, pace, cmp.Or(knownText(s.Known), "-"))
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	first := true
	for _, s := range p.Sites {
		for _, r := range s.Not {
			if first {
				fmt.Fprintf(w, "\nwould not run:\n")
				first = false
			}
			fmt.Fprintf(w, "  %d  %s: %s\n", r.Tasks, secret.Clean(s.Domain), secret.Clean(r.Reason))
			if r.Command != "" {
				fmt.Fprintf(w, "     %s\n", secret.Clean(r.Command))
			}
		}
	}
	for _, text := range slices.Concat(p.Unread, p.Warnings) {
		fmt.Fprintf(w, "\nnote: %s", secret.Clean(text))
	}
	if len(p.Unread)+len(p.Warnings) > 0 {
		fmt.Fprintln(w)
	}
	return nil
}

// knownText lists states in the order of a task's life.
func knownText(states map[core.State]int) string {
	var out []string
	for _, s := range core.States {
		if n := states[s]; n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(out, ", ")
}
