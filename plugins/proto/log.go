package proto

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Bounds of one log line.
const (
	MaxLog      = 8 << 10 // bytes of message, keys and values together
	MaxLogAttrs = 64
)

// FromLog carries a log line, given as to slog.Log, within MaxLog and
// MaxLogAttrs. Groups become dotted keys, and values of other kinds than slog's
// plain ones their text.
func FromLog(level slog.Level, msg string, args ...any) *LogRequest {
	r := slog.NewRecord(time.Time{}, level, msg, 0)
	r.Add(args...)
	var attrs []*LogAttr
	for a := range r.Attrs {
		attrs = appendAttr(attrs, "", a)
	}
	l := &LogRequest{Level: int32(max(-1<<31, min(1<<31-1, int64(level)))), Message: msg, Attrs: attrs}
	l.trim()
	return l
}

func appendAttr(out []*LogAttr, prefix string, a slog.Attr) []*LogAttr {
	if len(out) > MaxLogAttrs {
		return out
	}
	v := a.Value.Resolve()
	la := &LogAttr{Key: prefix + a.Key}
	switch v.Kind() {
	case slog.KindGroup:
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, g := range v.Group() {
			out = appendAttr(out, prefix, g)
		}
		return out
	case slog.KindString:
		la.Value = &LogAttr_Text{v.String()}
	case slog.KindInt64:
		la.Value = &LogAttr_Integer{v.Int64()}
	case slog.KindUint64:
		la.Value = &LogAttr_Unsigned{v.Uint64()}
	case slog.KindFloat64:
		la.Value = &LogAttr_Number{v.Float64()}
	case slog.KindBool:
		la.Value = &LogAttr_Flag{v.Bool()}
	case slog.KindDuration:
		la.Value = &LogAttr_DurationNs{int64(v.Duration())}
	case slog.KindTime:
		la.Value = &LogAttr_TimeNs{v.Time().UnixNano()}
	default:
		la.Value = &LogAttr_Text{fmt.Sprint(v.Any())}
	}
	return append(out, la)
}

// trim cuts the line to its bounds.
func (l *LogRequest) trim() {
	left := MaxLog
	take := func(s string) string {
		s = cut(s, left)
		left = max(0, left-len(s))
		return s
	}
	l.Message = take(l.GetMessage())
	l.Attrs = l.GetAttrs()[:min(len(l.GetAttrs()), MaxLogAttrs)]
	for i, a := range l.Attrs {
		if left == 0 {
			l.Attrs = l.Attrs[:i]
			return
		}
		a.Key = take(a.GetKey())
		if t, ok := a.GetValue().(*LogAttr_Text); ok {
			t.Text = take(t.Text)
		}
	}
}

// Size is the weight of the line in bytes, as it is counted against an output limit.
func (l *LogRequest) Size() int {
	n := len(l.GetMessage())
	for _, a := range l.GetAttrs() {
		n += len(a.GetKey()) + 8 + len(a.GetText())
	}
	return n
}

// Emit hands the line to log, within the same bounds whoever sent it.
func (l *LogRequest) Emit(ctx context.Context, log func(ctx context.Context, level slog.Level, msg string, args ...any)) {
	l.trim()
	args := make([]any, 0, len(l.GetAttrs()))
	for _, a := range l.GetAttrs() {
		args = append(args, slog.Attr{Key: a.GetKey(), Value: a.slog()})
	}
	log(ctx, slog.Level(l.GetLevel()), l.GetMessage(), args...)
}

func (a *LogAttr) slog() slog.Value {
	switch v := a.GetValue().(type) {
	case *LogAttr_Text:
		return slog.StringValue(v.Text)
	case *LogAttr_Integer:
		return slog.Int64Value(v.Integer)
	case *LogAttr_Unsigned:
		return slog.Uint64Value(v.Unsigned)
	case *LogAttr_Number:
		return slog.Float64Value(v.Number)
	case *LogAttr_Flag:
		return slog.BoolValue(v.Flag)
	case *LogAttr_DurationNs:
		return slog.DurationValue(time.Duration(v.DurationNs))
	case *LogAttr_TimeNs:
		return slog.TimeValue(time.Unix(0, v.TimeNs).UTC())
	}
	return slog.StringValue("")
}
