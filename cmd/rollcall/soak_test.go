package main_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core/control"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

var soakTasks = flag.Int("soak.tasks", 200, "how many tasks the soak runs")

// A soak looks at the runner between batches of tasks: so many times at least, and
// after so many tasks at most.
const (
	soakSamples = 40
	soakBatch   = 25
)

// soakSample is what a runner has at one moment.
type soakSample struct {
	runner      int64 // bytes that the runner has for itself
	browser     int64 // the same of everything it started
	descriptors int
	goroutines  int
	processes   int // started by the runner
	entries     int // files and directories in the state and temporary directories and beside the profiles
}

// soakLimits is how much more the median of the last quarter may be than the one
// of the first: a tenth for what grows with a database of more rows, and what a
// browser of another age or an idle connection makes of a difference.
var soakLimits = []struct {
	name  string
	unit  int64
	of    func(soakSample) int64
	slack int64
}{
	{"runner MB", 1 << 20, func(s soakSample) int64 { return s.runner }, 32 << 20},
	{"browser MB", 1 << 20, func(s soakSample) int64 { return s.browser }, 128 << 20},
	{"descriptors", 1, func(s soakSample) int64 { return int64(s.descriptors) }, 8},
	{"goroutines", 1, func(s soakSample) int64 { return int64(s.goroutines) }, 8},
	{"processes", 1, func(s soakSample) int64 { return int64(s.processes) }, 3},
	{"files and directories", 1, func(s soakSample) int64 { return int64(s.entries) }, 8},
}

// TestSoak runs many tasks through one runner and its browser, with pages among
// them that open dialogs, never end loading and never end computing, and wants
// nothing to grow with the number of tasks.
func TestSoak(t *testing.T) {
	const slots = 3
	site := newTroubleSite(t)
	w := newWorld(t, settings{slots: slots, more: fmt.Sprintf("[sites.%q]\nallowed = \"owner\"\nbase_url = %q\npace = { every = \"1ms\", concurrency = 3 }\n", troubleDomain, site.URL)})
	w.write("scripts/trouble.lua", troubleDriver)
	config := w.config("one")
	r := w.start(config)
	profiles := r.browserProfiles()
	added := 0
	add := func(kind string) {
		w.sb.Manager.Add(sandbox.Task{ID: fmt.Sprintf("5a9d0b00-0000-4000-8000-7%011d", added), Domain: troubleDomain,
			Username: fmt.Sprintf("%s-%d", kind, added), Password: canaryPassword + "soak"})
		added++
	}
	done := func() {
		w.until(r, fmt.Sprintf("%d tasks are done", added), func() bool { return w.sb.Manager.Count(sandbox.StateProfiled) == added })
	}
	// Every slot has its worker before the first look: a task in each at a time.
	var held []*gate
	for i := range slots {
		g := newGate(t)
		site.mu.Lock()
		site.reached[fmt.Sprintf("held-%d", i)] = g
		site.mu.Unlock()
		held = append(held, g)
		add("held")
	}
	for _, g := range held {
		g.await(t, r, "the page of every slot")
	}
	for _, g := range held {
		g.open()
	}
	done()
	var samples []soakSample
	begun := time.Now()
	looks := max(soakSamples, *soakTasks/soakBatch)
	for i := range looks {
		for added < slots+(i+1)**soakTasks/looks {
			switch {
			case added%100 == 30:
				add("loop")
			case added%20 == 5:
				add("alert")
			case added%20 == 15:
				add("image")
			default:
				add("plain")
			}
		}
		done()
		samples = append(samples, w.soakSample(r, profiles))
	}
	took := time.Since(begun)
	r.stop()
	checkProfiles(t, profiles)
	if len(site.posts) != added {
		t.Errorf("%d of %d were signed up", len(site.posts), added)
	}
	for name, n := range site.posts {
		if n != 1 {
			t.Errorf("%s was signed up %d times", name, n)
		}
	}
	quarter := len(samples) / 4
	line := fmt.Sprintf("soak: %d tasks in %s, each signed up once", added, took.Round(time.Second))
	for _, l := range soakLimits {
		first, last := median(samples[:quarter], l.of), median(samples[len(samples)-quarter:], l.of)
		line += fmt.Sprintf("; %s %d to %d", l.name, first/l.unit, last/l.unit)
		if most := first + first/10 + l.slack; last > most {
			var all []string
			for _, s := range samples {
				all = append(all, fmt.Sprint(l.of(s)/l.unit))
			}
			t.Errorf("%s grew from %d to %d, at most %d is right: %s", l.name, first/l.unit, last/l.unit, most/l.unit, strings.Join(all, " "))
		}
	}
	t.Log(line)
	if path := os.Getenv("ROLLCALL_FIGURES"); path != "" {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(f, line)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func median(all []soakSample, of func(soakSample) int64) int64 {
	var values []int64
	for _, s := range all {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// soakSample looks at a runner.
func (w *world) soakSample(r *running, profiles string) soakSample {
	w.t.Helper()
	pid := r.cmd.Process.Pid
	s := soakSample{runner: ownMemory(pid)}
	for _, p := range descendants(pid) {
		s.processes++
		s.browser += ownMemory(p.pid)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		w.t.Fatal(err)
	}
	s.descriptors = len(fds)
	client, err := control.Dial(w.t.Context(), w.path("one/control.sock"))
	if err != nil {
		w.t.Fatal(err)
	}
	s.goroutines = client.Goroutines
	client.Close()
	for _, root := range []string{w.path("one"), temporary} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			s.entries++
			if os.IsNotExist(err) {
				return nil
			}
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	beside, err := os.ReadDir(profiles)
	if err != nil {
		w.t.Fatal(err)
	}
	s.entries += len(beside)
	return s
}
