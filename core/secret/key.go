package secret

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// keySize is the length of the master key in bytes.
const keySize = 32

// keyFileLimit bounds what is read of a key file, in bytes.
const keyFileLimit = 4096

// keyHeader is the first line of a key file made by Generate.
const keyHeader = "# rollcall master key. Whoever has this line and the ledger can read every stored secret; without it nobody can."

// Load reads the master key from source:
//
//   - file:PATH, a regular file that belongs to this user, with no permission
//     for anybody else (mode 0600 or stricter);
//   - env:NAME, an environment variable;
//   - cred:NAME, a systemd credential: the file NAME in $CREDENTIALS_DIRECTORY.
//
// The text is the base64 or hex form of 32 bytes; lines that begin with # are
// skipped. Errors name the source and what to change, and never the key.
func Load(source string) (*Keyring, error) {
	kind, name, ok := strings.Cut(source, ":")
	if !ok || name == "" {
		return nil, errors.New("master key: the source must be file:PATH, env:NAME or cred:NAME")
	}
	var text string
	var err error
	switch kind {
	case "file":
		text, err = readOwnFile(name)
	case "env":
		v, set := os.LookupEnv(name)
		if !set || v == "" {
			err = fmt.Errorf("the environment variable %s is not set", name)
		}
		text = v
	case "cred":
		text, err = readCredential(name)
	default:
		return nil, fmt.Errorf("master key: unknown source %q; use file:PATH, env:NAME or cred:NAME", kind+":")
	}
	if err != nil {
		return nil, fmt.Errorf("master key %s: %w", source, err)
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("master key %s: %w", source, err)
	}
	return newKeyring(key)
}

// Generate makes a new random master key and writes it to a new file of mode
// 0600, making missing directories with mode 0700. A file that exists is never
// touched: the error is fs.ErrExist then. The key is on disk when it returns nil;
// a Generate that is killed leaves no file at path, or the whole key.
func Generate(path string) error {
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return fmt.Errorf("new master key: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("new master key: %w", err)
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("new master key: %w", &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist})
	}
	f, err := os.CreateTemp(dir, ".rollcall-key-*") // mode 0600
	if err != nil {
		return fmt.Errorf("new master key: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	text := keyHeader + "\n" + base64.StdEncoding.EncodeToString(key) + "\n"
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			err = writeNew(path, text) // not every file system has links
		}
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("new master key %s: %w", path, err)
	}
	return nil
}

// writeNew writes a file of mode 0600 that must not exist yet; it is on disk when
// it returns nil, and not there otherwise.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// open opens a file for reading without waiting for the writer of a named pipe.
func open(path string) (*os.File, os.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// readOwnFile reads a file that nobody else may read. The checks are made on
// the opened file, so that it can't be swapped in between.
func readOwnFile(path string) (string, error) {
	f, info, err := open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", fmt.Errorf("mode %04o lets others at it; run: chmod 600 %s", mode, path)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return "", fmt.Errorf("it belongs to user id %d, and this process runs as %d; run: chown %d %s",
			st.Uid, os.Geteuid(), os.Geteuid(), path)
	}
	return readCapped(f)
}

// readCredential reads a systemd credential, whose directory systemd protects.
func readCredential(name string) (string, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", errors.New("CREDENTIALS_DIRECTORY is not set; add LoadCredential= to the systemd unit")
	}
	if name != filepath.Base(name) || name == ".." || name == "." {
		return "", errors.New("a credential's name has no path")
	}
	f, _, err := open(filepath.Join(dir, name))
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	return readCapped(f)
}

func readCapped(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, keyFileLimit+1))
	if err != nil {
		return "", err
	}
	if len(b) > keyFileLimit {
		return "", fmt.Errorf("it is larger than %d bytes, so it is no key", keyFileLimit)
	}
	return string(b), nil
}

// parseKey reads the key's text.
func parseKey(text string) ([]byte, error) {
	var words []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			words = append(words, line)
		}
	}
	switch {
	case len(words) == 0:
		return nil, errors.New("it holds no key; restore it from your copy, or make a new one for an empty ledger with: rollcall init")
	case len(words) > 1:
		return nil, errors.New("it holds more than one line besides comments")
	}
	if b, err := hex.DecodeString(words[0]); err == nil && len(b) == keySize {
		return b, nil
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := enc.Strict().DecodeString(words[0]); err == nil && len(b) == keySize {
			return b, nil
		}
	}
	return nil, fmt.Errorf("it is not the base64 or hex form of %d bytes", keySize)
}
