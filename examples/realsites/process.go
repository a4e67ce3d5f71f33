package realsites

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// process is a server of a site, in a process group of its own.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process ended
	read   chan struct{} // closed when its output ended, so with its last child

	mu    sync.Mutex
	lines []string
}

// start starts a server as the site's user and waits until it says that it is up.
func (b *setup) start(ctx context.Context, up, name string, args ...string) (*process, error) {
	out, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = b.Dir, b.env, b.user.attr()
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		out.Close()
		return nil, err
	}
	p := &process{cmd: cmd, exited: make(chan struct{}), read: make(chan struct{})}
	b.keeper.started(p)
	ready := make(chan struct{})
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // how it ended is in its output
	}()
	go func() {
		defer close(p.read)
		defer out.Close()
		p.follow(out, up, ready)
	}()
	select {
	case <-ready:
		return p, nil
	case <-p.exited:
		<-p.read
		return nil, fmt.Errorf("%s ended: %s", name, p.tail())
	case <-ctx.Done():
		return nil, fmt.Errorf("%s did not come up: %w: %s", name, context.Cause(ctx), p.tail())
	}
}

// end kills the group and waits for its last process to be gone.
func (p *process) end() {
	_ = killGroup(p.cmd.Process.Pid) // ESRCH: it has ended
	<-p.exited
	<-p.read
}

func killGroup(pid int) error {
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

const kept = 60 // lines of a server's output

func (p *process) follow(out io.Reader, up string, ready chan struct{}) {
	r := bufio.NewReader(out)
	for isUp := false; ; {
		line, err := r.ReadString('\n')
		line = strings.TrimRight(line, "\r\n")
		if line != "" && !strings.HasSuffix(line, " Accepted") && !strings.HasSuffix(line, " Closing") {
			p.mu.Lock()
			if p.lines = append(p.lines, line); len(p.lines) > kept {
				p.lines = p.lines[1:]
			}
			p.mu.Unlock()
			if !isUp && strings.Contains(line, up) {
				isUp = true
				close(ready)
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *process) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}
