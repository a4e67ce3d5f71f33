package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/drivers/lua"
	"github.com/rollcall-run/rollcall/scripts"
)

// starter is the driver that `driver new` writes, under another name.
//
//go:embed starter
var starter embed.FS

var driverName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

func checkDriverName(name string) error {
	if !driverName.MatchString(name) {
		return usage(fmt.Errorf("the name %q must be lower-case letters, digits, - and _, beginning with a letter", name))
	}
	return nil
}

func (c *cli) driverNewCommand() *cobra.Command {
	var domain string
	var p newPlugin
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Write a driver that passes its own tests, to be changed into yours",
		Long: "Writes NAME.lua into your folder of drivers, with tests in it and the pages that they serve\n" +
			"in testdata/NAME. It passes `rollcall driver check` and `rollcall driver test` as it is:\n" +
			"replace the pages by the site's own, then the locators.\n\n" +
			"With --plugin it writes the Go module of a plugin into the directory NAME instead.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if p.wanted {
				return c.driverNewPlugin(args[0], domain, p.sdk)
			}
			if p.sdk != "" {
				return usage(errors.New("--sdk is for --plugin"))
			}
			return c.driverNew(cmd, args[0], domain)
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&domain, "domain", "", "the site that the driver is for (default NAME.example)")
	return cmd
}

func (c *cli) driverNew(cmd *cobra.Command, name, domain string) error {
	if err := checkDriverName(name); err != nil {
		return err
	}
	cfg, err := c.workshop(cmd)
	if err != nil {
		return err
	}
	if len(cfg.Drivers.Scripts) == 0 {
		return usage(errors.New("[drivers] scripts names no folder to write into"))
	}
	if domain == "" {
		domain = strings.ReplaceAll(name, "_", "-") + ".example"
	}
	dir := cfg.Drivers.Scripts[0]
	path, pages := relative(filepath.Join(dir, name+".lua")), relative(filepath.Join(dir, "testdata", name))
	text, err := starter.ReadFile("starter/driver.lua")
	if err != nil {
		return err
	}
	text = bytes.ReplaceAll(text, []byte("starter.example"), []byte(domain))
	text = bytes.ReplaceAll(text, []byte("starter"), []byte(name))
	text = bytes.ReplaceAll(text, []byte("Starter:"), []byte(name+":"))
	// The domain came from outside: what would not load is not written.
	found, err := lua.Check(lua.Source{Name: name, Path: path, Text: text, Lib: scripts.FS})
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return usage(errors.New(found[0].Message))
	}
	for _, p := range []string{path, pages} {
		if _, err := os.Lstat(p); err == nil {
			return usage(fmt.Errorf("%s exists and was not touched; choose another name", p))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look for %s: %w", p, err)
		}
	}
	if err := os.MkdirAll(pages, 0o755); err != nil {
		return fmt.Errorf("make the folder of test pages: %w", err)
	}
	entries, err := starter.ReadDir("starter/testdata")
	if err != nil {
		return err
	}
	for _, e := range entries {
		page, err := starter.ReadFile("starter/testdata/" + e.Name())
		if err != nil {
			return err
		}
		if err := writeNew(filepath.Join(pages, e.Name()), page, 0o644); err != nil {
			return err
		}
	}
	if err := writeNew(path, text, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "wrote %s and the pages of its tests in %s\n\nnext:\n  rollcall driver check %s\n  rollcall driver test %s\n"+
		"then replace the pages by the site's own, and the locators in the driver; `rollcall driver doc VERB` explains each verb\n", path, pages, path, path)
	return nil
}
