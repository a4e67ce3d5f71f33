package plugins

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"testing"
	"testing/fstest"
)

type zipped struct {
	fs.FS
	data []byte
}

func (z zipped) Zip() []byte { return z.data }

func TestLibsCrossPackedOnce(t *testing.T) {
	files := fstest.MapFS{"lib/words.lua": {Data: []byte("return 1")}}
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	if err := w.AddFS(files); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, lib := range map[string]fs.FS{"packed here": files, "at hand": zipped{files, archive.Bytes()}} {
		wire, err := DriverRef{Name: "x", Digest: "d", Text: []byte("return {}"), Lib: lib}.pack(true)
		if err != nil {
			t.Fatal(err)
		}
		if z, ok := lib.(zipped); ok && &wire.GetSource().GetLib()[0] != &z.data[0] {
			t.Errorf("%s: packed again", name)
		}
		ref, err := unpack(wire)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := fs.ReadFile(ref.Lib, "lib/words.lua"); err != nil || string(text) != "return 1" {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
	}
}
