package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of /proc's processor times: 100 a second on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// census knows the processes of a run by kind, as far as looks from outside can tell.
type census struct {
	all    map[int]*process
	closed bool // the memory of one could not be read
}

type process struct {
	kind  string
	looks int
	cpu   time.Duration
	pss   int64 // at the worst look
}

// look notes what the processes took so far.
func (c *census) look(pids []int) {
	for _, pid := range pids {
		cpu, ok := processorTime(pid)
		if !ok {
			continue
		}
		p := c.all[pid]
		if p == nil {
			p = &process{}
			c.all[pid] = p
		}
		p.cpu = max(p.cpu, cpu)
		// A process is its parent's likeness at first.
		if p.looks++; p.looks < 20 {
			if kind := kindOf(pid); kind != "" {
				p.kind = kind
			}
		}
	}
}

// weigh notes what memory the processes have.
func (c *census) weigh(pids []int) (sum int64) {
	for _, pid := range pids {
		n, err := pss(pid)
		c.closed = c.closed || errors.Is(err, fs.ErrPermission)
		sum += n
		if p := c.all[pid]; p != nil {
			p.pss = max(p.pss, n)
		}
	}
	return sum
}

// cpu is what all of them took.
func (c *census) cpu() (sum time.Duration) {
	for _, p := range c.all {
		sum += p.cpu
	}
	return sum
}

// part is what the processes of one kind took.
type part struct {
	Kind  string
	Count int
	CPU   time.Duration
	PSS   int64 // of the largest
}

func (c *census) parts() []part {
	byKind := map[string]*part{}
	for _, p := range c.all {
		k := byKind[p.kind]
		if k == nil {
			k = &part{Kind: p.kind}
			byKind[p.kind] = k
		}
		k.Count++
		k.CPU += p.cpu
		k.PSS = max(k.PSS, p.pss)
	}
	var out []part
	for _, p := range byKind {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b part) int { return cmp.Or(cmp.Compare(b.CPU, a.CPU), cmp.Compare(a.Kind, b.Kind)) })
	return out
}

// processorTime is the user and system time of a living process, all threads together.
func processorTime(pid int) (time.Duration, bool) {
	fields := statOf(pid)
	if len(fields) < 13 {
		return 0, false
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, err1 == nil && err2 == nil
}

// statOf is /proc's line of a process from its state on, nil when it is gone.
func statOf(pid int) []string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// kindOf names a process: its program, and for Chromium's and rollcall's what it is for.
func kindOf(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return ""
	}
	// Chromium's children have their whole line in one piece.
	words := strings.FieldsFunc(string(text), func(r rune) bool { return r == 0 || r == ' ' })
	if len(words) == 0 {
		return ""
	}
	kind := filepath.Base(words[0])
	for _, w := range words[1:] {
		if t, ok := strings.CutPrefix(w, "--type="); ok {
			return kind + " " + t
		}
		if kind == "rollcall" {
			return kind + " " + w
		}
	}
	return kind
}

// pss is the proportional set size of a process in bytes. A process that is gone
// is an error, and one that lets nobody but root look at it.
func pss(pid int) (int64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "Pss: %d kB", &kb); n == 1 {
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("smaps_rollup of process %d has no Pss", pid)
}
