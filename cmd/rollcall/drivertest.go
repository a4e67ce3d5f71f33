package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/browser"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/egress"
	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/drivers/lua"
)

type testFlags struct {
	only    string
	live    map[string]string
	headful bool
	timeout time.Duration

	reattach string
}

func (c *cli) driverTestCommand() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test [FILE|NAME…]",
		Short: "Run the tests in drivers against their recorded pages, in a real browser",
		Long: "Serves the pages that a driver's tests name on loopback and runs its phases on them in\n" +
			"Chromium. Nothing else is reached. A test that fails prints the `want` to paste, should the\n" +
			"driver be right and the test wrong. Without an argument it tests every driver in your folders.\n\n" +
			"A test with live = \"NAME\" runs only where --live NAME=URL says where that site is: on this\n" +
			"machine, or a site that the configuration allows.\n\n" +
			"The path of a plugin, a program, runs the conformance suite on it instead: it is started and\n" +
			"held to the contract of drivers on sites that are down, strange, silent or hostile.\n\n" +
			"Exit codes: 0 all passed, 1 some failed, 2 bad usage.",
		ValidArgsFunction: c.completeDrivers,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && isPlugin(args[0]) && f.reattach == "" {
				return c.pluginTest(cmd, args[0], "", f.headful)
			}
			if len(args) == 0 && f.reattach != "" {
				return c.pluginTest(cmd, "", f.reattach, f.headful)
			}
			if f.reattach != "" || slices.ContainsFunc(args, isPlugin) {
				return usage(errors.New("test one plugin at a time, by its path or with --reattach ADDRESS"))
			}
			return c.driverTest(cmd, args, f)
		},
	}
	cmd.Flags().StringVar(&f.only, "only", "", "run only tests whose name contains this")
	cmd.Flags().StringToStringVar(&f.live, "live", nil, "NAME=URL: where the site of the live tests NAME is")
	cmd.Flags().BoolVar(&f.headful, "headful", false, "show the browser's windows")
	cmd.Flags().DurationVar(&f.timeout, "timeout", time.Minute, "longest time of one test")
	cmd.Flags().StringVar(&f.reattach, "reattach", "", "test the plugin that serves at this address")
	return c.withJSON(cmd)
}

// testLine is one test for programs.
type testLine struct {
	Driver   string   `json:"driver"`
	Test     string   `json:"test"`
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"`
	Result   string   `json:"result"` // ok, fail, skipped
	Failures []string `json:"failures,omitempty"`
	Paste    string   `json:"paste,omitempty"`
	Log      []string `json:"log,omitempty"`
	Skipped  string   `json:"skipped,omitempty"`
	Millis   int64    `json:"ms"`
}

func (c *cli) driverTest(cmd *cobra.Command, args []string, f testFlags) (err error) {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cfg, err := c.workshop(cmd)
	if err != nil {
		return err
	}
	for name, at := range f.live {
		if err := mayVisit(cfg, at); err != nil {
			return usage(fmt.Errorf("--live %s: %w", name, err))
		}
	}
	if len(args) == 0 {
		if args, err = ownScripts(cfg); err != nil {
			return err
		}
	}
	if len(args) == 0 {
		return usage(errors.New("there is no driver in your folders: name a file, or write one with `rollcall driver new NAME`"))
	}
	var all []script
	var loaded []*lua.Driver
	for _, arg := range args {
		s, err := findScript(cfg, arg)
		if err != nil {
			return err
		}
		d, err := lua.Load(s.Source)
		if err != nil {
			return fmt.Errorf("%w; `rollcall driver check %s` names everything", err, arg)
		}
		all, loaded = append(all, s), append(loaded, d)
	}
	b, err := openBench(ctx, cfg, !f.headful)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	lines := []testLine{}
	failed := 0
	for i, d := range loaded {
		got, err := c.testOne(ctx, b, all[i], d, f)
		lines = append(lines, got...)
		if err != nil {
			return fmt.Errorf("%s: %w", all[i].Path, err)
		}
	}
	for _, l := range lines {
		if l.Result == "fail" {
			failed++
		}
	}
	if c.json {
		if err := json.NewEncoder(c.out).Encode(lines); err != nil {
			return err
		}
	}
	if failed > 0 {
		return &exitError{code: exitFailed, err: fmt.Errorf("%d of %s failed", failed, plural(len(lines), "test"))}
	}
	if !c.json {
		passed, skipped := 0, ""
		for _, l := range lines {
			if l.Result == "ok" {
				passed++
			}
		}
		if n := len(lines) - passed; n > 0 {
			skipped = fmt.Sprintf(", %d skipped", n)
		}
		fmt.Fprintf(c.out, "%s passed%s\n", plural(passed, "test"), skipped)
	}
	return nil
}

func (c *cli) testOne(ctx context.Context, b *bench, s script, d *lua.Driver, f testFlags) ([]testLine, error) {
	name := d.Manifest().Name
	if len(d.Tests()) == 0 {
		l := testLine{Driver: name, File: s.Path, Result: "fail",
			Failures: []string{"the driver has no tests: add driver.tests, `rollcall driver new` shows how"}}
		c.printTest(l)
		return []testLine{l}, nil
	}
	var lines []testLine
	_, err := lua.RunTests(ctx, d, lua.TestOptions{
		Session: b.session(d.Manifest()), Files: s.dir, Live: f.live, Only: f.only, Timeout: f.timeout,
		Done: func(r lua.TestResult) {
			if ctx.Err() != nil {
				return // what an interrupt broke is no result
			}
			l := testLine{Driver: name, Test: r.Test.Name, File: s.Path, Line: r.Test.Line, Result: "ok", Millis: r.Took.Milliseconds()}
			switch {
			case r.Skipped != "":
				l.Result, l.Skipped = "skipped", r.Skipped
			case !r.Passed():
				l.Result, l.Failures, l.Paste, l.Log = "fail", r.Failures, r.Paste, r.Log
			}
			lines = append(lines, l)
			c.printTest(l)
		},
	})
	if ctx.Err() != nil {
		return lines, errors.New("interrupted")
	}
	if err != nil {
		return lines, err
	}
	if len(lines) == 0 {
		return lines, usage(fmt.Errorf("no test's name contains %q", f.only))
	}
	return lines, nil
}

func (c *cli) printTest(l testLine) {
	if c.json {
		return
	}
	l.Test, l.Skipped = secret.Clean(l.Test), secret.Clean(l.Skipped)
	switch l.Result {
	case "ok":
		fmt.Fprintf(c.out, "ok    %s: %s (%s)\n", l.Driver, l.Test, time.Duration(l.Millis)*time.Millisecond)
	case "skipped":
		fmt.Fprintf(c.out, "skip  %s: %s: %s\n", l.Driver, l.Test, l.Skipped)
	default:
		fmt.Fprintf(c.out, "FAIL  %s: %s (%s:%d)\n", l.Driver, l.Test, l.File, l.Line)
		for _, why := range l.Failures {
			fmt.Fprintf(c.out, "      %s\n", secret.Clean(why))
		}
		for _, line := range l.Log {
			fmt.Fprintf(c.out, "      | %s\n", secret.Clean(line))
		}
		if l.Paste != "" {
			fmt.Fprintf(c.out, "      if the driver is right, paste:\n      %s\n", secret.Clean(l.Paste))
		}
	}
}

// mayVisit refuses an address that is neither on this machine nor of an allowed site.
func mayVisit(cfg *config.Config, at string) error {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return fmt.Errorf("%q is not an http:// or https:// address", at)
	}
	if onThisMachine(u) {
		return nil
	}
	site, ok := cfg.Sites[u.Hostname()]
	switch {
	case !ok || site.Allowed == "":
		return fmt.Errorf("%s is not an allowed site: set [sites.%q] allowed = \"owner\", \"contract\" or \"terms\"", u.Hostname(), u.Hostname())
	case site.Expired(time.Now()):
		return fmt.Errorf("the basis on which %s may be automated has ended: renew it and set [sites.%q] expires", u.Hostname(), u.Hostname())
	}
	return nil
}

func onThisMachine(u *url.URL) bool {
	host := u.Hostname()
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && ip.Unmap().IsLoopback()
}

// bench is a browser and a proxy for tests.
type bench struct {
	dir      string
	chromium *browser.Chromium
	proxy    *egress.Proxy
}

func openBench(ctx context.Context, cfg *config.Config, headless bool) (_ *bench, err error) {
	b := &bench{}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.dir, err = os.MkdirTemp("", "rollcall-test-"); err != nil {
		return nil, fmt.Errorf("make a directory for the browser: %w", err)
	}
	// A root runner's browser has a user of its own, who must pass here.
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return nil, fmt.Errorf("open the browser's directory to it: %w", err)
	}
	if b.proxy, err = egress.New(egress.Options{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		return nil, err
	}
	b.chromium, err = browser.Launch(ctx, browser.Options{
		Path: cfg.Browser.Path, Headless: headless, Sandbox: cfg.Browser.Sandbox, Dir: filepath.Join(b.dir, "browser"),
	})
	return b, err
}

func (b *bench) close() error {
	var errs []error
	if b.chromium != nil {
		errs = append(errs, b.chromium.Close())
	}
	if b.proxy != nil {
		errs = append(errs, b.proxy.Close())
	}
	if b.dir != "" {
		errs = append(errs, os.RemoveAll(b.dir))
	}
	return errors.Join(errs...)
}

// session opens a context that reaches the test's site and, on a live site, the driver's hosts.
func (b *bench) session(m core.Manifest) func(context.Context, string) (core.Session, func(), error) {
	return func(ctx context.Context, base string) (core.Session, func(), error) {
		u, err := url.Parse(base)
		if err != nil {
			return core.Session{}, nil, err
		}
		rules := core.EgressRules{Domain: u.Hostname(), Base: base, Private: onThisMachine(u)}
		if !rules.Private {
			rules.Hosts = slices.Clone(m.Hosts)
		}
		if net.ParseIP(rules.Domain) != nil {
			rules.Domain = "site.test"
		}
		gate, err := b.proxy.Open(ctx)
		if err != nil {
			return core.Session{}, nil, err
		}
		gate.Admit(rules)
		gate.Until(egress.Forever)
		page, err := b.chromium.Context(ctx, gate.URL(), core.ContextOptions{Language: "en", Downloads: slices.Contains(m.Permissions, core.PermitDownloads)})
		if err != nil {
			return core.Session{}, nil, errors.Join(err, gate.Close())
		}
		return core.Session{ControlURL: page.ControlURL(), ContextID: page.ContextID(), TargetID: page.TargetID(), Proxy: gate.URL(), Hosts: rules.Hosts},
			func() { _, _ = page.Close(), gate.Close() }, nil
	}
}
