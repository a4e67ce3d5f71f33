package main_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// pageBlock is a fenced part of a page.
type pageBlock struct{ kind, text string }

func pageBlocks(page string) (out []pageBlock) {
	for _, m := range regexp.MustCompile("(?ms)^```(\\w+)\\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		out = append(out, pageBlock{m[1], m[2]})
	}
	return out
}

// TestHoolaPageExecutes runs every command of docs/hoola.md, in both languages,
// against the sandbox, and compares what it prints. An … stands for what differs.
func TestHoolaPageExecutes(t *testing.T) {
	page, err := os.ReadFile("../../docs/hoola.md")
	if err != nil {
		t.Fatal(err)
	}
	english, vietnamese, ok := strings.Cut(string(page), "\n# Nhiều")
	if !ok {
		t.Fatal("the page has no Vietnamese part")
	}
	for name, text := range map[string]string{"English": english, "Vietnamese": vietnamese} {
		t.Run(name, func(t *testing.T) { pageExecutes(t, text) })
	}
}

func pageExecutes(t *testing.T, page string) {
	sb, err := sandbox.Start(t.Context(), sandbox.Options{HoolaEvery: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sb.Close() })
	dir := t.TempDir()
	path, err := sb.WriteConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rollcall.toml", strings.ReplaceAll(string(text), sandbox.HoolaDomain, "abc.hoola.vn"))
	if err := secret.Generate(filepath.Join(dir, "seal.key")); err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, b := range pageBlocks(page) {
		switch b.kind {
		case "toml":
			write("shown.toml", b.text)
			if _, err := config.Load(filepath.Join(dir, "shown.toml")); err != nil {
				t.Errorf("the configuration of the page: %v", err)
			}
		case "csv":
			write("users.csv", b.text)
		case "console":
			for _, one := range strings.Split("\n"+b.text, "\n$ ")[1:] {
				command, want, _ := strings.Cut(one, "\n")
				commands++
				consoleRuns(t, dir, command, strings.TrimSpace(want))
			}
		}
	}
	if commands < 3 {
		t.Errorf("the page has %d commands", commands)
	}
}

func consoleRuns(t *testing.T, dir, command, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-c", command)
	c.Dir = dir
	c.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+dir)
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", command, err, out, errs.String())
	}
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	pattern := strings.ReplaceAll(regexp.QuoteMeta(squeeze(want)), "…", ".*")
	if got := squeeze(string(out)); !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
		t.Errorf("$ %s\nprints\n%s\nthe page shows\n%s\n%s", command, out, want, errs.String())
	}
}
