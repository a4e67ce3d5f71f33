package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/secret"
)

func (c *cli) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a commented rollcall.toml, the key that seals secrets, and a folder for your drivers",
		Long: "Writes rollcall.toml, a folder for drivers and, where there is none yet, the master key that\n" +
			"seals secrets at rest (mode 0600). A rollcall.toml that exists is never touched, and neither\n" +
			"is a key: a second configuration uses the key of the first.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := c.configPath
			if len(args) == 1 {
				if cmd.Flags().Changed("config") {
					return usage(errors.New("init takes DIR or -c FILE, not both"))
				}
				path = filepath.Join(args[0], "rollcall.toml")
			}
			return c.init(path)
		},
	}
}

func (c *cli) init(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return usage(fmt.Errorf("%s exists and was not touched; choose another directory, or move it away first", path))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for %s: %w", path, err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory of the configuration: %w", err)
	}
	// The configuration appears last and whole: an init that broke can be run again.
	draft, err := drafted(dir)
	if err != nil {
		return err
	}
	defer os.Remove(draft)
	cfg, err := config.Load(draft)
	if err != nil {
		return err
	}
	for _, d := range cfg.Drivers.Scripts {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("make the folder of your drivers ([drivers] scripts): %w", err)
		}
		fmt.Fprintf(c.out, "made  %s, for your drivers\n", relative(d))
	}
	if err := c.initKey(cfg.Store.Key); err != nil {
		return err
	}
	if err := os.Link(draft, path); err != nil {
		// Not every file system has links.
		if err := writeNew(path, config.Example(), 0o600); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.out, "wrote %s\n", path)
	arg := ""
	if path != "rollcall.toml" {
		arg = " -c " + path
	}
	fmt.Fprintf(c.out, "\nnext:\n"+
		"  1. put the task manager's key into the environment: export ROLLCALL_API_KEY=…\n"+
		"  2. allow a site: add [sites.\"DOMAIN\"] with allowed = \"owner\", \"contract\" or \"terms\" to %s\n"+
		"  3. rollcall doctor%s\n"+
		"  4. rollcall run --once%s\n"+
		"to try everything on this machine first: rollcall demo\n", path, arg, arg)
	return nil
}

// drafted writes the example into a file of its own in dir.
func drafted(dir string) (string, error) {
	f, err := os.CreateTemp(dir, ".rollcall-*.toml")
	if err != nil {
		return "", fmt.Errorf("write the configuration: %w", err)
	}
	_, err = f.Write(config.Example())
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("write the configuration: %w", err), os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// initKey makes the master key at source, unless there is one.
func (c *cli) initKey(source string) error {
	path, isFile := strings.CutPrefix(source, "file:")
	if !isFile {
		fmt.Fprintf(c.out, "kept  the key's source, %s\n", source)
		return nil
	}
	err := secret.Generate(path)
	switch {
	case errors.Is(err, fs.ErrExist):
		if _, err := secret.Load(source); err != nil {
			return usage(err)
		}
		fmt.Fprintf(c.out, "kept  %s, the key that seals secrets, as it was\n", path)
	case err != nil:
		return err
	default:
		fmt.Fprintf(c.out, "wrote %s, the key that seals secrets (mode 0600): keep a copy, nothing that it sealed can be read without it\n", path)
	}
	return nil
}

// writeNew writes a file that must not exist yet.
func writeNew(path string, text []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(path))
	}
	return nil
}

// relative is path as it is shorter to read: below the working directory where it is.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if r, err := filepath.Rel(wd, path); err == nil && !strings.HasPrefix(r, "..") {
		return r
	}
	return path
}
