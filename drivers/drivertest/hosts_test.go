//go:build linux

package drivertest_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/browser"
	"github.com/rollcall-run/rollcall/core/egress"
	"github.com/rollcall-run/rollcall/drivers/drivertest"
	"github.com/rollcall-run/rollcall/drivers/drivertest/actor"
	"github.com/rollcall-run/rollcall/drivers/external"
	"github.com/rollcall-run/rollcall/drivers/lua"
	"github.com/rollcall-run/rollcall/plugins"
)

var machine drivertest.Machine

// TestMain makes the test binary the worker as well.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		if err := plugins.Confine(plugins.WorkerData); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		plugins.ServeWorker(func(ref plugins.DriverRef) (core.Driver, error) {
			return lua.Load(lua.Source{Name: ref.Name, Path: ref.Path, Digest: ref.Digest, Text: ref.Text, Lib: ref.Lib})
		})
		return
	}
	os.Exit(inMachine(m))
}

func inMachine(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "drivertest-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Chmod(dir, 0o755)
	}
	var proxy *egress.Proxy
	var chromium *browser.Chromium
	if err == nil {
		proxy, err = egress.New(egress.Options{})
	}
	if err == nil {
		chromium, err = browser.Launch(context.Background(), browser.Options{Headless: true, Sandbox: true, Dir: dir, MaxContexts: -1})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	machine = drivertest.Machine{Browsers: chromium, Egress: proxy}
	code = m.Run()
	if err := errors.Join(chromium.Close(), proxy.Close()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code == 0 {
		if err := errors.Join(goleak.Find(), childless()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// children calls f for each process that this one started.
func children(f func(pid int, cmdline string)) {
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		b, rerr := os.ReadFile(name)
		stat, serr := os.ReadFile(filepath.Join(filepath.Dir(name), "stat"))
		if err != nil || rerr != nil || serr != nil {
			continue // it ended meanwhile
		}
		// pid (name) state parent …
		if fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])); len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			f(pid, string(b))
		}
	}
}

// childless says what processes are left of the suite.
func childless() (err error) {
	children(func(pid int, cmdline string) {
		err = errors.Join(err, fmt.Errorf("process %d is left: %q", pid, cmdline))
	})
	return err
}

// inProcess runs a driver in this process.
type inProcess struct{ core.Driver }

func (h inProcess) Manifest(context.Context) (core.Manifest, error) { return h.Driver.Manifest(), nil }

func (h inProcess) Run(ctx context.Context, _ int, phase core.Phase, task core.Task, s core.Session) (o core.Outcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &core.Fault{Code: core.Crashed, Phase: phase, Why: fmt.Sprint("panic: ", r)}
		}
	}()
	return h.Driver.Run(ctx, phase, task, s)
}

func (inProcess) Kill(_ int, gone func()) { gone() }

func TestGoInProcess(t *testing.T) {
	t.Parallel()
	drivertest.RunHost(t, machine, inProcess{actor.New()})
}

func TestLuaInProcess(t *testing.T) {
	t.Parallel()
	d, err := lua.Load(lua.Source{Name: "actor", Path: "actor.lua", Text: actor.Lua})
	if err != nil {
		t.Fatal(err)
	}
	drivertest.RunHost(t, machine, inProcess{d})
}

// processes runs a driver in processes of an external.Host.
type processes struct {
	host     *external.Host
	binding  core.Binding
	manifest func(context.Context) (core.Manifest, error)
	mark     string // a part of the command line of its processes
}

func (h processes) Manifest(ctx context.Context) (core.Manifest, error) { return h.manifest(ctx) }

func (h processes) Run(ctx context.Context, slot int, phase core.Phase, task core.Task, s core.Session) (core.Outcome, error) {
	return h.host.Slot(strconv.Itoa(slot)).Run(ctx, h.binding, phase, task, s)
}

// Kill kills every process of the driver; only one slot works when it is called.
func (h processes) Kill(_ int, gone func()) {
	children(func(pid int, cmdline string) {
		if strings.Contains(cmdline, h.mark) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
}

// script is the actor's twin as it crosses to a worker.
func script(t *testing.T) plugins.DriverRef {
	t.Helper()
	digest, err := lua.Digest(lua.Source{Name: "actor", Path: "actor.lua", Text: actor.Lua})
	if err != nil {
		t.Fatal(err)
	}
	return plugins.DriverRef{Name: "actor", Path: "actor.lua", Digest: digest, Text: actor.Lua}
}

func externalHost(t *testing.T) *external.Host {
	t.Helper()
	ref := script(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h, err := external.New(external.Options{Command: []string{self, "worker"}, StateDir: t.TempDir(), MemoryMB: 1024, Sources: func(core.Binding) (plugins.DriverRef, error) { return ref, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestLuaInTheWorker(t *testing.T) {
	t.Parallel()
	h, ref := externalHost(t), script(t)
	drivertest.RunHost(t, machine, processes{h, core.Binding{Driver: "actor", Digest: ref.Digest}, func(ctx context.Context) (core.Manifest, error) {
		return h.Manifest(ctx, ref)
	}, "\x00worker\x00"})
}

// built compiles a main package of the module.
func built(t *testing.T, pkg, name string) (path, sum string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		t.Fatalf("go build: %s", out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := sha256.Sum256(b)
	return path, hex.EncodeToString(s[:])
}

func TestAPluginAsABuiltBinary(t *testing.T) {
	t.Parallel()
	h := externalHost(t)
	p, err := h.Plugin(built(t, "./actor/plugin", "rollcall-driver-actor"))
	if err != nil {
		t.Fatal(err)
	}
	drivertest.RunHost(t, machine, processes{h, core.Binding{Driver: "actor", Digest: p.Digest(), Native: true}, p.Manifest, "rollcall-driver-actor"})
}

// connections runs a driver over plugin connections within this process, one a slot.
type connections struct {
	t     *testing.T
	mu    sync.Mutex
	slots map[int]*connection
}

type connection struct {
	client *plugins.Client
	end    func()
}

func (h *connections) slot(n int) *connection {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.slots[n]; c != nil {
		return c
	}
	ctx, stop := context.WithCancel(context.Background())
	address := make(chan string, 1)
	over := make(chan struct{})
	go func() {
		defer close(over)
		plugins.ServeUntil(ctx, actor.New(), func(a string) { address <- a })
	}()
	client, hangUp, err := plugins.Dial(<-address)
	if err != nil {
		h.t.Error(err)
	}
	c := &connection{client: client, end: sync.OnceFunc(func() { stop(); <-over; hangUp() })}
	h.slots[n] = c
	return c
}

func (h *connections) Manifest(ctx context.Context) (core.Manifest, error) {
	return h.slot(0).client.Manifest(ctx, plugins.DriverRef{})
}

func (h *connections) Run(ctx context.Context, slot int, phase core.Phase, task core.Task, s core.Session) (core.Outcome, error) {
	o, err := external.RunAttached(ctx, h.slot(slot).client, phase, task, s)
	return o, err
}

func (h *connections) Kill(slot int, _ func()) {
	h.mu.Lock()
	c := h.slots[slot]
	delete(h.slots, slot)
	h.mu.Unlock()
	c.end()
}

func TestAPluginOverATestConnection(t *testing.T) {
	t.Parallel()
	h := &connections{t: t, slots: map[int]*connection{}}
	defer func() {
		for _, c := range h.slots {
			c.end()
		}
	}()
	drivertest.RunHost(t, machine, h)
}
