package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

//go:embed board.lua
var boardDriver string

// rollcallWith is `rollcall run --once` as an operator of the site starts it:
// their own site, so its pace is theirs to set; everything else is the default,
// but for the setting of the site that is given.
func rollcallWith(setting string) func(context.Context, *bench, *site, string, int) (*exec.Cmd, error) {
	return func(ctx context.Context, b *bench, s *site, dir string, concurrency int) (*exec.Cmd, error) {
		return rollcallCommand(ctx, b, s, dir, concurrency, setting)
	}
}

func rollcallCommand(ctx context.Context, b *bench, s *site, dir string, concurrency int, setting string) (*exec.Cmd, error) {
	q := strconv.Quote
	var toml strings.Builder
	fmt.Fprintf(&toml, "[entity]\nbase_url = %s\napi_key = \"file:entity.key\"\npoll = \"1s\"\nlimit = %d\n\n", q(s.box.Manager.URL), len(s.tasks))
	fmt.Fprintf(&toml, "[store]\nurl = \"sqlite:var/rollcall.db\"\nkey = \"file:seal.key\"\n\n")
	fmt.Fprintf(&toml, "[browser]\nslots = %d\npath = %s\n\n", concurrency, q(b.browser))
	fmt.Fprintf(&toml, "[assets]\nallow = [\"127.0.0.1\"]\n\n")
	fmt.Fprintf(&toml, "[sites.%s]\nallowed = \"owner\"\nbase_url = %s\npace = { every = \"1ms\", concurrency = %d }\n%s\n", q(sandbox.BoardDomain), q(s.box.Board.URL), concurrency, setting)
	files := map[string]string{
		"rollcall.toml": toml.String(), "entity.key": s.box.Manager.APIKey + "\n", "scripts/board.lua": boardDriver,
	}
	if err := os.Mkdir(filepath.Join(dir, "scripts"), 0o755); err != nil {
		return nil, err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	if err := secret.Generate(filepath.Join(dir, "seal.key")); err != nil {
		return nil, err
	}
	s.box.Manager.Add(s.tasks...)
	return exec.CommandContext(ctx, b.rollcall, "run", "--once", "-c", filepath.Join(dir, "rollcall.toml")), nil
}

// lastReport is when the task manager had taken the last report: rollcall's work
// is not done before. It is the zero time while a task lacks its report.
func lastReport(s *site) time.Time {
	var last time.Time
	for _, t := range s.box.Manager.Tasks() {
		if t.Status != sandbox.StateProfiled || t.Count(sandbox.CallComplete) != 1 {
			return time.Time{}
		}
		for _, c := range t.Calls {
			if c.Name == sandbox.CallComplete && c.At.After(last) {
				last = c.At
			}
		}
	}
	return last
}
