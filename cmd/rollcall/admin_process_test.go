package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// command runs one command to its end.
func command(t *testing.T, code int, args ...string) (out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Stdout, cmd.Stderr = &o, &e
	_ = cmd.Run() // the code says how it ended
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("rollcall %s ended with %d, want %d\n%s%s", strings.Join(args, " "), got, code, o.String(), e.String())
	}
	return o.String(), e.String()
}

// TestAPersonWorksBesideARunningRunner answers a question of a real run while
// its page is open, and looks at everything else meanwhile.
func TestAPersonWorksBesideARunningRunner(t *testing.T) {
	w := newWorld(t, settings{slots: 1})
	w.o.more = fmt.Sprintf("[sites.%q]\nallowed = \"owner\"\nbase_url = %q\npace = { every = \"1ms\", concurrency = 1 }\n", w.sb.Guarded.Domain, w.sb.Guarded.URL)
	config := w.config("one")
	task := w.add(w.sb.Guarded, sandbox.StateRegister, 1)[0]
	r := w.start(config)
	asked := r.await("that a person is asked", message("a person is asked"))
	ask, _ := asked.fields["ask"].(string)
	out, _ := command(t, 0, "human", "list", "-c", config)
	if !strings.Contains(out, ask) || !strings.Contains(out, task.ID) || !strings.Contains(out, "captcha") || !strings.Contains(out, "-ask.png") {
		t.Errorf("the question is listed as\n%s", out)
	}
	out, _ = command(t, 0, "task", "show", task.ID, "-c", config)
	if !strings.Contains(out, "Type the word") {
		t.Errorf("the task is shown as\n%s", out)
	}
	quiet(t, "task show", []byte(out))
	out, _ = command(t, 0, "site", "list", "-c", config)
	if !strings.Contains(strings.Join(strings.Fields(out), " "), "guarded.sandbox.test owner guarded 1ms ×1 1 1 1 ") {
		t.Errorf("the sites are\n%s", out)
	}
	command(t, 0, "site", "pause", w.sb.Board.Domain, "-c", config)
	copied := filepath.Join(t.TempDir(), "copy.db")
	command(t, 0, "backup", copied, "-c", config)
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v", info, err)
	}
	if out, errOut := command(t, 0, "human", "answer", ask, w.sb.Guarded.Word(), "-c", config); errOut != "" || strings.Contains(out, "no runner") {
		t.Errorf("the answer says %q, %q", out, errOut)
	}
	w.await(r)
	out, _ = command(t, 0, "accounts", "export", "--reveal", "--json", "-c", config)
	if !strings.Contains(out, `"username":"`+task.Username+`"`) || !strings.Contains(out, `"password":`+strconv.Quote(task.Password)) {
		t.Errorf("the accounts are\n%s", out)
	}
	out, _ = command(t, 0, "accounts", "export", "-c", config)
	if !strings.Contains(out, "/members/"+task.Username) {
		t.Errorf("the masked accounts are\n%s", out)
	}
	quiet(t, "accounts export", []byte(out))
	r.stop()
	if _, err := os.Stat(w.path("one/control.sock")); !os.IsNotExist(err) {
		t.Errorf("the stopped runner's socket is there: %v", err)
	}
	if out, _ = command(t, 0, "site", "list", "-c", config); !strings.Contains(out, "by a person: paused by ") {
		t.Errorf("after the run the sites are\n%s", out)
	}
	if text, err := os.ReadFile(copied); err != nil || len(spy.find(text)) > 0 {
		t.Errorf("the copy shows a secret: %v", err)
	}
}

// TestCommandsOpenPostgreSQLThemselves: beside any runners, with the address
// from a file, whose password nothing prints.
func TestCommandsOpenPostgreSQLThemselves(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := secret.Generate(filepath.Join(dir, "seal.key")); err != nil {
		t.Fatal(err)
	}
	write("address", ledgertest.Postgres(t))
	config := write("rollcall.toml", "[store]\nurl = \"file:address\"\nkey = \"file:seal.key\"\n[sites.\"wiki.example.org\"]\nallowed = \"owner\"\n")
	if out, _ := command(t, 0, "task", "list", "-c", config); out != "no tasks\n" {
		t.Errorf("the tasks are %q", out)
	}
	if out, _ := command(t, 0, "site", "pause", "wiki.example.org", "--why", "closed", "-c", config); strings.Contains(out, "no runner") {
		t.Errorf("pause says %q", out)
	}
	if out, _ := command(t, 0, "site", "list", "-c", config); !strings.Contains(out, "by a person: closed") {
		t.Errorf("the sites are\n%s", out)
	}
	copied := filepath.Join(dir, "copy.db")
	if _, errOut := command(t, 1, "backup", copied, "-c", config); !strings.Contains(errOut, "pg_dump") {
		t.Errorf("backup says %q", errOut)
	}
	if _, err := os.Stat(copied); !os.IsNotExist(err) {
		t.Errorf("backup left a file: %v", err)
	}
}
