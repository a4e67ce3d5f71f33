//go:build linux

package external

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
)

// Plugin is a driver that is a program of its own, pinned by its checksum. A
// slot of its host runs it for a binding that has its digest.
type Plugin struct {
	host    *Host
	program *program
	digest  string
}

// Plugin makes the program at path usable when its SHA-256, 64 hexadecimal
// digits, is sum. It is copied below the state directory under its checksum, and
// the copy is what runs, whatever becomes of the file at path.
func (h *Host) Plugin(path, sum string) (*Plugin, error) {
	sum = strings.ToLower(sum)
	if b, err := hex.DecodeString(sum); err != nil || len(b) != sha256.Size {
		return nil, fmt.Errorf("plugin %s: its sha256 is not 64 hexadecimal digits", path)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errClosed
	}
	pr, ok := h.plugins[sum]
	if !ok {
		file, err := pin(path, sum, filepath.Join(h.opt.StateDir, "plugins"))
		if err != nil {
			return nil, err
		}
		pr = &program{
			name: "plugin " + filepath.Base(path), path: file.Name(), args: []string{path}, foreign: true,
		}
		if os.Geteuid() == 0 {
			pr.file = file
		} else if err := file.Close(); err != nil {
			return nil, err
		}
		h.plugins[sum] = pr
	}
	return &Plugin{host: h, program: pr, digest: sum}, nil
}

// Digest is the checksum, as a core.Binding carries it.
func (p *Plugin) Digest() string { return p.digest }

// Manifest starts the plugin and asks for its manifest.
func (p *Plugin) Manifest(ctx context.Context) (core.Manifest, error) {
	if a := p.host.at(core.Binding{Digest: p.digest}); a != nil {
		return a.client.Manifest(ctx, plugins.DriverRef{})
	}
	return p.host.manifest(ctx, p.program, plugins.DriverRef{})
}

// pin returns the copy of path in dir that has the checksum, made when there is
// no sound one.
func pin(path, sum, dir string) (*os.File, error) {
	src, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("plugin %s: there is no such file; build it, or correct path in [[plugin]]", path)
	}
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", path, err)
	}
	defer src.Close()
	if info, err := src.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("plugin %s: it is not a file", path), err)
	}
	if err := runnable(src); err != nil {
		return nil, fmt.Errorf("plugin %s: %w", path, err)
	}
	have, err := digest(src)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", path, err)
	}
	if have != sum {
		return nil, fmt.Errorf("plugin %s: its SHA-256 is %s, not the %s of the configuration; if you trust the new file, put its sum there", path, have, sum)
	}
	name := filepath.Join(dir, sum)
	if f, err := os.Open(name); err == nil {
		if have, err := digest(f); err == nil && have == sum {
			return f, nil
		}
		f.Close()
	}
	if err := store(src, sum, dir); err != nil {
		return nil, fmt.Errorf("plugin %s: copying it to %s: %w", path, dir, err)
	}
	return os.Open(name)
}

// runnable refuses what can't be a plugin. A script is none: its checksum would
// say nothing of the interpreter that runs it.
func runnable(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o111 == 0 {
		return errors.New("it is not executable; chmod +x it")
	}
	var head [2]byte
	if n, err := f.ReadAt(head[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	} else if string(head[:n]) == "#!" {
		return errors.New("it is a script, and a plugin is a program: name the program, or write the driver in Lua")
	}
	return nil
}

// store copies src, checking what is written.
func store(src *os.File, sum, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return err
	}
	mode := os.FileMode(0o500)
	if os.Geteuid() == 0 {
		mode = 0o555 // for the unprivileged user that is given the descriptor; nobody else gets into dir
	}
	// See copyBinary.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	w, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(w.Name()))
		}
	}()
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(w, hash), src)
	if err = errors.Join(err, w.Chmod(mode), w.Sync(), w.Close()); err != nil {
		return err
	}
	if hex.EncodeToString(hash.Sum(nil)) != sum {
		return errors.New("the file changed while it was copied")
	}
	return os.Rename(w.Name(), filepath.Join(dir, sum))
}

// digest is the SHA-256 of f from where it stands.
func digest(f *os.File) (string, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
