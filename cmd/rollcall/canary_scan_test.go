package main_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// TestTheScannerFindsEverySpellingOfASecret writes the password in the middle of
// longer text, by what really writes such text, at every offset that matters.
func TestTheScannerFindsEverySpellingOfASecret(t *testing.T) {
	must := func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	page := func(text string) func(string) string {
		tmpl := template.Must(template.New("").Parse(text))
		return func(s string) string {
			var b strings.Builder
			return must(b.String(), tmpl.Execute(&b, s)) + b.String()
		}
	}
	marshal := func(v any) string {
		b, err := json.Marshal(v)
		return must(string(b), err)
	}
	logged := func(h func(io.Writer) slog.Handler) func(string) string {
		return func(s string) string {
			var b strings.Builder
			slog.New(h(&b)).Info("said "+s, "also", map[string]string{"x": s})
			return b.String()
		}
	}
	packed := func(wrap func(io.Writer) io.WriteCloser) func(string) string {
		return func(s string) string {
			var b bytes.Buffer
			w := wrap(&b)
			_, err := io.WriteString(w, s)
			must("", err)
			must("", w.Close())
			return b.String()
		}
	}
	for name, write := range map[string]func(string) string{
		"raw":                 func(s string) string { return s },
		"base64":              func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64, bare":        func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) },
		"base64 of addresses": func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },
		"basic authorization": func(s string) string {
			r := &http.Request{Header: http.Header{}}
			r.SetBasicAuth("user", s)
			return r.Header.Get("Authorization")
		},
		"hex":             func(s string) string { return hex.EncodeToString([]byte(s)) },
		"upper hex":       func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
		"a form":          func(s string) string { return url.Values{"password": {s}}.Encode() },
		"a path":          func(s string) string { return (&url.URL{Path: "/" + s}).EscapedPath() },
		"a path segment":  func(s string) string { return url.PathEscape(s) },
		"percent for all": func(s string) string { return everyByte(s, "%%%02x") },
		"HTML":            html.EscapeString,
		"a page":          page(`<p title="{{.}}">{{.}}</p>`),
		"an attribute":    page(`<input value="{{.}}">`),
		"a link":          page(`<a href="/x?q={{.}}">x</a>`),
		"a script":        page(`<script>var x = {{.}}</script>`),
		"HTML for all":    func(s string) string { return everyByte(s, "&#x%x;") },
		"HTML in decimal": func(s string) string { return everyByte(s, "&#%d;") },
		"JSON":            func(s string) string { return marshal(s) },
		"JSON in JSON":    func(s string) string { return marshal(map[string]string{"body": marshal(map[string]string{"p": s})}) },
		"JSON for all":    func(s string) string { return everyByte(s, `\u%04x`) },
		"Go":              strconv.Quote,
		"a log in text":   logged(func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) }),
		"a log in JSON":   logged(func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) }),
		"CSV": func(s string) string {
			var b strings.Builder
			c := csv.NewWriter(&b)
			must("", c.Write([]string{"user", s}))
			c.Flush()
			return b.String()
		},
		"UTF-16":         func(s string) string { return wide(s) },
		"gzip":           packed(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }),
		"zip, in a file": packed(zipped),
		"gzip of base64": func(s string) string {
			return packed(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })(base64.StdEncoding.EncodeToString([]byte(s)))
		},
		"bytes in a server": func(s string) string { return fmt.Sprintf(`\x%x`, s) },
	} {
		t.Run(name, func(t *testing.T) {
			for before := range 4 {
				text := write(strings.Repeat("x", before) + canaryPassword + "board001" + strings.Repeat("y", 3-before))
				if len(spy.find([]byte(text))) == 0 {
					t.Errorf("not found after %d letters: %q", before, text)
				}
				other := write(strings.Repeat("x", before) + "Cn4!&<\"%+Xq" + "board001")
				if hits := spy.find([]byte(other)); len(hits) > 0 {
					t.Errorf("found what is not there: %v in %q", hits, other)
				}
			}
		})
	}
}

func wide(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

type zipWriter struct {
	io.Writer
	z *zip.Writer
}

func (z zipWriter) Close() error { return z.z.Close() }

func zipped(w io.Writer) io.WriteCloser {
	z := zip.NewWriter(w)
	f, err := z.Create("inner.txt")
	if err != nil {
		panic(err)
	}
	return zipWriter{f, z}
}

// TestTheScannerLooksEverywhere plants a secret of each kind in each place in
// which a runner might leave one.
func TestTheScannerLooksEverywhere(t *testing.T) {
	w := newWorld(t, settings{store: ledgertest.Postgres(t)})
	if err := w.ledger().Close(); err != nil {
		t.Fatal(err)
	}
	profile := t.TempDir()
	wants := func(what string, undo func()) {
		t.Helper()
		_, hits := w.secrets(profile)
		if len(hits) == 0 {
			t.Errorf("not found: %s", what)
		}
		undo()
		if _, hits := w.secrets(profile); len(hits) > 0 {
			t.Fatalf("after %s was taken away: %v", what, hits)
		}
	}
	for what, secret := range map[string]string{"password": canaryPassword, "mailbox": canaryMail, "API key": canaryAPIKey, "bulk token": canaryBulk,
		"TOTP seed": canaryTOTP, "master key": canaryMaster} {
		for _, root := range []string{w.dir, temporary, profile} {
			path := filepath.Join(root, "planted")
			if err := os.WriteFile(path, []byte("before "+secret+" after"), 0o600); err != nil {
				t.Fatal(err)
			}
			wants(what+" in a file", func() { os.Remove(path) })
		}
	}
	named := filepath.Join(w.dir, "key-"+canaryTOTP)
	if err := os.Mkdir(named, 0o700); err != nil {
		t.Fatal(err)
	}
	wants("the name of a directory", func() { os.Remove(named) })

	// A row of a SQLite file, which is in the log only until it is closed.
	lite := w.path("planted.db")
	db, err := sql.Open("sqlite", "file:"+lite+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{`CREATE TABLE t (x TEXT)`, `INSERT INTO t VALUES ('` + canaryPassword + `board')`} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	wants("a row in the log of SQLite", func() {
		db.Close()
		for _, path := range []string{lite, lite + "-wal", lite + "-shm"} {
			os.Remove(path)
		}
	})

	server, err := sql.Open("pgx", w.o.store)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, q := range []string{`CREATE TABLE planted (x text)`, `INSERT INTO planted VALUES ($1)`} {
		args := []any{canaryPassword}
		if !strings.Contains(q, "$1") {
			args = nil
		}
		if _, err := server.Exec(q, args...); err != nil {
			t.Fatal(err)
		}
	}
	wants("a row of PostgreSQL", func() {
		if _, err := server.Exec(`DROP TABLE planted`); err != nil {
			t.Fatal(err)
		}
	})

	// A report with the password where it belongs is none; anywhere else it is one.
	field := `"password":` + strconv.Quote(canaryPassword)
	if hits := spy.find([]byte(withoutPassword(sandbox.Call{Name: sandbox.CallComplete, Body: []byte(`{` + field + `}`)}))); len(hits) > 0 {
		t.Errorf("a new password in a report: %v", hits)
	}
	for name, body := range map[sandbox.CallName]string{sandbox.CallFail: `{` + field + `}`, sandbox.CallComplete: `{"note":` + strconv.Quote(canaryPassword) + `}`} {
		if hits := spy.find([]byte(withoutPassword(sandbox.Call{Name: name, Body: []byte(body)}))); len(hits) == 0 {
			t.Errorf("not found: %s %s", name, body)
		}
	}
}
