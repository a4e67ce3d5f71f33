package main

import (
	"context"
	"slices"
	"sync"

	"github.com/rollcall-run/rollcall/core"
)

// oneTask is a task manager that holds one task in memory: what is reported to
// it goes nowhere.
type oneTask struct {
	states core.StateNames

	mu     sync.Mutex
	listed core.Listed
	report *core.Report // nil until the task was reported
}

var _ core.TaskManager = (*oneTask)(nil)

func newOneTask(t core.Task, states core.StateNames) *oneTask {
	m := &oneTask{states: states, listed: core.Listed{Task: t, Status: states.Register}}
	if t.Kind == core.Connect {
		m.listed.Status = states.Connect
	}
	return m
}

func (m *oneTask) startable() bool {
	return slices.Contains([]string{m.states.Register, m.states.Connect}, m.listed.Status)
}

// List implements core.TaskManager.
func (m *oneTask) List(context.Context, int) (core.Listing, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.startable() {
		return core.Listing{}, nil
	}
	return core.Listing{Tasks: []core.Listed{m.listed}}, nil
}

// Get implements core.TaskManager.
func (m *oneTask) Get(_ context.Context, id string) (core.Listed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id != m.listed.Task.ID {
		return core.Listed{}, core.ErrGone
	}
	return m.listed, nil
}

func (m *oneTask) change(id string, f func() string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id != m.listed.Task.ID {
		return core.ErrGone
	}
	m.listed.Status = f()
	return nil
}

// Start implements core.TaskManager.
func (m *oneTask) Start(_ context.Context, id string) error {
	return m.change(id, func() string {
		if m.listed.Task.Kind == core.Connect {
			return m.states.Connecting
		}
		return m.states.Registering
	})
}

// Complete implements core.TaskManager.
func (m *oneTask) Complete(_ context.Context, id string, r core.Report) error {
	return m.change(id, func() string {
		m.report = &r
		if m.listed.Task.Kind == core.Connect {
			return m.states.Completed
		}
		return m.states.Profiled
	})
}

// Fail implements core.TaskManager.
func (m *oneTask) Fail(_ context.Context, id string, r core.Report) error {
	return m.change(id, func() string {
		m.report = &r
		return r.Status
	})
}
