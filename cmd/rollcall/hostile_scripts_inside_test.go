package main_test

import (
	"context"
	"fmt"
	"golang.org/x/sys/unix"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// insideEnv says that a test runs inside the namespace that it made, binaryEnv
// which rollcall it uses there.
const insideEnv, binaryEnv = "ROLLCALL_INSIDE", "ROLLCALL_BINARY"

// pinned calls f on a thread that does nothing else meanwhile.
func pinned(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return f()
}

// inside runs the calling test once more, in a network namespace of its own, and
// reports whether this is that second run. There every address of the world is
// this machine: what a browser or a script sends anywhere can be counted, and
// nothing leaves.
func inside(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideEnv) == t.Name() {
		return true
	}
	preflight(t, rightUserNamespaces, rightNetworkNamespaces, rightIP)
	tested := released(t)
	figures := filepath.Join(t.TempDir(), "figures")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1", "-test.timeout=20m")
	cmd.Env = append(os.Environ(), insideEnv+"="+t.Name(), binaryEnv+"="+tested, figuresEnv+"="+figures)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Setpgid: true, Pdeathsig: unix.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		mapOwn(cmd.SysProcAttr)
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE, unix.CAP_SYS_ADMIN}
	}
	var out []byte
	if err := pinned(func() (err error) { out, err = cmd.CombinedOutput(); return err }); err != nil {
		t.Errorf("inside the namespace: %v\n%s", err, out)
	}
	if line, err := os.ReadFile(figures); err == nil {
		sayFigures(t, strings.TrimSpace(string(line)))
	} else {
		t.Errorf("the run inside the namespace gave no figures: %v\n%s", err, out)
	}
	return false
}

// released is a rollcall as people run it. With the race detector a worker's limits
// of memory and time would be others than those that are promised.
func released(t *testing.T) string {
	t.Helper()
	if !raceFlag {
		return binary
	}
	path := filepath.Join(temporary, "rollcall-released")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build rollcall: %v\n%s", err, out)
	}
	return path
}

// figuresEnv is the file that collects what the suites say of themselves.
const figuresEnv = "ROLLCALL_FIGURES"

// sayFigures logs a line of figures, and adds it to the file that collects them.
func sayFigures(t *testing.T, line string) {
	t.Helper()
	t.Log(line)
	path := os.Getenv(figuresEnv)
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, line); err != nil {
		t.Fatal(err)
	}
}
