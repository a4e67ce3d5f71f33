package main_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// TestScripts runs testdata/script/*.txtar against the real binary. `exec rollcall`
// is it; a script has an own HOME, and a working directory of its own.
//
//	sandbox   serves the sandbox until the script ends, and sets $BOARD, $MANAGER, …
//	tasks     fills the sandbox with the demo's tasks
//	seed      makes a ledger in var/ with a task in each state that people deal with
//	serve     has that ledger and answers commands, as a runner does, until `serve stop`
//	mode M F  checks the mode of a file, such as rw-------
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Values[serveKey{}], env.Values[sandboxKey{}] = new(func()), new(*sandbox.Sandbox)
			return os.Mkdir(filepath.Join(env.WorkDir, "home"), 0o755)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"sandbox": scriptSandbox, "seed": scriptSeed, "serve": scriptServe, "mode": scriptMode, "tasks": scriptTasks,
		},
	})
}

// scriptSandbox serves a sandbox for a script.
func scriptSandbox(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("sandbox takes no arguments")
	}
	sb, err := sandbox.Start(context.Background(), sandbox.Options{HoolaEvery: 300 * time.Millisecond})
	ts.Check(err)
	ts.Defer(func() { sb.Close() })
	*ts.Value(sandboxKey{}).(**sandbox.Sandbox) = sb
	for _, s := range sb.Sites() {
		ts.Setenv(strings.ToUpper(s.Name), s.URL)
	}
	ts.Setenv("MANAGER", sb.Manager.URL)
	ts.Setenv("MAIL", sb.Mail.URL)
	ts.Setenv("HOOLA", sb.Hoola.URL)
	ts.Setenv("MAIL_PASSWORD", sb.Mail.Password)
	ts.Setenv("MANAGER_KEY", sb.Manager.APIKey)
	_, err = sb.WriteConfig(ts.MkAbs("sandbox"))
	ts.Check(err)
}

type sandboxKey struct{}

// scriptTasks fills the script's sandbox with the demo's tasks.
func scriptTasks(ts *testscript.TestScript, neg bool, args []string) {
	sb := *ts.Value(sandboxKey{}).(**sandbox.Sandbox)
	if neg || len(args) > 0 || sb == nil {
		ts.Fatalf("tasks, after sandbox")
	}
	sb.LoadDemo()
}
