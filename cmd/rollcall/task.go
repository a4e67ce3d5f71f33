package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/secret"
)

func (c *cli) taskCommand() *cobra.Command {
	cmd := group("task", "Look at tasks, retry and settle them, or run one from a file")
	cmd.AddCommand(c.taskListCommand(), c.taskShowCommand(), c.taskRetryCommand(), c.taskResolveCommand(), c.taskRunCommand())
	return cmd
}

type taskListFlags struct {
	domain string
	states []string
	limit  int
}

func (c *cli) taskListCommand() *cobra.Command {
	var f taskListFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the tasks of the ledger",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter()
			if err != nil {
				return usage(err)
			}
			return c.withAdmin(cmd, func(ctx context.Context, _ *config.Config, admin core.Admin) error {
				return c.taskList(ctx, admin, filter)
			})
		},
	}
	cmd.Flags().StringVar(&f.domain, "domain", "", "only tasks of this site")
	cmd.Flags().StringSliceVar(&f.states, "state", nil, "only tasks in these states: "+stateNames())
	cmd.Flags().IntVar(&f.limit, "limit", 100, "at most so many tasks")
	return c.withJSON(cmd)
}

func stateNames() string {
	var names []string
	for _, s := range core.States {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

func (f taskListFlags) filter() (core.TaskFilter, error) {
	out := core.TaskFilter{Limit: f.limit}
	if f.limit < 1 {
		return out, fmt.Errorf("--limit must be at least 1, not %d", f.limit)
	}
	if f.domain != "" {
		var err error
		if out.Domain, err = domainArg(f.domain); err != nil {
			return out, err
		}
	}
	known := map[core.State]bool{}
	for _, s := range core.States {
		known[s] = true
	}
	for _, name := range f.states {
		s := core.State(strings.ToLower(strings.TrimSpace(name)))
		if !known[s] {
			return out, fmt.Errorf("--state: there is no state %q; the states are %s", name, stateNames())
		}
		out.States = append(out.States, s)
	}
	return out, nil
}

// taskPage is how many tasks are read at once.
const taskPage = 500

// taskLine is a task for programs.
type taskLine struct {
	ID           string     `json:"id"`
	RequestID    string     `json:"request_id,omitempty"`
	Domain       string     `json:"domain"`
	Kind         core.Kind  `json:"kind"`
	State        core.State `json:"state"`
	From         core.State `json:"from,omitempty"`
	Phase        core.Phase `json:"phase,omitempty"`
	Done         bool       `json:"done"`
	Why          string     `json:"why,omitempty"`
	Driver       string     `json:"driver,omitempty"`
	Digest       string     `json:"digest,omitempty"`
	Round        int        `json:"round"`
	Broken       int        `json:"broken"`
	Owner        string     `json:"owner,omitempty"`
	Due          time.Time  `json:"due,omitzero"`
	WaitingSince time.Time  `json:"waiting_since,omitzero"`
	Created      time.Time  `json:"created"`
	Updated      time.Time  `json:"updated"`
}

func lineOf(r core.Record) taskLine {
	return taskLine{ID: r.ID, RequestID: r.RequestID, Domain: r.Domain, Kind: r.Kind, State: r.State, From: r.From, Phase: r.Phase, Done: r.Done,
		Why: why(r), Driver: r.Driver, Digest: r.Digest, Round: r.Round, Broken: r.Broken, Owner: r.Lease.Owner, Due: r.Due,
		WaitingSince: r.WaitingSince, Created: r.Created, Updated: r.Updated}
}

// why is what the task's state comes from; empty where nothing went wrong.
func why(r core.Record) string {
	switch r.State {
	case core.Ready, core.Starting, core.Confirmed, core.Profiled, core.Connected:
		return ""
	}
	if r.Done || r.Answer == nil && r.Fault == "" && !r.State.Final() {
		return ""
	}
	return cause(r)
}

func (c *cli) taskList(ctx context.Context, admin core.Admin, f core.TaskFilter) error {
	most := f.Limit
	var all []core.Record
	for len(all) <= most { // one more than is shown says that there are more
		f.Limit = min(taskPage, most+1-len(all))
		page, err := admin.Tasks(ctx, f)
		if err != nil {
			return err
		}
		all = append(all, page...)
		if len(page) < f.Limit {
			break
		}
		f.After = page[len(page)-1].ID
	}
	more := len(all) > most
	if more {
		all = all[:most]
	}
	if c.json {
		lines := make([]taskLine, 0, len(all))
		for _, r := range all {
			lines = append(lines, lineOf(r))
		}
		return json.NewEncoder(c.out).Encode(lines)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(c.out, "no tasks")
		return err
	}
	if err := printTasks(c.out, time.Now(), all); err != nil {
		return err
	}
	if more {
		_, err := fmt.Fprintf(c.out, "\nthere are more; --limit shows more than %d\n", most)
		return err
	}
	return nil
}

func printTasks(w io.Writer, now time.Time, all []core.Record) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "task\tsite\tstate\tphase\tdue\tupdated\twhy")
	for _, r := range all {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", secret.Clean(r.ID), secret.Clean(r.Domain), r.State, cmp.Or(string(r.Phase), "-"), dueText(now, r),
			apart(now, r.Updated), cmp.Or(short(secret.Clean(why(r)), 100), "-"))
	}
	return tw.Flush()
}

// dueText says when a task goes on, or what it waits for.
func dueText(now time.Time, r core.Record) string {
	switch {
	case r.State.Final():
		return "-"
	case r.State == core.Reporting:
		return "when reported"
	case r.Lease.Owner != "" && r.State != core.Held:
		return "under way"
	case r.State == core.Held || r.Due.IsZero():
		return "a person's turn"
	}
	return apart(now, r.Due)
}

// short cuts text for a column.
func short(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}

func (c *cli) taskRetryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "retry ID",
		Short: "Make a task that waits due now",
		Long: "Makes a task due now that waits for its time, or was put aside. A report that waits is sent\n" +
			"at once. A task past its sign-up is not signed up again: it goes on with a look at what is there.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withAdmin(cmd, func(ctx context.Context, cfg *config.Config, admin core.Admin) error {
				if err := admin.Retry(ctx, args[0], person()); err != nil {
					return unknownTask(args[0], err)
				}
				_, err := fmt.Fprintf(c.out, "task %s is due now%s\n", secret.Clean(args[0]), later(cfg, admin))
				return err
			})
		},
	}
}

func (c *cli) taskResolveCommand() *cobra.Command {
	var created, absent, fail bool
	cmd := &cobra.Command{
		Use:   "resolve ID --created | --absent | --fail",
		Short: "Settle a task in unknown, of which nobody knows whether its account exists",
		Long: "A task is unknown when its sign-up was sent and no answer came, and looking at the site did\n" +
			"not decide it. It is never sent again by itself. Look at the site, then say what you found:\n\n" +
			"  --created  the account exists: the task goes on with a login\n" +
			"  --absent   it does not: the task signs up again. A wrong word here makes a second account\n" +
			"  --fail     give the task up and report it as failed",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var verdicts []core.Verdict
			for v, set := range map[core.Verdict]bool{core.VerdictCreated: created, core.VerdictAbsent: absent, core.VerdictFail: fail} {
				if set {
					verdicts = append(verdicts, v)
				}
			}
			if len(verdicts) != 1 {
				return usage(errors.New("say what you found with exactly one of --created, --absent and --fail"))
			}
			return c.withAdmin(cmd, func(ctx context.Context, cfg *config.Config, admin core.Admin) error {
				if err := admin.Resolve(ctx, args[0], verdicts[0], person()); err != nil {
					return unknownTask(args[0], err)
				}
				said := map[core.Verdict]string{
					core.VerdictCreated: "has its account and goes on with a login",
					core.VerdictAbsent:  "has no account and signs up again",
					core.VerdictFail:    "is given up and reported as failed",
				}[verdicts[0]]
				_, err := fmt.Fprintf(c.out, "task %s %s%s\n", secret.Clean(args[0]), said, later(cfg, admin))
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&created, "created", false, "the account exists")
	cmd.Flags().BoolVar(&absent, "absent", false, "the account does not exist")
	cmd.Flags().BoolVar(&fail, "fail", false, "give the task up")
	return cmd
}
