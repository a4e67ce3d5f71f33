//go:build linux

package external

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// program is a binary that can be started any number of times.
type program struct {
	name    string // in messages
	path    string // what is executed, unless file is set
	file    *os.File
	args    []string
	foreign bool   // not ours: the connection is authenticated by certificates
	cure    string // what to do when it speaks another version; a plugin has to be rebuilt
	series  series // of its deaths, when it is foreign
}

// open makes the binary at path ready. A root runner keeps a descriptor of it,
// for which the directories above don't count, and of a copy below dir when the
// file itself is not for everyone to execute.
func (p *program) open(path, dir string) error {
	if path == "/proc/self/exe" {
		p.args[0] = os.Args[0]
	}
	f, err := os.Open(path)
	if err != nil {
		return errors.New(p.startError(err))
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = fmt.Errorf("%s is a directory", path)
	case info.Mode().Perm()&0o111 == 0:
		err = fmt.Errorf("%s is not executable; chmod +x it", path)
	}
	if err != nil {
		return errors.Join(errors.New(p.startError(err)), f.Close())
	}
	p.path = path
	if os.Geteuid() != 0 {
		return f.Close()
	}
	if info.Mode().Perm()&0o001 == 0 {
		c, err := copyBinary(f, dir)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("copying %s so that an unprivileged user can execute it: %w", path, err)
		}
		f = c
	}
	p.file = f
	return nil
}

// copyBinary makes a copy without a name, executable by everyone who is given
// the descriptor.
func copyBinary(src *os.File, dir string) (_ *os.File, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// A fork in between would hold the file open for writing, and then it can't
	// be executed.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	w, err := os.CreateTemp(dir, "worker-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(w.Name())) }()
	_, err = io.Copy(w, src)
	if err = errors.Join(err, w.Chmod(0o555), w.Close()); err != nil {
		return nil, err
	}
	return os.Open(w.Name())
}

// startError says in one line why the program can't be started at all.
func (p *program) startError(err error) string {
	path := p.path
	if (path == "" || p.foreign) && len(p.args) > 0 {
		path = p.args[0]
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("%s can't be started: there is no file %s", p.name, path)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Sprintf("%s can't be started: %s is not a program for this machine", p.name, path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("%s can't be started: %s may not be executed here (mode, or a file system mounted noexec)", p.name, filepath.Clean(path))
	}
	return fmt.Sprintf("%s can't be started: %v", p.name, err)
}

func (p *program) close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}
