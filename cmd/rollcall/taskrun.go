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
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/entity"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/core/secret"
)

type taskRunFlags struct {
	task, until, driver, base, pictures string
	headful                             bool
	unlisted                            unlisted
	wait                                time.Duration
}

func (c *cli) taskRunCommand() *cobra.Command {
	var f taskRunFlags
	cmd := &cobra.Command{
		Use:   "run --t FILE",
		Short: "Run one task from a file, step by step, without a task manager",
		Long: "Runs one task with the real machinery: worker process, egress proxy, browser, mail. The file\n" +
			"holds the task as the Entity API shows it. Nothing is reported anywhere, and what it remembers is\n" +
			"thrown away: an account that was made is printed at the end. The site must be allowed in the\n" +
			"configuration, as in a run.\n\n" +
			"--until stops early: open after register's first page is open, fill right before the commit\n" +
			"would be made, commit after register's commit was answered. With --headful the page then stays\n" +
			"open until Enter. A person who is asked for is asked here.\n\n" +
			"Exit codes: 0 done, or stopped where told, 1 failed, 2 bad usage, 3 due later, 4 not allowed or no\ndriver, 5 waiting for a person.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.taskRun(cmd.Context(), f) },
	}
	cmd.Flags().StringVarP(&f.task, "t", "t", "", "the task's JSON file")
	cmd.Flags().StringVar(&f.until, "until", "", "stop at open, fill or commit")
	cmd.Flags().StringVar(&f.driver, "driver", "", "use this Lua file as the site's driver")
	cmd.Flags().StringVar(&f.base, "base", "", "visit the site at this loopback address")
	cmd.Flags().StringVar(&f.pictures, "pictures", "", "keep pictures of the page in this directory")
	cmd.Flags().BoolVar(&f.headful, "headful", false, "show the browser's window")
	cmd.Flags().DurationVar(&f.wait, "wait", 2*time.Minute, "wait for a task that is due within this time")
	f.unlisted.flags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("until", cobra.FixedCompletions(stops, cobra.ShellCompDirectiveNoFileComp))
	return c.withJSON(cmd)
}

// The places where --until stops.
const (
	stopOpen   = "open"
	stopFill   = "fill"
	stopCommit = "commit"
)

var stops = []string{stopOpen, stopFill, stopCommit}

// maxTaskFile bounds a task's file, in bytes: the largest task of the protocol.
const maxTaskFile = 1 << 20

func (c *cli) taskRun(ctx context.Context, f taskRunFlags) (err error) {
	if f.until != "" && !slices.Contains(stops, f.until) {
		return usage(fmt.Errorf("--until %q: it is open, fill or commit", f.until))
	}
	loaded, err := config.Load(c.configPath)
	if err != nil {
		return usage(err)
	}
	if err := f.unlisted.add(loaded); err != nil {
		return err
	}
	for _, p := range loaded.Plugins {
		if p.Place == placeDev || p.Place == placeReattach {
			fmt.Fprintf(c.err, "warning: %s %s: the configuration does not list this plugin\n", p.Place, secret.Clean(p.Path))
		}
	}
	task, err := c.readTask(f.task, states(loaded.Entity.States))
	if err != nil {
		return usage(err)
	}
	dir, err := os.MkdirTemp("", "rollcall-task-")
	if err != nil {
		return fmt.Errorf("make a directory for the run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg, err := soloConfig(loaded, task.Domain, dir, f)
	if err != nil {
		return usage(err)
	}
	b, err := soloBinding(ctx, cfg, task)
	if err != nil {
		return err
	}
	if f.until != "" && (task.Kind != core.Onboard || !b.Manifest.Has(core.Register)) {
		return usage(fmt.Errorf("--until %s: this task has no register phase to stop in", f.until))
	}
	if err := secret.Generate(strings.TrimPrefix(cfg.Store.Key, "file:")); err != nil {
		return err
	}

	soft, hard, stopSignals := stopOnSignals(ctx)
	defer stopSignals()
	soft, endSoft := context.WithCancel(soft)
	defer endSoft()
	hard, endHard := context.WithCancel(hard)
	defer endHard()
	level := slog.LevelError
	if cfg.Log.Level == "debug" {
		level = slog.LevelDebug
	}
	h := newHouse(cfg, func(r *secret.Redactor) slog.Handler {
		return secret.Handler(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level}), r)
	})
	h.redact.Add(task.Entity.Secrets()...)
	h.watched = true
	manager := newOneTask(task, states(cfg.Entity.States))
	if err := h.open(soft, manager); err != nil {
		return err
	}
	defer h.close()
	s := &stepper{
		out: c.out, in: newLines(c.in), quiet: c.json, redact: h.redact.Redact, until: f.until, headful: f.headful,
		begin: time.Now(), stop: func() { endSoft(); endHard() },
	}
	defer s.in.close()
	o := h.runner
	o.Workers = steppedWorkers{o.Workers, s}
	o.Slots, o.Once, o.Wait, o.Observe = 1, true, f.wait, s.observe
	o.Connect, o.Exclusive = true, true
	o.Limits.Attempts = 1
	if f.pictures != "" {
		o.Dir = f.pictures
	}
	r, err := runner.New(o)
	if err != nil {
		return err
	}
	s.line("", "%s on %s with the driver %s %s (%s), at %s", task.ID, task.Domain, b.Driver, b.Manifest.Version, b.Source, b.Base)
	if err := r.Run(soft, hard); err != nil {
		return err
	}
	rec, err := h.store.Task(context.WithoutCancel(ctx), task.ID)
	if err != nil {
		return fmt.Errorf("read what became of the task: %w", err)
	}
	return c.taskRunEnd(s, task, rec, manager)
}

// readTask reads a task as the Entity API would show it.
func (c *cli) readTask(path string, names core.StateNames) (core.Task, error) {
	if path == "" {
		return core.Task{}, errors.New("--t FILE is needed: the task as the Entity API shows it, one JSON object")
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err != nil {
		return core.Task{}, fmt.Errorf("the task can't be read: %w", err)
	}
	text, err := readAtMost(path, maxTaskFile+1)
	if err != nil {
		return core.Task{}, fmt.Errorf("the task can't be read: %w", err)
	}
	if len(text) > maxTaskFile {
		return core.Task{}, fmt.Errorf("the task %s has more than %d bytes", path, maxTaskFile)
	}
	listed, warnings, err := entity.Decode(text, names)
	if err != nil {
		return core.Task{}, fmt.Errorf("the task %s: %w", path, err)
	}
	for _, w := range warnings {
		if !strings.HasPrefix(w, "status is absent") {
			fmt.Fprintf(c.err, "%s: %s\n", path, secret.Clean(w))
		}
	}
	return listed.Task, nil
}

// soloConfig is the configuration for one task whose state is in dir.
func soloConfig(loaded *config.Config, domain, dir string, f taskRunFlags) (*config.Config, error) {
	cfg := *loaded
	cfg.State.Dir = filepath.Join(dir, "var")
	cfg.Store.URL = "sqlite:" + filepath.Join(dir, "var", "task.db")
	cfg.Store.Key = "file:" + filepath.Join(dir, "key")
	cfg.Browser.Headless = cfg.Browser.Headless && !f.headful
	cfg.Sites = maps.Clone(cfg.Sites)
	site, known := cfg.Sites[domain]
	if f.base != "" {
		u, err := url.Parse(f.base)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || !onThisMachine(u) {
			return nil, fmt.Errorf("--base %q: it must be an http:// or https:// address of this machine, such as http://127.0.0.1:8080; elsewhere, set [sites.%q] base_url", f.base, domain)
		}
		site.BaseURL = strings.TrimRight(f.base, "/")
	}
	if f.driver != "" {
		if _, err := os.Stat(f.driver); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("--driver: there is no file %s", f.driver)
		}
		path, err := filepath.Abs(f.driver)
		if err != nil {
			return nil, fmt.Errorf("--driver: %w", err)
		}
		name, isLua := strings.CutSuffix(filepath.Base(path), ".lua")
		if !isLua {
			return nil, fmt.Errorf("--driver %s: it must be a Lua file; plugins are named in [[plugin]]", f.driver)
		}
		site.Driver = name
		cfg.Drivers.Scripts = append([]string{filepath.Dir(path)}, cfg.Drivers.Scripts...)
	}
	if known {
		// A site that nobody allowed is not made one by a flag.
		cfg.Sites[domain] = site
	}
	return &cfg, nil
}

// soloBinding says how the task is served, before anything is started.
func soloBinding(ctx context.Context, cfg *config.Config, task core.Task) (core.Binding, error) {
	set, closeSet, err := authorSet(ctx, cfg)
	if err != nil {
		return core.Binding{}, err
	}
	defer closeSet()
	b, err := set.Lookup(task.Domain)
	if err != nil {
		return core.Binding{}, &exitError{code: exitHeldBack, err: err}
	}
	return b, nil
}

// taskRunLine is the end of a task run, for programs.
type taskRunLine struct {
	Task     string            `json:"task"`
	Domain   string            `json:"domain"`
	State    string            `json:"state"`
	Stopped  string            `json:"stopped,omitempty"` // where --until stopped it
	Done     bool              `json:"done"`
	Code     string            `json:"code,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Account  map[string]string `json:"account,omitempty"`
	MayExist bool              `json:"account_may_exist,omitempty"` // a submit has no known outcome
	Fields   map[string]string `json:"fields,omitempty"`
}

// taskRunEnd prints what became of the task, and the account that nobody else remembers.
func (c *cli) taskRunEnd(s *stepper, task core.Task, rec core.Record, m *oneTask) error {
	l := taskRunLine{Task: rec.ID, Domain: rec.Domain, State: string(rec.State), Stopped: s.stoppedAt(), Done: rec.State == core.Reported && rec.Done, Fields: rec.Fields}
	if rec.State != core.Reported || !rec.Done {
		if l.Reason = rec.Fault; rec.Answer != nil && rec.Answer.Status != core.Done {
			l.Code, l.Reason = string(rec.Answer.Code), rec.Answer.Reason
		}
	}
	in := rec.Intent
	l.MayExist = rec.Account == nil && in != nil && in.State == core.IntentOpen && rec.State != core.Submitted
	if a := rec.Account; a != nil {
		l.Account = account(task, a.Username, a.Email, a.Password)
		if m.report != nil {
			l.Account["link_profile"] = m.report.LinkProfile
		}
	} else if in != nil && in.State == core.IntentOpen {
		l.Account = account(task, in.Username, in.Email, in.Password)
	}
	if c.json {
		if err := json.NewEncoder(c.out).Encode(l); err != nil {
			return err
		}
	} else {
		c.printTaskRun(l)
	}
	switch {
	case l.Stopped != "" || l.Done:
		return nil
	case rec.State == core.Parked, rec.State == core.Held, rec.State == core.Unknown:
		return &exitError{code: exitPerson}
	case rec.State == core.Reported, rec.State == core.Failed, rec.State == core.Reporting:
		return &exitError{code: exitFailed}
	}
	return &exitError{code: exitPartly}
}

// account is what a sign-up used. The password is named only where it is not the
// task's own: nothing else would remember it.
func account(task core.Task, username, email, password core.Value) map[string]string {
	out := map[string]string{}
	for name, v := range map[string]core.Value{"username": username, "email": email} {
		if !v.Empty() {
			out[name] = v.Reveal()
		}
	}
	if !password.Empty() && !password.Equal(task.Entity.Get(core.FieldPassword)) {
		out["password"] = password.Reveal()
	}
	return out
}

func (c *cli) printTaskRun(l taskRunLine) {
	fmt.Fprintln(c.out)
	switch {
	case l.Stopped != "":
		fmt.Fprintf(c.out, "stopped %s, in state %s\n", map[string]string{
			stopOpen: "after the first page was open", stopFill: "right before the commit, which was not made", stopCommit: "after the commit's answer",
		}[l.Stopped], l.State)
	case l.Done:
		fmt.Fprintln(c.out, "done")
	default:
		state := l.State
		if state == string(core.Reported) {
			state = "failed"
		}
		fmt.Fprintf(c.out, "%s: %s\n", state, secret.Clean(strings.TrimPrefix(cmp.Or(l.Code, "broken")+": "+l.Reason, ": ")))
	}
	for _, name := range slices.Sorted(maps.Keys(l.Fields)) {
		fmt.Fprintf(c.out, "field %s: %s\n", name, secret.Clean(l.Fields[name]))
	}
	if l.Account == nil {
		return
	}
	head := "the account that was made"
	if l.MayExist {
		head = "the submit's outcome is not known: this account may exist"
	}
	fmt.Fprintf(c.out, "%s (nothing else remembers it):\n", head)
	for _, name := range slices.Sorted(maps.Keys(l.Account)) {
		fmt.Fprintf(c.out, "  %s  %s\n", name, secret.Clean(l.Account[name]))
	}
	if _, own := l.Account["password"]; !own {
		fmt.Fprintln(c.out, "  password  as in the task")
	}
}
