package lua

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestTheDigestCoversTheLibsThatARequireNames says in which spellings a require is
// seen, and that nothing else of the lib folder counts.
func TestTheDigestCoversTheLibsThatARequireNames(t *testing.T) {
	lib := func(a, b, c string) fstest.MapFS {
		return fstest.MapFS{"lib/a.lua": {Data: []byte(a)}, "lib/b.lua": {Data: []byte(b)}, "lib/deep/c.lua": {Data: []byte(c)}}
	}
	plain, viaA := lib("return {}", "return {}", "return {}"), lib("local b = require 'lib.b' return {}", "return {}", "return {}")
	for _, c := range []struct {
		name, text string
		libs       fstest.MapFS
		want       string // the libs that count
	}{
		{"none", `return {}`, plain, ""},
		{"quotes", `local a = require "lib.a"`, plain, "a"},
		{"brackets", `local a = require ( 'lib.a' )`, plain, "a"},
		{"a long string", `local a = require[==[lib.a]==]`, plain, "a"},
		{"over lines and a comment", "local a = require --[[ of\nours ]]\n(\n'lib.a')", plain, "a"},
		{"a folder in lib", `local c = require "lib.deep.c"`, plain, "c"},
		{"a lib of a lib", `local a = require "lib.a"`, viaA, "ab"},
		{"two", `local c, b = require "lib.deep.c", require "lib.b"`, plain, "bc"},
		{"a comment", "-- require 'lib.a'\n--[[ require 'lib.b' ]] return {}", plain, ""},
		{"a text", `local s = "require 'lib.a'" .. [[require "lib.b"]]`, plain, ""},
		{"a field of that name", `local t = x.require "lib.a", x:require "lib.b"`, plain, ""},
		{"part of a word", `local t = requires "lib.a", xrequire "lib.b"`, plain, ""},
		{"not a lib", `local t = require "os"`, plain, ""},
		{"an open string", `local t = require "lib.a`, plain, "a"},
		{"an open comment", `--[[ require "lib.a"`, plain, ""},
	} {
		digestOf := func(libs fstest.MapFS) string {
			d, err := Digest(Source{Name: "x", Text: []byte(c.text), Lib: libs})
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			return d
		}
		before := digestOf(c.libs)
		for _, name := range []string{"a", "b", "c"} {
			changed := fstest.MapFS{}
			for file, f := range c.libs {
				changed[file] = f
				if strings.HasSuffix(file, "/"+name+".lua") {
					changed[file] = &fstest.MapFile{Data: append([]byte("-- new\n"), f.Data...)}
				}
			}
			if counts := digestOf(changed) != before; counts != strings.Contains(c.want, name) {
				t.Errorf("%s: %s: a change of lib %s counts: %v", c.name, c.text, name, counts)
			}
		}
	}
}

func TestARequireWhoseTextHidesItsNameIsRefused(t *testing.T) {
	src := libDir(t)
	src.Name, src.Text = "x", []byte("\nlocal words = require 'lib.\\119ords' return {}")
	if _, err := Load(src); err == nil || err.Error() != `x.lua:2: require "lib.words": write the name as it is, without escapes` {
		t.Errorf("got %v", err)
	}
}
