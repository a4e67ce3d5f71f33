package lua

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func libDir(t testing.TB) Source {
	t.Helper()
	return Source{Lib: os.DirFS("../../scripts")}
}

func read(t testing.TB, name string) Source {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	src := libDir(t)
	src.Name, src.Path, src.Text = strings.TrimSuffix(name, ".lua"), name, text
	return src
}

func TestTheModelDriverLoadsAndPassesItsCheck(t *testing.T) {
	src := read(t, "model.lua")
	src.Name = "wordpress"
	d, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	m := d.Manifest()
	if m.Name != "wordpress" || !m.Family || len(m.Phases) != 4 || m.Limits["about"].Max != 2000 || m.Options["author"].Default != "/author/" {
		t.Errorf("manifest is %+v", m)
	}
	if found, err := Check(src); err != nil || len(found) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
}

// testHost is a state of its own around a script's text.
func testHost(t testing.TB, text string) *host {
	t.Helper()
	prog, err := compile(Source{Name: "t", Path: "t.lua", Text: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t.Context(), prog)
	t.Cleanup(h.close)
	return h
}
