package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// descendants are the processes below this one, for machines that give no
// control group. Orphans stay below it; what a process took after the last look
// before its end is not counted.
type descendants struct {
	seen census
	root *exec.Cmd
}

var _ tree = (*descendants)(nil)

func newDescendants() (*descendants, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("keeping orphans: %w", err)
	}
	return &descendants{seen: census{all: map[int]*process{}}}, nil
}

func (d *descendants) String() string {
	return fmt.Sprintf("looks at /proc every %v (no control group: %v)", lookEvery, noCgroup())
}

func noCgroup() error {
	g, err := newCgroup()
	if err == nil {
		_, err = g.end()
	}
	return err
}

func (d *descendants) attach(cmd *exec.Cmd) { d.root = cmd }

func (d *descendants) pids() ([]int, error) {
	all, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, e := range all {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		fields := statOf(pid)
		if len(fields) < 2 {
			continue
		}
		parent, err := strconv.Atoi(fields[1])
		if err != nil {
			continue
		}
		if fields[0] == "Z" && parent == os.Getpid() && pid != d.root.Process.Pid {
			syscall.Wait4(pid, nil, syscall.WNOHANG, nil) // an orphan that has ended
			continue
		}
		children[parent] = append(children[parent], pid)
	}
	var out []int
	for next := children[os.Getpid()]; len(next) > 0; {
		out = append(out, next...)
		var below []int
		for _, pid := range next {
			below = append(below, children[pid]...)
		}
		next = below
	}
	slices.Sort(out)
	d.seen.look(out)
	return out, nil
}

func (d *descendants) end() (time.Duration, error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		ids, err := d.pids()
		if err != nil {
			return 0, err
		}
		if len(ids) == 0 {
			break
		}
		for _, pid := range ids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return d.seen.cpu(), nil
}
