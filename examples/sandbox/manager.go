package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// ConnectMode says what the task manager does with the connect phase.
type ConnectMode string

// The modes.
const (
	ConnectSupported ConnectMode = "supported" // connect → connecting → completed or connect_failed
	ConnectRefused   ConnectMode = "refused"   // start accepts register only, as the protocol's text says
)

// The states of a task.
const (
	StateRegister       = "register"
	StateRegistering    = "registering"
	StateProfiled       = "profiled"
	StateRegisterFailed = "register_failed"
	StateProfileFailed  = "profile_failed"
	StateConnect        = "connect"
	StateConnecting     = "connecting"
	StateCompleted      = "completed"
	StateConnectFailed  = "connect_failed"
)

var states = []string{StateRegister, StateRegistering, StateProfiled, StateRegisterFailed, StateProfileFailed,
	StateConnect, StateConnecting, StateCompleted, StateConnectFailed}

// ErrUnknownTask is returned for an id that was never added.
var ErrUnknownTask = errors.New("the sandbox has no such task")

// Manager is the task manager: the Entity API, held to its text.
type Manager struct {
	URL    string // base address, for base_url of [entity]
	APIKey string

	clock   Clock
	connect ConnectMode
	refusal int
	retries int
	delay   time.Duration
	sig     signal

	mu     sync.Mutex
	tasks  map[string]*managed
	queue  []*managed // may be listed, in the order of their arrival; others are dropped when met
	also   []string   // listed whatever their state
	calls  []Call
	nth    map[nthKey]int
	hook   func(Call) Fault
	timers map[*managed]func() bool
	closed bool
}

type nthKey struct {
	name CallName
	id   string
}

type managed struct {
	Task
	seq     int
	queued  bool
	retries int
	deleted bool
	result  Result
	calls   []int // indexes into Manager.calls
}

func newManager(o Options) *Manager {
	return &Manager{
		APIKey: o.APIKey, clock: o.Clock, connect: o.Connect, refusal: o.RefusalStatus, retries: o.MaxRetries, delay: o.RetryDelay,
		tasks: map[string]*managed{}, nth: map[nthKey]int{}, timers: map[*managed]func() bool{},
	}
}

// Add gives the manager tasks. An id that is known is replaced, its history kept.
func (m *Manager) Add(tasks ...Task) {
	m.mu.Lock()
	for _, t := range tasks {
		t.Status = cmp.Or(t.Status, StateRegister)
		t.MaxRetries = cmp.Or(t.MaxRetries, m.retries)
		if old := m.tasks[t.ID]; old != nil {
			old.Task, old.deleted, old.retries = t, false, 0
			m.enqueue(old)
			continue
		}
		k := &managed{Task: t, seq: len(m.tasks)}
		m.tasks[t.ID] = k
		m.enqueue(k)
	}
	m.mu.Unlock()
	m.sig.changed()
}

// enqueue makes a task that may be listed be listed. m.mu is held.
func (m *Manager) enqueue(k *managed) {
	if !k.queued && (k.Status == StateRegister || k.Status == StateConnect) {
		k.queued = true
		m.queue = append(m.queue, k)
	}
}

// Edit sets a task's state, as a person does in the manager's own pages.
func (m *Manager) Edit(id, status string) error {
	if !slices.Contains(states, status) {
		return fmt.Errorf("edit task %s: %q is not a state; known are %v", id, status, states)
	}
	return m.change(id, func(k *managed) { k.Status, k.deleted = status, false })
}

// Delete soft-deletes a task: every call on it answers 404.
func (m *Manager) Delete(id string) error {
	return m.change(id, func(k *managed) { k.deleted = true })
}

func (m *Manager) change(id string, f func(*managed)) error {
	m.mu.Lock()
	k := m.tasks[id]
	if k == nil {
		m.mu.Unlock()
		return fmt.Errorf("task %s: %w", id, ErrUnknownTask)
	}
	f(k)
	m.enqueue(k)
	m.mu.Unlock()
	m.sig.changed()
	return nil
}

// ListAlso has the tasks listed whatever their state, as a lagging server does.
func (m *Manager) ListAlso(ids ...string) {
	m.mu.Lock()
	m.also = slices.Clone(ids)
	m.mu.Unlock()
}

// Fault sets the hook that decides what goes wrong with each call; nil ends it.
// The hook may be called from several goroutines.
func (m *Manager) Fault(hook func(Call) Fault) {
	m.mu.Lock()
	m.hook = hook
	m.mu.Unlock()
}

// Task returns a task as it is now; its second result is false for an unknown id.
func (m *Manager) Task(id string) (Snapshot, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.tasks[id]
	if k == nil {
		return Snapshot{}, false
	}
	return m.snapshot(k), true
}

// Tasks returns every task, in the order in which they were added.
func (m *Manager) Tasks() []Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.SortedFunc(maps.Values(m.tasks), func(a, b *managed) int { return a.seq - b.seq })
	out := make([]Snapshot, len(all))
	for i, k := range all {
		out[i] = m.snapshot(k)
	}
	return out
}

func (m *Manager) snapshot(k *managed) Snapshot {
	s := Snapshot{Task: k.Task, Retries: k.retries, Deleted: k.deleted, Result: k.result}
	for _, i := range k.calls {
		s.Calls = append(s.Calls, m.calls[i])
	}
	return s
}

// Calls returns every call so far, oldest first.
func (m *Manager) Calls() []Call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// Count returns how many tasks are in the state.
func (m *Manager) Count(status string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, k := range m.tasks {
		if k.Status == status && !k.deleted {
			n++
		}
	}
	return n
}

// Wait returns nil once ok holds. ok is asked at the start and after every
// change; it may use every method of the manager.
func (m *Manager) Wait(ctx context.Context, ok func(*Manager) bool) error {
	return m.sig.wait(ctx, func() bool { return ok(m) })
}

// WaitTask returns the task once ok holds of it. The error of a wait that ended
// too soon names the state that the task is in.
func (m *Manager) WaitTask(ctx context.Context, id string, ok func(Snapshot) bool) (Snapshot, error) {
	var last Snapshot
	err := m.sig.wait(ctx, func() bool {
		var known bool
		last, known = m.Task(id)
		return known && ok(last)
	})
	if err != nil {
		return last, fmt.Errorf("waiting for task %s, which is %q: %w", id, last.Status, err)
	}
	return last, nil
}

// requeue is the retry manager. m.mu is held.
func (m *Manager) requeue(k *managed) {
	back := StateRegister
	if k.Status == StateConnectFailed {
		back = StateConnect
	}
	if k.retries >= k.MaxRetries || m.closed {
		return
	}
	k.retries++
	if m.delay <= 0 {
		k.Status = back
		m.enqueue(k)
		return
	}
	failed := k.Status
	m.timers[k] = m.clock.AfterFunc(m.delay, func() {
		m.mu.Lock()
		delete(m.timers, k)
		if k.Status == failed && !k.deleted && !m.closed {
			k.Status = back
			m.enqueue(k)
		}
		m.mu.Unlock()
		m.sig.changed()
	})
}

func (m *Manager) close() {
	m.mu.Lock()
	m.closed = true
	for _, stop := range m.timers {
		stop()
	}
	m.mu.Unlock()
}
