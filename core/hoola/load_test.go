package hoola_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/hoola"
)

// disturbed is a directory whose files change when they have been read in part.
type disturbed struct {
	fs.FS
	change func()
}

func (d disturbed) Open(name string) (fs.File, error) {
	f, err := d.FS.Open(name)
	return &disturbedFile{f, d.change}, err
}

type disturbedFile struct {
	fs.File
	change func()
}

func (f *disturbedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b[:min(len(b), 10)])
	if f.change != nil {
		f.change()
		f.change = nil
	}
	return n, err
}

// TestAFileThatChangesIsRefused: whatever happens to it while it is read.
func TestAFileThatChangesIsRefused(t *testing.T) {
	text := "name,username,email,password\nNguyen A,usera,a@x.vn,secret1\n"
	for name, change := range map[string]func(path string) error{
		"appended": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("Nguyen B,userb,b@x.vn,secret2\n")
			return errors.Join(err, f.Close())
		},
		"cut off": func(path string) error { return os.Truncate(path, 20) },
		"written": func(path string) error { return os.Chtimes(path, time.Time{}, time.Now().Add(time.Second)) },
		"replaced": func(path string) error {
			return errors.Join(os.WriteFile(path+"2", []byte("x"), 0o600), os.Rename(path+"2", path))
		},
		"taken off": os.Remove,
		"unchanged": nil,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "users.csv")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var changes func()
			if change != nil {
				changes = func() {
					if err := change(path); err != nil {
						t.Error(err)
					}
				}
			}
			data, err := hoola.Load(disturbed{os.DirFS(dir), changes}, "users.csv")
			if change == nil && (err != nil || string(data) != text) {
				t.Errorf("%q, %v", data, err)
			}
			if change != nil && (!errors.Is(err, hoola.ErrChanged) || !strings.HasPrefix(err.Error(), "users.csv: it changed")) {
				t.Errorf("%q, %v", data, err)
			}
		})
	}
	if _, err := hoola.Load(os.DirFS(t.TempDir()), "."); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
}

// TestNumbersKeptAsText: what a spreadsheet wraps a number in is no part of it.
func TestNumbersKeptAsText(t *testing.T) {
	fields := user(1).Fields
	fields["phone"], fields["username"], fields["password"] = core.Text("'0987654321"), core.Text(`="00123"`), core.Secret(`="secret"`)
	notes := hoola.Clean(fields)
	if fields["phone"].Reveal() != "0987654321" || fields["username"].Reveal() != "00123" || fields["password"].Reveal() != `="secret"` || len(notes) != 2 {
		t.Errorf("%s %s %v", fields["phone"], fields["username"], notes)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"a,b\nc,d", "[{\"a\":1}]", "{\"users\":[]}", "\xff\xfea\x00", "PK\x03\x04", "\"", "sep=;\na;b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := hoola.Read("x", data)
		if err != nil {
			return
		}
		if l, err := hoola.Users(table, hoola.ListOptions{Generate: true}); err == nil && len(l.Rows) != len(table.Rows) {
			t.Errorf("%d rows of %d", len(l.Rows), len(table.Rows))
		}
	})
}
