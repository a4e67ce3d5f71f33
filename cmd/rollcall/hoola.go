package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/hoola"
	"github.com/rollcall-run/rollcall/core/secret"
)

// fileFlags say how a file of users is read.
type fileFlags struct {
	site     string
	columns  []string
	generate bool
	batch    int
}

func (f *fileFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.site, "site", "", "the tenant's domain; the only one of the configuration by default")
	cmd.Flags().StringArrayVar(&f.columns, "map", nil, "FIELD=COLUMN: which column has a field, where the header does not say")
	cmd.Flags().BoolVar(&f.generate, "generate-password", false, "make a password for each user who has none")
	cmd.Flags().IntVar(&f.batch, "batch", 0, "at most so many users in a call")
}

func (c *cli) hoolaCommand() *cobra.Command {
	cmd := group("hoola", "Make accounts from a list, many in one call")
	var p fileFlags
	plan := &cobra.Command{
		Use:   "plan FILE|-",
		Short: "Check a list and show its calls; nothing is sent",
		Long: "Reads a CSV, XLSX or JSON file of users, checks every row, and shows how many calls it takes\n" +
			"and when the first and the last would begin. Nothing is sent and nothing is stored.\n\n" +
			"Exit codes: 0 every row is valid, 3 some rows are not, 1 none is.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(c.configPath)
			if err != nil {
				return usage(err)
			}
			return c.hoolaPlan(cmd.Context(), cfg, args[0], p)
		},
	}
	p.add(plan)
	var i importFlags
	imp := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Make the accounts of a list, and write what became of each",
		Long: "Makes the accounts of a CSV, XLSX or JSON file, at most 100 in a call and ten minutes apart.\n" +
			"It can be interrupted, also by a power cut: the same command goes on where it was, because the\n" +
			"same file is imported once. Rows that break a rule are not sent and are listed in the result.\n\n" +
			"The result has every column of the file and what became of the user. --failed-only writes the\n" +
			"users that were not made: correct them and import that file.\n\n" +
			"With --detach the list is left to a `rollcall run`, which sends it.\n\n" +
			"Exit codes: 0 all made, 1 none, 3 some, 5 waiting for a person.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(c.configPath)
			if err != nil {
				return usage(err)
			}
			return c.hoolaImport(cmd.Context(), cfg, args[0], i)
		},
	}
	i.add(imp)
	imp.Flags().BoolVar(&i.detach, "detach", false, "leave the calls to `rollcall run`")
	imp.Flags().StringVarP(&i.output, "output", "o", "", "write the result to this file, .csv or .xlsx (default FILE.result.csv)")
	imp.Flags().BoolVar(&i.failedOnly, "failed-only", false, "the result has the users that were not made")
	var s statusFlags
	status := &cobra.Command{
		Use:   "status",
		Short: "Show the tenants' windows and imports, or write an import's result",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(c.configPath)
			if err != nil {
				return usage(err)
			}
			return c.hoolaStatus(cmd.Context(), cfg, s)
		},
	}
	status.Flags().StringVar(&s.id, "import", "", "the import whose result is written with -o")
	status.Flags().StringVarP(&s.output, "output", "o", "", "write the import's result to this file, .csv or .xlsx")
	status.Flags().BoolVar(&s.failedOnly, "failed-only", false, "the result has the users that were not made")
	cmd.AddCommand(c.withJSON(plan), c.withJSON(imp), c.withJSON(status))
	return cmd
}

// readUsers reads and checks a file; digest is of its bytes.
func (c *cli) readUsers(file string, f fileFlags) (*hoola.List, []byte, error) {
	data, name, err := c.readList(file)
	if err != nil {
		return nil, nil, err
	}
	named := map[string]string{}
	for _, m := range f.columns {
		field, column, ok := strings.Cut(m, "=")
		if !ok {
			return nil, nil, usage(fmt.Errorf("--map %s: write FIELD=COLUMN", m))
		}
		named[field] = column
	}
	if f.batch < 0 || f.batch > hoola.MaxUsers {
		return nil, nil, usage(fmt.Errorf("--batch is 1 to %d", hoola.MaxUsers))
	}
	t, err := hoola.Read(name, data)
	if err != nil {
		return nil, nil, usage(err)
	}
	l, err := hoola.Users(t, hoola.ListOptions{Map: named, Generate: f.generate})
	if err != nil {
		return nil, nil, usage(fmt.Errorf("%s: %w", name, err))
	}
	return l, data, nil
}

// readList reads the file whole, or standard input.
func (c *cli) readList(file string) (data []byte, name string, err error) {
	if file == "-" {
		data, err = io.ReadAll(io.LimitReader(c.in, hoola.MaxFile+1))
		return data, "standard input", err
	}
	dir, name := filepath.Split(file)
	if dir == "" {
		dir = "."
	}
	data, err = hoola.Load(os.DirFS(dir), name)
	if err != nil && !errors.Is(err, hoola.ErrChanged) {
		err = usage(err)
	}
	return data, name, err
}

// hoolaPlanDoc is a plan for programs.
type hoolaPlanDoc struct {
	Site    string           `json:"site"`
	Rows    int              `json:"rows"`
	Valid   int              `json:"valid"`
	Invalid int              `json:"invalid"`
	Errors  []hoola.RowError `json:"errors"`
	Notes   []string         `json:"notes"`
	Unread  []string         `json:"unread_columns"`
	Waiting int              `json:"waiting_before"`
	Calls   int              `json:"calls"`
	First   time.Time        `json:"first,omitzero"`
	Last    time.Time        `json:"last,omitzero"`
	Held    string           `json:"held,omitempty"`
}

func (c *cli) hoolaPlan(ctx context.Context, cfg *config.Config, file string, f fileFlags) error {
	h, err := tenant(cfg, f.site)
	if err != nil {
		return err
	}
	l, _, err := c.readUsers(file, f)
	if err != nil {
		return err
	}
	p := hoolaPlanDoc{Site: h.Domain, Rows: len(l.Rows), Valid: l.Valid, Invalid: len(l.Rows) - l.Valid, Errors: l.Errors, Notes: l.Notes, Unread: l.Unread}
	site := hoolaSite(h)
	if f.batch > 0 {
		site.Max = min(site.Max, f.batch)
	}
	wait := time.Duration(0)
	admin, end, err := c.openBulk(ctx, cfg, false)
	defer end()
	switch {
	case errors.Is(err, errNoLedger):
	case err != nil:
		return err
	default:
		w, err := admin.BulkWindow(ctx, site, bootMoment())
		if err != nil {
			return err
		}
		wait, p.Waiting = w.OpensIn, w.Rows
		if w.Held {
			p.Held = w.HeldWhy
		}
	}
	p.Calls = (l.Valid + site.Max - 1) / site.Max
	if p.Calls > 0 {
		before := (p.Waiting + site.Max - 1) / site.Max
		p.First = time.Now().Add(wait + time.Duration(before)*site.Every).Truncate(time.Second)
		p.Last = p.First.Add(time.Duration(p.Calls-1) * site.Every)
	}
	if c.json {
		err = json.NewEncoder(c.out).Encode(p)
	} else {
		err = p.print(c.out, site)
	}
	switch {
	case err != nil:
		return err
	case p.Valid == 0:
		return &exitError{code: exitFailed}
	case p.Invalid > 0:
		return &exitError{code: exitPartly}
	}
	return nil
}

func (p hoolaPlanDoc) print(w io.Writer, site core.BulkSite) error {
	fmt.Fprintf(w, "%s: %d rows, %d valid, %d invalid\n", p.Site, p.Rows, p.Valid, p.Invalid)
	if err := printRowErrors(w, p.Errors); err != nil {
		return err
	}
	if p.Calls > 0 {
		fmt.Fprintf(w, "\n%s of at most %d users, %s apart\n", plural(p.Calls, "call"), site.Max, span(site.Every))
		fmt.Fprintf(w, "first  %s\n", when(time.Now(), p.First))
		fmt.Fprintf(w, "last   %s\n", when(time.Now(), p.Last))
	}
	if p.Waiting > 0 {
		fmt.Fprintf(w, "%d users of earlier lists go first\n", p.Waiting)
	}
	if p.Held != "" {
		fmt.Fprintf(w, "held: %s\n", secret.Clean(p.Held))
	}
	printNotes(w, p.Notes, p.Unread)
	_, err := fmt.Fprintln(w, "\nnothing was sent")
	return err
}

// shownErrors is how many broken rules are printed.
const shownErrors = 20

func printRowErrors(w io.Writer, all []hoola.RowError) error {
	if len(all) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "row\tline\tcolumn\tvalue\twhat is wrong")
	for _, e := range all[:min(len(all), shownErrors)] {
		fmt.Fprintf(tw, "%d\t%d\t%s\t%s\t%s\n", e.Row, e.Line, secret.Clean(e.Column), secret.Clean(e.Value), e.Rule)
	}
	if n := len(all) - shownErrors; n > 0 {
		fmt.Fprintf(tw, "and %d more\n", n)
	}
	return tw.Flush()
}

func printNotes(w io.Writer, notes, unread []string) {
	for _, n := range notes {
		fmt.Fprintf(w, "note: %s\n", secret.Clean(n))
	}
	if len(unread) > 0 {
		fmt.Fprintf(w, "note: columns that are kept and not sent: %s\n", secret.Clean(strings.Join(unread, ", ")))
	}
}
