package main

import (
	"slices"
	"testing"
)

func TestPublishedVersions(t *testing.T) {
	for _, c := range []struct {
		version, commit string
		want            bool
	}{
		{"v1.2.0", "", true},
		{"v1.2.0", "7bc19388bf5c", true},
		{"v1.2.0-rc.1", "7bc19388bf5c", true},
		{"v0.0.0-20261122044339-7bc19388bf5c", "", true}, // by way of a module proxy
		{"v0.0.0-20261122044339-7bc19388bf5c", "7bc19388bf5c", false},
		{"v1.2.1-0.20261122044339-7bc19388bf5c", "7bc19388bf5c", false},
		{"v1.2.0+dirty", "7bc19388bf5c", false},
		{"(devel)", "", false},
	} {
		if got := published(c.version, c.commit); got != c.want {
			t.Errorf("published(%q, %q) = %t", c.version, c.commit, got)
		}
	}
}

func TestRequiredModules(t *testing.T) {
	got := required("module m\n\ngo 1.26.0\n\nrequire a.example/a v1.0.0\n\nrequire (\n\tb.example/b v1.1.0\n\tc.example/c v1.2.0 // indirect\n)\n\nreplace b.example/b => ../b\n")
	if want := []string{"a.example/a v1.0.0", "b.example/b v1.1.0", "c.example/c v1.2.0"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
