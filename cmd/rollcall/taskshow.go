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
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/secret"
)

func (c *cli) taskShowCommand() *cobra.Command {
	return c.withJSON(&cobra.Command{
		Use:   "show ID",
		Short: "Show one task: where it stands, and everything that happened to it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withAdmin(cmd, func(ctx context.Context, _ *config.Config, admin core.Admin) error {
				s, err := showTask(ctx, admin, args[0])
				if err != nil {
					return unknownTask(args[0], err)
				}
				if c.json {
					return json.NewEncoder(c.out).Encode(s)
				}
				return s.print(c.out, time.Now())
			})
		},
	})
}

// taskShown is all that is known of a task. Secrets in it print as •••.
type taskShown struct {
	taskLine
	Entity       map[string]core.Value `json:"entity"`
	Links        []string              `json:"links,omitempty"`
	Facts        core.Facts            `json:"facts,omitempty"`
	Fields       map[string]string     `json:"fields,omitempty"` // what became of each profile field
	Intent       *intentShown          `json:"intent,omitempty"`
	Account      *accountLine          `json:"account,omitempty"`
	Asks         []askLine             `json:"asks,omitempty"`
	Pictures     []string              `json:"pictures,omitempty"`
	RefusedHosts []string              `json:"refused_hosts,omitempty"`
	Events       []eventLine           `json:"events"`
}

type intentShown struct {
	Action    string           `json:"action"`
	State     core.IntentState `json:"state"`
	At        time.Time        `json:"at"`
	Answered  bool             `json:"answered"`
	Driver    string           `json:"driver"`
	Digest    string           `json:"digest,omitempty"`
	Username  core.Value       `json:"username"`
	Email     core.Value       `json:"email"`
	Password  core.Value       `json:"password"`
	MailAfter string           `json:"mail_after,omitempty"`
}

type eventLine struct {
	At    time.Time         `json:"at"`
	Kind  string            `json:"kind"`
	State core.State        `json:"state,omitempty"`
	Phase core.Phase        `json:"phase,omitempty"`
	Level string            `json:"level,omitempty"`
	Text  string            `json:"text,omitempty"`
	Attrs map[string]string `json:"attrs,omitempty"`
}

// Names of event attributes that have a place of their own.
const (
	attrTook    = "took"
	attrPath    = "path"
	attrDetail  = "detail"
	attrRefused = "refused_hosts"
)

func showTask(ctx context.Context, admin core.Admin, id string) (*taskShown, error) {
	r, err := admin.Task(ctx, id)
	if err != nil {
		return nil, err
	}
	events, err := admin.Events(ctx, id)
	if err != nil {
		return nil, err
	}
	asks, err := admin.Asks(ctx, true)
	if err != nil {
		return nil, err
	}
	s := &taskShown{taskLine: lineOf(r), Entity: r.Entity.Fields, Links: r.Entity.Links(), Facts: r.Facts, Fields: r.Fields, Events: []eventLine{}}
	if in := r.Intent; in != nil {
		s.Intent = &intentShown{Action: in.Name, State: in.State, At: in.At, Answered: in.Committed, Driver: in.Driver, Digest: in.Digest,
			Username: in.Username, Email: in.Email, Password: in.Password}
		if in.HasMark {
			s.Intent.MailAfter = fmt.Sprintf("UIDVALIDITY %d, UIDNEXT %d", in.Mark.UIDValidity, in.Mark.UIDNext)
		}
	}
	if r.Account != nil {
		a := accountLineOf(*r.Account, false)
		s.Account = &a
	}
	for _, e := range events {
		s.Events = append(s.Events, eventLine(e))
		if p := e.Attrs[attrPath]; e.Kind == "shot" && p != "" {
			s.Pictures = append(s.Pictures, p)
		}
		for _, host := range strings.Split(e.Attrs[attrRefused], ";") {
			if host = strings.TrimSpace(host); host != "" && !slices.Contains(s.RefusedHosts, host) {
				s.RefusedHosts = append(s.RefusedHosts, host)
			}
		}
	}
	for _, a := range asks {
		if a.TaskID != id {
			continue
		}
		s.Asks = append(s.Asks, askLineOf(a))
		if a.Shot != "" && !slices.Contains(s.Pictures, a.Shot) {
			s.Pictures = append(s.Pictures, a.Shot)
		}
	}
	return s, nil
}

// print shows the task for a person. What a site or a driver had a part in is
// cleaned of what acts on a terminal.
func (s *taskShown) print(w io.Writer, now time.Time) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(tw, "%s\t%s\n", name, secret.Clean(text))
		}
	}
	row("task", s.ID)
	row("request", s.RequestID)
	row("site", s.Domain)
	row("kind", string(s.Kind))
	row("state", s.stateText())
	row("why", s.Why)
	row("phase", string(s.Phase))
	row("under way", s.Owner)
	if !s.Due.IsZero() && !s.State.Final() {
		row("due", when(now, s.Due))
	}
	if !s.WaitingSince.IsZero() {
		row("waits since", when(now, s.WaitingSince))
	}
	if s.Driver != "" {
		row("driver", s.Driver+" "+short(s.Digest, 12))
	}
	row("round", fmt.Sprintf("%d, %s broke", s.Round, plural(s.Broken, "attempt")))
	row("listed", when(now, s.Created))
	row("updated", when(now, s.Updated))
	row("entity", pairs(s.Entity))
	row("links", strings.Join(s.Links, " "))
	row("facts", pairs(s.Facts))
	row("profile", pairs(s.Fields))
	if in := s.Intent; in != nil {
		text := fmt.Sprintf("%s, %q at %s", in.State, in.Action, stamp(in.At))
		if in.Answered {
			text += ", the site answered"
		}
		row("sign-up", text)
	}
	if a := s.Account; a != nil {
		row("account", pairs(map[string]string{"username": a.Username, "email": a.Email, "password": a.Password, "totp": a.TOTP, "link_profile": a.LinkProfile}))
	}
	row("refused hosts", strings.Join(s.RefusedHosts, ", "))
	for _, p := range s.Pictures {
		row("picture", p)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if len(s.Asks) > 0 {
		fmt.Fprintln(w)
		if err := printAsks(w, now, s.Asks, true); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	return printEvents(w, s.Events)
}

func (s *taskShown) stateText() string {
	text := string(s.State)
	if s.From != "" {
		text += ", goes back to " + string(s.From)
	}
	if s.State == core.Reported || s.State == core.Reporting {
		if s.Done {
			return text + " as done"
		}
		return text + " as failed"
	}
	return text
}

// pairs writes a map as "name value" by name, without what is empty.
func pairs[V any](m map[string]V) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if v := fmt.Sprint(m[k]); v != "" {
			out = append(out, k+" "+short(v, 200))
		}
	}
	return strings.Join(out, ", ")
}

// printEvents shows the time line: when, how long after the line before, what.
func printEvents(w io.Writer, events []eventLine) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	var last time.Time
	for _, e := range events {
		after := ""
		if !last.IsZero() {
			after = "+" + e.At.Sub(last).Round(time.Millisecond).String()
		}
		last = e.At
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", e.At.UTC().Format("2006-01-02 15:04:05.000Z"), after, cmp.Or(e.Kind, "log"), cmp.Or(string(e.Phase), "-"), secret.Clean(e.text()))
		for _, line := range e.lines() {
			fmt.Fprintf(tw, "\t\t\t\t  %s\n", secret.Clean(line))
		}
	}
	return tw.Flush()
}

// text is what an event says, with its attributes behind it.
func (e eventLine) text() string {
	var parts []string
	if e.Level == "WARN" || e.Level == "ERROR" {
		parts = append(parts, e.Level)
	}
	if e.Kind == "state" {
		parts = append(parts, "→ "+string(e.State))
	}
	if e.Text != "" {
		parts = append(parts, e.Text)
	}
	if took := e.Attrs[attrTook]; took != "" {
		parts = append(parts, "("+took+")")
	}
	for _, k := range slices.Sorted(maps.Keys(e.Attrs)) {
		if v := e.Attrs[k]; v != "" && k != attrTook && k != attrDetail && !numbered(k) {
			parts = append(parts, k+"="+v)
		}
	}
	return strings.Join(parts, " ")
}

// lines are what stands below an event: its numbered steps, then its detail.
func (e eventLine) lines() []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(e.Attrs)) {
		if numbered(k) {
			out = append(out, e.Attrs[k])
		}
	}
	for line := range strings.Lines(e.Attrs[attrDetail]) {
		out = append(out, strings.TrimRight(line, "\r\n"))
	}
	return out
}

// numbered reports whether an attribute is one of a list.
func numbered(key string) bool { return key != "" && strings.Trim(key, "0123456789") == "" }
