package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/core"
)

type shy struct{ inner string }

func (s shy) LogValue() slog.Value { return slog.GroupValue(slog.String("in", s.inner)) }

func TestHandlerRedactsEverythingALineCarries(t *testing.T) {
	r := NewRedactor()
	defer r.Add(core.Secret("hunter22"))()
	for name, mk := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var buf bytes.Buffer
		log := slog.New(Handler(mk(&buf), r))
		log.With("w", "hunter22").WithGroup("g").With("x", errors.New("bad hunter22")).Info("said hunter22",
			"s", "hunter22", "e", fmt.Errorf("wrap: %w", errors.New("hunter22")), "b", []byte("hunter22"), "l", []string{"a", "hunter22"},
			"m", map[string]string{"hunter22": "hunter22"}, "v", core.Secret("other-secret"), "struct", struct{ P string }{"hunter22"},
			slog.Group("deep", "k", "hunter22"), "hunter22", 1, "lv", shy{"hunter22"}, "n", 7)
		got := buf.String()
		if strings.Contains(got, "hunter22") || strings.Contains(got, "aHVudGVyMjI") || strings.Contains(got, "other-secret") {
			t.Errorf("%s leaks: %s", name, got)
		}
		if n := strings.Count(got, "•••"); n < 13 {
			t.Errorf("%s: %d masks in %s", name, n, got)
		}
		if !strings.Contains(got, "n=7") && !strings.Contains(got, `"n":7`) {
			t.Errorf("%s lost a number: %s", name, got)
		}
	}
}

func TestHandlerKeepsGroupsLevelsAndLateSecrets(t *testing.T) {
	r := NewRedactor()
	var buf bytes.Buffer
	h := Handler(slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelWarn}), r)
	if h.Enabled(context.Background(), slog.LevelInfo) {
		t.Error("info is enabled though the handler below says no")
	}
	log := slog.New(h).With("a", "later-secret").WithGroup("g").With("b", 1).WithGroup("h")
	defer r.Add(core.Secret("later-secret"))()
	log.Warn("m", "c", 2)
	if got := buf.String(); !strings.Contains(got, "msg=m a=••• g.b=1 g.h.c=2") {
		t.Errorf("got %s", got)
	}
	buf.Reset()
	log.Warn("empty group")
	if got := buf.String(); !strings.Contains(got, "a=••• g.b=1\n") {
		t.Errorf("got %s", got)
	}
}

func TestHandlerShowsControlCharacters(t *testing.T) {
	var buf bytes.Buffer
	slog.New(Handler(slog.NewJSONHandler(&buf, nil), NewRedactor())).Info("a\x1b[31mred\nlevel=ERROR", "k", "x\u202ey")
	if got := buf.String(); strings.ContainsAny(got, "\x1b\u202e") || !strings.Contains(got, `\\x1b[31mred\\nlevel=ERROR`) {
		t.Errorf("got %s", got)
	}
}

func TestWriterFindsASecretSplitOverWrites(t *testing.T) {
	r := NewRedactor()
	defer r.Add(core.Secret("hunter22"))()
	text := "one hunter22 two\nthree hunter22"
	for at := range len(text) {
		var buf bytes.Buffer
		w := Writer(&buf, r)
		for _, part := range []string{text[:at], text[at:]} {
			if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := buf.String(); got != "one ••• two\nthree •••" {
			t.Errorf("split at %d: %q", at, got)
		}
	}
}

func TestWriterFindsASecretInALineWithoutEnd(t *testing.T) {
	r := NewRedactor()
	defer r.Add(core.Secret("hunter22"))()
	for _, chunk := range []int{1 << 10, 4093, lineCap + 13} {
		text := strings.Repeat("x", lineCap-3) + "hunter22" + strings.Repeat("y", 2*lineCap) + strings.Repeat("hunter22", 20_000) + "end"
		var buf bytes.Buffer
		w := Writer(&buf, r)
		for p := text; p != ""; {
			n := min(chunk, len(p))
			if _, err := w.Write([]byte(p[:n])); err != nil {
				t.Fatal(err)
			}
			if len(w.buf) > lineCap {
				t.Fatalf("%d bytes are held back", len(w.buf))
			}
			p = p[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got := buf.String()
		if strings.Contains(got, "unter") || !strings.HasSuffix(got, "•••end") || strings.Count(got, "y") != 2*lineCap {
			t.Errorf("chunks of %d: %d bytes, wrong", chunk, len(got))
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriterReportsAFailingSink(t *testing.T) {
	w := Writer(failing{}, NewRedactor())
	if _, err := w.Write([]byte("line\n")); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("got %v", err)
	}
}

func TestCleanShowsWhatActsOnATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                        "plain",
		"tiếng Việt 日本 👩‍🚀":            "tiếng Việt 日本 👩‍🚀",
		"\x1b[2J\x1b]0;title\x07":      `\x1b[2J\x1b]0;title\x07`,
		"a\u202eb\u2066c\u200fd\ufeff": `a\u202eb\u2066c\u200fd\ufeff`,
		"\u009b31m\u007f":              `\x9b31m\x7f`,
		"bad\xffbyte":                  `bad\xffbyte`,
		"\U000e0041tag":                `\U000e0041tag`,
		"a\nb\tc\rd\u2028e":            `a\nb\tc\rd\u2028e`,
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := CleanLines("a\n\tb\r\x1bc"); got != "a\n\tb"+`\r\x1bc` {
		t.Errorf("CleanLines = %q", got)
	}
}

func TestAScreenGetsTextOnly(t *testing.T) {
	const text = "Trần 👩\u200d💻\t\x1b]0;x\x07 \u009b2J \u202e \x00 \r\b \xff\xc3\n"
	want := `Trần 👩` + "\u200d" + `💻` + "\t" + `\x1b]0;x\x07 \x9b2J \u202e \x00 \r\x08 \xff\xc3` + "\n"
	for size := 1; size <= len(text); size++ {
		var got strings.Builder
		w := Screen(&got)
		for part := range slices.Chunk([]byte(text), size) {
			if n, err := w.Write(part); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if got.String() != want {
			t.Errorf("in pieces of %d bytes: %q, want %q", size, got.String(), want)
		}
	}
	if n, err := Screen(failing{}).Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("a failing terminal: %d, %v", n, err)
	}
}
