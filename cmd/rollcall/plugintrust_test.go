package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTrustKeepsTheFileAndRenewsASum(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rollcall.toml")
	one, two, far := strings.Repeat("1", 64), strings.Repeat("2", 64), "/opt/it's/far"
	const head = "# mine\n[sites.\"a.example\"]\nallowed = \"owner\" # since spring"
	if err := os.WriteFile(file, []byte(head), 0o640); err != nil {
		t.Fatal(err)
	}
	trust := func(path, sum string) string {
		t.Helper()
		if err := trustPlugin(file, path, sum); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	near := filepath.Join(dir, "bin", "x")
	if got, want := trust(near, one), head+"\n\n[[plugin]]\npath = 'bin/x'\nsha256 = \""+one+"\"\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := trust(far, one[:63]+"f"); !strings.HasSuffix(got, "\n[[plugin]]\npath = \"/opt/it's/far\"\nsha256 = \""+one[:63]+"f\"\n") {
		t.Errorf("got\n%s", got)
	}
	if got, want := trust(near, two), head+"\n\n[[plugin]]\npath = 'bin/x'\nsha256 = \""+two+"\"\n"; !strings.HasPrefix(got, want) || strings.Count(got, "[[plugin]]") != 2 {
		t.Errorf("got\n%s", got)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file's mode: %v %v", info.Mode(), err)
	}
	// What can't be told apart is left to a person.
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	double := string(text) + "# " + two + "\n"
	if err := os.WriteFile(file, []byte(double), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := trustPlugin(file, near, one); err == nil || !strings.Contains(err.Error(), "stands in it 2 times; correct it at "+file+":") {
		t.Errorf("got %v", err)
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != double {
		t.Errorf("the file was changed: %v\n%s", err, now)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".rollcall-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
