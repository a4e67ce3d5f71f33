package realsites

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// keeper is a process that outlives this one: when its input ends it kills the
// process groups that it was told of and removes the directory.
type keeper struct {
	cmd *exec.Cmd
	in  io.WriteCloser

	mu        sync.Mutex
	processes []*process
}

const keeping = `g=
while read -r p; do g="$g -$p"; done
for p in $g; do kill -s KILL -- "$p" 2>/dev/null; done
n=0
until rm -rf -- "$1" 2>/dev/null || [ $n -ge 50 ]; do n=$((n + 1)); sleep 0.1; done
[ ! -e "$1" ]`

func watch(dir string) (*keeper, error) {
	cmd := exec.Command("/bin/sh", "-c", keeping, "sh", dir)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a signal to our group does not reach it
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the watch over %s: %w", dir, err)
	}
	return &keeper{cmd: cmd, in: in}, nil
}

// add has the group of the process killed at the end.
func (k *keeper) add(pid int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fmt.Fprintln(k.in, pid) // the keeper can only have ended because something ended it: then close reports
}

func (k *keeper) started(p *process) {
	k.add(p.cmd.Process.Pid)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.processes = append(k.processes, p)
}

// close ends everything and waits until the directory is gone.
func (k *keeper) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := len(k.processes) - 1; i >= 0; i-- {
		k.processes[i].end()
	}
	k.in.Close()
	if err := k.cmd.Wait(); err != nil {
		return fmt.Errorf("remove the site's directory: %w", err)
	}
	return nil
}
