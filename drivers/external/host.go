//go:build linux

package external

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
	"github.com/rollcall-run/rollcall/plugins/proto"
)

// Options are the settings of a Host. Command and Sources are required.
type Options struct {
	// Command starts a worker; the first word is the path of the binary.
	Command []string
	// Sources gives the driver of a binding with its source.
	Sources func(core.Binding) (plugins.DriverRef, error)
	// MemoryMB is the resident size of a process, in MB of 2^20 bytes, above which
	// its group is killed. Defaults to 256.
	MemoryMB int
	// OutputLimit is how many bytes one run may write, to its standard streams and
	// as log lines together. Defaults to 4 MB.
	OutputLimit int64
	// Grace is how long after its deadline, or after it was told to stop, a driver
	// may take before the group is killed. Defaults to 1s.
	Grace time.Duration
	// StartTimeout is how long a process may take to shake hands. Defaults to 10s.
	StartTimeout time.Duration
	// HealthEvery is how often a process is asked whether it is well. Defaults to 10s.
	HealthEvery time.Duration
	// HealthWithin is how long it may take to answer; a process that misses two in a
	// row is killed. Defaults to 5s.
	HealthWithin time.Duration
	// ManifestIdle is how long the process that reads manifests stays without work.
	// Defaults to 5s.
	ManifestIdle time.Duration
	// StateDir keeps copies of binaries. Defaults to a directory that Close removes.
	StateDir string
	// Env is the environment of the processes, besides what go-plugin needs.
	// Defaults to none.
	Env []string
	// Users are the ids that a root runner gives to its slots; other runners
	// ignore them. Defaults to 256 ids from 31000.
	Users Users
	// Logger gets one line for each start and death. Defaults to none.
	Logger *slog.Logger
}

// Users are Count user ids from UID, with the group ids from GID beside them.
type Users struct {
	UID, GID, Count uint32
}

// Host runs drivers in worker and plugin processes. It implements core.Workers.
type Host struct {
	opt    Options
	log    *slog.Logger
	now    func() time.Time
	forker *forker
	// contract is the newest version of the driver contract that it serves.
	contract int
	watcher  *watcher
	run      *runDir
	readers  *readers
	worker   *program
	reaps    sync.WaitGroup // processes of which something is left

	mu       sync.Mutex
	slots    map[string]*slot
	ids      []bool                     // taken user ids
	plugins  map[string]*program        // by digest
	attached map[string]*attachedDriver // by digest
	hangUps  []func()                   // of attached
	closed   bool

	once sync.Once // Close
	err  error     // of Close
}

var _ core.Workers = (*Host)(nil)

// New makes a Host. The worker's binary is looked at now, so that a missing or
// unusable one is known before the first task; no process is started.
func New(o Options) (*Host, error) {
	if len(o.Command) == 0 || o.Sources == nil {
		return nil, errors.New("external.New: Command and Sources are required")
	}
	if o.MemoryMB <= 0 {
		o.MemoryMB = 256
	}
	if o.OutputLimit <= 0 {
		o.OutputLimit = 4 << 20
	}
	if o.Grace <= 0 {
		o.Grace = time.Second
	}
	if o.StartTimeout <= 0 {
		o.StartTimeout = 10 * time.Second
	}
	if o.HealthEvery <= 0 {
		o.HealthEvery = 10 * time.Second
	}
	if o.HealthWithin <= 0 {
		o.HealthWithin = 5 * time.Second
	}
	if o.ManifestIdle <= 0 {
		o.ManifestIdle = 5 * time.Second
	}
	if o.Users.Count == 0 {
		o.Users = Users{UID: 31000, GID: 31000, Count: 256}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	run, err := newRunDir()
	if err != nil {
		return nil, err
	}
	if o.StateDir == "" {
		o.StateDir = run.path
	}
	w := &program{name: "the worker", args: slices.Clone(o.Command), cure: "it is another build of rollcall: start both from one binary"}
	if err := w.open(o.Command[0], o.StateDir); err != nil {
		return nil, errors.Join(err, run.close())
	}
	return &Host{
		readers: newReaders(), opt: o, log: o.Logger, now: time.Now, contract: proto.Version, forker: newForker(), watcher: newWatcher(), run: run, worker: w,
		slots: map[string]*slot{}, ids: make([]bool, o.Users.Count), plugins: map[string]*program{}, attached: map[string]*attachedDriver{},
	}, nil
}

// Slot returns the slot called name, made when it is first asked for.
func (h *Host) Slot(name string) core.Worker {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.slots[name]
	if !ok {
		s = &slot{host: h, name: name, turn: make(chan struct{}, 1), id: -1, closed: h.closed, processes: map[*program]*process{}}
		h.slots[name] = s
	}
	return s
}

// Manifest loads a driver in a worker and returns its manifest: for sources that
// nobody has looked at yet. An error is the loader's own, or a *core.Fault.
func (h *Host) Manifest(ctx context.Context, ref plugins.DriverRef) (core.Manifest, error) {
	return h.manifest(ctx, h.worker, ref)
}

func (h *Host) manifest(ctx context.Context, pr *program, ref plugins.DriverRef) (core.Manifest, error) {
	name, done, err := h.readers.take(ctx)
	if err != nil {
		return core.Manifest{}, err
	}
	defer done()
	s := h.Slot(name).(*slot)
	var m core.Manifest
	err = s.use(ctx, pr, "", nil, func(p *process) error {
		var err error
		m, err = p.remote.Manifest(ctx, ref)
		return err
	})
	s.restAfter(h.opt.ManifestIdle)
	return m, err
}

// Close kills every process and waits until nothing of them is left. Later
// calls wait for the first and return what it returned.
func (h *Host) Close() error {
	h.once.Do(func() { h.err = h.close() })
	return h.err
}

func (h *Host) close() error {
	h.mu.Lock()
	h.closed = true
	slots := make([]*slot, 0, len(h.slots))
	for _, s := range h.slots {
		slots = append(slots, s)
	}
	h.mu.Unlock()
	var errs []error
	for _, s := range slots {
		s.kill()
	}
	for _, s := range slots {
		errs = append(errs, s.Close())
	}
	h.reaps.Wait()
	for _, hangUp := range h.hangUps {
		hangUp()
	}
	h.watcher.close()
	h.forker.close()
	errs = append(errs, h.worker.close())
	for _, p := range h.plugins {
		errs = append(errs, p.close())
	}
	return errors.Join(append(errs, h.run.close())...)
}

var errClosed error = &core.Fault{Code: core.Cancelled, Why: "the runner is stopping"}

// user takes an unprivileged id for a slot; -1 when this runner has none to give.
func (h *Host) user() (int, error) {
	if os.Geteuid() != 0 {
		return -1, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.Index(h.ids, false)
	if i < 0 {
		return -1, fmt.Errorf("all %d user ids for workers are in use; configure more or use fewer slots", len(h.ids))
	}
	h.ids[i] = true
	return i, nil
}

func (h *Host) freeUser(i int) {
	if i < 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ids[i] = false
}

// plugin returns the plugin that b means, nil for a driver of the workers.
func (h *Host) plugin(b core.Binding) *program {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.plugins[b.Digest]
}
