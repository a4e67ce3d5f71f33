package main_test

import (
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

func TestSIGTERMLetsTheRunningTaskEnd(t *testing.T) {
	w := newWorld(t, settings{slots: 1})
	g := newGate(t)
	w.sb.Board.OnCommit(func(s sandbox.Submit) sandbox.CommitFault {
		if s.N == 1 {
			g.hold()
		}
		return sandbox.CommitFault{}
	})
	tasks := w.add(w.sb.Board, sandbox.StateRegister, 3)
	config := w.config("one")
	r := w.start(config)
	g.await(t, r, "the sign-up")
	r.signal(syscall.SIGTERM)
	g.open()
	if code := r.end(patience); code != exitDone {
		t.Errorf("ended with %d\n%s", code, r.tail())
	}
	if n := len(w.sb.Board.Submits()); n != 1 {
		t.Errorf("%d sign-ups were sent: a draining runner takes no further task", n)
	}
	rec := w.record(tasks[0].ID)
	if rec.Broken != 0 || rec.Account == nil || rec.State != core.Reporting && rec.State != core.Reported {
		t.Errorf("the running task is %s with %d broken attempts", rec.State, rec.Broken)
	}
	again := w.start(config)
	w.await(again)
	again.stop()
	w.checkDone()
}

func TestASecondSIGTERMStopsAtOnceAndCostsNoAttempt(t *testing.T) {
	w := newWorld(t, settings{slots: 2, scripts: own(t, "300ms", "40s")})
	sent, still := newGate(t), newGate(t)
	var tasks []sandbox.Task
	w.sb.Board.OnCommit(func(s sandbox.Submit) sandbox.CommitFault {
		if s.N == 1 {
			sent.hold()
			return sandbox.CommitFault{Kind: sandbox.CommitReset}
		}
		return sandbox.CommitFault{}
	})
	w.sb.Manager.Fault(func(c sandbox.Call) sandbox.Fault {
		if len(tasks) == 2 && c.TaskID == tasks[1].ID && c.Name == sandbox.CallStart && c.Nth == 1 {
			still.hold()
		}
		return sandbox.Fault{}
	})
	tasks = w.add(w.sb.Board, sandbox.StateRegister, 2)
	config := w.config("one")
	r := w.start(config)
	sent.await(t, r, "the sign-up")
	still.await(t, r, "the start")
	r.signal(syscall.SIGTERM)
	r.await("that it is stopping", message("a second signal stops at once"))
	r.signal(syscall.SIGTERM)
	code := r.end(15 * time.Second)
	sent.open()
	still.open()
	if code != exitDone {
		t.Errorf("ended with %d\n%s", code, r.tail())
	}
	for _, task := range tasks {
		if rec := w.record(task.ID); rec.Broken != 0 {
			t.Errorf("task %s lost an attempt: %s", task.ID, rec.Fault)
		}
	}
	again := w.start(config)
	w.await(again)
	again.stop()
	w.checkDone()
}

func TestSIGHUPTakesANewSiteAndKeepsTheOldFileWhenTheNewIsBroken(t *testing.T) {
	w := newWorld(t, settings{})
	domain := `[sites."board.sandbox.test"]`
	config := w.config("one", domain, `[sites."not-yet.sandbox.test"]`)
	held := w.add(w.sb.Board, sandbox.StateRegister, 1)
	first := w.add(w.sb.Community, sandbox.StateRegister, 1)
	r := w.start(config)
	w.until(r, "the allowed site's task is done", func() bool { return w.ended(first[0]) })
	if s, _ := w.sb.Manager.Task(held[0].ID); s.Status != sandbox.StateRegister {
		t.Fatalf("the task of a site that is not allowed is %s", s.Status)
	}
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	w.write("one.toml", string(text)+"\nslotz = 3\n")
	r.signal(syscall.SIGHUP)
	bad := r.await("that the file is broken", message("the old one stays"))
	if !strings.Contains(bad.text, "slotz") || !strings.Contains(bad.text, "one.toml:") || bad.fields["level"] != "ERROR" {
		t.Errorf("a broken file is named like this: %s", bad.text)
	}
	w.add(w.sb.Community, sandbox.StateRegister, 1)
	w.until(r, "the old file still counts", func() bool { return w.open() == 1 })
	w.config("one")
	r.signal(syscall.SIGHUP)
	r.await("that the file was read", message("configuration read again"))
	w.await(r)
	r.stop()
	w.checkDone()
}

func TestAChangedDriverIsTakenWithoutARestartAndABrokenOneIsNot(t *testing.T) {
	w := newWorld(t, settings{})
	r := w.start(w.config("one"))
	first := w.add(w.sb.Board, sandbox.StateRegister, 1)[0]
	w.await(r)
	text := sandbox.Scripts()["board.lua"]
	w.write("scripts/board.lua", edit(t, edit(t, text, `version = "1.0.0"`, `version = "1.1.0"`),
		"return outcome.done { link_profile", `return outcome.done { note = "by 1.1.0", link_profile`))
	r.await("that the driver changed", func(e entry) bool {
		return e.is("msg", "a driver script changed", "driver", "board", "version", "1.1.0")
	})
	second := w.add(w.sb.Board, sandbox.StateRegister, 1)[0]
	w.await(r)
	lines := strings.Split(text, "\n")
	w.write("scripts/board.lua", strings.Join(append(lines[:20:20], append([]string{"local function ("}, lines[20:]...)...), "\n"))
	bad := r.await("that the driver is broken", message("its old version goes on"))
	if !regexp.MustCompile(`board\.lua:\d+`).MatchString(bad.text) || bad.fields["level"] != "ERROR" {
		t.Errorf("a broken driver is named like this: %s", bad.text)
	}
	third := w.add(w.sb.Board, sandbox.StateRegister, 1)[0]
	w.await(r)
	r.stop()
	w.checkDone()
	for task, note := range map[string]string{first.ID: "", second.ID: "by 1.1.0", third.ID: "by 1.1.0"} {
		if s, _ := w.sb.Manager.Task(task); s.Result.Note != note {
			t.Errorf("task %s has the note %q, want %q", task, s.Result.Note, note)
		}
	}
}
