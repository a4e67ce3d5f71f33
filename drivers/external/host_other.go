//go:build !linux

package external

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
)

// Options are the settings of a Host.
type Options struct {
	Command      []string
	Sources      func(core.Binding) (plugins.DriverRef, error)
	MemoryMB     int
	OutputLimit  int64
	Grace        time.Duration
	StartTimeout time.Duration
	HealthEvery  time.Duration
	HealthWithin time.Duration
	StateDir     string
	Env          []string
	Users        Users
	Logger       *slog.Logger
}

// Users are Count user ids from UID, with the group ids from GID beside them.
type Users struct {
	UID, GID, Count uint32
}

// Host exists on Linux only: elsewhere New refuses.
type Host struct{}

var _ core.Workers = (*Host)(nil)

var errLinux = errors.New("worker processes need Linux: here drivers can only be checked and tested")

// New refuses.
func New(Options) (*Host, error) { return nil, errLinux }

// Slot returns a worker that refuses.
func (*Host) Slot(string) core.Worker { return slot{} }

// Manifest refuses.
func (*Host) Manifest(context.Context, plugins.DriverRef) (core.Manifest, error) {
	return core.Manifest{}, errLinux
}

// Close does nothing.
func (*Host) Close() error { return nil }

// Plugin is a driver that is a program of its own.
type Plugin struct{}

// Plugin refuses.
func (*Host) Plugin(string, string) (*Plugin, error) { return nil, errLinux }

// Attach refuses.
func (*Host) Attach(string) (*Plugin, error) { return nil, errLinux }

// RunAttached refuses.
func RunAttached(context.Context, *plugins.Client, core.Phase, core.Task, core.Session) (core.Outcome, error) {
	return core.Outcome{}, errLinux
}

// Digest is empty.
func (*Plugin) Digest() string { return "" }

// Manifest refuses.
func (*Plugin) Manifest(context.Context) (core.Manifest, error) { return core.Manifest{}, errLinux }

type slot struct{}

func (slot) Run(context.Context, core.Binding, core.Phase, core.Task, core.Session) (core.Outcome, error) {
	return core.Outcome{}, errLinux
}

func (slot) Close() error { return nil }
