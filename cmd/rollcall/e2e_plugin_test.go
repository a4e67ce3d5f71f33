package main_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// TestAPluginThatCrashesCostsItsOwnTasksOnly: every run of the plugin panics; its
// tasks fail with the panic and the exit status, and the scripts' tasks are done.
func TestAPluginThatCrashesCostsItsOwnTasksOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crashing")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../drivers/drivertest/actor/plugin").CombinedOutput(); err != nil {
		t.Fatalf("go build: %s", out)
	}
	bin, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, settings{slots: 2, more: fmt.Sprintf("[[plugin]]\npath = %q\nsha256 = \"%x\"\n", path, sha256.Sum256(bin))})
	// The plugin's own bytes need not be looked through for secrets.
	t.Cleanup(func() {
		if err := os.RemoveAll(w.path("one/programs")); err != nil {
			t.Error(err)
		}
	})
	w.o.more += fmt.Sprintf("[sites.\"crash.example\"]\nallowed = \"owner\"\nbase_url = %q\ndriver = \"actor\"\noptions = { do = \"panic\" }\npace = { every = \"1ms\" }\n", w.sb.Board.URL)
	var doomed []string
	for i := range 3 {
		user := fmt.Sprint("doomed", i)
		task := sandbox.Task{
			ID: fmt.Sprintf("5a9d0b00-0000-4000-8000-%012d", 900+i), RequestID: "5a9d0b00-0000-4000-9000-000000000001", Domain: "crash.example",
			Email: user + "@mail.sandbox.test", Username: user, Password: canaryPassword + user, Status: sandbox.StateRegister,
		}
		doomed = append(doomed, task.ID)
		w.sb.Manager.Add(task)
	}
	w.add(w.sb.Board, sandbox.StateRegister, 4)
	r := w.start(w.config("one", "attempts = 50", "attempts = 2"), "--once")
	const partly = 3
	if code := r.end(patience); code != partly {
		t.Errorf("ended with %d, want %d\n%s", code, partly, r.tail())
	}
	w.checkDone()
	for _, id := range doomed {
		s, _ := w.sb.Manager.Task(id)
		said := s.Result.ErrorMessage
		if s.Status != sandbox.StateRegisterFailed || s.Count(sandbox.CallFail) != 1 || !strings.Contains(said, "plugin crashing ended with exit status 2: panic: the wizard fell over") {
			t.Errorf("task %s is %s: %q", id, s.Status, said)
		}
	}
	if n := len(w.sb.Board.Accounts()); n != 4 {
		t.Errorf("the site has %d accounts", n)
	}
}
