package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// TestTheQuickstartDoesWhatItSays runs every ```sh block of the quickstart, in
// order, and looks for each line of the ```text block that follows it.
func TestTheQuickstartDoesWhatItSays(t *testing.T) {
	sb, err := sandbox.Start(t.Context(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../examples/quickstart")); err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	ran, output := 0, ""
	for _, b := range blocks(string(readme)) {
		switch b.kind {
		case "sh":
			cmd := exec.Command("sh", "-euc", b.text)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "BOARD="+sb.Board.URL, "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s%s%v", b.text, out, err)
			}
			output = string(out)
			ran++
		case "text":
			for line := range strings.Lines(b.text) {
				if line = strings.TrimSpace(line); !strings.Contains(output, line) {
					t.Errorf("the quickstart promises %q; what came is\n%s", line, output)
				}
			}
		}
	}
	if ran != 5 {
		t.Errorf("%d blocks were run, the quickstart has 5", ran)
	}
	a, ok := sb.Board.Account("ada_l")
	if !ok || !strings.Contains(a.Profile["signature"], "https://social.example/ada") {
		t.Errorf("the account on the board is %+v", a)
	}
	if n := len(sb.Board.Submits()); n != 1 {
		t.Errorf("the board got %d sign-ups", n)
	}
}

type block struct{ kind, text string }

// blocks are the fenced blocks of a Markdown text.
func blocks(text string) []block {
	var out []block
	in := false
	for line := range strings.Lines(text) {
		kind, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && in:
			in = false
		case fence:
			in = true
			out = append(out, block{kind: strings.TrimSpace(kind)})
		case in:
			out[len(out)-1].text += line
		}
	}
	return out
}

func TestTheDriverReferencesOwnTestsPass(t *testing.T) {
	text, err := os.ReadFile("../../docs/lua.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, b := range blocks(string(text)) {
		if b.kind == "lua" && strings.Contains(b.text, `name = "notes"`) {
			if err := os.WriteFile(filepath.Join(dir, "notes.lua"), []byte(b.text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := exec.Command(binary, "driver", "test", "notes.lua")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1 test passed") {
		t.Errorf("%s%v", out, err)
	}
}
