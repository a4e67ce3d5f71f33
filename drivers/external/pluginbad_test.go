//go:build linux

package external

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
)

// pluginMain is a plugin that goes wrong as its name says.
func pluginMain(mode string) {
	switch mode {
	case "older":
		fmt.Println("1|99|unix|/nowhere|grpc|")
	case "chatty":
		fmt.Println("Welcome!")
	case "silent":
	case "netrpc":
		fmt.Println("1|1|unix|/nowhere|netrpc|")
	default:
		plugins.Serve(&actor{name: "plugin"})
		return
	}
	select {}
}

// pluginHostMain is a host that is going to be killed in the middle of a plugin's run.
func pluginHostMain(path, sum string) {
	h, err := New(Options{Command: []string{"/proc/self/exe", "worker"}, Sources: sourceOf})
	check(err)
	p, err := h.Plugin(path, sum)
	check(err)
	s := &services{}
	s.logged = func() { fmt.Println(h.Slot("1").(*slot).processes[p.program].pid, h.run.path) }
	_, err = h.Slot("1").Run(context.Background(), core.Binding{Digest: p.Digest()}, core.Register, order("hang"), core.Session{Services: s})
	check(err)
}

// pluginAs is the test binary as a plugin called name.
func pluginAs(t testing.TB, name string, change func([]byte) []byte) (path, sum string) {
	t.Helper()
	b, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		b = change(b)
	}
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	s := sha256.Sum256(b)
	return path, hex.EncodeToString(s[:])
}

func TestABadPluginIsOneClearLine(t *testing.T) {
	alien := func(b []byte) []byte { b[18], b[19] = 0xf3, 0; return b } // RISC-V
	for _, c := range []struct {
		name   string
		plugin string
		change func([]byte) []byte
		mode   os.FileMode
		code   core.FaultCode // of Manifest; empty: Plugin refuses
		words  string
	}{
		{"not executable", "test", nil, 0o644, "", "it is not executable; chmod +x it"},
		{"a script", "test", func([]byte) []byte { return []byte("#!/bin/sh\nexec sleep 1000\n") }, 0o755, "", "it is a script, and a plugin is a program"},
		{"of another machine", "test", alien, 0o755, core.Crashed, "is not a program for this machine"},
		{"no program", "test", func([]byte) []byte { return []byte("garbage") }, 0o755, core.Crashed, "is not a program for this machine"},
		{"prints first", "chatty", nil, 0o755, core.DriverError, `printed "Welcome!" before the handshake`},
		{"never shakes hands", "silent", nil, 0o755, core.Timeout, "did not shake hands within 400ms"},
		{"another version", "older", nil, 0o755, core.DriverError, "rebuild it against this version of rollcall's plugins package"},
		{"another protocol", "netrpc", nil, 0o755, core.DriverError, `speaks "netrpc", not grpc`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := host(t, func(o *Options) { o.StartTimeout = 400 * time.Millisecond })
			path, sum := pluginAs(t, pluginPrefix+c.plugin, c.change)
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			p, err := h.Plugin(path, sum)
			if c.code == "" {
				if err == nil || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want %q", err, c.words)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				_, err = p.Manifest(t.Context())
				wantFault(t, err, c.code, c.words)
			}
		})
	}
}

func TestABadRunCostsThatRunOnly(t *testing.T) {
	h := host(t, func(o *Options) { o.OutputLimit = 1 << 20 })
	p, err := h.Plugin(pluginFile(t))
	if err != nil {
		t.Fatal(err)
	}
	b := core.Binding{Digest: p.Digest()}
	for _, c := range []struct {
		do    string
		code  core.FaultCode
		words string
	}{
		{"exit zero", core.Crashed, "ended with exit status 0"},
		{"exit", core.Crashed, "ended with exit status 7"},
		{"huge", core.DriverError, "a message is larger than 16 MB"},
		{"flood", core.DriverError, "wrote more than 1024 kB in one run and was killed"},
		{"flood log", core.DriverError, "wrote more than 1024 kB in one run and was killed"},
		{"liar", core.DriverError, `unknown status "perfect"`},
	} {
		t.Run(c.do, func(t *testing.T) {
			_, err := h.Slot("1").Run(t.Context(), b, core.Register, order(c.do), core.Session{Services: &services{}})
			wantFault(t, err, c.code, c.words)
			if _, err := h.Slot("1").Run(t.Context(), b, core.Register, order("done"), core.Session{Services: &services{}}); err != nil {
				t.Errorf("the next run: %v", err)
			}
		})
	}
}

// TestSwappedBytesNeverRun: while another hand swaps the file, what is pinned a
// thousand times is either what was named or nothing.
func TestSwappedBytesNeverRun(t *testing.T) {
	dir := t.TempDir()
	good := append([]byte("\x7fELF good"), bytes.Repeat([]byte("g"), 8<<10)...)
	evil := append([]byte("\x7fELF evil"), bytes.Repeat([]byte("e"), 8<<10)...)
	s := sha256.Sum256(good)
	sum := hex.EncodeToString(s[:])
	path := filepath.Join(dir, "plugin")
	put := func(b []byte) {
		if err := os.WriteFile(path+".new", b, 0o755); err != nil {
			t.Error(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Error(err)
		}
	}
	put(good)
	stop := make(chan struct{})
	var hand sync.WaitGroup
	hand.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			put(good)
			// In place, too: whoever has the file open sees it change.
			if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
				if i%3 == 0 {
					f.WriteAt(evil, 0)
				}
				f.Close()
			}
			if i%3 == 1 {
				put(evil)
			}
		}
	})
	pinned := 0
	for i := range 1000 {
		f, err := pin(path, sum, filepath.Join(dir, fmt.Sprint("store", i)))
		if err != nil {
			continue
		}
		pinned++
		if have, err := digest(f); err != nil || have != sum {
			t.Errorf("try %d pinned %s, %v", i, have, err)
		}
		f.Close()
	}
	close(stop)
	hand.Wait()
	if pinned == 0 {
		t.Error("nothing was pinned at all")
	}
	t.Logf("%d of 1000 tries met the named bytes, 0 others were pinned", pinned)
}

// TestNoPluginOutlivesAKilledRunner kills a runner a hundred times in the middle
// of a plugin's run.
func TestNoPluginOutlivesAKilledRunner(t *testing.T) {
	path, sum := pluginFile(t)
	var longest time.Duration
	for range 100 {
		cmd := exec.Command(self(t), "plugin host", path, sum)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var plugin int
		var sockets string
		if _, err := fmt.Fscan(out, &plugin, &sockets); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.PidfdOpen(plugin, 0)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() // it was killed
		dead(t, plugin)
		longest = max(longest, time.Since(begin))
		unix.Close(fd)
		os.RemoveAll(sockets)
	}
	t.Logf("100 kills: the plugin was dead at most %v later", longest)
}
