//go:build linux

package external

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rollcall-run/rollcall/core"
)

// BenchmarkStart is a new worker up to the end of its first run.
func BenchmarkStart(b *testing.B) {
	h := host(b, nil)
	for b.Loop() {
		mustRun(b, h, "done")
		b.StopTimer()
		if err := h.Slot("1").Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkRun is a run that does nothing, in a worker that is there.
func BenchmarkRun(b *testing.B) {
	h := host(b, nil)
	mustRun(b, h, "done")
	for b.Loop() {
		mustRun(b, h, "done")
	}
	b.ReportMetric(float64(h.Slot("1").(*slot).processes[h.worker].resident())/(1<<20), "MB-resident")
}

// smallest builds the plugin of examples/plugin, as its author would.
func smallest(b *testing.B, h *Host) *Plugin {
	b.Helper()
	path := filepath.Join(b.TempDir(), "garden")
	cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, ".")
	cmd.Dir = filepath.Join("..", "..", "examples", "plugin")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("go build: %s", out)
	}
	bin, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256(bin)
	p, err := h.Plugin(path, hex.EncodeToString(sum[:]))
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkPluginStart is a new process of the smallest plugin up to its manifest:
// fork, certificates, handshake, one call.
func BenchmarkPluginStart(b *testing.B) {
	h := host(b, nil)
	p := smallest(b, h)
	for b.Loop() {
		if _, err := p.Manifest(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := h.Slot(manifestSlot).Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkPluginCall is one round trip to the smallest plugin over its
// authenticated connection. MB-resident is all that its process holds, MB-own
// what each further one adds.
func BenchmarkPluginCall(b *testing.B) {
	h := host(b, nil)
	p := smallest(b, h)
	if _, err := p.Manifest(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.Manifest(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	live := h.Slot(manifestSlot).(*slot).processes[p.program]
	b.ReportMetric(float64(live.resident())/(1<<20), "MB-resident")
	b.ReportMetric(float64(private(b, live.pid))/(1<<10), "MB-own")
}

// BenchmarkPluginRun is a whole run of a plugin, task and outcome included, in a
// process that is there.
func BenchmarkPluginRun(b *testing.B) {
	h := host(b, nil)
	p, err := h.Plugin(pluginFile(b))
	if err != nil {
		b.Fatal(err)
	}
	bind := core.Binding{Digest: p.Digest()}
	for b.Loop() {
		if _, err := h.Slot("1").Run(b.Context(), bind, core.Register, order("done"), core.Session{Services: &services{}}); err != nil {
			b.Fatal(err)
		}
	}
}

// private is the memory that a process has written to and shares with nobody, in kB.
func private(b *testing.B, pid int) (kB int) {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if f := bytes.Fields(line); len(f) > 1 && string(f[0]) == "Private_Dirty:" {
			n, err := strconv.Atoi(string(f[1]))
			if err != nil {
				b.Fatal(err)
			}
			kB += n
		}
	}
	return kB
}
