package external

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestTailKeepsBothEnds however the output was cut into writes.
func TestTailKeepsBothEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all strings.Builder
		var kept tail
		for range rapid.IntRange(0, 20).Draw(t, "writes") {
			s := strings.Repeat(rapid.StringMatching("[a-z]{1,7}").Draw(t, "text"), rapid.IntRange(0, 900).Draw(t, "times"))
			all.WriteString(s)
			if n, err := kept.Write([]byte(s)); n != len(s) || err != nil {
				t.Fatal(n, err)
			}
		}
		want := all.String()
		if len(want) > headSize+tailSize {
			want = want[:headSize] + "\n…\n" + want[len(want)-tailSize:]
		}
		if got := kept.String(); got != want {
			t.Fatalf("kept %d bytes, want %d", len(got), len(want))
		}
		if kept.reset(); kept.String() != "" {
			t.Fatal("reset keeps something")
		}
	})
}
