package main

import (
	"os/exec"
	"time"
)

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

// newTree is a control group where the machine gives one, and else the
// processes below this one.
func newTree() (tree, error) {
	if g, err := newCgroup(); err == nil {
		return g, nil
	}
	return newDescendants()
}
