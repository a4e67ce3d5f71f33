package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// samplePSS is the time between two looks at the memory of a process tree.
const samplePSS = 500 * time.Millisecond

// usage is what a process tree took, from its start until nothing of it was left.
type usage struct {
	CPU   time.Duration // user and system time of every process, also of those long gone
	PSS   int64         // bytes at the worst look: what it has alone, and its share of what it shares
	Start time.Time
	End   time.Time
}

// tree is a set of processes that none of them can leave.
type tree interface {
	// attach has cmd begin inside.
	attach(cmd *exec.Cmd)
	// pids are those of the processes that live.
	pids() ([]int, error)
	// end kills what lives, waits until nothing does, and says what processor time
	// all of them took.
	end() (time.Duration, error)
	// String says how the account is kept.
	String() string
}

// measure runs cmd to its end and says what it and everything that it started took.
func measure(ctx context.Context, cmd *exec.Cmd) (u usage, err error) {
	t, err := newTree()
	if err != nil {
		return usage{}, err
	}
	t.attach(cmd)
	u.Start = time.Now()
	if err := cmd.Start(); err != nil {
		_, endErr := t.end()
		return usage{}, errors.Join(err, endErr)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	tick := time.NewTicker(samplePSS)
	defer tick.Stop()
	var listErr error
	for running := true; running; {
		select {
		case err = <-exited:
			running = false
		case <-ctx.Done():
			err = errors.Join(context.Cause(ctx), cmd.Process.Kill(), <-exited)
			running = false
		case <-tick.C:
			var ids []int
			if ids, listErr = t.pids(); listErr == nil {
				u.PSS = max(u.PSS, pss(ids))
			}
		}
	}
	u.End = time.Now()
	var endErr error
	u.CPU, endErr = t.end()
	return u, errors.Join(err, listErr, endErr)
}

// pss adds up the processes' proportional set sizes; one that ended meanwhile has none.
func pss(pids []int) int64 {
	var sum int64
	for _, pid := range pids {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
		if err != nil {
			continue
		}
		for line := range bytes.Lines(text) {
			var kb int64
			if n, _ := fmt.Sscanf(string(line), "Pss: %d kB", &kb); n == 1 {
				sum += kb << 10
				break
			}
		}
	}
	return sum
}
