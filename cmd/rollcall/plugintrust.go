package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rollcall-run/rollcall/core/config"
)

// trustPlugin writes a plugin into the configuration file, whose other lines stay
// as they are. The file is replaced as a whole, and only by one that can be read.
func trustPlugin(file, path, sum string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		return usage(err)
	}
	written := ""
	for _, p := range cfg.Plugins {
		if p.Path != path {
			continue
		}
		if n := strings.Count(string(text), p.SHA256); n != 1 {
			return usage(fmt.Errorf("the configuration was not changed: the old sha256 stands in it %d times; correct it at %s", n, p.Place))
		}
		written = strings.Replace(string(text), p.SHA256, sum, 1)
	}
	if written == "" {
		dir, err := filepath.Abs(filepath.Dir(file))
		if err != nil {
			return fmt.Errorf("find the configuration's directory: %w", err)
		}
		name := path
		if below, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(below) {
			name = below
		}
		written = string(text)
		if written != "" && !strings.HasSuffix(written, "\n") {
			written += "\n"
		}
		written += fmt.Sprintf("\n[[plugin]]\npath = %s\nsha256 = %q\n", quoteTOML(name), sum)
	}
	draft, err := os.CreateTemp(filepath.Dir(file), ".rollcall-*.toml")
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	defer os.Remove(draft.Name()) // gone already when all went well
	_, err = draft.WriteString(written)
	if err = errors.Join(err, draft.Chmod(info.Mode().Perm()), draft.Sync(), draft.Close()); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	now, err := config.Load(draft.Name())
	if err != nil {
		return fmt.Errorf("the configuration was not changed, for it could not be read any more: %w", err)
	}
	for _, p := range now.Plugins {
		if p.Path == path && p.SHA256 == sum {
			if err := os.Rename(draft.Name(), file); err != nil {
				return fmt.Errorf("write the configuration: %w", err)
			}
			return nil
		}
	}
	return usage(fmt.Errorf("the configuration was not changed: put this into %s yourself:\n[[plugin]]\npath = %s\nsha256 = %q", file, quoteTOML(path), sum))
}

func quoteTOML(s string) string {
	if !strings.ContainsAny(s, "'\n\r\t") {
		return "'" + s + "'"
	}
	return strconv.Quote(s)
}
