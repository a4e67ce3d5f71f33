package main_test

import (
	"flag"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/examples/sandbox"
)

var eioWhen = flag.Int("eio.when", 28, "the flush of a thread from which on TestADiskThatFails… lets all of them fail")

// TestADiskThatFailsStopsTheRunnerAndLosesNothing injects EIO into the flushes of a
// thread from its 28th on, as a dying disk does: opening the ledger takes no thread
// so far, and the tasks take the busy ones to the 40th and more. Other threads flush
// well meanwhile, as strace counts each by itself.
func TestADiskThatFailsStopsTheRunnerAndLosesNothing(t *testing.T) {
	preflight(t, rightPtrace, rightStrace)
	w := newWorld(t, settings{slots: 2, scripts: own(t, "300ms", "20s")})
	w.add(w.sb.Board, sandbox.StateRegister, 20)
	config := w.config("one")
	r := launchBy(t, []string{"strace", "-f", "-qq", "-o", w.path("strace.log"), "-e", "trace=fsync,fdatasync",
		"-e", "inject=fsync,fdatasync:error=EIO:when=" + strconv.Itoa(*eioWhen) + "+"}, "run", "-c", config)
	code := r.end(patience)
	lines, _ := r.log()
	if last := lines[len(lines)-1].text; code != exitFailed || !strings.Contains(last, "rollcall: ") || !strings.Contains(last, w.path("ledger")) {
		t.Errorf("ended with %d and said %s", code, last)
	}
	began := 0
	for _, task := range w.tasks {
		if s, _ := w.sb.Manager.Task(task.ID); s.Count(sandbox.CallStart) > 0 {
			began++
		}
	}
	if left := w.open(); began == 0 || left == 0 {
		t.Fatalf("the disk failed at the wrong time: %d tasks had begun, %d were left", began, left)
	}
	again := w.start(config)
	w.await(again)
	again.stop()
	w.checkDone()
}
