//go:build !linux

package browser

import (
	"os"
	"syscall"
)

// procAttr starts the browser as the leader of a process group of its own, as u
// when we are root.
func procAttr(u User) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		a.Credential = &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.GID), Groups: []uint32{}}
	}
	return a
}

// await returns when the process has ended and its group was killed.
func (p *process) await() error {
	err := p.cmd.Wait()
	close(p.dead)
	p.kill("")
	return err
}

// What this system does not have: a promise to gain no privileges, process
// files, shared memory of a set size, namespaces.
func forbidPrivileges() error  { return nil }
func groupMemory(pgid int) int { return 0 }
func smallShm() bool           { return false }
func userNamespaces() string   { return "" }
