//go:build linux

package external

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins/proto"
)

// pluginFile is a copy of the test binary under the name that makes it a plugin.
func pluginFile(t testing.TB) (path, sum string) {
	t.Helper()
	b, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), pluginName)
	if err := os.WriteFile(path, b, 0o700); err != nil {
		t.Fatal(err)
	}
	s := sha256.Sum256(b)
	return path, hex.EncodeToString(s[:])
}

func TestAPluginRuns(t *testing.T) {
	h := host(t, nil)
	path, sum := pluginFile(t)
	p, err := h.Plugin(path, strings.ToUpper(sum))
	if err != nil {
		t.Fatal(err)
	}
	// What stands at its path from now on does not matter.
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexit 9\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	m, err := p.Manifest(t.Context())
	if err != nil || m.Name != "plugin" || m.Version != "2" {
		t.Fatalf("manifest %+v, %v", m, err)
	}
	b := core.Binding{Driver: "plugin", Digest: p.Digest()}
	s := &services{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := h.Slot("1").Run(ctx, b, core.Register, order("services"), core.Session{Services: s}); err != nil {
		t.Fatal(err)
	}
	if n := len(s.seen()); n != 9 {
		t.Errorf("%d calls: %q", n, s.seen())
	}
	mustRun(t, h, "done") // the worker of the same slot
	_, err = h.Slot("1").Run(ctx, b, core.Register, order("panic"), core.Session{Services: s})
	wantFault(t, err, core.Crashed, "plugin "+pluginName+" ended with exit status 2: panic: the wizard fell over")
	if _, err := h.Slot("1").Run(ctx, b, core.Register, order("done"), core.Session{}); err != nil {
		t.Error(err)
	}
}

func TestOnlyPinnedBytesRun(t *testing.T) {
	h := host(t, nil)
	path, sum := pluginFile(t)
	for _, c := range []struct{ name, path, sum, words string }{
		{"no such file", path + "x", sum, "there is no such file; build it, or correct path in [[plugin]]"},
		{"a directory", filepath.Dir(path), sum, "it is not a file"},
		{"another sum", path, strings.Repeat("0", 64), "its SHA-256 is " + sum + ", not the 0000"},
		{"no sum", path, "", "its sha256 is not 64 hexadecimal digits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := h.Plugin(c.path, c.sum)
			if err == nil || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), c.path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, c.words)
			}
		})
	}
	// A damaged copy is made anew, not run.
	copied := filepath.Join(h.opt.StateDir, "plugins", sum)
	if err := os.MkdirAll(filepath.Dir(copied), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, []byte("#!/bin/sh\nexit 9\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := h.Plugin(path, sum)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Manifest(t.Context()); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(copied)
	if err != nil || info.Mode().Perm()&0o222 != 0 {
		t.Errorf("the copy can be written: %v, %v", info.Mode(), err)
	}
}

// running lists the processes whose command line, ended by zeros, is meant.
func running(t *testing.T, meant func(line string) bool) (pids []int) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if b, err := os.ReadFile(name); err == nil && meant(string(b)) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// TestARunawayOfAPluginEnds: a process that left the plugin's group ends with
// the plugin where rollcall is root.
func TestARunawayOfAPluginEnds(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("not root: there is no namespace to end, see the package documentation")
		return
	}
	h := host(t, nil)
	p, err := h.Plugin(pluginFile(t))
	if err != nil {
		t.Fatal(err)
	}
	task := order("escape")
	task.ID = fmt.Sprintf("1000.%d", os.Getpid()) // how long it sleeps, and how it is found
	if _, err := h.Slot("1").Run(t.Context(), core.Binding{Digest: p.Digest()}, core.Register, task, core.Session{}); err != nil {
		t.Fatal(err)
	}
	left := running(t, func(line string) bool { return line == "/bin/sleep\x00"+task.ID+"\x00" })
	if len(left) != 1 {
		t.Fatalf("the runaway was not started: %v", left)
	}
	if err := h.Slot("1").Close(); err != nil {
		t.Fatal(err)
	}
	dead(t, left[0])
}

// TestThePreviousContractIsServed: the runners of the next two versions meet a
// plugin that was built today.
func TestThePreviousContractIsServed(t *testing.T) {
	path, sum := pluginFile(t)
	for _, c := range []struct {
		runner int
		words  string
	}{
		{proto.Version, ""},
		{proto.Version + 1, ""},
		{proto.Version + 2, fmt.Sprintf("plugin "+pluginName+" speaks version %d of the driver contract, this rollcall versions %d and %d; rebuild it against",
			proto.Version, proto.Version+1, proto.Version+2)},
	} {
		h := host(t, nil)
		h.contract = c.runner
		p, err := h.Plugin(path, sum)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = p.Manifest(t.Context()); c.words != "" {
			wantFault(t, err, core.DriverError, c.words)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s := &services{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if _, err := h.Slot("1").Run(ctx, core.Binding{Digest: p.Digest()}, core.Register, order("services"), core.Session{Services: s}); err != nil || len(s.seen()) != 9 {
			t.Errorf("a runner of version %d: %v, %q", c.runner, err, s.seen())
		}
		cancel()
		if got := h.Slot("1").(*slot).processes[p.program].remote.Contract(); got != proto.Version {
			t.Errorf("the contract is %d", got)
		}
	}
}
