package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/drivers"
	"github.com/rollcall-run/rollcall/drivers/lua"
	"github.com/rollcall-run/rollcall/scripts"
)

func (c *cli) driverCommand() *cobra.Command {
	cmd := group("driver", "Write, check, test and list the drivers")
	cmd.AddCommand(c.driverNewCommand(), c.driverCheckCommand(), c.driverTestCommand(), c.driverListCommand(), c.driverDocCommand(), c.driverTrustCommand())
	return cmd
}

// workshop is where a driver author works: the configuration, or the defaults
// where none is there yet.
func (c *cli) workshop(cmd *cobra.Command) (*config.Config, error) {
	if !cmd.Flags().Changed("config") {
		if _, err := os.Stat(c.configPath); errors.Is(err, fs.ErrNotExist) {
			cfg := config.Default()
			for i, d := range cfg.Drivers.Scripts {
				abs, err := filepath.Abs(d)
				if err != nil {
					return nil, fmt.Errorf("find the folder of your drivers: %w", err)
				}
				cfg.Drivers.Scripts[i] = abs
			}
			return cfg, nil
		}
	}
	cfg, err := config.Load(c.configPath)
	return cfg, usage(err)
}

// layers is one file system made of several: the first that has a file gives it.
type layers []fs.FS

func (l layers) Open(name string) (fs.File, error) {
	for _, one := range l {
		f, err := one.Open(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// script is one driver file as the author's commands read it.
type script struct {
	lua.Source
	dir     fs.FS // holds testdata
	bundled bool
}

// findScript reads the driver that arg names: a file, or a name that is looked
// for as a run would.
func findScript(cfg *config.Config, arg string) (script, error) {
	if strings.ContainsAny(arg, `/\`) || strings.HasSuffix(arg, ".lua") {
		return readScript(cfg, arg)
	}
	for _, dir := range cfg.Drivers.Scripts {
		path := filepath.Join(dir, arg+".lua")
		if _, err := os.Stat(path); err == nil {
			return readScript(cfg, relative(path))
		}
	}
	text, err := fs.ReadFile(scripts.FS, arg+".lua")
	if err != nil {
		return script{}, usage(fmt.Errorf("there is no driver %q: it is neither in %s nor bundled; `rollcall driver list` shows all", arg, strings.Join(relatives(cfg.Drivers.Scripts), ", ")))
	}
	return script{lua.Source{Name: arg, Path: "bundled/" + arg + ".lua", Text: text, Lib: scripts.FS}, scripts.FS, true}, nil
}

// maxScriptFile bounds what is read of a driver, in bytes: more than can be
// loaded, so that the loader can say how large it is.
const maxScriptFile = 1 << 20

func readScript(cfg *config.Config, path string) (script, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return script{}, usage(fmt.Errorf("the driver can't be read: %w", err))
	case !info.Mode().IsRegular():
		return script{}, usage(fmt.Errorf("the driver can't be read: %s is not a file", path))
	case !strings.HasSuffix(path, ".lua"):
		return script{}, usage(fmt.Errorf("%s is no driver: its name must end in .lua", path))
	}
	text, err := readAtMost(path, maxScriptFile)
	if err != nil {
		return script{}, usage(fmt.Errorf("the driver can't be read: %w", err))
	}
	dir := os.DirFS(filepath.Dir(path))
	lib := layers{dir}
	for _, d := range cfg.Drivers.Scripts {
		lib = append(lib, os.DirFS(d))
	}
	name := strings.TrimSuffix(filepath.Base(path), ".lua")
	return script{lua.Source{Name: name, Path: path, Text: text, Lib: append(lib, scripts.FS)}, dir, false}, nil
}

func relatives(paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = relative(p)
	}
	return out
}

// ownScripts are the files in the operator's folders, the first of a name first.
func ownScripts(cfg *config.Config) ([]string, error) {
	seen := map[string]bool{}
	var out []string
	for _, dir := range cfg.Drivers.Scripts {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, usage(fmt.Errorf("read [drivers] scripts: %w", err))
		}
		for _, e := range entries {
			if name := e.Name(); !e.IsDir() && strings.HasSuffix(name, ".lua") && !strings.HasPrefix(name, ".") && !seen[name] {
				seen[name] = true
				out = append(out, relative(filepath.Join(dir, name)))
			}
		}
	}
	return out, nil
}

func bundledNames() []string {
	found, _ := fs.Glob(scripts.FS, "*.lua") // the pattern is sound
	for i, name := range found {
		found[i] = strings.TrimSuffix(name, ".lua")
	}
	return found
}

func (c *cli) driverListCommand() *cobra.Command {
	return c.withJSON(&cobra.Command{
		Use:   "list",
		Short: "List the drivers with their source, their sites and what is wrong with them",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.driverList(cmd) },
	})
}

// driverLine is one driver of the list.
type driverLine struct {
	Name     string   `json:"name"`
	Version  string   `json:"version,omitempty"`
	Summary  string   `json:"summary,omitempty"`
	Source   string   `json:"source"` // "bundled" or a path
	Plugin   bool     `json:"plugin,omitempty"`
	Replaces string   `json:"replaces,omitempty"`
	Family   bool     `json:"family,omitempty"`
	Domains  []string `json:"domains,omitempty"`
	Phases   []string `json:"phases,omitempty"`
	Skip     string   `json:"skip,omitempty"`
	Problem  string   `json:"problem,omitempty"`
}

func (c *cli) driverList(cmd *cobra.Command) error {
	cfg, err := c.workshop(cmd)
	if err != nil {
		return err
	}
	set, closeSet, err := authorSet(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	defer closeSet()
	list := []driverLine{}
	bundled := bundledNames()
	for _, s := range set.Scripts() {
		m := s.Manifest
		l := driverLine{Name: s.Name, Version: m.Version, Summary: m.Summary, Source: relative(s.Path), Plugin: s.Program, Family: m.Family, Domains: m.Domains, Skip: m.Skip}
		switch {
		case s.Bundled:
			l.Source = "bundled"
		case slices.Contains(bundled, s.Name):
			l.Replaces = "the bundled " + s.Name
		}
		for _, p := range m.Phases {
			l.Phases = append(l.Phases, string(p))
		}
		list = append(list, l)
	}
	for _, p := range set.Problems() {
		list = append(list, driverLine{Name: strings.TrimSuffix(filepath.Base(p.Path), ".lua"), Source: relative(p.Path), Problem: p.Err.Error()})
	}
	shared := sharedDomains(set.Scripts())
	for i, l := range list {
		for _, d := range l.Domains {
			if with := shared[d]; len(with) > 1 {
				list[i].Problem = fmt.Sprintf("%s is named by %s: choose with [sites.%q] driver", d, strings.Join(with, " and "), d)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b driverLine) int { return strings.Compare(a.Name, b.Name) })
	if c.json {
		return json.NewEncoder(c.out).Encode(list)
	}
	return c.printDrivers(list)
}

func (c *cli) printDrivers(list []driverLine) error {
	if len(list) == 0 {
		fmt.Fprintln(c.out, "there is no driver yet: `rollcall driver new NAME` writes one")
		return nil
	}
	tw := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "driver\tversion\tsource\tfor\tphases")
	for _, l := range list {
		serves := strings.Join(l.Domains, " ")
		if l.Family {
			serves = "a family: bound to sites by configuration"
		}
		source := l.Source
		if l.Replaces != "" {
			source += ", replaces " + l.Replaces
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", secret.Clean(l.Name), secret.Clean(cmp.Or(l.Version, "-")), source, secret.Clean(cmp.Or(serves, "-")), cmp.Or(strings.Join(l.Phases, " "), "-"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, l := range list {
		if l.Problem != "" {
			fmt.Fprintf(c.out, "\n%s: %s\n", l.Name, secret.CleanLines(l.Problem))
		}
		if l.Skip != "" {
			fmt.Fprintf(c.out, "\n%s is switched off: %s\n", l.Name, secret.Clean(l.Skip))
		}
	}
	return nil
}

// sharedDomains are the drivers that name each domain.
func sharedDomains(all []drivers.Script) map[string][]string {
	out := map[string][]string{}
	for _, s := range all {
		for _, d := range s.Manifest.Domains {
			out[d] = append(out[d], s.Name)
		}
	}
	return out
}

// authorSet is the set of drivers for a command that runs none of them. Plugins
// are asked for their manifest; nothing is kept.
func authorSet(ctx context.Context, cfg *config.Config) (_ *drivers.Set, end func(), err error) {
	log := slog.New(slog.DiscardHandler)
	if len(cfg.Plugins) == 0 {
		set, err := drivers.NewSet(drivers.Options{
			Sites: cfg.Sites, Pace: cfg.Pace, Scripts: cfg.Drivers.Scripts, Bundled: scripts.FS, Logger: log,
			Load: func(s drivers.Script) (core.Manifest, string, error) {
				d, err := lua.Load(source(s))
				if err != nil {
					return core.Manifest{}, "", err
				}
				return d.Manifest(), d.Digest(), nil
			},
		})
		return set, func() {}, usage(err)
	}
	dir, err := os.MkdirTemp("", "rollcall-drivers-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a directory for the plugins: %w", err)
	}
	own := *cfg
	own.State.Dir = dir
	f, err := openFleet(ctx, &own, log, false)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return f.set, func() { _, _ = f.Close(), os.RemoveAll(dir) }, nil
}

// completeDrivers offers driver names on the shell's tab key.
func (c *cli) completeDrivers(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	names := map[string]bool{}
	for _, n := range bundledNames() {
		names[n] = true
	}
	if cfg, err := c.workshop(cmd); err == nil {
		own, _ := ownScripts(cfg)
		for _, p := range own {
			names[strings.TrimSuffix(filepath.Base(p), ".lua")] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), cobra.ShellCompDirectiveDefault
}

// completeDomains offers the configured sites on the shell's tab key.
func (c *cli) completeDomains(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	cfg, err := config.Load(c.configPath)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(cfg.Sites)), cobra.ShellCompDirectiveNoFileComp
}
