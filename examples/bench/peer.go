package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/rollcall-run/rollcall/examples/bench/job"
)

// program is one of those compared.
type program struct {
	name  string // as PEERS names it
	title string // as the tables name it
	// command prepares one run, whose files are in dir.
	command func(ctx context.Context, b *bench, s *site, dir string, concurrency int) (*exec.Cmd, error)
	// last is when the run's work was done: the last answer of the site for all,
	// and what a program does beyond that.
	last func(s *site) time.Time
}

// programs are all that are compared unless others are asked for.
var programs = []program{
	{"rollcall", "rollcall", rollcallWith(""), lastReport},
	{"rod", "go-rod", goPeer("rod"), lastAnswer},
	{"chromedp", "chromedp", goPeer("chromedp"), lastAnswer},
	{"playwright", "Playwright", nodePeer("playwright"), lastAnswer},
	{"crawlee", "Crawlee", nodePeer("crawlee"), lastAnswer},
	{"puppeteer", "Puppeteer", nodePeer("puppeteer"), lastAnswer},
	{"selenium", "Selenium", nodePeer("selenium"), lastAnswer},
}

// modes are rollcall with a setting that not every site allows; they run when asked for.
var modes = []program{
	{"reuse", "rollcall, reuse = true", rollcallWith("reuse = true"), lastReport},
	{"http", "rollcall, engine = http", rollcallWith(`engine = "http"`), lastReport},
}

func lastAnswer(s *site) time.Time {
	_, last, _ := s.span()
	return last
}

// goPeer is a program of this module, nodePeer one of those in node/.
func goPeer(name string) func(context.Context, *bench, *site, string, int) (*exec.Cmd, error) {
	return func(ctx context.Context, b *bench, s *site, dir string, concurrency int) (*exec.Cmd, error) {
		return withJob(exec.CommandContext(ctx, filepath.Join(b.dir, name)), b, s, dir, concurrency)
	}
}

func nodePeer(name string) func(context.Context, *bench, *site, string, int) (*exec.Cmd, error) {
	return func(ctx context.Context, b *bench, s *site, dir string, concurrency int) (*exec.Cmd, error) {
		return withJob(exec.CommandContext(ctx, b.node(), filepath.Join(b.dir, "node", name+".mjs")), b, s, dir, concurrency)
	}
}

func withJob(cmd *exec.Cmd, b *bench, s *site, dir string, concurrency int) (*exec.Cmd, error) {
	text, err := json.Marshal(job.Job{
		URL: s.box.Board.URL, Browser: b.browser, Driver: b.driver, Sandbox: b.sandbox, Concurrency: concurrency, Tasks: s.people,
	})
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(text)
	return cmd, err
}

// run is what one program did in one round.
type run struct {
	Round, Concurrency int
	Program            string
	Tasks              int
	PerMinute          float64       // tasks, from the program's start to the end of the last
	Steady             float64       // tasks a minute from the first request on
	CPU                float64       // seconds a task, start and stop of everything included
	PSS                float64       // MB at the worst look
	P50                time.Duration // of a task, as the site saw it
	Parts              []part        // by kind of process
	Closed             bool          // PSS lacks processes that let nobody but root look at them
}

// do has the program enrol n people on a fresh site, and checks them.
func (b *bench) do(ctx context.Context, p program, round, concurrency, n int) (r run, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.limit, fmt.Errorf("not done after %v", b.limit))
	defer cancel()
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s at concurrency %d, round %d: %w", p.name, concurrency, round, err)
		}
	}()
	dir, remove, err := scratch()
	if err != nil {
		return run{}, err
	}
	defer remove()
	s, err := open(ctx, dir, n)
	if err != nil {
		return run{}, err
	}
	defer s.close()
	cmd, err := p.command(ctx, b, s, dir, concurrency)
	if err != nil {
		return run{}, err
	}
	// What it leaves behind goes with the run.
	temp := filepath.Join(dir, "tmp")
	if err := errors.Join(os.Mkdir(temp, 0o777), os.Chmod(temp, 0o777|os.ModeSticky)); err != nil {
		return run{}, err
	}
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	t, err := newTree()
	if err != nil {
		return run{}, err
	}
	u, err := measure(ctx, cmd, t)
	if b.logs != "" {
		file := filepath.Join(b.logs, fmt.Sprintf("%s-c%d-round%d.log", p.name, concurrency, round))
		err = errors.Join(err, os.WriteFile(file, said.Bytes(), 0o644))
	}
	if err = errors.Join(err, s.check()); err != nil {
		return run{}, fmt.Errorf("%w\n%s", err, tail(said.Bytes()))
	}
	first, last, each := s.span()
	end := p.last(s)
	if end.IsZero() {
		return run{}, fmt.Errorf("the task manager lacks reports\n%s", tail(said.Bytes()))
	}
	return run{
		Round: round, Concurrency: concurrency, Program: p.name, Tasks: n,
		PerMinute: float64(n) / end.Sub(u.Start).Minutes(), Steady: float64(n) / last.Sub(first).Minutes(),
		CPU: u.CPU.Seconds() / float64(n), PSS: float64(u.PSS) / 1e6, P50: median(each), Parts: u.Parts, Closed: u.Closed,
	}, nil
}

func tail(text []byte) []byte { return bytes.TrimSpace(text[max(0, len(text)-4000):]) }
