package realsites

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// account is who the software runs as: www-data under root, else whoever runs us.
type account struct {
	root     bool
	uid, gid int
}

func unprivileged() (*account, error) {
	if os.Getuid() != 0 {
		return &account{}, nil
	}
	u, err := user.Lookup("www-data")
	if err != nil {
		return nil, fmt.Errorf("under root the sites run as www-data: %w", err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	return &account{root: true, uid: uid, gid: gid}, errors.Join(err1, err2)
}

// attr puts a process into a group of its own, as the account.
func (a *account) attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.root {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid), Groups: []uint32{}}
	}
	return attr
}

// own hands a file over to the account.
func (a *account) own(path string) error {
	if !a.root {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}

// enters reports whether the account can reach dir.
func (a *account) enters(dir string) error {
	cmd := exec.Command("/bin/sh", "-c", `cd "$1"`, "sh", dir)
	cmd.Dir, cmd.SysProcAttr = "/", a.attr()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the user www-data can't enter %s: its parents need the mode 0711 or more", dir)
	}
	return nil
}
