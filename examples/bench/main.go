// Command bench runs one flow in rollcall and in the libraries that people use
// for the same work, side by side, and prints what each took. `make bench-peers`
// installs them and starts it; docs/benchmarks.md says what is compared and how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// bench is where the programs are, and what is asked of them.
type bench struct {
	dir      string // of the built peers and of node/
	rollcall string
	browser  string
	driver   string // chromedriver
	sandbox  bool

	programs    []program
	rounds      int
	concurrency []int
	tasks       int // of a run; 0 means by its concurrency
	limit       time.Duration
	byKind      bool
	logs        string // directory for what each run printed; none keeps nothing
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := start(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, args []string) error {
	b, err := parse(args)
	if err != nil {
		return err
	}
	m, err := b.machine(ctx)
	if err != nil {
		return err
	}
	runs, err := b.all(ctx, func(r run) { fmt.Fprintln(os.Stderr, r) })
	if err != nil {
		return err
	}
	fmt.Print(b.report(m, runs))
	if b.byKind {
		fmt.Print(b.parts(runs))
	}
	return nil
}

func parse(args []string) (*bench, error) {
	b := &bench{sandbox: os.Geteuid() != 0}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.StringVar(&b.dir, "dir", "../../bin/bench", "directory of the built programs")
	set.StringVar(&b.browser, "browser", "/usr/lib/chromium/chromium-headless-shell", "the browser of all")
	set.StringVar(&b.driver, "driver", "chromedriver", "chromedriver of the browser's version")
	set.IntVar(&b.rounds, "rounds", 5, "rounds")
	set.IntVar(&b.tasks, "tasks", 0, "tasks of a run; 0 means two for each that runs at the same time, and at least twelve")
	set.DurationVar(&b.limit, "limit", 10*time.Minute, "longest time of one run")
	set.StringVar(&b.logs, "logs", "", "directory that keeps what each run printed")
	set.BoolVar(&b.byKind, "parts", false, "print what each kind of process took, too")
	conc := set.String("conc", "1 2 4 8", "tasks at the same time")
	peers := set.String("peers", "", "programs to run, the first is what the others are compared with; none means rollcall and all peers")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	var err error
	if b.dir, err = filepath.Abs(b.dir); err != nil {
		return nil, err
	}
	b.rollcall = filepath.Join(b.dir, "rollcall")
	for _, word := range strings.Fields(*conc) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-conc: %q is not a number of tasks", word)
		}
		b.concurrency = append(b.concurrency, n)
	}
	known := slices.Concat(programs, modes)
	for _, word := range strings.Fields(*peers) {
		i := slices.IndexFunc(known, func(p program) bool { return p.name == word })
		if i < 0 {
			return nil, fmt.Errorf("-peers: %q is none of those that can be compared: %s", word, strings.Join(names(known), " "))
		}
		b.programs = append(b.programs, known[i])
	}
	if len(b.programs) == 0 {
		b.programs = programs
	}
	if b.rounds < 1 || b.tasks < 0 || len(b.concurrency) == 0 {
		return nil, errors.New("at least one round and one concurrency are needed, and no negative number of tasks")
	}
	return b, nil
}

func names(list []program) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.name)
	}
	return out
}

// all runs every program at every concurrency, round after round. Who comes
// first changes with each round, so that a drift of the machine meets all alike.
func (b *bench) all(ctx context.Context, each func(run)) ([]run, error) {
	var out []run
	for round := range b.rounds {
		for _, c := range b.concurrency {
			for i := range b.programs {
				p := b.programs[(i+round)%len(b.programs)]
				r, err := b.do(ctx, p, round+1, c, b.count(c))
				if err != nil {
					return nil, err
				}
				each(r)
				out = append(out, r)
			}
		}
	}
	return out, nil
}

// count is the number of tasks of a run.
func (b *bench) count(concurrency int) int {
	if b.tasks > 0 {
		return b.tasks
	}
	return max(12, 2*concurrency)
}

// node is the Node.js that the lock file pins.
func (b *bench) node() string {
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return filepath.Join(b.dir, "node", "node_modules", "node-linux-"+arch, "bin", "node")
}

// scratch is a directory for one run on a disk, not in memory: what is durable must cost its price.
func scratch() (dir string, remove func(), err error) {
	if dir, err = os.MkdirTemp("/var/tmp", "rollcall-bench-"); err != nil {
		return "", nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", nil, errors.Join(err, os.Remove(dir))
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}

// line is the first line that a program prints.
func line(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(first), nil
}
