package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// fileLimit bounds a configuration file, in bytes.
const fileLimit = 16 << 20

// Load reads and checks the file and the sites files that it names, and
// changes nothing. The error joins every *Problem that was found, in the order of
// the lines; Problems takes it apart. Environment variables and secret files
// are looked at by Check and by Secret.Resolve, not here.
func Load(path string) (*Config, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, &Problem{File: path, Msg: err.Error(), err: err}
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, &Problem{File: path, Msg: err.Error(), err: err}
	}
	cfg, problems := parse(path, dir, text)
	files := []string{path}
	if cfg != nil {
		for _, f := range cfg.SitesFiles {
			files = append(files, f.Path)
		}
	}
	if err := joined(problems, files); err != nil {
		return nil, err
	}
	return cfg, nil
}

func readFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return "", fmt.Errorf("can't be read: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("can't be read: it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("can't be read: %w", errors.Unwrap(err))
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, fileLimit+1))
	if err != nil {
		return "", fmt.Errorf("can't be read: %w", err)
	}
	if len(b) > fileLimit {
		return "", fmt.Errorf("it is larger than %d bytes", fileLimit)
	}
	return string(b), nil
}

// parse reads the text of a file that stands in dir.
func parse(file, dir, text string) (*Config, []*Problem) {
	m, problems := parseTOML(file, text)
	if m == nil {
		return nil, problems
	}
	d := &decoder{file: file, lines: indexLines(text), problems: problems}
	d.literals, _ = m["allow_literal_secrets"].(bool)
	cfg := Default()
	cfg.file = file
	d.table(nil, m, reflect.ValueOf(cfg).Elem())
	d.resolve(dir, nil, "", reflect.ValueOf(cfg).Elem(), cfg)
	d.check(cfg, dir)
	for _, f := range cfg.SitesFiles {
		d.problems = append(d.problems, readSites(f, cfg)...)
	}
	return cfg, d.problems
}

// parseTOML parses the text. Keys that are given twice are taken out one by one,
// so that all of them, and what is wrong elsewhere, are reported together. The
// map is nil when the text can't be parsed.
func parseTOML(file, text string) (map[string]any, []*Problem) {
	var problems []*Problem
	if line := tooDeep(text); line > 0 {
		return nil, []*Problem{{File: file, Line: line, Msg: fmt.Sprintf("more than %d brackets or dots are nested here", maxNesting)}}
	}
	for range 100 {
		var m map[string]any
		_, err := toml.Decode(text, &m)
		if err == nil {
			if m == nil {
				m = map[string]any{}
			}
			return m, problems
		}
		var pe toml.ParseError
		if !errors.As(err, &pe) {
			return nil, append(problems, &Problem{File: file, Msg: err.Error(), err: err})
		}
		p := &Problem{File: file, Line: pe.Position.Line, Key: pe.LastKey, Msg: strings.TrimSuffix(pe.Message, "."), err: err}
		twice := strings.HasSuffix(pe.Message, "has already been defined.")
		if !twice {
			if len(problems) == 0 {
				problems = append(problems, p)
			}
			return nil, problems
		}
		if _, key, ok := strings.Cut(p.Msg, "Key '"); ok {
			p.Key, _, _ = strings.Cut(key, "'")
		}
		p.Msg = "the key is given twice"
		problems = append(problems, p)
		lines := strings.Split(text, "\n")
		at := pe.Position.Line - 1
		if at < 0 || at >= len(lines) || strings.TrimSpace(lines[at]) == "" || strings.HasPrefix(strings.TrimSpace(lines[at]), "[") {
			return nil, problems
		}
		lines[at] = ""
		text = strings.Join(lines, "\n")
	}
	return nil, problems
}

// maxNesting bounds open brackets, and dots in one line: the parser calls itself
// for each of them, and a broken file must not exhaust the stack.
const maxNesting = 1000

// tooDeep is the line at which the text nests too deep, 0 when it nowhere does.
// Brackets in texts and comments count too, which no honest file comes near.
func tooDeep(text string) int {
	line, open, dots := 1, 0, 0
	for i := range len(text) {
		switch text[i] {
		case '\n':
			line++
			dots = 0
		case '[', '{':
			open++
		case ']', '}':
			open = max(open-1, 0)
		case '.':
			dots++
		}
		if open > maxNesting || dots > maxNesting {
			return line
		}
	}
	return 0
}

// resolve makes the paths below v absolute and collects its secrets.
func (d *decoder) resolve(dir string, path []string, tag reflect.StructTag, v reflect.Value, cfg *Config) {
	switch p := v.Addr().Interface().(type) {
	case *Secret:
		if p.kind == sourceFile {
			p.text = d.absolute(dir, path, p.text)
		}
		if !p.Empty() {
			cfg.secrets = append(cfg.secrets, *p)
		}
		return
	case *string:
		if tag.Get("path") == "true" {
			*p = d.absolute(dir, path, *p)
		}
		return
	case *map[string]Site, *float64, *time.Time, *map[string]any:
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for f := range v.Type().Fields() {
			if name := f.Tag.Get("toml"); f.IsExported() && name != "" && name != "-" {
				at := path
				if name != ",rest" {
					at = under(path, name)
				}
				d.resolve(dir, at, f.Tag, v.FieldByIndex(f.Index), cfg)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			d.resolve(dir, path, tag, v.Index(i), cfg)
		}
	case reflect.Map:
		for iter := v.MapRange(); iter.Next(); {
			e := reflect.New(v.Type().Elem()).Elem()
			e.Set(iter.Value())
			d.resolve(dir, under(path, iter.Key().String()), tag, e, cfg)
			v.SetMapIndex(iter.Key(), e)
		}
	}
}

// absolute resolves ~ and what is relative to the file's directory.
func (d *decoder) absolute(dir string, path []string, p string) string {
	switch {
	case p == "":
		return ""
	case p == "~" || strings.HasPrefix(p, "~/"):
		home, err := os.UserHomeDir()
		if err != nil {
			d.bad(path, "~ can't be resolved: %s; write the whole path", err)
			return p
		}
		return filepath.Join(home, p[1:])
	case filepath.IsAbs(p):
		return filepath.Clean(p)
	}
	return filepath.Join(dir, p)
}
