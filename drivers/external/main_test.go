//go:build linux

package external

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
)

// TestMain makes the test binary every program that the tests start: a worker,
// a plugin, programs that shake hands wrongly, and a host to be killed.
func TestMain(m *testing.M) {
	if mode, ok := strings.CutPrefix(filepath.Base(os.Args[0]), pluginPrefix); ok {
		pluginMain(mode)
		return
	}
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "worker":
			environ := os.Environ()
			check(plugins.Confine(dataLimit))
			var loads int
			plugins.ServeWorker(func(ref plugins.DriverRef) (core.Driver, error) {
				loads++
				if string(ref.Text) == "broken" {
					return nil, &core.Fault{Code: core.DriverError, Place: ref.Path + ":3", Why: "no such verb"}
				}
				return &actor{name: ref.Name, ref: ref, loads: loads, environ: environ}, nil
			})
			return
		case "older":
			fmt.Println("1|99|unix|/nowhere|grpc|")
			select {}
		case "chatty":
			fmt.Println("Welcome!")
			select {}
		case "silent":
			select {}
		case "exits":
			fmt.Fprintln(os.Stderr, "no licence found")
			os.Exit(3)
		case "host":
			hostMain()
			return
		case "plugin host":
			pluginHostMain(os.Args[2], os.Args[3])
			return
		}
	}
	goleak.VerifyTestMain(m)
}

const (
	pluginPrefix = "rollcall-driver-"
	pluginName   = pluginPrefix + "test"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// actor is a driver that does what the option "do" says.
type actor struct {
	name    string
	ref     plugins.DriverRef
	loads   int
	environ []string

	kept  core.Services // of an earlier run, against the rules
	child *exec.Cmd
}

func (a *actor) Manifest() core.Manifest {
	return core.Manifest{API: 1, Name: a.name, Version: "2", Phases: []core.Phase{core.Register}, Public: true,
		Options: map[string]core.Option{"do": {Default: "done"}}}
}

func facts(kv ...string) core.Outcome {
	o := core.Outcome{Status: core.Done, Facts: core.Facts{}}
	for i := 0; i < len(kv); i += 2 {
		o.Facts[kv[i]] = core.Text(kv[i+1])
	}
	return o
}

var sink [][]byte

func (a *actor) Run(ctx context.Context, phase core.Phase, task core.Task, s core.Session) (core.Outcome, error) {
	do, _ := task.Options["do"].(string)
	switch do {
	case "done":
		return facts("pid", strconv.Itoa(os.Getpid()), "name", a.name, "loads", strconv.Itoa(a.loads), "text", string(a.ref.Text)), nil
	case "lib":
		b, err := readFile(a.ref, "lib/words.lua")
		return facts("lib", b), err
	case "echo":
		o := facts("phase", string(phase), "session", fmt.Sprint(s.ControlURL, s.ContextID, s.TargetID, s.Base, s.Proxy, s.Hosts), "lang", task.Language)
		o.Facts["password"] = task.Entity.Get(core.FieldPassword)
		o.Facts["mailbox"] = task.Entity.Get(core.FieldMailPassword)
		return o, nil
	case "services":
		return useServices(ctx, s.Services)
	case "sentinel":
		return core.Outcome{}, fmt.Errorf("on the way: %w", s.Services.Commit(ctx, "submit", nil))
	case "log":
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() { s.Services.Log(ctx, slog.LevelInfo, "line", "i", i) })
		}
		wg.Wait()
		return facts(), nil
	case "human":
		_, err := s.Services.Human(ctx, core.Ask{Kind: core.AskAct, Code: core.Captcha, Say: "solve it"})
		return core.Outcome{}, &core.Fault{Place: "x.lua:9", Verb: "human", Why: err.Error()}
	case "wait":
		<-ctx.Done()
		return core.Outcome{}, &core.Fault{Code: core.Timeout, Place: "x.lua:4", Verb: "click", Locator: "#go", Why: ctx.Err().Error()}
	case "hang":
		s.Services.Log(context.Background(), slog.LevelInfo, "hanging")
		select {}
	case "stop":
		check(syscall.Kill(os.Getpid(), syscall.SIGSTOP))
		select {}
	case "bomb":
		for {
			b := make([]byte, 1<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			sink = append(sink, b)
		}
	case "gulp":
		b := make([]byte, 2<<30)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		sink = append(sink, b)
	case "grow":
		b := make([]byte, 80<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		sink = append(sink, b)
		return facts("pid", strconv.Itoa(os.Getpid())), nil
	case "panic":
		panic("the wizard fell over")
	case "exit":
		os.Exit(7)
	case "exit zero":
		os.Exit(0)
	case "print":
		fmt.Fprintln(os.Stderr, "by fmt")
		log.SetFlags(0)
		log.Print("by log\n\n" + strings.Repeat("x", 5000))
		_, err := s.Services.Human(ctx, core.Ask{})
		return facts(), err
	case "exit loudly":
		for i := range 2 * spokenLines {
			log.Printf("line %d", i)
		}
		os.Exit(7)
	case "whisper":
		fmt.Fprintln(os.Stderr, "a little")
		return facts(), nil
	case "flood":
		line := []byte(strings.Repeat("x", 999) + "\n")
		for {
			if _, err := syscall.Write(2, line); err != nil {
				return core.Outcome{}, err
			}
		}
	case "flood log":
		for {
			s.Services.Log(ctx, slog.LevelInfo, strings.Repeat("x", 8000))
		}
	case "child":
		a.child = exec.Command("/bin/sleep", "1000")
		a.child.Stderr = os.NewFile(2, "stderr")
		if err := a.child.Start(); err != nil {
			return core.Outcome{}, err
		}
		return facts("child", strconv.Itoa(a.child.Process.Pid)), nil
	case "escape":
		a.child = exec.Command("/bin/sleep", task.ID)
		a.child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return facts(), a.child.Start()
	case "keep":
		a.kept = s.Services
		return facts(), nil
	case "use kept":
		return core.Outcome{}, a.kept.Commit(ctx, "submit", nil)
	case "commit and die":
		go s.Services.Commit(ctx, "submit", nil)
		if _, err := s.Services.Asset(ctx, "avatar", core.Fit{}); err != nil {
			return core.Outcome{}, err
		}
		os.Exit(7)
	case "huge":
		return facts("huge", strings.Repeat("x", 17<<20)), nil
	case "liar":
		return core.Outcome{Status: "perfect"}, nil
	case "environ":
		return facts("now", strings.Join(os.Environ(), "\n"), "start", strings.Join(a.environ, "\n")), nil
	case "identity":
		status, err := os.ReadFile("/proc/thread-self/status")
		cwd, cerr := os.Getwd()
		stdin, serr := os.Readlink("/proc/self/fd/0")
		o := facts("status", string(status), "cwd", cwd, "stdin", stdin)
		return o, errors.Join(err, cerr, serr)
	}
	return core.Outcome{}, core.ErrNoPhase
}

func readFile(ref plugins.DriverRef, name string) (string, error) {
	f, err := ref.Lib.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadString('\n')
	return line, err
}

// useServices calls each service and reports what came back.
func useServices(ctx context.Context, s core.Services) (core.Outcome, error) {
	o := facts()
	deadline, ok := ctx.Deadline()
	if !ok {
		return o, errors.New("no deadline crossed the border")
	}
	err := s.Commit(ctx, "submit", core.Facts{"password": core.Secret("chosen")})
	err = errors.Join(err, s.Committed(ctx, "submit"))
	m, merr := s.Mail(ctx, core.MailQuery{Code: "6", Within: time.Minute})
	code, terr := s.TOTP(ctx)
	path, aerr := s.Asset(ctx, "avatar", core.Fit{MaxKB: 9, Formats: []string{"png"}})
	answer, herr := s.Human(ctx, core.Ask{Kind: core.AskAnswer, Code: core.OTPSMS, Say: "which code?"})
	err = errors.Join(err, merr, terr, aerr, herr, s.EnrolTOTP(ctx, core.Secret("JBSW")), s.Shot(ctx, "end"))
	s.Log(ctx, slog.LevelWarn, "used all", "left", time.Until(deadline) > 0)
	o.Facts["code"], o.Facts["totp"], o.Facts["asset"], o.Facts["answer"], o.Facts["from"] = m.Code, code, core.Text(path), answer.Text, core.Text(m.From)
	return o, err
}

// hostMain is a host that is going to be killed: it prints the pid of its worker
// in the middle of a run that never ends.
func hostMain() {
	h, err := New(Options{Command: []string{"/proc/self/exe", "worker"}, Sources: sourceOf})
	check(err)
	s := &services{logged: func() { fmt.Println(pidOf(h), h.run.path) }}
	_, err = h.Slot("1").Run(context.Background(), binding, core.Register, order("hang"), core.Session{Services: s})
	check(err)
}

func order(do string) core.Task {
	return core.Task{ID: "t1", Options: map[string]any{"do": do}}
}

// services record what was asked, and answer as told.
type services struct {
	mu     sync.Mutex
	calls  []string
	commit func(context.Context) error
	human  func(context.Context) error
	asset  func()
	logged func()
}

func (s *services) saw(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, fmt.Sprintf(format, args...))
}

func (s *services) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *services) Commit(ctx context.Context, name string, f core.Facts) error {
	s.saw("commit %s %s", name, f["password"].Reveal())
	if s.commit != nil {
		return s.commit(ctx)
	}
	return nil
}

func (s *services) Committed(_ context.Context, name string) error {
	s.saw("committed %s", name)
	return nil
}

func (s *services) Mail(_ context.Context, q core.MailQuery) (core.MailMessage, error) {
	s.saw("mail %s %v", q.Code, q.Within)
	return core.MailMessage{Code: core.Secret("123456"), From: "board@example.org"}, nil
}

func (s *services) TOTP(context.Context) (core.Value, error) {
	s.saw("totp")
	return core.Secret("654321"), nil
}

func (s *services) EnrolTOTP(_ context.Context, v core.Value) error {
	s.saw("enrol %s %v", v.Reveal(), v.IsSecret())
	return nil
}

func (s *services) Asset(_ context.Context, name string, fit core.Fit) (string, error) {
	s.saw("asset %s %d %v", name, fit.MaxKB, fit.Formats)
	if s.asset != nil {
		s.asset()
	}
	return "/files/" + name, nil
}

func (s *services) Human(ctx context.Context, ask core.Ask) (core.Answer, error) {
	s.saw("human %s %s %s", ask.Kind, ask.Code, ask.Say)
	if s.human != nil {
		return core.Answer{}, s.human(ctx)
	}
	return core.Answer{Text: core.Secret("4711"), By: "ann"}, nil
}

func (s *services) Log(_ context.Context, level slog.Level, msg string, args ...any) {
	s.saw("log %v %s %v", level, msg, args)
	if s.logged != nil {
		s.logged()
	}
}

func (s *services) Shot(_ context.Context, label string) error {
	s.saw("shot %s", label)
	return nil
}
