package drivertest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Slots is how many runs of a driver may be under way at once.
const Slots = 8

// Driver is a driver as its host runs it.
type Driver interface {
	Manifest(ctx context.Context) (core.Manifest, error)
	// Run does one phase in a slot, 0 to Slots-1. Runs of one slot follow each other.
	Run(ctx context.Context, slot int, phase core.Phase, task core.Task, session core.Session) (core.Outcome, error)
}

// Host is a host that runs the actor.
type Host interface {
	Driver
	// Kill takes away what the slot's driver runs in, as hard as can be: its
	// process, or its connection where it has no process of its own. Where it
	// has neither, gone is called, which takes its browser.
	Kill(slot int, gone func())
}

// Machine is what the sessions of a suite are made of.
type Machine struct {
	Browsers core.Browsers
	Egress   core.Egress
}

// Result is what became of one case.
type Result struct {
	Name     string
	Failures []string // one line each; none when the case passed
	Took     time.Duration
}

// Run holds a driver to the contract, each case as a subtest.
func Run(t *testing.T, m Machine, d Driver) {
	t.Helper()
	suite(t, m, d, driverCases)
}

// RunHost holds a host that runs the actor to the contracts of drivers and hosts.
func RunHost(t *testing.T, m Machine, h Host) {
	t.Helper()
	suite(t, m, h, driverCases)
	suite(t, m, h, hostCases)
}

func suite(t *testing.T, m Machine, d Driver, cases []oneCase) {
	for _, one := range cases {
		t.Run(one.name, func(t *testing.T) {
			for _, line := range one.run(t.Context(), m, d).Failures {
				t.Error(line)
			}
		})
	}
}

// Check is Run without a test: each result is reported as it is there.
func Check(ctx context.Context, m Machine, d Driver, report func(Result)) error {
	for _, one := range driverCases {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		report(one.run(ctx, m, d))
	}
	return ctx.Err()
}

type oneCase struct {
	name string
	do   func(*check)
}

func (o oneCase) run(ctx context.Context, m Machine, d Driver) Result {
	begin := time.Now()
	c := &check{ctx: ctx, machine: m, driver: d}
	m2, err := d.Manifest(ctx)
	if err != nil {
		c.errorf("the manifest: %v", err)
	} else {
		c.manifest = m2
		o.do(c)
	}
	for i := len(c.closes) - 1; i >= 0; i-- {
		c.closes[i]()
	}
	return Result{o.name, c.failures, time.Since(begin)}
}

// check is one case under way.
type check struct {
	ctx      context.Context
	machine  Machine
	driver   Driver
	manifest core.Manifest

	mu       sync.Mutex
	failures []string
	closes   []func()
}

func (c *check) errorf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, fmt.Sprintf(format, args...))
}

func (c *check) later(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closes = append(c.closes, f)
}
