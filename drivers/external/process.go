//go:build linux

package external

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
)

// killReason says why a process was killed; the first one counts.
type killReason int32

const (
	killMemory killReason = iota + 1
	killOutput
	killOverrun
	killClosed
	killBroken
	killIdle
	killSick
)

// drainTime is how long the output of a dead process is waited for; only a
// descendant that left the group could hold it open.
const drainTime = 500 * time.Millisecond

// process is one worker or plugin process. It is go-plugin's runner.Runner, so
// that its start, its streams and its end are in one place.
type process struct {
	host    *Host
	program *program
	id      int // index of the user id, -1 to stay who we are
	begun   time.Time
	cmd     *exec.Cmd
	dir     string // of its sockets
	out     *stream
	err     *stream
	tail    tail
	spoken  spoken
	counted bool            // its death is in the series; of the one who has the slot's turn
	life    context.Context // ends with the process
	ended   context.CancelFunc
	written atomic.Int64
	statm   statm
	client  *goplugin.Client
	remote  *plugins.Client

	mu      sync.Mutex
	pid     int
	why     killReason
	reaped  bool
	state   *os.ProcessState
	drained chan struct{} // the output was read to its end
	exited  chan struct{} // reaped, state is set
	gone    chan struct{} // nothing of it is left
}

var _ runner.Runner = (*process)(nil)

func newProcess(h *Host, pr *program, id int) *process {
	life, ended := context.WithCancel(context.Background())
	return &process{
		host: h, program: pr, id: id, begun: h.now(), life: life, ended: ended,
		drained: make(chan struct{}), exited: make(chan struct{}), gone: make(chan struct{}),
	}
}

// start starts the process and connects to it. After an error it is gone.
func (p *process) start(ctx context.Context) error {
	o := p.host.opt
	config := &goplugin.ClientConfig{
		HandshakeConfig:  plugins.Handshake,
		VersionedPlugins: plugins.Contracts(p.host.contract),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		GRPCDialOptions:  plugins.DialOptions(),
		StartTimeout:     o.StartTimeout,
		SkipHostEnv:      true,
		AutoMTLS:         p.program.foreign,
		Logger:           hclog.NewNullLogger(),
		SyncStdout:       p,
		SyncStderr:       p,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: p.host.run.path},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, dir string) (runner.Runner, error) {
			p.prepare(cmd)
			p.dir = dir
			return p, nil
		},
	}
	if p.id >= 0 {
		config.UnixSocketConfig.Group = strconv.Itoa(int(o.Users.GID) + p.id)
	}
	p.client = goplugin.NewClient(config)
	stop := context.AfterFunc(ctx, func() { p.kill(killOverrun) })
	defer stop()
	protocol, err := p.client.Client()
	if err == nil {
		var raw any
		if raw, err = protocol.Dispense(plugins.DriverName); err == nil {
			p.remote = raw.(*plugins.Client)
			p.remote.OnLog(p.count)
		}
	}
	if err == nil && stop() {
		health := grpc_health_v1.NewHealthClient(protocol.(*goplugin.GRPCClient).Conn)
		p.host.reaps.Go(func() {
			monitor(p.life, o.HealthEvery, o.HealthWithin, func(ctx context.Context) error {
				_, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: goplugin.GRPCServiceName})
				return err
			}, func() { p.kill(killSick) })
		})
		return nil
	}
	if err == nil {
		err = ctx.Err()
	}
	p.kill(killBroken)
	if !p.started() {
		p.ended()
		_ = os.RemoveAll(p.dir) // the run directory goes as a whole in the end
		close(p.gone)
		if p.reason() == killClosed {
			return &core.Fault{Code: core.Cancelled, Why: errClosed.Error()}
		}
		return &core.Fault{Code: core.Crashed, Why: p.program.startError(err)}
	}
	<-p.gone
	return p.badStart(err)
}

// prepare fills in the command that go-plugin made for the runner.
func (p *process) prepare(cmd *exec.Cmd) {
	pr := p.program
	cmd.Path, cmd.Args, cmd.Dir, cmd.Stdin = pr.path, pr.args, "/", nil
	cmd.Env = append([]string{"GOTRACEBACK=none"}, append(cmd.Env, p.host.opt.Env...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if p.id >= 0 {
		u := p.host.opt.Users
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: u.UID + uint32(p.id), Gid: u.GID + uint32(p.id)}
		if pr.foreign {
			// What it starts dies with it, even outside its process group.
			cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
		}
	}
	if pr.file != nil {
		// The first extra file is descriptor 3 of the child.
		cmd.Path, cmd.ExtraFiles = "/proc/self/fd/3", []*os.File{pr.file}
	}
	p.cmd = cmd
}

// Start forks and executes.
func (p *process) Start(context.Context) error {
	outR, outW, err := os.Pipe()
	if err != nil {
		return err
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return errors.Join(err, outR.Close(), outW.Close())
	}
	p.cmd.Stdout, p.cmd.Stderr = outW, errW
	p.mu.Lock()
	err = errClosed
	if p.why == 0 {
		err = p.host.forker.do(p.cmd.Start)
	}
	if err == nil {
		p.pid = p.cmd.Process.Pid
	}
	p.mu.Unlock()
	if werr := errors.Join(outW.Close(), errW.Close()); err == nil && werr != nil {
		err = werr
	}
	if err != nil && p.pid == 0 {
		return errors.Join(err, outR.Close(), errR.Close())
	}
	p.out, p.err = &stream{file: outR, p: p, first: new(bytes.Buffer)}, &stream{file: errR, p: p}
	p.host.reaps.Go(p.reap)
	return err
}

// reap waits for the process, ends its group while its pid can't be given to
// another one yet, and clears up behind it.
func (p *process) reap() {
	for {
		err := unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			break
		}
	}
	p.mu.Lock()
	// The group may be empty already.
	_ = unix.Kill(-p.pid, unix.SIGKILL)
	p.mu.Unlock()
	drain := time.NewTimer(drainTime)
	select {
	case <-p.drained:
		drain.Stop()
	case <-drain.C:
	}
	// Closing wakes a reader whom a descendant outside the group would keep waiting.
	p.out.file.Close()
	p.err.file.Close()
	p.mu.Lock()
	_ = p.cmd.Wait() // its result is in ProcessState
	p.state, p.reaped = p.cmd.ProcessState, true
	p.mu.Unlock()
	p.ended()
	p.statm.close()
	close(p.exited)
	p.client.Kill() // waits for go-plugin's goroutines, and removes the sockets
	close(p.gone)
}

// kill ends the group; only the first reason is kept.
func (p *process) kill(why killReason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return
	}
	if p.why == 0 && !p.zombie() {
		p.why = why
	}
	if p.pid != 0 {
		_ = unix.Kill(-p.pid, unix.SIGKILL)
	}
}

// zombie reports whether the process has ended by itself already.
func (p *process) zombie() bool {
	if p.pid == 0 {
		return false
	}
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, p.pid, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	return err == nil && info.Signo != 0
}

func (p *process) reason() killReason {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

func (p *process) started() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid != 0
}

func (p *process) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why == 0 && !p.reaped && p.pid != 0 && !p.zombie()
}

// await waits for the end of the process, at most d.
func (p *process) await(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.exited:
	case <-t.C:
	}
}

// begin opens a new account of what the process writes.
func (p *process) begin() {
	p.written.Store(0)
	p.tail.reset()
}

// Write takes what the process wrote to its standard streams after the handshake.
func (p *process) Write(b []byte) (int, error) {
	p.count(len(b))
	p.spoken.write(fromRemote, b)
	return p.tail.Write(b)
}

func (p *process) count(n int) {
	if p.written.Add(int64(n)) > p.host.opt.OutputLimit {
		p.kill(killOutput)
	}
}

// badStart says in one line why a process that ran did not become a driver.
func (p *process) badStart(err error) error {
	f := &core.Fault{Code: core.DriverError, Detail: p.tail.String()}
	name := p.program.name
	line, _, whole := strings.Cut(p.out.first.String(), "\n")
	parts := strings.Split(line, "|")
	version, verr := 0, errors.New("no handshake")
	if len(parts) >= 5 {
		version, verr = strconv.Atoi(parts[1])
	}
	switch {
	case p.reason() == killClosed:
		f.Code, f.Why = core.Cancelled, errClosed.Error()
	case line == "" && !p.shot():
		f.Code, f.Why = exit(name, p)
		f.Why += " before the handshake"
	case line != "" && verr != nil:
		f.Why = fmt.Sprintf("%s printed %.80q before the handshake; nothing may be written to standard output before plugins.Serve", name, line)
	case whole && plugins.Mismatch(name, version, p.host.contract, p.program.cure) != "":
		f.Why = plugins.Mismatch(name, version, p.host.contract, p.program.cure)
	case whole && parts[4] != string(goplugin.ProtocolGRPC):
		f.Why = fmt.Sprintf("%s speaks %.20q, not grpc; %s", name, parts[4], cmp.Or(p.program.cure, plugins.Rebuild))
	case line == "":
		f.Code, f.Why = core.Timeout, fmt.Sprintf("%s did not shake hands within %v", name, p.host.opt.StartTimeout)
	default:
		f.Code = core.Crashed
		text, _, _ := strings.Cut(err.Error(), "\n")
		f.Why = name + " did not start: " + text
	}
	return f
}

// shot reports whether SIGKILL is what ended the process.
func (p *process) shot() bool {
	ws, ok := p.state.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
}

// The rest of runner.Runner.

// Wait is called when the output was read to its end.
func (p *process) Wait(context.Context) error {
	close(p.drained)
	<-p.exited
	return nil
}

// Kill is go-plugin's way to kill.
func (p *process) Kill(context.Context) error { p.kill(killBroken); return nil }

// ID is the pid, empty when there never was a process.
func (p *process) ID() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 {
		return ""
	}
	return strconv.Itoa(p.pid)
}

func (p *process) Stdout() io.ReadCloser           { return p.out }
func (p *process) Stderr() io.ReadCloser           { return p.err }
func (p *process) Name() string                    { return p.program.name }
func (p *process) Diagnose(context.Context) string { return "" }

func (p *process) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

func (p *process) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}
