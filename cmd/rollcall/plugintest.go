package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/drivers/drivertest"
	"github.com/rollcall-run/rollcall/drivers/external"
)

// isPlugin reports whether an argument of driver test is a program.
func isPlugin(arg string) bool {
	if strings.HasSuffix(arg, ".lua") || !strings.ContainsRune(arg, filepath.Separator) {
		return false
	}
	info, err := os.Stat(arg)
	return err == nil && info.Mode().IsRegular()
}

// pluginTest holds a plugin to the contract of drivers. It runs although the
// configuration does not list it: whoever tests it has asked for that.
func (c *cli) pluginTest(cmd *cobra.Command, path, address string, headful bool) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cfg, err := c.workshop(cmd)
	if err != nil {
		return err
	}
	p := config.Plugin{Path: address, Place: placeReattach}
	if path != "" {
		abs, err := filepath.Abs(path)
		if err != nil {
			return usage(fmt.Errorf("find %s: %w", path, err))
		}
		sum, _, err := fileSum(abs)
		if err != nil {
			return usage(fmt.Errorf("the plugin %w", err))
		}
		p = config.Plugin{Path: abs, SHA256: sum, Place: placeDev}
	}
	lines := []testLine{}
	failed := 0
	err = c.withPlugin(ctx, cfg, p, func(host *external.Host, plugin *external.Plugin) (err error) {
		m, err := plugin.Manifest(ctx)
		if err != nil {
			return err
		}
		b, err := openBench(ctx, cfg, !headful)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.close()) }()
		return drivertest.Check(ctx, drivertest.Machine{Browsers: b.chromium, Egress: b.proxy}, pluginUnderTest{host, plugin}, func(r drivertest.Result) {
			l := testLine{Driver: m.Name, Test: r.Name, File: p.Path, Result: "ok", Failures: r.Failures, Millis: r.Took.Milliseconds()}
			if len(r.Failures) > 0 {
				l.Result = "fail"
				failed++
			}
			lines = append(lines, l)
			if !c.json {
				word := map[string]string{"ok": "ok   ", "fail": "FAIL "}[l.Result]
				fmt.Fprintf(c.out, "%s %s: %s (%d ms)\n", word, secret.Clean(m.Name), r.Name, l.Millis)
				for _, why := range r.Failures {
					fmt.Fprintf(c.out, "      %s\n", secret.Clean(why))
				}
			}
		})
	})
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		return err
	}
	if c.json {
		if err := json.NewEncoder(c.out).Encode(lines); err != nil {
			return err
		}
	}
	if failed > 0 {
		return &exitError{code: exitFailed, err: fmt.Errorf("%d of %s failed", failed, plural(len(lines), "case"))}
	}
	if !c.json {
		fmt.Fprintf(c.out, "%s passed\n", plural(len(lines), "case"))
	}
	return nil
}

// pluginUnderTest runs a plugin for the suite.
type pluginUnderTest struct {
	host   *external.Host
	plugin *external.Plugin
}

func (p pluginUnderTest) Manifest(ctx context.Context) (core.Manifest, error) {
	return p.plugin.Manifest(ctx)
}

func (p pluginUnderTest) Run(ctx context.Context, slot int, phase core.Phase, task core.Task, session core.Session) (core.Outcome, error) {
	return p.host.Slot(strconv.Itoa(slot)).Run(ctx, core.Binding{Digest: p.plugin.Digest(), Native: true}, phase, task, session)
}
