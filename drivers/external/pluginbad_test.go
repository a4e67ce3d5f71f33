//go:build linux

package external

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
)

// daemonMark is how the child of a plugin that goes to the background is found.
const daemonMark = "daemon-of-the-test"

// pluginMain is a plugin that goes wrong as its name says.
func pluginMain(mode string) {
	switch mode {
	case "older":
		fmt.Println("1|99|unix|/nowhere|grpc|")
	case "chatty":
		fmt.Println("Welcome!")
	case "silent":
	case "daemon":
		if len(os.Args) > 1 {
			break // the child stays
		}
		child := exec.Command("/proc/self/exe", daemonMark)
		child.Args[0] = os.Args[0]
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		check(child.Start())
		fmt.Fprintln(os.Stderr, "gone to the background")
		os.Exit(0)
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
		{"another version", "older", nil, 0o755, core.DriverError, "speaks version 99 of the driver contract, this rollcall version 1; update rollcall, or rebuild it against this version of rollcall's plugins package"},
		{"another protocol", "netrpc", nil, 0o755, core.DriverError, `speaks "netrpc", not grpc`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := host(t, func(o *Options) {
				if c.code == core.Timeout {
					o.StartTimeout = 400 * time.Millisecond
				}
			})
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
	// The other way, too.
	large := order("done")
	large.Facts = core.Facts{"large": core.Text(strings.Repeat("x", 17<<20))}
	_, err = h.Slot("1").Run(t.Context(), b, core.Register, large, core.Session{})
	wantFault(t, err, core.DriverError, "a message is larger than 16 MB")
}

// TestSwappedBytesNeverRun: while another hand swaps the file, a thousand starts
// run what was named or nothing. The named program exits with 0, the other with 1.
func TestSwappedBytesNeverRun(t *testing.T) {
	dir := t.TempDir()
	read := func(name string) []byte {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good, evil := read("true"), read("false")
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
	var turn sync.Mutex // a try begins with the named bytes, and is on its own from then
	stop := make(chan struct{})
	var hand sync.WaitGroup
	hand.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			turn.Lock()
			if i%2 == 0 {
				put(evil)
			} else if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
				// In place: whoever has the file open sees it change.
				f.WriteAt(evil, 0)
				f.Close()
			}
			turn.Unlock()
		}
	})
	started, refused := 0, 0
	for i := range 1000 {
		h, err := New(Options{Command: []string{self(t), "worker"}, Sources: sourceOf, StateDir: filepath.Join(dir, fmt.Sprint("state", i%7))})
		if err != nil {
			t.Fatal(err)
		}
		turn.Lock()
		put(good)
		turn.Unlock()
		p, err := h.Plugin(path, sum)
		turn.Lock()
		put(evil) // at the latest now
		turn.Unlock()
		if err != nil {
			refused++
		} else {
			p.program.foreign = false // without certificates, which take most of a start's time
			_, err = p.Manifest(t.Context())
			wantFault(t, err, core.Crashed, "ended with exit status 0 before the handshake")
			started++
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		if i%7 == 6 { // the copies are made anew
			for n := range 7 {
				os.RemoveAll(filepath.Join(dir, fmt.Sprint("state", n)))
			}
		}
	}
	close(stop)
	hand.Wait()
	if started == 0 || refused == 0 {
		t.Errorf("%d starts, %d refusals: the hand was never, or always, in time", started, refused)
	}
	t.Logf("1000 tries: %d ran the named bytes, %d were refused, 0 ran others", started, refused)
}

// TestADaemonIsNoPlugin: it forks, its parent exits, and where rollcall is root
// what it left behind ends too.
func TestADaemonIsNoPlugin(t *testing.T) {
	h := host(t, nil)
	p, err := h.Plugin(pluginAs(t, pluginPrefix+"daemon", nil))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Manifest(t.Context())
	wantFault(t, err, core.Crashed, "ended with exit status 0: gone to the background before the handshake")
	mark := "\x00" + daemonMark + "\x00"
	for _, pid := range running(t, func(line string) bool { return strings.Contains(line, mark) }) {
		if os.Geteuid() == 0 {
			dead(t, pid) // the namespace's end is on its way
		} else if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Errorf("clearing up: %v", err)
		}
	}
	mustRun(t, h, "done")
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
