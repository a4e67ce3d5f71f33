package main_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"html/template"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// The canaries: a secret of each kind, written so that every escape changes it.
// Passwords of tasks begin with theirs.
const (
	canaryPassword = `Cn4!&<"%+Wq`
	canaryMail     = `Mb7?&<"%+Zk~mailbox`
	canaryAPIKey   = `Kx5!&<"%+Tj~api-key`
	canaryBulk     = "sandbox-hoola-token" // the sandbox's own, which is in a query
	canaryTOTP     = "KVKFKRCPNZQUYMLX"
	canaryMaster   = "q1w4+e7r/t2y5u8i+o3p6a9s/d2f5g8h+j3k6l9zX0c=" // a key of 32 bytes in base64
)

// spy looks for all of them.
var spy = func() *scanner {
	raw, err := base64.StdEncoding.DecodeString(canaryMaster)
	if err != nil {
		panic(err)
	}
	return newScanner(map[string]string{
		"a password": canaryPassword, "the mailbox password": canaryMail, "the API key": canaryAPIKey, "the bulk token": canaryBulk,
		"a TOTP seed": canaryTOTP, "the master key": canaryMaster, "the master key's bytes": string(raw),
	})
}()

// form is a secret as some encoding writes it.
type form struct {
	name  string // of the secret and the encoding
	bytes []byte
}

// scanner finds secrets in bytes, as they are and encoded, alone or in the
// middle of longer encoded text.
type scanner struct{ forms []form }

func newScanner(secrets map[string]string) *scanner {
	s := &scanner{}
	for name, secret := range secrets {
		seen := map[string]bool{}
		for _, e := range encodings {
			for _, text := range e.write(secret) {
				if !seen[text] {
					seen[text] = true
					s.forms = append(s.forms, form{name + ", " + e.name, []byte(text)})
				}
			}
		}
	}
	return s
}

// encodings are the ways in which a secret may be written. Each gives every
// spelling of its own.
var encodings = []struct {
	name  string
	write func(string) []string
}{
	{"raw", func(s string) []string { return []string{s} }},
	{"UTF-16", func(s string) []string {
		var b []byte
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return []string{string(b)}
	}},
	{"hex", func(s string) []string {
		h := hex.EncodeToString([]byte(s))
		return []string{h, strings.ToUpper(h)}
	}},
	{"base64", func(s string) []string {
		var out []string
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for shift := range 3 {
				text := enc.EncodeToString(append(make([]byte, shift), s...))
				first := (shift*8 + 5) / 6 // characters that what is before has a part in
				last := (shift + len(s)) * 8 / 6
				out = append(out, text[first:last])
			}
		}
		return out
	}},
	{"URL", func(s string) []string {
		component := strings.NewReplacer("+", "%20", "%21", "!", "%7E", "~").Replace(url.QueryEscape(s)) // as JavaScript does
		all := everyByte(s, "%%%02X")
		var out []string
		for _, text := range []string{url.QueryEscape(s), url.PathEscape(s), component, all} {
			out = append(out, text, percentEscape.ReplaceAllStringFunc(text, strings.ToLower))
		}
		return out
	}},
	{"HTML", func(s string) []string {
		return []string{html.EscapeString(s), template.HTMLEscapeString(s), strings.ReplaceAll(html.EscapeString(s), "&#34;", "&quot;"),
			strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(s), everyByte(s, "&#%d;"), everyByte(s, "&#x%x;"), everyByte(s, "&#x%X;"),
			strings.NewReplacer("+", "&#43;").Replace(template.HTMLEscapeString(s))}
	}},
	{"CSV", func(s string) []string { return []string{strings.ReplaceAll(s, `"`, `""`)} }},
	{"JSON", func(s string) []string {
		once := quotedJSON(s)
		bare := strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(once)
		return []string{once, bare, quotedJSON(once), quotedJSON(bare), strings.ReplaceAll(bare, `\"`, `\\\"`), everyByte(s, `\u%04x`), everyByte(s, `\u%04X`),
			strings.NewReplacer(`&`, `\u0026`, `<`, `\u003C`, `"`, `\u0022`).Replace(s), strings.Trim(strconv.Quote(s), `"`)}
	}},
}

var percentEscape = regexp.MustCompile(`%[0-9A-F]{2}`)

func everyByte(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

func quotedJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b[1 : len(b)-1])
}

// find names every form that is in data. Compressed files are looked into too.
func (s *scanner) find(data []byte) []string {
	var out []string
	for _, f := range s.forms {
		if i := bytes.Index(data, f.bytes); i >= 0 {
			out = append(out, fmt.Sprintf("%s, at byte %d", f.name, i))
		}
	}
	for _, inner := range unpacked(data) {
		for _, hit := range s.find(inner) {
			out = append(out, "compressed: "+hit)
		}
	}
	return out
}

// unpacked is what a gzip or zip file holds.
func unpacked(data []byte) (out [][]byte) {
	const most = 64 << 20
	read := func(r io.Reader, err error) {
		if err == nil {
			b, _ := io.ReadAll(io.LimitReader(r, most))
			out = append(out, b)
		}
	}
	switch {
	case bytes.HasPrefix(data, []byte("\x1f\x8b")):
		read(gzip.NewReader(bytes.NewReader(data)))
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return nil
		}
		for _, f := range z.File {
			read(f.Open())
		}
	}
	return out
}

// tree scans the files below root, their names too, but for those that skip
// names. Files that go away meanwhile are not there.
func (s *scanner) tree(root string, skip func(path string) bool) (files int, hits []string) {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case skip(path) && d.IsDir():
			return fs.SkipDir
		case skip(path):
			return nil
		}
		data := []byte(d.Name() + "\n")
		if d.Type().IsRegular() {
			text, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			} else if err != nil {
				return err
			}
			files++
			for _, hit := range s.find(text) {
				hits = append(hits, path+": "+hit)
			}
		} else if d.Type()&fs.ModeSymlink != 0 {
			to, _ := os.Readlink(path)
			data = append(data, to...)
		}
		for _, hit := range s.find(data) {
			hits = append(hits, "the name of "+path+": "+hit)
		}
		return nil
	})
	if err != nil {
		hits = append(hits, err.Error())
	}
	return files, hits
}

// noSecrets wants no canary in anything that the runners of this world wrote and
// sent, except where a secret must be:
//
//   - the key files that the operator wrote;
//   - the field password of a report that an account was made, by which the task
//     manager learns a password other than the one it gave;
//   - what goes to the site, the mailbox and the bulk API themselves.
func (w *world) noSecrets(when string, more ...string) {
	w.t.Helper()
	begun := time.Now()
	files, hits := w.secrets(more...)
	for _, hit := range hits {
		w.t.Errorf("%s: a secret is in %s", when, hit)
	}
	if files == 0 {
		w.t.Errorf("%s: nothing was scanned", when)
	}
	w.scanned += time.Since(begun)
}

// secrets tells where canaries are: in the world's files and those below the
// other directories, in its database, and at the task manager.
func (w *world) secrets(more ...string) (files int, hits []string) {
	inputs := []string{w.path("entity.key"), w.path("seal.key"), w.path("hoola.token")}
	skip := func(path string) bool {
		return slices.Contains(inputs, path) || strings.HasPrefix(path, binary) // the tests' own programs
	}
	for _, root := range append([]string{w.dir, temporary}, more...) {
		if root != "" {
			n, found := spy.tree(root, skip)
			files, hits = files+n, append(hits, found...)
		}
	}
	for _, c := range w.sb.Manager.Calls() {
		for _, hit := range spy.find([]byte(c.TaskID + "\n" + c.Query + "\n" + withoutPassword(c))) {
			hits = append(hits, fmt.Sprintf("the call %s of %s: %s", c.Name, c.TaskID, hit))
		}
	}
	return files, append(hits, w.rows()...)
}

// withoutPassword is the body of a call without the one secret that it may carry.
func withoutPassword(c sandbox.Call) string {
	var fields map[string]json.RawMessage
	if c.Name != sandbox.CallComplete || json.Unmarshal(c.Body, &fields) != nil {
		return string(c.Body)
	}
	var b strings.Builder
	for name, value := range fields {
		if name != "password" {
			fmt.Fprintf(&b, "%q: %s\n", name, value)
		}
	}
	return b.String()
}

// rows scans every row of a PostgreSQL ledger as its server prints it: bytes in hex.
func (w *world) rows() (hits []string) {
	if !strings.HasPrefix(w.o.store, "postgres") {
		return nil
	}
	db, err := sql.Open("pgx", w.o.store)
	if err != nil {
		return []string{err.Error()}
	}
	defer db.Close()
	var tables []string
	list := func(query string, f func(string)) {
		rows, err := db.Query(query)
		if err != nil {
			hits = append(hits, err.Error())
			return
		}
		defer rows.Close()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				hits = append(hits, err.Error())
			}
			f(s)
		}
		if err := rows.Err(); err != nil {
			hits = append(hits, err.Error())
		}
	}
	list(`SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'`, func(s string) { tables = append(tables, s) })
	if len(tables) == 0 {
		hits = append(hits, "the database, which has no tables to scan")
	}
	for _, table := range tables {
		list(`SELECT to_jsonb(t)::text FROM `+table+` t`, func(row string) {
			for _, hit := range spy.find([]byte(row)) {
				hits = append(hits, "the table "+table+": "+hit)
			}
		})
	}
	return hits
}

// quiet wants no canary in what a process printed.
func quiet(t *testing.T, what string, printed []byte) {
	t.Helper()
	for _, hit := range spy.find(printed) {
		t.Errorf("%s: a secret is in what it printed: %s", what, hit)
	}
}
