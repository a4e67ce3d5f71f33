package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/rollcall-run/rollcall/core"
)

// ErrUnset is returned by Resolve for a secret that the file does not give.
var ErrUnset = errors.New("it is not set")

// secretFileLimit bounds what is read of a secret's file, in bytes.
const secretFileLimit = 64 << 10

// Secret is where a secret comes from. It prints as its source, and as ••• when
// the configuration holds the secret itself.
type Secret struct {
	kind sourceKind
	text string // variable, absolute path, template or the secret
	file string
	line int
	key  string
}

type sourceKind int

const (
	sourceNone sourceKind = iota
	sourceEnv
	sourceFile
	sourceTemplate
	sourceLiteral
)

// template is a text that is nothing but task fields, such as {app_password}.
var template = regexp.MustCompile(`^(\{[a-z_]+\})+$`)

// Template returns a Secret made of task fields.
func Template(text string) Secret { return Secret{kind: sourceTemplate, text: text} }

// Empty reports whether the file gives no source.
func (s Secret) Empty() bool { return s.kind == sourceNone }

// Equal reports whether both have the same source.
func (s Secret) Equal(o Secret) bool { return s.kind == o.kind && s.text == o.text }

// String is the source, ••• for a literal.
func (s Secret) String() string {
	switch s.kind {
	case sourceEnv:
		return "env:" + s.text
	case sourceFile:
		return "file:" + s.text
	case sourceTemplate:
		return s.text
	case sourceLiteral:
		return "•••"
	}
	return ""
}

// Format keeps a literal out of every fmt verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// Resolve reads the secret: the variable, the file without its line end, or the
// literal. A template of task fields is returned as it is and is no secret. The
// error is a *Problem that names the key and what is missing; it is ErrUnset
// when the file gives no source.
func (s Secret) Resolve() (core.Value, error) {
	switch s.kind {
	case sourceEnv:
		if v := os.Getenv(s.text); v != "" {
			return core.Secret(v), nil
		}
		return core.Value{}, s.problem(fmt.Errorf("the environment variable %s is not set or empty", s.text))
	case sourceFile:
		v, err := readSecretFile(s.text)
		if err != nil {
			return core.Value{}, s.problem(fmt.Errorf("the secret's file can't be used: %w", err))
		}
		return core.Secret(v), nil
	case sourceTemplate:
		return core.Text(s.text), nil
	case sourceLiteral:
		return core.Secret(s.text), nil
	}
	return core.Value{}, s.problem(ErrUnset)
}

func (s Secret) problem(err error) error {
	return &Problem{File: s.file, Line: s.line, Key: s.key, Msg: err.Error(), err: err}
}

func readSecretFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, secretFileLimit+1))
	if err != nil {
		return "", err
	}
	if len(b) > secretFileLimit {
		return "", fmt.Errorf("%s is larger than %d bytes", path, secretFileLimit)
	}
	v := strings.TrimRight(string(b), "\r\n")
	if v == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return v, nil
}
