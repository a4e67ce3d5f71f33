package secret

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
)

// Handler returns a handler that removes r's secrets from everything that next
// gets: message, keys, strings, errors, bytes and any other value, in groups
// too. Control characters are shown as escapes. Attributes given to a logger
// beforehand are redacted with what is registered when a line is logged.
func Handler(next slog.Handler, r *Redactor) slog.Handler { return &handler{next: next, r: r} }

// handler keeps groups and attributes to itself, so that they are redacted as
// late as possible.
type handler struct {
	next slog.Handler
	r    *Redactor
	with []scope
}

// scope is one WithGroup or WithAttrs.
type scope struct {
	group string
	attrs []slog.Attr
}

func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	return h.under(scope{attrs: attrs})
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.under(scope{group: name})
}

func (h *handler) under(s scope) *handler {
	with := make([]scope, len(h.with), len(h.with)+1)
	copy(with, h.with)
	return &handler{next: h.next, r: h.r, with: append(with, s)}
}

// Handle passes on a redacted copy of rec.
func (h *handler) Handle(ctx context.Context, rec slog.Record) error {
	attrs := make([]slog.Attr, 0, rec.NumAttrs())
	rec.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, h.attr(a))
		return true
	})
	for i := len(h.with) - 1; i >= 0; i-- {
		s := h.with[i]
		if s.group != "" {
			if len(attrs) > 0 {
				attrs = []slog.Attr{{Key: h.text(s.group), Value: slog.GroupValue(attrs...)}}
			}
			continue
		}
		outer := make([]slog.Attr, 0, len(s.attrs)+len(attrs))
		for _, a := range s.attrs {
			outer = append(outer, h.attr(a))
		}
		attrs = append(outer, attrs...)
	}
	out := slog.NewRecord(rec.Time, rec.Level, h.text(rec.Message), rec.PC)
	out.AddAttrs(attrs...)
	return h.next.Handle(ctx, out)
}

// text is one line.
func (h *handler) text(s string) string { return Clean(h.r.Redact(s)) }

// lines may have several; the handlers of log/slog quote them.
func (h *handler) lines(s string) string { return CleanLines(h.r.Redact(s)) }

func (h *handler) attr(a slog.Attr) slog.Attr {
	return slog.Attr{Key: h.text(a.Key), Value: h.value(a.Value)}
}

func (h *handler) value(v slog.Value) slog.Value {
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(h.lines(v.String()))
	case slog.KindGroup:
		in := v.Group()
		out := make([]slog.Attr, len(in))
		for i, a := range in {
			out[i] = h.attr(a)
		}
		return slog.GroupValue(out...)
	case slog.KindAny:
		return h.any(v.Any())
	default:
		return v
	}
}

func (h *handler) any(v any) slog.Value {
	switch v := v.(type) {
	case nil:
		return slog.AnyValue(nil)
	case *slog.Source:
		return slog.AnyValue(v)
	case []string:
		out := make([]string, len(v))
		for i, s := range v {
			out[i] = h.lines(s)
		}
		return slog.AnyValue(out)
	case map[string]string:
		out := make(map[string]string, len(v))
		for k, s := range v {
			out[h.text(k)] = h.lines(s)
		}
		return slog.AnyValue(out)
	case []byte:
		return slog.StringValue(h.lines(string(v)))
	case json.RawMessage:
		return slog.StringValue(h.lines(string(v)))
	default:
		return slog.StringValue(h.lines(fmt.Sprintf("%+v", v)))
	}
}
