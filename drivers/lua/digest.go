package lua

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// maxLibs bounds the lib files of one script.
const maxLibs = 32

var libName = regexp.MustCompile(`^lib(\.[a-z0-9_]+)+$`)

// Digest is the SHA-256 of the script and of the lib files it requires. It parses
// and runs nothing: whether the script is sound is for Load to say. The error is a
// *LoadError.
func Digest(src Source) (string, error) {
	libs, err := required(src)
	if err != nil {
		return "", err
	}
	return digest(src.Text, libs), nil
}

// required reads the lib files that the source and those files require, by the
// name that require gets. One that does not exist is left out.
func required(src Source) (map[string][]byte, *LoadError) {
	libs := map[string][]byte{}
	type file struct {
		path string
		text []byte
	}
	queue := []file{{src.file(), src.Text}}
	for len(queue) > 0 {
		f := queue[0]
		queue = queue[1:]
		for _, r := range requirements(f.text) {
			if _, have := libs[r.name]; have {
				continue
			}
			text, err := readLib(src.Lib, libFile(r.name))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, &LoadError{f.path, r.line, fmt.Sprintf("require %q: %v", r.name, err)}
			}
			if len(libs) == maxLibs {
				return nil, &LoadError{f.path, r.line, fmt.Sprintf("more than %d lib files are required", maxLibs)}
			}
			libs[r.name] = text
			queue = append(queue, file{libPath(src.file(), libFile(r.name)), text})
		}
	}
	return libs, nil
}

// requirement is a require "lib.x".
type requirement struct {
	name string
	line int
}

// requirements are the names that a file requires, as its text shows them. It may
// give one that is never reached.
func requirements(text []byte) []requirement {
	if !bytes.Contains(text, []byte("require")) {
		return nil
	}
	var out []requirement
	var before, last token
	for t := range tokens(text) {
		if t.kind == '(' && last.kind == word && string(last.text) == "require" {
			continue
		}
		if t.kind == quoted && last.kind == word && string(last.text) == "require" && before.kind != '.' && before.kind != ':' {
			if name := string(t.text); libName.MatchString(name) {
				out = append(out, requirement{name, t.line})
			}
		}
		before, last = last, t
	}
	return out
}

func libFile(name string) string { return strings.ReplaceAll(name, ".", "/") + ".lua" }

// libPath names a lib file beside the script's own path.
func libPath(file, lib string) string { return path.Join(path.Dir(file), lib) }

func readLib(lib fs.FS, file string) ([]byte, error) {
	if lib == nil {
		return nil, fs.ErrNotExist
	}
	return fs.ReadFile(lib, file)
}

// digest is the SHA-256 of the text and of the lib files, by name.
func digest(text []byte, libs map[string][]byte) string {
	h := sha256.New()
	write := func(name string, b []byte) {
		fmt.Fprintf(h, "%s %d\n", name, len(b))
		h.Write(b)
	}
	write("driver", text)
	names := make([]string, 0, len(libs))
	for name := range libs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		write(name, libs[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}
