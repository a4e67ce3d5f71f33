package browser

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// procAttr starts the browser as the leader of a process group of its own, that
// the kernel kills when the thread which started it ends, as u when we are root.
func procAttr(u User) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		a.Credential = &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.GID), Groups: []uint32{}}
	}
	return a
}

// forbidPrivileges keeps what this thread starts from ever gaining privileges.
func forbidPrivileges() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }

// await returns when nothing of the process runs any more, and with the way it ended.
func (p *process) await() error {
	awaitExit(p.cmd.Process.Pid)
	close(p.dead)
	p.kill("")
	awaitGroup(p.cmd.Process.Pid, 5*time.Second)
	return p.cmd.Wait()
}

// awaitExit returns when the process has ended, and leaves it to be waited for:
// its number, and its group's, are not given to another before that.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// awaitGroup returns when no process of the group runs any more, or after
// within. The group's leader has ended and was not waited for.
func awaitGroup(pgid int, within time.Duration) {
	deadline := time.Now().Add(within)
	for {
		fd, found := memberOf(pgid)
		if !found {
			return
		}
		left := time.Until(deadline)
		if fd >= 0 && left > 0 {
			unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		}
		if fd >= 0 {
			unix.Close(fd)
		}
		if left <= 0 {
			return
		}
	}
}

// memberOf opens one process of the group that has not ended.
func memberOf(pgid int) (pidfd int, found bool) {
	for _, p := range processes() {
		if p.group != pgid || p.pid == pgid || p.ended {
			continue
		}
		if fd, err := unix.PidfdOpen(p.pid, 0); err == nil {
			return fd, true
		} else if !errors.Is(err, unix.ESRCH) {
			return -1, false // no pidfds here: the kernel is at work on it
		}
	}
	return -1, false
}

// proc is a line of the process table.
type proc struct {
	pid, parent, group int
	ended              bool // a zombie
}

func processes() []proc {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var out []proc
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", name, "stat"))
		if err != nil {
			continue
		}
		// pid (name) state ppid pgrp …; the name may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 3 {
			continue
		}
		parent, _ := strconv.Atoi(string(fields[1]))
		group, _ := strconv.Atoi(string(fields[2]))
		out = append(out, proc{pid, parent, group, fields[0][0] == 'Z' || fields[0][0] == 'X'})
	}
	return out
}

// groupMemory is the memory in MB that the group's processes don't share with files.
func groupMemory(pgid int) int {
	pages := 0
	for _, p := range processes() {
		if p.group != pgid {
			continue
		}
		statm, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/statm")
		if err != nil {
			continue
		}
		if f := bytes.Fields(statm); len(f) > 2 {
			resident, _ := strconv.Atoi(string(f[1]))
			shared, _ := strconv.Atoi(string(f[2]))
			pages += resident - shared
		}
	}
	return pages * os.Getpagesize() >> 20
}

// smallShm reports whether /dev/shm is too small for pages' pictures.
func smallShm() bool {
	var fs unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &fs); err != nil {
		return true
	}
	return int64(fs.Blocks)*int64(fs.Bsize) < 256<<20
}

// userNamespaces says which setting of this machine keeps an unprivileged user
// from making user namespaces, "" when none is known to.
func userNamespaces() string {
	for _, s := range []struct{ path, off, advice string }{
		{"/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"},
		{"/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
	} {
		if b, err := os.ReadFile(s.path); err == nil && string(bytes.TrimSpace(b)) == s.off {
			return s.advice
		}
	}
	return ""
}
