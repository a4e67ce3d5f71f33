package main

import (
	"context"
	"errors"
	"os/exec"
	"time"
)

// Time between two looks at the processes of a run, and at their memory.
const (
	lookEvery  = 20 * time.Millisecond
	weighEvery = 500 * time.Millisecond
)

// usage is what a process tree took, from its start until nothing of it was left.
type usage struct {
	CPU   time.Duration // user and system time of every process, also of those long gone
	PSS   int64         // bytes at the worst look: what it has alone, and its share of what it shares
	Start time.Time
	Parts []part
	// Closed says that PSS lacks processes that let nobody but root look at them.
	Closed bool
}

// measure runs cmd to its end and says what it and everything that it started took.
func measure(ctx context.Context, cmd *exec.Cmd, t tree) (u usage, err error) {
	t.attach(cmd)
	u.Start = time.Now()
	if err := cmd.Start(); err != nil {
		_, endErr := t.end()
		return usage{}, errors.Join(err, endErr)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	look, weigh := time.NewTicker(lookEvery), time.NewTicker(weighEvery)
	defer look.Stop()
	defer weigh.Stop()
	kinds := census{all: map[int]*process{}}
	var lookErr, endErr error
	for running := true; running; {
		select {
		case err = <-exited:
			running = false
		case <-ctx.Done():
			err = errors.Join(context.Cause(ctx), cmd.Process.Kill(), <-exited)
			running = false
		case <-look.C:
			var ids []int
			ids, lookErr = t.pids()
			kinds.look(ids)
		case <-weigh.C:
			var ids []int
			ids, lookErr = t.pids()
			u.PSS = max(u.PSS, kinds.weigh(ids))
		}
	}
	u.CPU, endErr = t.end()
	u.Parts, u.Closed = kinds.parts(), kinds.closed
	return u, errors.Join(err, lookErr, endErr)
}
