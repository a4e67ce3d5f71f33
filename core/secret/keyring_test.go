package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func newKey(t *testing.T) (*Keyring, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sub", "key")
	if err := Generate(path); err != nil {
		t.Fatal(err)
	}
	k, err := Load("file:" + path)
	if err != nil {
		t.Fatal(err)
	}
	return k, path
}

func TestSealedTextOpensOnlyWithItsKeyAndItsPlace(t *testing.T) {
	k, _ := newKey(t)
	other, _ := newKey(t)
	for _, plain := range []string{"", "x", "mật khẩu", strings.Repeat("long ", 10_000)} {
		sealed, err := k.Seal([]byte(plain), "task1/password")
		if err != nil {
			t.Fatal(err)
		}
		if len(plain) > 1 && bytes.Contains(sealed, []byte(plain)) {
			t.Fatal("the sealed text contains the plain one")
		}
		got, err := k.Open(sealed, "task1/password")
		if err != nil || string(got) != plain {
			t.Fatalf("Open = %q, %v; want %q", got, err, plain)
		}
		if _, err := k.Open(sealed, "task2/password"); !errors.Is(err, ErrDamaged) {
			t.Errorf("in another row: %v, want ErrDamaged", err)
		}
		if _, err := other.Open(sealed, "task1/password"); !errors.Is(err, ErrDamaged) {
			t.Errorf("with another key: %v, want ErrDamaged", err)
		}
		again, err := k.Seal([]byte(plain), "task1/password")
		if err != nil || bytes.Equal(again, sealed) {
			t.Errorf("two seals of one text are equal (%v)", err)
		}
	}
}

func TestOpenRefusesEveryChangedOrMissingByte(t *testing.T) {
	k, _ := newKey(t)
	sealed, err := k.Seal([]byte("secret"), "a")
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := k.Open(bad, "a"); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := k.Open(sealed[:i], "a"); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
	}
	if _, err := k.Open(append([]byte{9}, sealed[1:]...), "a"); err == nil || !strings.Contains(err.Error(), "format 9") {
		t.Errorf("unknown format: %v", err)
	}
}

func TestCheckValueTellsKeysApart(t *testing.T) {
	k, path := newKey(t)
	same, err := Load("file:" + path)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := newKey(t)
	if err := same.Verify(k.Check()); err != nil {
		t.Errorf("the same key: %v", err)
	}
	for name, check := range map[string][]byte{"another key": other.Check(), "nothing": nil, "cut": k.Check()[:5]} {
		if err := k.Verify(check); !errors.Is(err, ErrWrongKey) {
			t.Errorf("%s: %v, want ErrWrongKey", name, err)
		}
	}
	if bytes.Contains(k.Check(), k.master) {
		t.Error("the check value holds the key")
	}
}

func TestMacSeparatesDomainsAndPieces(t *testing.T) {
	k, _ := newKey(t)
	other, _ := newKey(t)
	seen := map[string]string{}
	for name, sum := range map[string][]byte{
		"ab,c": k.Mac("d", "ab", "c"), "a,bc": k.Mac("d", "a", "bc"), "abc": k.Mac("d", "abc"), "none": k.Mac("d"),
		"empty": k.Mac("d", ""), "other domain": k.Mac("e", "ab", "c"), "domain in data": k.Mac("", "d", "ab", "c"),
		"other key": other.Mac("d", "ab", "c"),
	} {
		if twin, ok := seen[string(sum)]; ok {
			t.Errorf("%s and %s have one hash", name, twin)
		}
		seen[string(sum)] = name
	}
	if !bytes.Equal(k.Mac("d", "ab", "c"), k.Mac("d", "ab", "c")) {
		t.Error("the hash is not stable")
	}
}

func TestKeyringPrintsWithoutTheKey(t *testing.T) {
	k, _ := newKey(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		got := fmt.Sprintf(verb, k)
		if strings.Contains(got, hex.EncodeToString(k.master)) || strings.Contains(got, fmt.Sprint(k.master)) || !strings.Contains(got, "•••") {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}

func TestGenerateMakesAPrivateFileAndKeepsAnOldOne(t *testing.T) {
	_, path := newKey(t)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	before, _ := os.ReadFile(path)
	if !strings.HasPrefix(string(before), "#") || strings.Count(string(before), "\n") != 2 {
		t.Errorf("file is %q", before)
	}
	if err := Generate(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over an existing file: %v, want fs.ErrExist", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the existing key was changed")
	}
}

func TestLoadTakesEverySource(t *testing.T) {
	k, path := newKey(t)
	text, _ := os.ReadFile(path)
	t.Setenv("RC_KEY_FILE_TEXT", string(text))
	t.Setenv("RC_KEY_HEX", hex.EncodeToString(k.master))
	t.Setenv("RC_KEY_URL", base64.RawURLEncoding.EncodeToString(k.master)+"\r\n")
	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Dir(path))
	for _, source := range []string{"env:RC_KEY_FILE_TEXT", "env:RC_KEY_HEX", "env:RC_KEY_URL", "cred:key"} {
		got, err := Load(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
		} else if err := got.Verify(k.Check()); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, keySize))
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	t.Setenv("RC_EMPTY", "")
	t.Setenv("RC_BAD", "AAAA")
	cases := map[string]struct{ source, want string }{
		"no kind":            {"key", "file:PATH"},
		"unknown kind":       {"vault:x", `unknown source "vault:"`},
		"literal":            {good, "file:PATH"},
		"missing file":       {"file:" + dir + "/none", "no such file"},
		"readable by others": {"file:" + write("open", good, 0o640), "chmod 600"},
		"a directory":        {"file:" + dir, "not a regular file"},
		"a pipe":             {"file:" + pipe, "not a regular file"},
		"empty":              {"file:" + write("empty", "# only a comment\n", 0o600), "holds no key"},
		"two lines":          {"file:" + write("two", good+"\n"+good, 0o600), "more than one line"},
		"too short":          {"file:" + write("short", "AAAA", 0o600), "32 bytes"},
		"too large":          {"file:" + write("large", strings.Repeat("A", 5000), 0o600), "larger than"},
		"unset variable":     {"env:RC_NOT_SET", "RC_NOT_SET is not set"},
		"empty variable":     {"env:RC_EMPTY", "RC_EMPTY is not set"},
		"bad variable":       {"env:RC_BAD", "32 bytes"},
		"no credentials":     {"cred:key", "CREDENTIALS_DIRECTORY"},
	}
	if os.Geteuid() == 0 {
		path := write("foreign", good, 0o600)
		if err := os.Chown(path, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		cases["someone else's"] = struct{ source, want string }{"file:" + path, "belongs to user id 12345"}
	}
	for name, c := range cases {
		_, err := Load(c.source)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q in it", name, err, c.want)
		} else if strings.Contains(err.Error(), good) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if _, err := Load("cred:../key"); err == nil || !strings.Contains(err.Error(), "no path") {
		t.Errorf("credential with a path: %v", err)
	}
}

func BenchmarkSealAndOpen(b *testing.B) {
	k, err := newKeyring(bytes.Repeat([]byte{1}, keySize))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, _ := k.Seal([]byte("Abc123!@xyzQ"), "task/password")
		if _, err := k.Open(s, "task/password"); err != nil {
			b.Fatal(err)
		}
	}
}
