package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/drivers"
	"github.com/rollcall-run/rollcall/drivers/external"
	"github.com/rollcall-run/rollcall/drivers/lua"
	"github.com/rollcall-run/rollcall/plugins"
	"github.com/rollcall-run/rollcall/scripts"
)

// fleet is the drivers, and the processes that run them.
type fleet struct {
	set  *drivers.Set
	host *external.Host
}

// workerGrace is how long a driver may go on past its limit before its process is
// killed: a second after the limit the task is classified, whatever the driver does.
const workerGrace = 500 * time.Millisecond

// openFleet loads the drivers. Own scripts are read in a worker process, because
// nobody may have looked at them yet; bundled ones are this binary's own. Watched
// says that each verb is told as it ends, as it is with debug logging.
func openFleet(ctx context.Context, cfg *config.Config, log *slog.Logger, watched bool) (_ *fleet, err error) {
	f := &fleet{}
	command := []string{"/proc/self/exe", "worker"}
	if !watched && !log.Enabled(ctx, slog.LevelDebug) {
		command = append(command, "--quiet")
	}
	f.host, err = external.New(external.Options{
		Command: command, MemoryMB: cfg.Limits.WorkerMB, Grace: workerGrace, Logger: log,
		StateDir: filepath.Join(cfg.State.Dir, "programs"),
		Sources: func(b core.Binding) (plugins.DriverRef, error) {
			s, err := f.set.Source(b)
			return reference(s), err
		},
	})
	if err != nil {
		return nil, err
	}
	programs, err := f.programs(ctx, cfg, log)
	if err != nil {
		return nil, errors.Join(err, f.host.Close())
	}
	defer collectOften()()
	f.set, err = drivers.NewSet(drivers.Options{
		Sites: cfg.Sites, Pace: cfg.Pace, Scripts: cfg.Drivers.Scripts, Bundled: scripts.FS, Programs: programs,
		Cache: filepath.Join(cfg.State.Dir, "manifests"), Logger: log, Load: f.load,
	})
	if err != nil {
		return nil, errors.Join(err, f.host.Close())
	}
	return f, nil
}

func (f *fleet) Close() error { return f.host.Close() }

// loadTime bounds the reading of one script.
const loadTime = 10 * time.Second

func (f *fleet) load(s drivers.Script) (core.Manifest, string, error) {
	digest, err := lua.Digest(source(s))
	if err != nil {
		return core.Manifest{}, "", err
	}
	s.Digest = digest
	if s.Bundled {
		d, err := lua.Load(source(s))
		if err != nil {
			return core.Manifest{}, "", err
		}
		return d.Manifest(), digest, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), loadTime)
	defer cancel()
	m, err := f.host.Manifest(ctx, reference(s))
	return m, digest, err
}

// programs asks each plugin for its manifest. An unlisted one takes the place of a
// listed one of its name.
func (f *fleet) programs(ctx context.Context, cfg *config.Config, log *slog.Logger) ([]drivers.Script, error) {
	var out []drivers.Script
	for _, p := range cfg.Plugins {
		plugin, err := openPlugin(f.host, p, log)
		if err != nil {
			return nil, usage(err)
		}
		m, err := plugin.Manifest(ctx)
		if err != nil {
			return nil, fmt.Errorf("the plugin %s: %w", p.Path, err)
		}
		if p.Place == placeDev || p.Place == placeReattach {
			out = slices.DeleteFunc(out, func(s drivers.Script) bool { return s.Name == m.Name })
		}
		out = append(out, drivers.Script{Name: m.Name, Path: p.Path, Digest: plugin.Digest(), Manifest: m, Program: true})
	}
	return out, nil
}

// source is the script as the Lua host reads it.
func source(s drivers.Script) lua.Source {
	return lua.Source{Name: s.Name, Path: s.Path, Digest: s.Digest, Text: s.Text, Lib: s.Lib}
}

// reference is the script as it crosses to a worker; a plugin is one driver and needs no name.
func reference(s drivers.Script) plugins.DriverRef {
	if s.Program {
		return plugins.DriverRef{}
	}
	return plugins.DriverRef{Name: s.Name, Path: s.Path, Digest: s.Digest, Text: s.Text, Lib: s.Lib}
}

// workerCommand is what the runner starts, once per slot: people have no use for it.
func (c *cli) workerCommand() *cobra.Command {
	var quiet bool
	cmd := &cobra.Command{
		Use: "worker", Short: "Run drivers for a runner", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := plugins.Confine(plugins.WorkerData); err != nil {
				return err
			}
			runtime.GOMAXPROCS(1) // it does one thing at a time: a second thread would only wake the first
			plugins.ServeWorker(func(ref plugins.DriverRef) (core.Driver, error) {
				return lua.Load(lua.Source{Name: ref.Name, Path: ref.Path, Digest: ref.Digest, Text: ref.Text, Lib: ref.Lib, Quiet: quiet})
			})
			return nil
		},
	}
	cmd.Flags().BoolVar(&quiet, "quiet", false, "do not tell the runner of each verb that went well, only of all together")
	return cmd
}
