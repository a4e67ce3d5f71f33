package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	switch os.Getenv("BENCH_TEST_BURN") {
	case "parent":
		parent()
	case "child":
		child()
	default:
		goleak.VerifyTestMain(m)
	}
}

const burnt = 300 * time.Millisecond

// parent leaves a child behind that has used its processor time.
func parent() {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BENCH_TEST_BURN=child")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = io.ReadFull(out, make([]byte, 1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child burns, says so, and waits to be killed.
func child() {
	never := make(chan os.Signal, 1)
	signal.Notify(never, syscall.SIGUSR1)
	for x := 1.0; ; x = math.Sqrt(x + 1) {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			panic(err)
		}
		if time.Duration(u.Utime.Nano()+u.Stime.Nano()) > burnt {
			break
		}
	}
	fmt.Print("!")
	<-never
}

func TestAProcessThatWasLeftBehindIsCountedAndKilled(t *testing.T) {
	for name, make := range map[string]func() (tree, error){
		"best": newTree,
		"looks": func() (tree, error) {
			d, err := newDescendants()
			return d, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			tree, err := make()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "BENCH_TEST_BURN=parent")
			u, err := measure(t.Context(), cmd, tree)
			if err != nil {
				t.Fatal(err)
			}
			if u.CPU < burnt-2*clockTick {
				t.Errorf("%v were counted of at least %v, by %s", u.CPU, burnt, tree)
			}
		})
	}
}

func TestARunThatLastsTooLongIsEnded(t *testing.T) {
	tree, err := newTree()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, fmt.Errorf("enough"))
	defer cancel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BENCH_TEST_BURN=child")
	if _, err := measure(ctx, cmd, tree); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("measure returned %v", err)
	}
}

// rodBench is a bench with go-rod only, built for the test.
func rodBench(t *testing.T) *bench {
	b, err := parse([]string{"-dir", t.TempDir(), "-limit", "2m", "-peers", "rod"})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(b.dir, "rod"), "./rod").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return b
}

func TestAWrongProfileFailsTheRun(t *testing.T) {
	b := rodBench(t)
	right := b.programs[0]
	r, err := b.do(t.Context(), right, 1, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	if r.PerMinute <= 0 || r.Steady < r.PerMinute || r.CPU <= 0 || r.PSS <= 0 || r.P50 <= 0 || len(r.Parts) < 3 {
		t.Errorf("a figure is missing: %+v", r)
	}
	wrong := right
	wrong.command = func(ctx context.Context, b *bench, s *site, dir string, concurrency int) (*exec.Cmd, error) {
		people := slices.Clone(s.people)
		people[1].Bio = "someone else's words"
		return right.command(ctx, b, &site{box: s.box, people: people}, dir, concurrency)
	}
	_, err = b.do(t.Context(), wrong, 1, 2, 2)
	if err == nil || !strings.Contains(err.Error(), "bench00001 has the wrong bio") || strings.Contains(err.Error(), "bench00000") {
		t.Errorf("the run with one wrong bio ended with: %v", err)
	}
}

func TestAMissingProfileFailsTheRun(t *testing.T) {
	b := &bench{limit: time.Minute}
	idle := program{name: "idle", last: lastAnswer, command: func(ctx context.Context, _ *bench, _ *site, _ string, _ int) (*exec.Cmd, error) {
		return exec.CommandContext(ctx, "true"), nil
	}}
	_, err := b.do(t.Context(), idle, 1, 1, 2)
	if err == nil || !strings.Contains(err.Error(), "the site has 0 accounts, not 2") || !strings.Contains(err.Error(), "bench00001 has no account") {
		t.Errorf("the run without accounts ended with: %v", err)
	}
}

func TestAPictureIsComparedByItsPixels(t *testing.T) {
	a := noise(1)
	if len(a) < 18_000 || len(a) > 22_000 {
		t.Errorf("the picture has %d bytes", len(a))
	}
	if !samePicture(a, noise(1)) || samePicture(a, noise(2)) || samePicture(nil, a) || samePicture([]byte("no picture"), a) {
		t.Error("pictures are taken for each other")
	}
}

func TestRatiosAreWithinOneRound(t *testing.T) {
	b, err := parse([]string{"-rounds", "2", "-conc", "1", "-peers", "rollcall rod"})
	if err != nil {
		t.Fatal(err)
	}
	var runs []run
	for round, figures := range [][2]float64{{100, 50}, {400, 100}} {
		for i, p := range b.programs {
			runs = append(runs, run{Round: round + 1, Concurrency: 1, Program: p.name, PerMinute: figures[i], Steady: figures[i], CPU: figures[i], PSS: figures[i], P50: time.Duration(figures[i]) * time.Millisecond})
		}
	}
	text := b.report(machine{}, runs)
	for _, want := range []string{"| rollcall | 250 | 250 | 250.000 | 250 | 250 |", "| go-rod | 75 |", "| go-rod | 1 | 2.83 (2.00 to 4.00) |", "| go-rod | all | 2.83 (2.00 to 4.00) |"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the report:\n%s", want, text)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if have := median(c.values); have != c.want {
			t.Errorf("the median of %v is %v, not %v", c.values, have, c.want)
		}
	}
}

func TestOptionsThatMeanNothingAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-peers", "rod nobody"}, {"-conc", "0"}, {"-conc", "two"}, {"-rounds", "0"}, {"-tasks", "-1"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
