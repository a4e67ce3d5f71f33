package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// right is something that a suite needs of the kernel, and how to get it.
type right struct {
	name string
	get  string // the command that an operator runs
	try  func() error
}

// The rights that suites ask for.
var (
	rightUserNamespaces = right{
		"user namespaces", "sudo sysctl -w user.max_user_namespaces=10000 kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0",
		func() error { return tryClone(unix.CLONE_NEWUSER) },
	}
	rightNetworkNamespaces = right{
		"network namespaces", "sudo sysctl -w user.max_net_namespaces=10000, or start the container with --privileged",
		func() error {
			if os.Geteuid() == 0 {
				return tryClone(unix.CLONE_NEWNET | unix.CLONE_NEWNS)
			}
			return tryClone(unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWNS)
		},
	}
	rightPtrace = right{
		"ptrace of a child", "sudo sysctl -w kernel.yama.ptrace_scope=1, or start the container with --cap-add=SYS_PTRACE",
		func() error {
			cmd := exec.Command("/bin/true")
			cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
			return pinned(func() error {
				if err := cmd.Start(); err != nil {
					return err
				}
				cmd.Wait() // the first stop
				if cmd.ProcessState == nil || cmd.ProcessState.Exited() {
					return errors.New("the child was not stopped")
				}
				pid := cmd.Process.Pid
				if err := syscall.PtraceDetach(pid); err != nil {
					return err
				}
				_, err := syscall.Wait4(pid, nil, 0, nil)
				return err
			})
		},
	}
	rightStrace = right{
		"the command strace", "sudo apt-get install --no-install-recommends strace",
		func() error { return exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "/bin/true").Run() },
	}
	rightMount = right{
		"a small file system of its own", "sudo env PATH=\"$PATH\" HOME=\"$HOME\" go test ./cmd/rollcall; a container needs --cap-add=SYS_ADMIN too",
		func() error {
			dir, err := os.MkdirTemp(temporary, "mount-")
			if err != nil {
				return err
			}
			if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
				return errors.Join(err, os.Remove(dir))
			}
			return errors.Join(unix.Unmount(dir, unix.MNT_DETACH), os.Remove(dir))
		},
	}
	rightIP = right{
		"the command ip", "sudo apt-get install --no-install-recommends iproute2",
		func() error { _, err := exec.LookPath("ip"); return err },
	}
)

// preflight looks whether the machine grants what a test needs. What root or CI
// lacks is a failure; a plain user is told the command, and the test is left out.
func preflight(t *testing.T, rights ...right) {
	t.Helper()
	var missing []string
	for _, r := range rights {
		if err := r.try(); err != nil {
			missing = append(missing, fmt.Sprintf("%s (%v); get it with: %s", r.name, err, r.get))
		}
	}
	switch {
	case len(missing) == 0:
	case os.Geteuid() == 0 || os.Getenv("CI") != "":
		t.Fatalf("this machine lacks %s", strings.Join(missing, "\n"))
	default:
		t.Skipf("this machine does not grant %s", strings.Join(missing, "\n"))
	}
}

// TestThePreflightKnowsWhatThisMachineGrants keeps the probes themselves right:
// as root, and so in CI, every right is there.
func TestThePreflightKnowsWhatThisMachineGrants(t *testing.T) {
	preflight(t, rightUserNamespaces, rightNetworkNamespaces, rightPtrace, rightStrace, rightMount, rightTerminal, rightIP)
	if err := tryClone(unix.CLONE_NEWNS | unix.CLONE_FS); err == nil {
		t.Error("a clone that no kernel grants is called granted")
	}
}

// tryClone runs a process in new namespaces.
func tryClone(flags uintptr) error {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	if flags&unix.CLONE_NEWUSER != 0 {
		mapOwn(cmd.SysProcAttr)
	}
	return cmd.Run()
}

// mapOwn keeps the caller's ids inside a new user namespace.
func mapOwn(a *syscall.SysProcAttr) {
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
}
