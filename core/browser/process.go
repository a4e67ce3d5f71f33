package browser

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-rod/rod/lib/proto"
)

// ErrNoSandbox is returned when Chromium can't make its sandbox here. It is
// never left out by itself.
var ErrNoSandbox = errors.New("Chromium can't start its sandbox, because this machine gives it no user namespaces")

// starter starts processes from one thread that lives as long as they may: the
// kernel kills them when it ends.
type starter struct {
	jobs chan func()
	once sync.Once
}

func newStarter() (*starter, error) {
	s := &starter{jobs: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ready <- forbidPrivileges()
		for job := range s.jobs {
			job()
		}
	}()
	if err := <-ready; err != nil {
		s.end()
		return nil, fmt.Errorf("start the browser: no-new-privs: %w", err)
	}
	return s, nil
}

func (s *starter) start(cmd *exec.Cmd) error {
	done := make(chan error)
	s.jobs <- func() { done <- cmd.Start() }
	return <-done
}

func (s *starter) end() { s.once.Do(func() { close(s.jobs) }) }

// process is one running Chromium.
type process struct {
	cmd      *exec.Cmd
	endpoint string // ws://127.0.0.1:PORT/devtools/browser/ID
	control  *control
	profile  *profile
	agent    string // its User-Agent
	began    time.Time
	dead     chan struct{} // closed when the process has ended
	gone     chan struct{} // closed when nothing of it is left, profile included

	mu     sync.Mutex
	reaped bool
	why    string // of the kill; empty while nobody has killed it

	// Guarded by Chromium.mu.
	open   int // contexts
	opened int // contexts ever
	worn   bool
}

// startProcess starts a browser and connects to it. The process does not
// outlive an error.
func startProcess(ctx context.Context, s *starter, o Options, program string, shell bool, root string) (*process, error) {
	prof, err := newProfile(root, *o.User)
	if err != nil {
		return nil, err
	}
	errRead, errWrite, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the browser: %w", err), prof.remove())
	}
	cmd := exec.Command(program, flags(o, prof.path, shell, smallShm())...)
	cmd.Dir = prof.path
	cmd.Env = environment(prof.path)
	cmd.Stderr = errWrite
	cmd.SysProcAttr = procAttr(*o.User)
	p := &process{cmd: cmd, profile: prof, began: time.Now(), dead: make(chan struct{}), gone: make(chan struct{})}
	err = s.start(cmd)
	errWrite.Close()
	if err != nil {
		errRead.Close()
		return nil, errors.Join(startError(err, program, *o.User), prof.remove())
	}
	said := newSayings(errRead)
	go p.reap(o, said)

	ctx, cancel := context.WithTimeout(ctx, o.StartWithin)
	defer cancel()
	fail := func(err error) (*process, error) {
		p.kill("it did not start")
		<-p.gone
		return nil, err
	}
	select {
	case p.endpoint = <-said.endpoint:
	case <-p.dead:
		<-p.gone
		return nil, said.explain(program)
	case <-ctx.Done():
		return fail(fmt.Errorf("start the browser: %s gave no DevTools address within %s: %w", program, o.StartWithin, ctx.Err()))
	}
	c, err := dialControl(ctx, p.endpoint)
	if err != nil {
		return fail(fmt.Errorf("start the browser: %w", err))
	}
	p.mu.Lock()
	p.control = c
	p.mu.Unlock()
	version, err := proto.BrowserGetVersion{}.Call(c.on(ctx, ""))
	if err != nil {
		return fail(fmt.Errorf("start the browser: %w", err))
	}
	p.agent = version.UserAgent
	return p, nil
}

// environment is all that the browser gets of ours.
func environment(home string) []string {
	env := []string{
		"HOME=" + home, "TMPDIR=" + home + "/tmp", "XDG_CONFIG_HOME=" + home + "/.config",
		"XDG_CACHE_HOME=" + home + "/.cache", "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8",
		"DBUS_SESSION_BUS_ADDRESS=disabled:", "GOOGLE_API_KEY=no",
	}
	for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "TZ", "FONTCONFIG_PATH"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func startError(err error, program string, u User) error {
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("start %s as user %d: %w; this machine does not allow that id; run rollcall as an ordinary user instead", program, u.UID, err)
	}
	return fmt.Errorf("start the browser: %w", err)
}

// reap waits for the process, ends the rest of its group and removes its profile.
func (p *process) reap(o Options, said *sayings) {
	err := p.await()
	p.mu.Lock()
	p.reaped = true
	why, c := p.why, p.control
	p.mu.Unlock()
	said.close()
	if why == "" {
		o.Logger.Warn("the browser ended by itself", "pid", p.cmd.Process.Pid, "how", fmt.Sprint(err), "said", said.last())
	}
	if err := p.profile.remove(); err != nil {
		o.Logger.Warn("the browser's profile could not be removed", "path", p.profile.path, "err", err)
	}
	if c != nil {
		c.close()
	}
	close(p.gone)
}

// kill ends the whole process group. The first reason given is kept.
func (p *process) kill(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.why == "" {
		p.why = why
	}
	if !p.reaped {
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// killed says why the process was killed, "" when it was not.
func (p *process) killed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

func (p *process) ended() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

// guard kills the process when it does not answer by its deadline: a stopped
// browser would hold every call on it.
func (p *process) guard(o Options, tick func()) {
	t := time.NewTicker(o.HealthEvery)
	defer t.Stop()
	for {
		select {
		case <-p.dead:
			return
		case <-t.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), o.HealthWithin)
		_, err := proto.BrowserGetVersion{}.Call(p.control.on(ctx, ""))
		cancel()
		if err != nil && !p.ended() {
			o.Logger.Warn("the browser does not answer and is killed", "pid", p.cmd.Process.Pid, "within", o.HealthWithin)
			p.kill("it did not answer")
			return
		}
		tick()
	}
}

// sayings reads what the browser prints: its DevTools address, and the last
// lines for an error.
type sayings struct {
	endpoint chan string
	pipe     *os.File
	done     chan struct{}

	mu    sync.Mutex
	lines []string
}

const keepLines = 20

func newSayings(pipe *os.File) *sayings {
	s := &sayings{endpoint: make(chan string, 1), pipe: pipe, done: make(chan struct{})}
	go s.listen()
	return s
}

func (s *sayings) listen() {
	defer close(s.done)
	r := bufio.NewReaderSize(s.pipe, 4096)
	for {
		line, err := r.ReadSlice('\n') // a line that is longer comes in pieces
		if text := strings.TrimSpace(string(line)); text != "" {
			if at, ok := strings.CutPrefix(text, "DevTools listening on "); ok {
				select {
				case s.endpoint <- at:
				default:
				}
			}
			s.mu.Lock()
			s.lines = append(s.lines[max(0, len(s.lines)-keepLines+1):], text)
			s.mu.Unlock()
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			io.Copy(io.Discard, s.pipe)
			return
		}
	}
}

// close ends the listening, also when a process still holds the other end.
func (s *sayings) close() {
	s.pipe.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	<-s.done
	s.pipe.Close()
}

// last is the last line that tells something.
func (s *sayings) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.lines) - 1; i >= 0; i-- {
		if strings.Contains(s.lines[i], "FATAL") || i == 0 {
			return clip(s.lines[i])
		}
	}
	return ""
}

func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r > 0x7e {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 300)]
}

// explain makes an error of what a browser said that ended before it was ready.
func (s *sayings) explain(program string) error {
	s.mu.Lock()
	all := strings.Join(s.lines, "\n")
	s.mu.Unlock()
	for _, sign := range []string{"No usable sandbox", "Failed to move to new namespace", "setuid sandbox"} {
		if strings.Contains(all, sign) {
			advice := userNamespaces()
			if advice == "" {
				advice = "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1; in a container, its seccomp profile)"
			}
			return fmt.Errorf("%w: %s, or set sandbox = false in [browser] to run sites' code without it", ErrNoSandbox, advice)
		}
	}
	return fmt.Errorf("start the browser: %s ended at once: %s", program, s.last())
}
