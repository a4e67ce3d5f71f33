package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// running is a rollcall process of its own.
type running struct {
	t   *testing.T
	cmd *exec.Cmd
	ctx context.Context // ends with the process
	out bytes.Buffer    // standard output; whole once ctx has ended

	mu      sync.Mutex
	lines   []entry
	grown   chan struct{} // closed at the next line
	profile string        // directory of the browser's profiles, once seen

	killed func() // looks at what a killed runner left behind
}

// entry is one line of the log.
type entry struct {
	text   string
	fields map[string]any // nil where the line is not JSON
}

// is reports whether the fields have the values, given as name and value in turn.
func (e entry) is(pairs ...string) bool {
	for i := 0; i < len(pairs); i += 2 {
		if e.fields[pairs[i]] != pairs[i+1] {
			return false
		}
	}
	return e.fields != nil
}

// start runs rollcall with a configuration file. The process is killed at the
// end of the test, should it still be there.
func (w *world) start(config string, args ...string) *running {
	w.t.Helper()
	r := launch(w.t, append([]string{"run", "-c", config}, args...)...)
	r.killed = func() { w.noSecrets("after kill -9", r.profile) }
	return r
}

func launch(t *testing.T, args ...string) *running {
	t.Helper()
	return launchBy(t, nil, args...)
}

// launchBy runs rollcall below another command.
func launchBy(t *testing.T, by []string, args ...string) *running {
	t.Helper()
	line := append(append(by, binary), args...)
	ctx, ended := context.WithCancel(context.Background())
	r := &running{t: t, ctx: ctx, grown: make(chan struct{})}
	r.cmd = exec.Command(line[0], line[1:]...)
	r.cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	r.cmd.Stdout = &r.out
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stderr = write
	err = r.cmd.Start()
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		defer read.Close()
		r.read(bufio.NewReader(read))
	}()
	go func() {
		r.cmd.Wait() // the state is in ProcessState
		<-drained
		ended()
	}()
	t.Cleanup(func() {
		if ctx.Err() == nil {
			unix.Kill(r.cmd.Process.Pid, unix.SIGKILL)
			<-ctx.Done()
		}
		lines, _ := r.log()
		for _, e := range lines {
			quiet(t, "rollcall", []byte(e.text))
		}
		quiet(t, "rollcall", r.out.Bytes())
	})
	return r
}

func (r *running) read(in *bufio.Reader) {
	for {
		text, err := in.ReadString('\n')
		if text != "" {
			e := entry{text: strings.TrimSpace(text)}
			if json.Unmarshal([]byte(text), &e.fields) != nil {
				e.fields = nil
			}
			r.mu.Lock()
			r.lines = append(r.lines, e)
			close(r.grown)
			r.grown = make(chan struct{})
			r.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

func (r *running) log() ([]entry, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines[:len(r.lines):len(r.lines)], r.grown
}

// tail is the end of the log, for a test that fails.
func (r *running) tail() string {
	lines, _ := r.log()
	var b strings.Builder
	for _, e := range lines[max(0, len(lines)-60):] {
		b.WriteString(e.text + "\n")
	}
	return b.String()
}

// await returns the first line for which ok holds. The test fails when the
// process ends, or patience does, before there is one.
func (r *running) await(what string, ok func(entry) bool) entry {
	r.t.Helper()
	e, found := r.find(ok)
	if !found {
		r.t.Fatalf("the log has no line that says %s\n%s", what, r.tail())
	}
	return e
}

// find is await without the failure.
func (r *running) find(ok func(entry) bool) (entry, bool) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	seen := 0
	for {
		over := r.ctx.Err() != nil
		lines, grown := r.log()
		for ; seen < len(lines); seen++ {
			if ok(lines[seen]) {
				return lines[seen], true
			}
		}
		if over {
			return entry{}, false
		}
		select {
		case <-grown:
		case <-r.ctx.Done():
		case <-timer.C:
			return entry{}, false
		}
	}
}

// either waits for one of two things and reports whether it was the first.
func (r *running) either(a, b <-chan struct{}) bool {
	r.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-a:
		return true
	case <-b:
		return false
	case <-r.ctx.Done():
	case <-timer.C:
	}
	r.t.Fatalf("neither came\n%s", r.tail())
	return false
}

// message matches lines whose msg has the text in it.
func message(text string) func(entry) bool {
	return func(e entry) bool {
		m, _ := e.fields["msg"].(string)
		return strings.Contains(m, text)
	}
}

// count is how many lines match so far.
func (r *running) count(ok func(entry) bool) int {
	lines, _ := r.log()
	n := 0
	for _, e := range lines {
		if ok(e) {
			n++
		}
	}
	return n
}

func (r *running) signal(s syscall.Signal) {
	r.t.Helper()
	if err := unix.Kill(r.cmd.Process.Pid, s); err != nil {
		r.t.Fatalf("signal %v: %v", s, err)
	}
}

// end waits for the process to end by itself and returns its exit code.
func (r *running) end(within time.Duration) int {
	r.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-r.ctx.Done():
	case <-timer.C:
		r.t.Fatalf("rollcall did not end within %s\n%s", within, r.tail())
	}
	return r.cmd.ProcessState.ExitCode()
}

// stop drains the runner and wants it to say that all was well.
func (r *running) stop() {
	r.t.Helper()
	r.signal(syscall.SIGTERM)
	if code := r.end(patience); code != exitDone {
		r.t.Errorf("rollcall ended with %d after SIGTERM\n%s", code, r.tail())
	}
}

// freeze stops the process and returns when none of its threads runs any more.
func (r *running) freeze() bool {
	pid := r.cmd.Process.Pid
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		return false
	}
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err == nil && info.Code == 5 // CLD_STOPPED
		}
	}
}

// orphanTime is how long what a killed runner had started may outlive it.
const orphanTime = 5 * time.Second

// crash is kill -9 of the runner alone, and the proof that everything it had
// started follows it.
func (r *running) crash() {
	r.t.Helper()
	if !r.freeze() {
		r.t.Fatalf("the runner ended before it was killed\n%s", r.tail())
	}
	pid := r.cmd.Process.Pid
	family := descendants(pid)
	groups := map[int]bool{}
	for _, p := range family {
		groups[p.group] = true
		r.noteProfile(p)
	}
	open := pidfds(family) // before the kill: a number may be another's afterwards
	unix.Kill(pid, unix.SIGKILL)
	<-r.ctx.Done()
	deadline := time.Now().Add(orphanTime)
	r.follow(open, deadline)
	// What was forked between the listing and the kill is of a group all the same.
	r.follow(pidfds(slices.DeleteFunc(processes(), func(p process) bool { return p.ended || !groups[p.group] })), deadline)
	if r.killed != nil {
		r.killed()
	}
}

// pidfds opens a descriptor of each process that there still is.
func pidfds(list []process) map[int32]process {
	fds := map[int32]process{}
	for _, p := range list {
		if fd, err := unix.PidfdOpen(p.pid, 0); err == nil {
			fds[int32(fd)] = p
		}
	}
	return fds
}

// follow waits until the processes have ended, and closes their descriptors.
func (r *running) follow(fds map[int32]process, deadline time.Time) {
	r.t.Helper()
	for len(fds) > 0 {
		var set []unix.PollFd
		for fd := range fds {
			set = append(set, unix.PollFd{Fd: fd, Events: unix.POLLIN})
		}
		left := time.Until(deadline)
		if left <= 0 {
			break
		}
		unix.Poll(set, int(left.Milliseconds())+1)
		for _, f := range set {
			if f.Revents != 0 {
				unix.Close(int(f.Fd))
				delete(fds, f.Fd)
			}
		}
	}
	for fd, p := range fds {
		r.t.Errorf("%s outlived the runner that was killed", p)
		unix.Close(int(fd))
	}
}
