package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// BenchmarkBoard runs `rollcall run --once` on the board: 60 kB a page, six
// fields, an avatar, the profile read back, everything durable and reported. Its
// time includes the start of the runner and of Chromium.
func BenchmarkBoard(b *testing.B) {
	runBoard(b, sandbox.Options{Weight: 60_000}, true)
}

// BenchmarkPlain runs `rollcall run --once` with one driver on one plain site, in
// the browser and without: five fields to sign up, the profile written and read
// back, everything durable and reported. Its time includes the start of the runner
// and of Chromium.
func BenchmarkPlain(b *testing.B) {
	const site = "pace = { every = \"1ms\", concurrency = 2 }\nterms = \"accept\"\n"
	for _, slots := range []int{1, 4, 8} {
		more := func(engine string) []string {
			return []string{"[drivers]\n", fmt.Sprintf("[browser]\nslots = %d\n[drivers]\n", slots),
				"poll = \"1s\"\nlimit = 50\n", "poll = \"15s\"\nlimit = 1000\n", // the default pause, and lists that last
				site, fmt.Sprintf("pace = { every = \"1us\", concurrency = %d }\nterms = \"accept\"\nengine = %q\n", slots, engine)}
		}
		for _, engine := range []string{"browser", "http"} {
			b.Run(fmt.Sprintf("engine=%s/slots=%d", engine, slots), func(b *testing.B) {
				runBoard(b, sandbox.Options{}, false, more(engine)...)
			})
		}
	}
}

// runBoard takes b.N tasks of the board through the built binary. edits are pairs:
// the first of a pair is replaced once in the sandbox's configuration.
func runBoard(b *testing.B, o sandbox.Options, avatar bool, edits ...string) {
	sb, err := sandbox.Start(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer sb.Close()
	config := benchConfig(b, sb, b.TempDir(), edits...)
	for i := range b.N {
		user := fmt.Sprintf("bench%05d", i)
		t := sandbox.Task{
			ID: fmt.Sprintf("%08x-b%05d", uint32(i)*2_654_435_761, i), Domain: sandbox.BoardDomain, Email: user + "@mail.sandbox.test",
			Username: user, Password: "Bench-word-" + user, FirstName: "Ada", LastName: "Kowalska", Location: "Łódź",
			About: "<p>writes about kites</p>", Website: "https://example.com/" + user,
		}
		if avatar {
			t.AvatarURL = sb.Images.Avatar(user)
		}
		sb.Manager.Add(t)
	}
	b.ResetTimer()
	cmd := exec.CommandContext(b.Context(), binary, "run", "--once", "-c", config)
	out, err := cmd.CombinedOutput()
	b.StopTimer()
	if n := sb.Manager.Count(sandbox.StateProfiled); err != nil || n != b.N {
		tail := out[max(0, len(out)-4000):]
		b.Fatalf("%d of %d tasks were profiled (%v)\n%s", n, b.N, err, bytes.TrimSpace(tail))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Minutes(), "tasks/min")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() // the runner's, and that of the workers it waited for
	b.ReportMetric(used.Seconds()*1000/float64(b.N), "cpu-ms/task")
}

// benchConfig writes the sandbox's configuration, edited, and a key into dir.
func benchConfig(b *testing.B, sb *sandbox.Sandbox, dir string, edits ...string) string {
	config, err := sb.WriteConfig(dir)
	if err != nil {
		b.Fatal(err)
	}
	if err := secret.Generate(filepath.Join(dir, "seal.key")); err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile(config)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < len(edits); i += 2 {
		if !bytes.Contains(text, []byte(edits[i])) {
			b.Fatalf("the configuration has no %q", edits[i])
		}
		text = bytes.Replace(text, []byte(edits[i]), []byte(edits[i+1]), 1)
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		b.Fatal(err)
	}
	return config
}

// BenchmarkStart10000 is the time from the start of `rollcall run`, with 10,000
// drivers in its folder and as many allowed sites, to the first task that it
// starts, the median of all, and the most memory that it took until then; without
// and with the manifests that an earlier start kept.
func BenchmarkStart10000(b *testing.B) {
	sb, err := sandbox.Start(b.Context(), sandbox.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer sb.Close()
	dir := b.TempDir()
	config := benchConfig(b, sb, dir, "[drivers]\n", "[[sites_file]]\npath = \"sites.csv\"\n[drivers]\n")
	sites := "domain,allowed,base_url\n"
	board := sandbox.Scripts()["board.lua"]
	for i := range 10_000 {
		name := fmt.Sprintf("site%05d", i)
		text := strings.Replace(strings.Replace(board, `"board"`, `"`+name+`"`, 1), sandbox.BoardDomain, name+".example.org", 1)
		if err := os.WriteFile(filepath.Join(dir, "scripts", name+".lua"), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		sites += name + ".example.org,owner," + sb.Board.URL + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "sites.csv"), []byte(sites), 0o600); err != nil {
		b.Fatal(err)
	}
	started := make(chan time.Time, 1)
	sb.Manager.Fault(func(c sandbox.Call) sandbox.Fault {
		if c.Name == sandbox.CallStart {
			select {
			case started <- time.Now():
			default:
			}
		}
		return sandbox.Fault{}
	})
	n := 0
	start := func(b *testing.B, kept bool) {
		var seconds, peak []float64
		for b.Loop() {
			n++
			if manifests := filepath.Join(dir, "var", "manifests"); !kept {
				if err := os.Remove(manifests); err != nil && !errors.Is(err, fs.ErrNotExist) {
					b.Fatal(err)
				}
			}
			user := fmt.Sprintf("bench%05d", n)
			sb.Manager.Add(sandbox.Task{ID: user, Domain: fmt.Sprintf("site%05d.example.org", n), Email: user + "@mail.sandbox.test",
				Username: user, Password: "Bench-word-" + user})
			var out bytes.Buffer
			cmd := exec.CommandContext(b.Context(), binary, "run", "--once", "-c", config)
			cmd.Stdout, cmd.Stderr = &out, &out
			begin := time.Now()
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			select {
			case at := <-started:
				seconds = append(seconds, at.Sub(begin).Seconds())
			case <-time.After(2 * time.Minute):
				b.Errorf("no task was started within two minutes")
			}
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			if err != nil {
				b.Fatal(err)
			}
			for line := range strings.Lines(string(status)) {
				var kb float64
				if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kb); err == nil {
					peak = append(peak, kb*1024/1e6)
				}
			}
			if err := cmd.Wait(); err != nil {
				b.Fatalf("%v\n%s", err, out.Bytes()[max(0, out.Len()-4000):])
			}
		}
		if len(seconds) == 0 {
			return // said above
		}
		slices.Sort(seconds)
		b.ReportMetric(seconds[len(seconds)/2], "s-to-first-start")
		b.ReportMetric(slices.Max(peak), "peak-MB")
	}
	b.Run("manifests=none", func(b *testing.B) { start(b, false) })
	b.Run("manifests=kept", func(b *testing.B) { start(b, true) })
}
