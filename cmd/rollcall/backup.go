package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
)

func (c *cli) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the ledger to a new file, also while a runner uses it",
		Long: "Writes a consistent copy of the SQLite ledger to a new file of mode 0600. The copy is sealed\n" +
			"with the same master key ([store] key), which is not in it: keep the key elsewhere.\n" +
			"PostgreSQL is copied with pg_dump.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := args[0]
			if path == "" {
				return usage(errors.New("name the file to write"))
			}
			if _, err := os.Lstat(path); err == nil {
				return fmt.Errorf("%s is there already; a backup never replaces a file", path)
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return c.withAdmin(cmd, func(ctx context.Context, _ *config.Config, admin core.Admin) error {
				if err := admin.Backup(ctx, path); err != nil {
					return err
				}
				info, err := os.Stat(path)
				if err != nil {
					return fmt.Errorf("the copy can't be found again: %w", err)
				}
				_, err = fmt.Fprintf(c.out, "copied the ledger to %s, %d bytes; the key that opens it is not in it\n", path, info.Size())
				return err
			})
		},
	}
}
