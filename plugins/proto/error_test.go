package proto

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"github.com/rollcall-run/rollcall/core"
)

// TestSentinelsCross: each is found by errors.Is on the other side, bare and wrapped.
func TestSentinelsCross(t *testing.T) {
	for _, s := range sentinels {
		t.Run(s.name, func(t *testing.T) {
			if got := FromStatus(ToStatus(s.err)); got != s.err {
				t.Errorf("bare: got %#v", got)
			}
			wrapped := fmt.Errorf("step 3: %w", s.err)
			got := FromStatus(ToStatus(wrapped))
			if !errors.Is(got, s.err) || got.Error() != wrapped.Error() {
				t.Errorf("wrapped: got %v", got)
			}
			for _, other := range sentinels {
				if other.err != s.err && errors.Is(got, other.err) {
					t.Errorf("it became %s too", other.name)
				}
			}
		})
	}
}

// TestEverySentinelIsKnown reads core's source: an error that Services or Run
// may return must be in the table.
func TestEverySentinelIsKnown(t *testing.T) {
	known := map[string]bool{}
	for _, s := range sentinels {
		known[s.err.Error()] = true
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../../core/driver.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(v.Names[0].Name, "Err") {
			return true
		}
		found++
		text := v.Values[0].(*ast.CallExpr).Args[0].(*ast.BasicLit).Value
		if !known[strings.Trim(text, `"`)] {
			t.Errorf("core.%s does not cross the border: add it to sentinels", v.Names[0].Name)
		}
		return true
	})
	if found < 7 {
		t.Errorf("only %d sentinels were found in core/driver.go", found)
	}
}

// TestErrorCrosses: a wrapped fault keeps its text, its place and its sentinel.
func TestErrorCrosses(t *testing.T) {
	f := &core.Fault{Code: core.LayoutChanged, Place: "x.lua:3", Verb: "click", Why: "not found"}
	err := errors.Join(fmt.Errorf("attempt 2: %w", f), core.ErrAway)
	got := FromStatus(ToStatus(err))
	back, ok := errors.AsType[*core.Fault](got)
	if !ok || !reflect.DeepEqual(back, f) || !errors.Is(got, core.ErrAway) || got.Error() != err.Error() {
		t.Errorf("got %v", got)
	}
	if plain := FromStatus(ToStatus(errors.New("plain"))); plain.Error() != "plain" {
		t.Errorf("got %v", plain)
	}
	if FromStatus(nil) != nil || ToStatus(nil) != nil {
		t.Error("nil became an error")
	}
}

// TestConnectionErrorsAreToldApart from what the other side said.
func TestConnectionErrorsAreToldApart(t *testing.T) {
	lost := status.Error(codes.Unavailable, "connection closed")
	if Crossed(lost) || FromStatus(lost) != lost || Crossed(errors.New("x")) || Crossed(nil) {
		t.Error("a connection's error was taken for the driver's")
	}
	if !Crossed(ToStatus(context.Canceled)) {
		t.Error("the driver's error was taken for the connection's")
	}
}

// TestHugeErrorIsCut to sizes that a connection carries, at a character's border.
func TestHugeErrorIsCut(t *testing.T) {
	huge := strings.Repeat("ế", 1<<20)
	got := FromStatus(ToStatus(&core.Fault{Code: core.DriverError, Why: huge, Detail: huge}))
	f, ok := errors.AsType[*core.Fault](got)
	if !ok || len(f.Why) > MaxErrorText || len(f.Detail) > MaxErrorDetail || len(got.Error()) > MaxErrorText {
		t.Fatalf("fault %v: %d bytes of why, %d of detail", ok, len(f.Why), len(f.Detail))
	}
	if !utf8.ValidString(f.Why) || !strings.HasSuffix(f.Why, "ế…") {
		t.Errorf("cut inside a character: %q", f.Why[len(f.Why)-8:])
	}
}

type logged struct {
	level slog.Level
	msg   string
	attrs map[string]any
}

func emit(l *LogRequest) logged {
	var got logged
	l.Emit(context.Background(), func(_ context.Context, level slog.Level, msg string, args ...any) {
		r := slog.NewRecord(time.Time{}, level, msg, 0)
		r.Add(args...)
		got = logged{level, msg, map[string]any{}}
		for a := range r.Attrs {
			got.attrs[a.Key] = a.Value.Any()
		}
	})
	return got
}

// TestLogKeepsKinds: numbers stay numbers, groups become dotted keys, a secret stays masked.
func TestLogKeepsKinds(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	l := FromLog(slog.LevelWarn, "saw it", "n", 3, "u", uint64(9), "f", 1.5, "ok", true, "d", time.Second, "at", at,
		slog.Group("page", "url", "/x", slog.Group("box", "w", 7)), "pw", core.Secret("hunter22"), "err", errors.New("no"), "odd")
	want := logged{slog.LevelWarn, "saw it", map[string]any{
		"n": int64(3), "u": uint64(9), "f": 1.5, "ok": true, "d": time.Second, "at": at,
		"page.url": "/x", "page.box.w": int64(7), "pw": "•••", "err": "no", "!BADKEY": "odd",
	}}
	if got := emit(l); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestLogIsBounded on both sides: what a driver sends and what a hostile process sends.
func TestLogIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &LogRequest{Message: strings.Repeat("ế", rapid.IntRange(0, 5000).Draw(t, "msg"))}
		for range rapid.IntRange(0, 100).Draw(t, "attrs") {
			l.Attrs = append(l.Attrs, &LogAttr{Key: "k", Value: &LogAttr_Text{strings.Repeat("x", rapid.IntRange(0, 3000).Draw(t, "value"))}})
		}
		emit(l)
		n := len(l.Message)
		for _, a := range l.Attrs {
			n += len(a.Key) + len(a.GetText())
		}
		if n > MaxLog || len(l.Attrs) > MaxLogAttrs || !utf8.ValidString(l.Message) {
			t.Fatalf("%d bytes, %d attributes", n, len(l.Attrs))
		}
	})
	if l := FromLog(slog.LevelInfo, "m", "long", strings.Repeat("x", 1<<20)); l.Size() > 2*MaxLog {
		t.Errorf("a line of %d bytes was made", l.Size())
	}
}
