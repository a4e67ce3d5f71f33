package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/hoola"
	"github.com/rollcall-run/rollcall/core/secret"
)

// bar is the progress of an import: a line drawn over itself on a terminal, a
// line for each step elsewhere.
type bar struct {
	mu    sync.Mutex
	out   io.Writer
	live  bool
	drawn bool
	quiet bool
}

func (c *cli) bar() *bar {
	b := &bar{out: c.err, quiet: c.json}
	if f, ok := c.err.(*os.File); ok {
		b.live = term.IsTerminal(int(f.Fd()))
	}
	return b
}

func (b *bar) show(imp core.BulkImport, w core.BulkWindow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.live || b.quiet {
		return
	}
	const width = 30
	done, left := 0, open(imp)
	if imp.Rows > 0 {
		done = width * (imp.Rows - left) / imp.Rows
	}
	next := ""
	switch {
	case w.Calling:
		next = "a call is under way"
	case left > 0 && w.OpensIn > 0:
		next = "next call in " + w.OpensIn.Round(time.Second).String()
	}
	fmt.Fprintf(b.out, "\r\x1b[K[%s%s] %d/%d  %s", strings.Repeat("█", done), strings.Repeat("·", width-done), imp.Rows-left, imp.Rows, next)
	b.drawn = true
}

func (b *bar) say(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.quiet {
		return
	}
	if b.drawn {
		fmt.Fprint(b.out, "\r\x1b[K")
		b.drawn = false
	}
	fmt.Fprintln(b.out, text)
}

func (b *bar) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drawn {
		fmt.Fprintln(b.out)
		b.drawn = false
	}
}

func (c *cli) printImported(imp core.BulkImport, l *hoola.List) {
	how := "import " + imp.ID
	if imp.Adopted {
		how += ", which began " + stamp(imp.Created) + ": the same file is imported once"
	}
	fmt.Fprintf(c.err, "%s: %d rows, %d to send (%s)\n", imp.Domain, imp.Rows, open(imp), how)
	if err := printRowErrors(c.err, l.Errors); err != nil {
		fmt.Fprintln(c.err, err)
	}
	printNotes(c.err, l.Notes, nil)
}

// importLine is an import for programs.
type importLine struct {
	ID      string                 `json:"id"`
	Site    string                 `json:"site"`
	File    string                 `json:"file"`
	Rows    int                    `json:"rows"`
	Open    int                    `json:"open"`
	Counts  map[core.BulkState]int `json:"counts"`
	Created time.Time              `json:"created"`
	Result  string                 `json:"result,omitempty"`
	Held    string                 `json:"held,omitempty"`
}

func importLineOf(i core.BulkImport) importLine {
	return importLine{ID: i.ID, Site: i.Domain, File: i.Name, Rows: i.Rows, Open: open(i), Counts: i.Counts, Created: i.Created}
}

// countText lists what became of rows.
func countText(counts map[core.BulkState]int) string {
	var out []string
	for _, s := range core.BulkStates {
		if n := counts[s]; n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(out, ", ")
}

func (c *cli) printResult(imp core.BulkImport, path, held string) error {
	if c.json {
		l := importLineOf(imp)
		l.Result, l.Held = path, held
		return json.NewEncoder(c.out).Encode(l)
	}
	fmt.Fprintf(c.out, "%d rows: %s\nresult: %s\n", imp.Rows, countText(imp.Counts), path)
	if n := imp.Counts[core.BulkRefused]; n > 0 {
		fmt.Fprintf(c.out, "%d users were refused with their whole call; import the file again in smaller calls: --batch N\n", n)
	}
	if held != "" {
		fmt.Fprintf(c.out, "held: %s\nthen give the same command again\n", secret.Clean(held))
	}
	return nil
}

// importCode is the exit code of an import.
func importCode(imp core.BulkImport, held string) error {
	made := imp.Counts[core.BulkCreated] + imp.Counts[core.BulkSame] + imp.Counts[core.BulkUnconfirmed]
	switch {
	case held != "":
		return &exitError{code: exitPerson}
	case made == imp.Rows:
		return nil
	case made == 0:
		return &exitError{code: exitFailed}
	}
	return &exitError{code: exitPartly}
}

type statusFlags struct {
	id, output string
	failedOnly bool
}

// hoolaStatusDoc is the status for programs.
type hoolaStatusDoc struct {
	Sites   []hoolaSiteLine `json:"sites"`
	Imports []importLine    `json:"imports"`
}

type hoolaSiteLine struct {
	Site    string `json:"site"`
	Calls   int    `json:"calls"`
	Calling bool   `json:"calling"`
	Rows    int    `json:"rows_to_send"`
	Tasks   int    `json:"tasks_to_send"`
	OpensIn string `json:"next_call_in"`
	Held    string `json:"held,omitempty"`
}

func (c *cli) hoolaStatus(ctx context.Context, cfg *config.Config, f statusFlags) error {
	if (f.id == "") != (f.output == "") {
		return usage(errors.New("--import ID and -o FILE go together"))
	}
	admin, end, err := c.openBulk(ctx, cfg, false)
	defer end()
	if errors.Is(err, errNoLedger) {
		_, err = fmt.Fprintln(c.out, "no import yet")
		return err
	}
	if err != nil {
		return err
	}
	imports, err := admin.Imports(ctx, "")
	if err != nil {
		return err
	}
	if f.id != "" {
		for _, i := range imports {
			if i.ID != f.id {
				continue
			}
			path, err := resultPath("-", f.output)
			if err != nil {
				return usage(err)
			}
			if err := writeResult(ctx, admin, i, path, f.failedOnly); err != nil {
				return err
			}
			return c.printResult(i, path, "")
		}
		return fmt.Errorf("there is no import %q; rollcall hoola status lists them", f.id)
	}
	var doc hoolaStatusDoc
	for _, domain := range slices.Sorted(maps.Keys(cfg.Hoola)) {
		w, err := admin.BulkWindow(ctx, hoolaSite(cfg.Hoola[domain]), bootMoment())
		if err != nil {
			return err
		}
		line := hoolaSiteLine{Site: domain, Calls: w.Calls, Calling: w.Calling, Rows: w.Rows, Tasks: w.Ready, OpensIn: "now"}
		if w.OpensIn > 0 {
			line.OpensIn = span(w.OpensIn)
		}
		if w.Held {
			line.Held = w.HeldWhy
		}
		doc.Sites = append(doc.Sites, line)
	}
	for _, i := range imports {
		doc.Imports = append(doc.Imports, importLineOf(i))
	}
	if c.json {
		return json.NewEncoder(c.out).Encode(doc)
	}
	return doc.print(c.out)
}

func (d hoolaStatusDoc) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "site\tcalls\tusers to send\ttasks to send\tnext call\theld")
	for _, s := range d.Sites {
		next, held := s.OpensIn, "-"
		if s.Calling {
			next = "one is under way"
		} else if s.OpensIn != "now" {
			next = "in " + s.OpensIn + " at the earliest"
		}
		if s.Held != "" {
			held = short(secret.Clean(s.Held), 200)
		}
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%s\t%s\n", s.Site, s.Calls, s.Rows, s.Tasks, next, held)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if len(d.Imports) == 0 {
		_, err := fmt.Fprintln(w, "\nno import yet")
		return err
	}
	fmt.Fprintln(w)
	tw = tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "import\tfile\tsite\trows\tbegun\tusers")
	for _, i := range d.Imports {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%s\t%s\n", i.ID, secret.Clean(i.File), i.Site, i.Rows, stamp(i.Created), countText(i.Counts))
	}
	return tw.Flush()
}
