//go:build crashpoints

package runner

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// crashAt is the number of the crash point at which this process kills itself,
// from ROLLCALL_CRASH_AT; 0 is none. Points are numbered in the order in which
// they are reached, from 1.
var crashAt = func() int64 {
	n, _ := strconv.ParseInt(os.Getenv("ROLLCALL_CRASH_AT"), 10, 64)
	return n
}()

var reached atomic.Int64

// point is one place at which a crash must lose and double nothing: before and
// after each durable step, and before and after each effect outside.
func point(name string) {
	n := reached.Add(1)
	if n != crashAt {
		return
	}
	fmt.Fprintf(os.Stderr, "{\"level\":\"ERROR\",\"msg\":\"crash point\",\"n\":%d,\"point\":%q}\n", n, name)
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {} // the kill has been sent; nothing may happen after it
}

// bulkPoint is a point of a bulk call.
func bulkPoint(name string) { point("bulk call " + name) }

// instrument puts a crash point around everything a task's life makes durable
// and everything it does outside.
func instrument(o Options) Options {
	o.Store = crashStore{o.Store}
	o.Manager = crashManager{o.Manager}
	o.Egress = crashEgress{o.Egress}
	return o
}

type crashStore struct{ core.Store }

func (s crashStore) Admit(ctx context.Context, tasks []core.Task, due time.Time) ([]core.Admission, error) {
	point("before admit")
	defer point("after admit")
	return s.Store.Admit(ctx, tasks, due)
}

func (s crashStore) Claim(ctx context.Context, owner string, lease time.Duration, first func(core.Record) (core.Move, bool)) (core.Record, error) {
	rec, err := s.Store.Claim(ctx, owner, lease, first)
	if err == nil {
		point("after claim")
	}
	return rec, err
}

func (s crashStore) Advance(ctx context.Context, l core.Lease, moves ...core.Move) (core.Record, error) {
	to := string(moves[len(moves)-1].To)
	point("before " + to)
	defer point("after " + to)
	return s.Store.Advance(ctx, l, moves...)
}

func (s crashStore) Note(ctx context.Context, l core.Lease, f core.Facts, ev ...core.Event) error {
	point("before note")
	defer point("after note")
	return s.Store.Note(ctx, l, f, ev...)
}

func (s crashStore) Defer(ctx context.Context, l core.Lease, due time.Time, broken bool, ev core.Event) error {
	point("before defer")
	defer point("after defer")
	return s.Store.Defer(ctx, l, due, broken, ev)
}

func (s crashStore) Reserve(ctx context.Context, l core.Lease, b core.Booking) error {
	point("before reserve")
	defer point("after reserve")
	return s.Store.Reserve(ctx, l, b)
}

func (s crashStore) ClaimReport(ctx context.Context, owner string, lease time.Duration) (core.OutboxItem, error) {
	item, err := s.Store.ClaimReport(ctx, owner, lease)
	if err == nil {
		point("after claim of a report")
	}
	return item, err
}

func (s crashStore) SettleReport(ctx context.Context, item core.OutboxItem, to core.State, ev core.Event) error {
	point("before settling a report")
	defer point("after settling a report")
	return s.Store.SettleReport(ctx, item, to, ev)
}

type crashManager struct{ core.TaskManager }

func (m crashManager) Start(ctx context.Context, id string) error {
	point("before POST start")
	defer point("after POST start")
	return m.TaskManager.Start(ctx, id)
}

func (m crashManager) Complete(ctx context.Context, id string, r core.Report) error {
	point("before POST complete")
	defer point("after POST complete")
	return m.TaskManager.Complete(ctx, id, r)
}

func (m crashManager) Fail(ctx context.Context, id string, r core.Report) error {
	point("before POST fail")
	defer point("after POST fail")
	return m.TaskManager.Fail(ctx, id, r)
}

type crashEgress struct{ core.Egress }

func (e crashEgress) Open(ctx context.Context) (core.Gate, error) {
	g, err := e.Egress.Open(ctx)
	return crashGate{g}, err
}

// crashGate has a point where the gate of a commit has just opened: the submit follows.
type crashGate struct{ core.Gate }

func (g crashGate) DropIdle() {
	g.Gate.DropIdle()
	point("before the submit")
}
