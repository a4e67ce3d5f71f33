package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/control"
)

func (c *cli) accountsCommand() *cobra.Command {
	cmd := group("accounts", "Export the accounts that were made")
	cmd.AddCommand(c.accountsExportCommand())
	return cmd
}

type exportFlags struct {
	format string
	reveal bool
	file   string
	force  bool
}

func (c *cli) accountsExportCommand() *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the accounts as CSV or JSON lines",
		Long: "Writes every account that was made or taken over, oldest first. Passwords and one-time-code\n" +
			"secrets show as ••• unless --reveal is given.\n\n" +
			"In CSV a cell that a spreadsheet would run as a formula gets a ' in front, passwords among\n" +
			"them: programs read jsonl, which is exact. A file gets mode 0600.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.json {
				if cmd.Flags().Changed("format") && f.format != "jsonl" {
					return usage(fmt.Errorf("--json and --format %s contradict each other", f.format))
				}
				f.format = "jsonl"
			}
			if f.format != "csv" && f.format != "jsonl" {
				return usage(fmt.Errorf("--format is csv or jsonl, not %q", f.format))
			}
			if f.force && f.file == "" {
				return usage(errors.New("--force goes with -o FILE"))
			}
			return c.withAdmin(cmd, func(ctx context.Context, _ *config.Config, admin core.Admin) error {
				return c.exportAccounts(ctx, admin, f)
			})
		},
	}
	cmd.Flags().StringVar(&f.format, "format", "csv", "csv or jsonl")
	cmd.Flags().BoolVar(&f.reveal, "reveal", false, "write passwords and one-time-code secrets as they are")
	cmd.Flags().StringVarP(&f.file, "output", "o", "", "write to this file")
	cmd.Flags().BoolVar(&f.force, "force", false, "replace the file when it is there")
	return c.withJSON(cmd)
}

// accountLine is an account for programs.
type accountLine struct {
	Domain      string    `json:"domain"`
	Username    string    `json:"username"`
	Email       string    `json:"email"`
	Password    string    `json:"password"`
	TOTP        string    `json:"totp,omitempty"`
	LinkProfile string    `json:"link_profile"`
	Driver      string    `json:"driver"`
	Task        string    `json:"task"`
	Created     time.Time `json:"created"`
}

func accountLineOf(a core.Account, reveal bool) accountLine {
	text := core.Value.String
	if reveal {
		text = core.Value.Reveal
	}
	return accountLine{Domain: a.Domain, Username: text(a.Username), Email: text(a.Email), Password: text(a.Password), TOTP: text(a.TOTP),
		LinkProfile: a.LinkProfile, Driver: a.Driver, Task: a.TaskID, Created: a.Created.UTC()}
}

var accountColumns = []string{"domain", "username", "email", "password", "totp", "link_profile", "driver", "task", "created"}

func (a accountLine) cells() []string {
	return []string{a.Domain, a.Username, a.Email, a.Password, a.TOTP, a.LinkProfile, a.Driver, a.Task, a.Created.Format(time.RFC3339)}
}

// cell keeps a spreadsheet from running a text as a formula.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

func (c *cli) exportAccounts(ctx context.Context, admin core.Admin, f exportFlags) error {
	n := 0
	write := func(w io.Writer) (err error) {
		n, err = writeAccounts(ctx, w, admin, f)
		return err
	}
	if f.file == "" {
		return write(c.out)
	}
	if err := writePrivate(f.file, f.force, write); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.err, "wrote %s to %s\n", plural(n, "account"), f.file)
	return err
}

func writeAccounts(ctx context.Context, w io.Writer, admin core.Admin, f exportFlags) (n int, err error) {
	accounts := admin.Accounts
	if runner, ok := admin.(*control.Client); ok && f.reveal {
		accounts = runner.RevealAccounts
	}
	buffer := bufio.NewWriter(w)
	var put func(accountLine) error
	if f.format == "jsonl" {
		enc := json.NewEncoder(buffer)
		enc.SetEscapeHTML(false)
		put = func(a accountLine) error { return enc.Encode(a) }
	} else {
		table := csv.NewWriter(buffer)
		if err := table.Write(accountColumns); err != nil {
			return 0, err
		}
		put = func(a accountLine) error {
			row := a.cells()
			for i := range row {
				row[i] = cell(row[i])
			}
			if err := table.Write(row); err != nil {
				return err
			}
			table.Flush()
			return table.Error()
		}
		table.Flush()
	}
	err = accounts(ctx, func(a core.Account) error {
		n++
		return put(accountLineOf(a, f.reveal))
	})
	return n, errors.Join(err, buffer.Flush())
}

// writePrivate makes a file of mode 0600 that is there as a whole or not at all,
// and replaces one only with force.
func writePrivate(path string, force bool, write func(io.Writer) error) (err error) {
	exists := func() error {
		return fmt.Errorf("%s is there already; name another file, or add --force to replace it", path)
	}
	if _, err := os.Lstat(path); err == nil && !force {
		return exists()
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".rollcall-export-*") // of mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if rerr := os.Remove(tmp.Name()); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}()
	if err := errors.Join(write(tmp), tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if force {
		return os.Rename(tmp.Name(), path)
	}
	// A link, unlike a rename, fails when somebody else made the file meanwhile.
	if err := os.Link(tmp.Name(), path); errors.Is(err, fs.ErrExist) {
		return exists()
	} else if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
