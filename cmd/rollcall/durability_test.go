package main_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// TestNothingLeavesBeforeItsRecordIsOnDisk reads the system calls of a run: each
// POST of start, complete and fail, and each sign-up, comes after the record that
// it rests on was written to the log of the ledger and flushed. A crash of the
// process can't show this, because the page cache outlives it.
func TestNothingLeavesBeforeItsRecordIsOnDisk(t *testing.T) {
	preflight(t, rightPtrace, rightStrace)
	w := newWorld(t, settings{slots: 1})
	trace := filepath.Join(t.TempDir(), "strace.log") // not among the runner's files: it holds all that crosses its pipes
	r := launchBy(t, []string{"strace", "-f", "-qq", "-y", "-s", "500", "-o", trace, "-e", "signal=none",
		"-e", "trace=fsync,fdatasync,pwrite64,write", "-e", "inject=fsync,fdatasync:delay_exit=20000"},
		"run", "-c", w.config("one"))
	var tasks []sandbox.Task
	flows := []struct {
		site   *sandbox.Site
		status string
		want   []string
	}{
		{w.sb.Board, sandbox.StateRegister, []string{"start", "sign-up", "complete"}},
		{w.sb.Community, sandbox.StateRegister, []string{"start", "sign-up", "complete"}},
		{w.sb.Board, sandbox.StateConnect, []string{"start", "complete"}},
		{w.sb.Board, sandbox.StateRegister, []string{"start", "sign-up", "fail"}}, // its name is taken
	}
	for i, f := range flows {
		if i == len(flows)-1 {
			f.site.AddAccount(sandbox.Account{Username: fmt.Sprintf("%s%03d", f.site.Name, i+1), Email: "somebody@else.test", Password: "Other123!", Confirmed: true})
		}
		task := w.add(f.site, f.status, 1)[0]
		tasks = append(tasks, task)
		// One at a time: what is written between two lines of the log is then its own.
		w.until(r, "the task is reported", func() bool {
			s, _ := w.sb.Manager.Task(task.ID)
			return s.Count(sandbox.CallComplete)+s.Count(sandbox.CallFail) > 0
		})
		r.await("that the report is settled", func(e entry) bool {
			return e.is("msg", "state", "task", task.ID, "state", "reported")
		})
	}
	for _, p := range descendants(r.cmd.Process.Pid) {
		if p.parent == r.cmd.Process.Pid { // strace keeps its own signals to itself
			if err := unix.Kill(p.pid, unix.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code := r.end(patience); code != exitDone {
		t.Errorf("ended with %d\n%s", code, r.tail())
	}
	seen, flushes := readTrace(t, trace)
	for i, f := range flows {
		if got := strings.Join(seen[tasks[i].ID], " "); got != strings.Join(f.want, " ") {
			t.Errorf("task %d (%s): %q left, want %q", i, tasks[i].Username, got, strings.Join(f.want, " "))
		}
	}
	if !t.Failed() {
		t.Logf("%d flushes of the ledger's log; every call and every sign-up came after its own", flushes)
	}
}

// The lines of strace -f -y that count.
var (
	traceStart  = regexp.MustCompile(`^(\d+) +(\w+)\((\d+)<([^>]*)>`)
	traceResume = regexp.MustCompile(`^(\d+) +<\.\.\. (fsync|fdatasync) resumed>.*= 0`)
	traceState  = regexp.MustCompile(`\\"msg\\":\\"state\\",\\"task\\":\\"([^\\]+)\\".*?\\"state\\":\\"([a-z]+)\\"`)
	tracePOST   = regexp.MustCompile(`"POST (/\S*) HTTP/1\.1\\r\\n`)
	traceCall   = regexp.MustCompile(`/links/([^/ ]+)/(start|complete|fail)$`)
)

// readTrace checks the order of a run's system calls, and returns what left for
// each task and how many flushes there were.
func readTrace(t *testing.T, path string) (left map[string][]string, flushes int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	left = map[string][]string{}
	rests := map[string]string{"start": "starting", "sign-up": "intent", "complete": "reporting", "fail": "reporting"}
	durable := map[string]bool{} // "task state": its record was flushed before it was spoken of
	flushing := map[string]bool{}
	written, flushed := false, false // since the last state
	current, last := "", ""
	end := func(wal bool) {
		flushes++
		flushed = flushed || wal && written
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if m := traceResume.FindStringSubmatch(line); m != nil {
			end(flushing[m[1]])
			delete(flushing, m[1])
			continue
		}
		m := traceStart.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		wal := strings.HasSuffix(m[4], "rollcall.db-wal")
		switch {
		case wal && (m[2] == "fsync" || m[2] == "fdatasync"):
			if strings.Contains(line, "<unfinished") {
				flushing[m[1]] = true
			} else if strings.Contains(line, ") = 0") {
				end(true)
			}
		case wal:
			written = true
		case m[2] != "write":
		case m[3] == "2":
			if s := traceState.FindStringSubmatch(line); s != nil {
				if s[2] == "reporting" && (last == s[1]+" profiled" || last == s[1]+" connected") {
					flushed = flushed || durable[last] // one record with the state told right before
				}
				last = s[1] + " " + s[2]
				durable[last] = flushed
				written, flushed, current = false, false, s[1]
			}
		default:
			p := tracePOST.FindStringSubmatch(line)
			if p == nil {
				continue
			}
			what, task := "sign-up", current
			if c := traceCall.FindStringSubmatch(p[1]); c != nil {
				what, task = c[2], c[1]
			} else if p[1] != "/register" && p[1] != "/dang-ky" {
				continue
			}
			left[task] = append(left[task], what)
			if !durable[task+" "+rests[what]] {
				t.Errorf("%s of task %s left before its record was on disk: %s", what, task, line)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return left, flushes
}
