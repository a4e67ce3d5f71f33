package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// process is a line of the process table.
type process struct {
	pid, parent, group int
	ended              bool
	command            string
}

func (p process) String() string {
	return "process " + strconv.Itoa(p.pid) + " (" + p.command[:min(len(p.command), 100)] + ")"
}

func processes() []process {
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var out []process
	for _, dir := range names {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue
		}
		// pid (name) state parent group …; the name may hold anything.
		f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(f) < 3 {
			continue
		}
		parent, _ := strconv.Atoi(string(f[1]))
		group, _ := strconv.Atoi(string(f[2]))
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		out = append(out, process{pid, parent, group, f[0][0] == 'Z' || f[0][0] == 'X', strings.ReplaceAll(string(command), "\x00", " ")})
	}
	return out
}

// descendants are the processes below pid, and those of the groups that they
// lead or are in, without pid's own.
func descendants(pid int) []process {
	all := processes()
	own := 0
	for _, p := range all {
		if p.pid == pid {
			own = p.group
		}
	}
	found, groups := map[int]process{}, map[int]bool{}
	for grew := true; grew; {
		grew = false
		for _, p := range all {
			_, below := found[p.parent]
			if _, have := found[p.pid]; have || p.pid == pid || !below && p.parent != pid && !groups[p.group] {
				continue
			}
			found[p.pid], grew = p, true
			if p.group != own {
				groups[p.group] = true
			}
		}
	}
	var out []process
	for _, p := range found {
		if !p.ended {
			out = append(out, p)
		}
	}
	return out
}

// browser returns the main process of the runner's Chromium, once it is there.
func (r *running) browser() process {
	r.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	tick := time.NewTicker(20 * time.Millisecond) // a process that starts gives no signal
	defer tick.Stop()
	for {
		for _, p := range descendants(r.cmd.Process.Pid) {
			if p.pid == p.group && strings.Contains(p.command, "--user-data-dir=") {
				r.noteProfile(p)
				return p
			}
		}
		select {
		case <-tick.C:
			continue
		case <-r.ctx.Done():
		case <-timer.C:
		}
		r.t.Fatalf("the runner has no browser\n%s", r.tail())
	}
}

// browserProfiles is the directory of the browser's profiles.
func (r *running) browserProfiles() string {
	r.browser()
	return r.profile
}

func (r *running) noteProfile(p process) {
	if _, rest, ok := strings.Cut(p.command, "--user-data-dir="); ok {
		path, _, _ := strings.Cut(rest, " ")
		r.profile = filepath.Dir(path)
	}
}

// checkProfiles wants no browser profile left in the directories that were seen.
func checkProfiles(t *testing.T, roots ...string) {
	t.Helper()
	seen := 0
	for _, root := range roots {
		if root == "" {
			continue
		}
		seen++
		left, err := filepath.Glob(filepath.Join(root, "profile-*"))
		if err != nil || len(left) > 0 {
			t.Errorf("browser profiles are left: %v %v", left, err)
		}
	}
	if seen == 0 {
		t.Error("no browser was seen")
	}
}

// The exit codes that rollcall promises.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitPerson = 5
)
