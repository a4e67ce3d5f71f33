package drivers

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Script is one version of a driver.
type Script struct {
	Name     string // the file's name without .lua
	Path     string // of the file; "bundled/NAME.lua" for one in the binary
	Bundled  bool
	Text     []byte // nil for a program
	Lib      fs.FS  // lib/… as it was when the script was loaded; nil for a program
	Digest   string // of the text and the lib files it requires, or of the program
	Manifest core.Manifest
	Program  bool // a plugin: Path is its binary
}

// Loader reads a script's manifest strictly and without effects. It gives the
// digest of the text and of the lib files that it requires.
type Loader func(s Script) (m core.Manifest, digest string, err error)

// Bounds of what is read.
const (
	maxScript = 64 << 10 // bytes; longer files are cut one byte above, and so refused by the loader
	maxLibs   = 4 << 20  // bytes of all lib files of a folder
)

// stamp tells whether a file changed without reading it.
type stamp struct {
	size int64
	mod  time.Time
}

// source is one folder of scripts, on disk or in the binary.
type source struct {
	dir     string // "" for the bundled ones
	fsys    fs.FS
	bundled bool
}

func (s source) path(name string) string {
	if s.bundled {
		return "bundled/" + name
	}
	return filepath.Join(s.dir, filepath.FromSlash(name))
}

// list gives the scripts of the folder by file name; a folder that does not
// exist has none.
func (s source) list() (map[string]stamp, error) {
	entries, err := fs.ReadDir(s.fsys, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[string]stamp{}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || !strings.HasSuffix(name, ".lua") || strings.HasPrefix(name, ".") {
			continue
		}
		info, err := fs.Stat(s.fsys, name)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		out[name] = stamp{info.Size(), info.ModTime()}
	}
	return out, nil
}

// read reads a file into room, or elsewhere when that is too small.
func (s source) read(name string, room []byte) ([]byte, error) {
	f, err := s.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n, err := io.ReadFull(f, room)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return room[:n:n], nil
	}
	if err != nil {
		return nil, err
	}
	next := make([]byte, 1)
	switch _, err := io.ReadFull(f, next); err {
	case nil:
	case io.EOF:
		return room[:n:n], nil
	default:
		return nil, err
	}
	more, err := io.ReadAll(io.LimitReader(f, maxScript-int64(n)))
	return slices.Concat(room, next, more), err
}

// libraries are the lib files of the folders as they are now: an own file hides
// the bundled one of its name.
type libraries struct {
	fs     archive
	digest string
}

// archive is a file system that is at hand as a zip archive, a plugins.Zipped.
type archive struct {
	*zip.Reader
	data []byte
}

// Zip is the archive; it is not changed.
func (a archive) Zip() []byte { return a.data }

func readLibraries(sources []source) (libraries, error) {
	files := map[string][]byte{}
	total := 0
	for _, src := range sources { // the first folder wins
		err := fs.WalkDir(src.fsys, "lib", func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				return err
			}
			if d.IsDir() || !strings.HasSuffix(p, ".lua") || files[p] != nil {
				return nil
			}
			text, err := src.read(p, nil)
			if err != nil {
				return err
			}
			if total += len(text); total > maxLibs {
				return fmt.Errorf("%s: the lib files have more than %d bytes", src.path("lib"), maxLibs)
			}
			files[p] = text
			return nil
		})
		if err != nil {
			return libraries{}, err
		}
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	var b bytes.Buffer
	h := sha256.New()
	w := zip.NewWriter(&b)
	for _, name := range names {
		// Not compressed: it crosses to processes of this machine, and is read for every script.
		f, err := w.CreateHeader(&zip.FileHeader{Name: path.Clean(name), Method: zip.Store})
		if err == nil {
			_, err = f.Write(files[name])
		}
		if err != nil {
			return libraries{}, err
		}
		fmt.Fprintf(h, "%s %d\n", name, len(files[name]))
		h.Write(files[name])
	}
	if err := w.Close(); err != nil {
		return libraries{}, err
	}
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	return libraries{archive{r, b.Bytes()}, hex.EncodeToString(h.Sum(nil))}, err
}

// sources are the folders in the order in which they win.
func sources(dirs []string, bundled fs.FS) []source {
	var out []source
	for _, d := range dirs {
		out = append(out, source{dir: d, fsys: os.DirFS(d)})
	}
	if bundled != nil {
		out = append(out, source{fsys: bundled, bundled: true})
	}
	return out
}
