package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/core/secret"
)

// summary is what a run comes to, for the table at its end.
type summary struct {
	Sites    []siteSummary `json:"sites"`
	Failures []failure     `json:"failures"` // by cause, most tasks first
	HeldBack []heldBack    `json:"held_back"`
	Totals   counts        `json:"totals"`
}

type counts struct {
	Done    int `json:"done"`
	Failed  int `json:"failed"`
	Person  int `json:"person"`  // parked, held or unknown
	Waiting int `json:"waiting"` // due later
	Other   int `json:"other"`   // dropped, overtaken
}

func (c *counts) add(o counts) {
	c.Done += o.Done
	c.Failed += o.Failed
	c.Person += o.Person
	c.Waiting += o.Waiting
	c.Other += o.Other
}

type siteSummary struct {
	Domain string `json:"domain"`
	counts
}

type failure struct {
	Cause string   `json:"cause"`
	Kind  string   `json:"kind"` // failed, person, other
	Tasks []string `json:"tasks"`
}

type heldBack struct {
	Domain  string `json:"domain"`
	Tasks   int    `json:"tasks"`
	Reason  string `json:"reason"`
	Command string `json:"command"`
}

// count places a task in one column.
func count(rec core.Record) (c counts, kind string) {
	switch rec.State {
	case core.Reported:
		if rec.Done {
			return counts{Done: 1}, ""
		}
		return counts{Failed: 1}, "failed"
	case core.Parked, core.Held, core.Unknown:
		return counts{Person: 1}, "person"
	case core.Dropped, core.Overtaken:
		return counts{Other: 1}, "other"
	}
	return counts{Waiting: 1}, "waiting"
}

// summarize reads from the ledger what became of the tasks of a run.
func summarize(ctx context.Context, store core.Admin, t runner.Tally) (*summary, error) {
	sites := map[string]*counts{}
	causes := map[[2]string][]string{}
	s := &summary{}
	for _, id := range slices.Sorted(maps.Keys(t.Tasks)) {
		rec, err := store.Task(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("read task %s for the summary: %w", id, err)
		}
		c, kind := count(rec)
		if sites[rec.Domain] == nil {
			sites[rec.Domain] = &counts{}
		}
		sites[rec.Domain].add(c)
		s.Totals.add(c)
		if kind != "" {
			k := [2]string{kind, cause(rec)}
			causes[k] = append(causes[k], id)
		}
	}
	for _, d := range slices.Sorted(maps.Keys(sites)) {
		s.Sites = append(s.Sites, siteSummary{Domain: d, counts: *sites[d]})
	}
	for k, ids := range causes {
		s.Failures = append(s.Failures, failure{Kind: k[0], Cause: k[1], Tasks: ids})
	}
	slices.SortFunc(s.Failures, func(a, b failure) int {
		return cmp.Or(cmp.Compare(len(b.Tasks), len(a.Tasks)), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Cause, b.Cause))
	})
	for _, d := range slices.Sorted(maps.Keys(t.HeldBack)) {
		h := t.HeldBack[d]
		s.HeldBack = append(s.HeldBack, heldBack{Domain: d, Tasks: h.Tasks, Reason: h.Reason, Command: h.Command})
	}
	return s, nil
}

// cause is why a task is not done, without what differs from task to task.
func cause(rec core.Record) string {
	switch {
	case rec.State == core.Dropped:
		return "not ours to start: taken by another worker, or gone"
	case rec.State == core.Overtaken:
		return "the task manager's state was no longer ours"
	case rec.Answer != nil && rec.Answer.Status != core.Done:
		text := string(rec.Answer.Code)
		if rec.Answer.Field != "" {
			text += " (" + rec.Answer.Field + ")"
		}
		return text + ": " + rec.Answer.Reason
	case rec.Fault != "":
		return rec.Fault
	}
	return "due later"
}

// code is the exit code of a run that ended by itself.
func (s *summary) code() int {
	t := s.Totals
	switch {
	case t.Failed > 0 && t.Done == 0:
		return exitFailed
	case t.Failed > 0:
		return exitPartly
	case t.Person > 0:
		return exitPerson
	case len(s.HeldBack) > 0 && t.Done == 0:
		return exitHeldBack
	}
	return exitDone
}

func (c *cli) printSummary(s *summary) error {
	if c.json {
		return json.NewEncoder(c.out).Encode(s)
	}
	return s.print(c.out)
}

func (s *summary) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row := func(name string, c counts) {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%d\n", name, c.Done, c.Failed, c.Person, c.Waiting, c.Other)
	}
	fmt.Fprintf(tw, "\nsite\tdone\tfailed\tperson\twaiting\tother\n")
	for _, site := range s.Sites {
		row(site.Domain, site.counts)
	}
	row("total", s.Totals)
	if err := tw.Flush(); err != nil {
		return err
	}
	titles := map[string]string{"failed": "failed", "person": "waiting for a person", "other": "not ours", "waiting": "due later"}
	for _, kind := range []string{"failed", "person", "waiting", "other"} {
		first := true
		for _, f := range s.Failures {
			if f.Kind != kind {
				continue
			}
			if first {
				fmt.Fprintf(w, "\n%s:\n", titles[kind])
				first = false
			}
			fmt.Fprintf(w, "  %d  %s\n     %s\n", len(f.Tasks), secret.Clean(f.Cause), ids(f.Tasks))
		}
	}
	if len(s.HeldBack) > 0 {
		fmt.Fprintf(w, "\nheld back, never started:\n")
		for _, h := range s.HeldBack {
			fmt.Fprintf(w, "  %d  %s: %s\n     %s\n", h.Tasks, h.Domain, h.Reason, h.Command)
		}
	}
	return nil
}

func ids(all []string) string {
	const most = 3
	if len(all) <= most {
		return "task " + strings.Join(all, ", ")
	}
	return fmt.Sprintf("task %s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}
