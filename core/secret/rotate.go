package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Next names the file in which a rotation keeps the key that follows the one at path.
func Next(path string) string { return path + ".next" }

// retired is what a replaced key's name ends with, before the time.
const retired = ".until-"

// Promote makes the key at Next(path) the key at path. The key that was there
// stays beside it, as path + ".until-" and the time, which is returned: backups
// of before need it. At every moment path holds one of the two keys, whole, and a
// Promote that broke off can be run again.
func Promote(path string, now time.Time) (old string, err error) {
	// Where path is a link, the file that it leads to is replaced.
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("master key: %w", err)
	}
	if old, err = keep(real, now); err != nil {
		return "", fmt.Errorf("master key: keep the old one: %w", err)
	}
	if err = os.Rename(Next(path), real); err == nil {
		err = errors.Join(syncDir(filepath.Dir(real)), syncDir(filepath.Dir(path)))
	}
	if err != nil {
		return "", fmt.Errorf("master key: put the new one in its place: %w", err)
	}
	return old, nil
}

// keep gives the key at path a second name, unless it has one from before.
func keep(path string, now time.Time) (string, error) {
	key, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	names, err := filepath.Glob(globQuoted(path) + retired + "*")
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if info, err := os.Lstat(name); err == nil && os.SameFile(key, info) {
			return name, nil
		}
	}
	name := path + retired + now.UTC().Format("20060102T150405.000000Z")
	if err := os.Link(path, name); err != nil {
		// Not every file system has links.
		if errors.Is(err, fs.ErrExist) {
			return "", err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if err := writeNew(name, string(text)); err != nil {
			return "", err
		}
	}
	return name, syncDir(filepath.Dir(path))
}

// globQuoted is path as a pattern that matches nothing else.
func globQuoted(path string) string {
	var out []rune
	for _, r := range path {
		if r == '*' || r == '?' || r == '[' || r == '\\' {
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
}
