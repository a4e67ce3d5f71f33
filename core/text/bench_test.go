package text

import (
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/core"
)

func BenchmarkConvertWikitext(b *testing.B) {
	for b.Loop() {
		if _, err := Convert(rich, FormatWikitext); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFitLongHTML(b *testing.B) {
	long := strings.Repeat(rich, 200)
	for b.Loop() {
		Texts{}.Fit(long, core.Limit{Max: 2000, Format: FormatMarkdown})
	}
}
