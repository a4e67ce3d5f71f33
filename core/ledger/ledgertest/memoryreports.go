package ledgertest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// claimed is the report for the one who holds its live lease.
func (m *Memory) claimed(it core.OutboxItem, now time.Time) *outRow {
	for _, o := range m.outbox {
		if o.item.ID == it.ID && o.item.TaskID == it.TaskID && it.Owner != "" && o.item.Owner == it.Owner && o.item.Epoch == it.Epoch && o.expires.After(now) {
			return o
		}
	}
	return nil
}

// due is when a report may be claimed.
func (o *outRow) due() time.Time {
	if !o.expires.IsZero() {
		return o.expires
	}
	return o.next
}

func (m *Memory) firstReport() *outRow {
	var first *outRow
	for _, o := range m.outbox {
		if first == nil || o.due().Before(first.due()) {
			first = o
		}
	}
	return first
}

// ClaimReport implements core.Store.
func (m *Memory) ClaimReport(_ context.Context, owner string, lease time.Duration) (core.OutboxItem, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	o := m.firstReport()
	if o == nil || o.due().After(now) {
		return core.OutboxItem{}, core.ErrNothing
	}
	o.item.Owner, o.expires = owner, now.Add(lease)
	o.item.Epoch++
	return o.item, nil
}

// NextReport implements core.Store.
func (m *Memory) NextReport(context.Context) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.firstReport(); o != nil {
		return o.due(), nil
	}
	return time.Time{}, nil
}

// SettleReport implements core.Store.
func (m *Memory) SettleReport(_ context.Context, it core.OutboxItem, to core.State, ev core.Event) error {
	if to != core.Reported && to != core.Overtaken {
		return fmt.Errorf("a report ends in reported or overtaken, not in %s", to)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	o := m.claimed(it, now)
	if o == nil {
		return core.ErrLeaseLost
	}
	t := *m.tasks[it.TaskID]
	if err := m.move(&t, core.Move{To: to, Event: ev}, now); err != nil {
		return err
	}
	m.tasks[it.TaskID] = &t
	m.outbox = slices.DeleteFunc(m.outbox, func(x *outRow) bool { return x == o })
	m.changed()
	return nil
}

// DeferReport implements core.Store.
func (m *Memory) DeferReport(_ context.Context, it core.OutboxItem, next time.Time, ev core.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	o := m.claimed(it, now)
	if o == nil {
		return core.ErrLeaseLost
	}
	t := *m.tasks[it.TaskID]
	t.log(now, ev)
	m.tasks[it.TaskID] = &t
	o.item.Owner, o.expires, o.next = "", time.Time{}, stamp(next)
	o.item.Tries++
	m.changed()
	return nil
}

// Retain implements core.Store.
func (m *Memory) Retain(_ context.Context, before time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for id, t := range m.tasks {
		if t.ended.IsZero() || !t.ended.Before(before) {
			continue
		}
		n++
		delete(m.tasks, id)
		m.asks = slices.DeleteFunc(m.asks, func(a *askRow) bool { return a.row.TaskID == id })
		for key, b := range m.identities {
			if b.task == id {
				m.identities[key] = booking{}
			}
		}
	}
	return n, nil
}
