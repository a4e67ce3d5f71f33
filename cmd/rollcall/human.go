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

func (c *cli) humanCommand() *cobra.Command {
	cmd := group("human", "See what people are asked, and answer")
	var all bool
	list := &cobra.Command{
		Use:   "list",
		Short: "List the questions that wait for a person",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withAdmin(cmd, func(ctx context.Context, _ *config.Config, admin core.Admin) error {
				rows, err := admin.Asks(ctx, all)
				if err != nil {
					return err
				}
				lines := make([]askLine, 0, len(rows))
				for _, r := range rows {
					lines = append(lines, askLineOf(r))
				}
				if c.json {
					return json.NewEncoder(c.out).Encode(lines)
				}
				if len(lines) == 0 {
					_, err := fmt.Fprintln(c.out, "nobody is asked anything")
					return err
				}
				return printAsks(c.out, time.Now(), lines, all)
			})
		},
	}
	list.Flags().BoolVar(&all, "all", false, "answered, withdrawn and expired ones too")
	answer := &cobra.Command{
		Use:   "answer ID [TEXT | -]",
		Short: "Answer a question; without a text: done, or I am here",
		Long: "Answers a question. With - the text is read from standard input, where neither the shell's\n" +
			"history nor a list of processes shows it. Without a text the answer says that it is done, or,\n" +
			"to a question for a text whose page is gone, that you are here: the page is opened anew.",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := c.answerText(args[1:])
			if err != nil {
				return usage(err)
			}
			return c.withAdmin(cmd, func(ctx context.Context, cfg *config.Config, admin core.Admin) error {
				return c.answer(ctx, cfg, admin, args[0], text)
			})
		},
	}
	cmd.AddCommand(c.withJSON(list), answer)
	return cmd
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 64 << 10

// answerText is the text of an answer, from the arguments or, with -, from
// standard input without its last line end.
func (c *cli) answerText(args []string) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	text := args[0]
	if text == "-" {
		data, err := io.ReadAll(io.LimitReader(c.in, maxAnswer+1))
		if err != nil {
			return "", fmt.Errorf("read the answer from standard input: %w", err)
		}
		text = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	}
	switch {
	case len(text) > maxAnswer:
		return "", fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	case text == "":
		return "", errors.New("the answer is empty; leave it out to say that it is done")
	}
	return text, nil
}

func (c *cli) answer(ctx context.Context, cfg *config.Config, admin core.Admin, id, text string) error {
	err := admin.AnswerAsk(ctx, id, text, person())
	switch {
	case errors.Is(err, core.ErrUnknownAsk):
		return fmt.Errorf("there is no question %q; `rollcall human list` shows the open ones", id)
	case errors.Is(err, core.ErrAskClosed):
		return fmt.Errorf("question %s is closed: it was answered, withdrawn, or its time is over", id)
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(c.out, "answered %s%s\n", secret.Clean(id), later(cfg, admin))
	return err
}

// askLine is a question for programs.
type askLine struct {
	ID      string       `json:"id"`
	Task    string       `json:"task"`
	Domain  string       `json:"domain"`
	Kind    core.AskKind `json:"kind"`
	Reason  core.Code    `json:"reason"`
	Say     string       `json:"say"`
	URL     string       `json:"url,omitempty"`
	Hash    string       `json:"sha256,omitempty"`
	State   string       `json:"state"`
	Page    string       `json:"page"` // held: the page is still open; parked: it is opened anew
	Picture string       `json:"picture,omitempty"`
	Created time.Time    `json:"created"`
	Expires time.Time    `json:"expires"`
}

func askLineOf(a core.AskRow) askLine {
	page := "parked"
	if a.Held {
		page = "held"
	}
	return askLine{ID: a.ID, Task: a.TaskID, Domain: a.Domain, Kind: a.Ask.Kind, Reason: a.Ask.Code, Say: a.Ask.Say, URL: a.Ask.URL, Hash: a.Ask.Hash,
		State: a.State, Page: page, Picture: a.Shot, Created: a.Created, Expires: a.Expires}
}

// printAsks shows questions; states adds the column that only closed ones need.
func printAsks(w io.Writer, now time.Time, lines []askLine, states bool) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	head, state := "", func(askLine) string { return "" }
	if states {
		head, state = "\tstate", func(a askLine) string { return "\t" + a.State }
	}
	fmt.Fprintf(tw, "question\treason\tsite\ttask\tleft\tpage%s\tpicture\twhat to do\n", head)
	for _, a := range lines {
		left, page := "-", "-"
		if a.State == "open" {
			left, page = "expired", a.Page
			if d := a.Expires.Sub(now); d > 0 {
				left = span(d) + " (" + stamp(a.Expires) + ")"
			}
		}
		say := a.Say
		if a.URL != "" {
			say += " at " + a.URL
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s%s\t%s\t%s\n", a.ID, cmp.Or(string(a.Reason), string(a.Kind)), secret.Clean(a.Domain), secret.Clean(a.Task), left, page,
			state(a), cmp.Or(secret.Clean(a.Picture), "-"), short(secret.Clean(say), 300))
	}
	return tw.Flush()
}
