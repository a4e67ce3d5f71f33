package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cgroup is a control group (v2) below the one that this program is in: the
// kernel keeps its account, whatever its processes do.
type cgroup struct {
	dir string
	fd  *os.File
}

var _ tree = (*cgroup)(nil)

// newCgroup makes a group. Its error says what keeps the machine from giving one.
func newCgroup() (*cgroup, error) {
	own, err := ownCgroup()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(own, "rollcall-bench-")
	if err != nil {
		return nil, err
	}
	fd, err := os.Open(dir)
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return &cgroup{dir: dir, fd: fd}, nil
}

// ownCgroup is the directory of the group that this program is in.
func ownCgroup() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		where, what, ok := strings.Cut(line, " - ")
		fields := strings.Fields(where)
		if !ok || !strings.HasPrefix(what, "cgroup2 ") || len(fields) < 5 {
			continue
		}
		groups, err := os.ReadFile("/proc/self/cgroup")
		if err != nil {
			return "", err
		}
		for group := range strings.Lines(string(groups)) {
			if path, ok := strings.CutPrefix(strings.TrimSpace(group), "0::"); ok {
				return filepath.Join(fields[4], strings.TrimPrefix(path, fields[3])), nil
			}
		}
	}
	return "", errors.New("no cgroup2 file system is mounted")
}

func (g *cgroup) String() string { return "the kernel's account of a control group" }

func (g *cgroup) attach(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(g.fd.Fd())
}

func (g *cgroup) pids() ([]int, error) {
	text, err := os.ReadFile(filepath.Join(g.dir, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	var out []int
	for field := range bytes.FieldsSeq(text) {
		pid, err := strconv.Atoi(string(field))
		if err != nil {
			return nil, fmt.Errorf("cgroup.procs of %s: %w", g.dir, err)
		}
		out = append(out, pid)
	}
	return out, nil
}

func (g *cgroup) cpu() (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join(g.dir, "cpu.stat"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var us int64
		if n, _ := fmt.Sscanf(line, "usage_usec %d", &us); n == 1 {
			return time.Duration(us) * time.Microsecond, nil
		}
	}
	return 0, fmt.Errorf("cpu.stat of %s has no usage_usec", g.dir)
}

func (g *cgroup) end() (time.Duration, error) {
	g.fd.Close()
	if err := os.WriteFile(filepath.Join(g.dir, "cgroup.kill"), []byte("1"), 0); err != nil {
		return 0, err
	}
	// What dies is listed no more and not gone yet.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		text, err := os.ReadFile(filepath.Join(g.dir, "cgroup.events"))
		if err != nil {
			return 0, err
		}
		if strings.Contains(string(text), "populated 0") {
			break
		}
	}
	cpu, err := g.cpu()
	return cpu, errors.Join(err, os.Remove(g.dir))
}
