package lua

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/pm"
)

// Bounds of pattern matching, which no context interrupts.
const (
	maxSubject = 128 << 10
	maxPattern = 256
)

// strings is the string library. It is the metatable of texts too, so s:lower() works.
func (h *host) strings() *lua.LTable {
	str := func(n int, what string) string {
		switch v := h.L.Get(n).(type) {
		case lua.LString:
			return string(v)
		case lua.LNumber:
			return v.String()
		default:
			return h.joined(v, what)
		}
	}
	return h.table(map[string]lua.LGFunction{
		"byte": func(L *lua.LState) int {
			s := str(1, "string.byte")
			from, to := span(len(s), L.OptInt(2, 1), L.OptInt(3, L.OptInt(2, 1)))
			if to-from > 250 {
				h.fail("string.byte gives at most 250 values")
			}
			for i := from; i < to; i++ {
				L.Push(lua.LNumber(s[i]))
			}
			return max(to-from, 0)
		},
		"char": func(L *lua.LState) int {
			b := make([]byte, L.GetTop())
			for i := range b {
				n := L.CheckInt(i + 1)
				if n < 0 || n > 255 {
					h.fail("string.char: %d is no byte", n)
				}
				b[i] = byte(n)
			}
			L.Push(lua.LString(b))
			return 1
		},
		"find": func(L *lua.LState) int {
			s, p := str(1, "string.find"), str(2, "string.find")
			from, _ := span(len(s), L.OptInt(3, 1), -1)
			if L.ToBool(4) {
				i := strings.Index(s[from:], p)
				if i < 0 {
					L.Push(lua.LNil)
					return 1
				}
				L.Push(lua.LNumber(from + i + 1))
				L.Push(lua.LNumber(from + i + len(p)))
				return 2
			}
			m := h.match(s, p, from, 1)
			if len(m) == 0 {
				L.Push(lua.LNil)
				return 1
			}
			L.Push(lua.LNumber(m[0].Capture(0) + 1))
			L.Push(lua.LNumber(m[0].Capture(1)))
			return 2 + h.captures(s, m[0], false)
		},
		"match": func(L *lua.LState) int {
			s, p := str(1, "string.match"), str(2, "string.match")
			from, _ := span(len(s), L.OptInt(3, 1), -1)
			m := h.match(s, p, from, 1)
			if len(m) == 0 {
				L.Push(lua.LNil)
				return 1
			}
			return h.captures(s, m[0], true)
		},
		"gmatch": func(L *lua.LState) int {
			s := str(1, "string.gmatch")
			m := h.match(s, str(2, "string.gmatch"), 0, -1)
			L.Push(L.NewFunction(func(L *lua.LState) int {
				if len(m) == 0 {
					L.Push(lua.LNil)
					return 1
				}
				md := m[0]
				m = m[1:]
				return h.captures(s, md, true)
			}))
			return 1
		},
		"gsub": func(L *lua.LState) int {
			s := str(1, "string.gsub")
			m := h.match(s, str(2, "string.gsub"), 0, L.OptInt(4, -1))
			L.Push(lua.LString(h.replace(s, m, L.Get(3))))
			L.Push(lua.LNumber(len(m)))
			return 2
		},
		"format": func(L *lua.LState) int {
			L.Push(lua.LString(h.format(str(1, "string.format"))))
			return 1
		},
		"len": func(L *lua.LState) int {
			L.Push(lua.LNumber(len(str(1, "string.len"))))
			return 1
		},
		"lower": func(L *lua.LState) int {
			L.Push(lua.LString(strings.ToLower(str(1, "string.lower"))))
			return 1
		},
		"upper": func(L *lua.LState) int {
			L.Push(lua.LString(strings.ToUpper(str(1, "string.upper"))))
			return 1
		},
		"rep": func(L *lua.LState) int {
			s, n := str(1, "string.rep"), float64(L.CheckNumber(2))
			if !(n >= 1) {
				L.Push(lua.LString(""))
				return 1
			}
			if size := float64(len(s)) * math.Floor(n); size > maxString {
				h.fail("string.rep would make a text of %.0f bytes, the limit is %d", size, maxString)
			}
			if s == "" {
				L.Push(lua.LString(""))
				return 1
			}
			h.grow(len(s)*int(n), "string.rep")
			L.Push(lua.LString(strings.Repeat(s, int(n))))
			return 1
		},
		"reverse": func(L *lua.LState) int {
			b := []byte(str(1, "string.reverse"))
			h.grow(len(b), "string.reverse")
			for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
				b[i], b[j] = b[j], b[i]
			}
			L.Push(lua.LString(b))
			return 1
		},
		"sub": func(L *lua.LState) int {
			s := str(1, "string.sub")
			from, to := span(len(s), L.OptInt(2, 1), L.OptInt(3, -1))
			L.Push(lua.LString(s[from:max(from, to)]))
			return 1
		},
	})
}

// span turns Lua's inclusive, possibly negative bounds into Go's, within [0, n].
func span(n, from, to int) (int, int) {
	if from < 0 {
		from = max(n+from+1, 1)
	}
	if to < 0 {
		to = n + to + 1
	}
	return min(max(from, 1)-1, n), min(max(to, 0), n)
}

// match finds pattern in s, at most limit times; -1 for all.
func (h *host) match(s, pattern string, from, limit int) []*pm.MatchData {
	if len(s) > maxSubject {
		h.fail("a pattern is searched in %d bytes, the limit is %d", len(s), maxSubject)
	}
	if len(pattern) > maxPattern {
		h.fail("a pattern has %d bytes, the limit is %d", len(pattern), maxPattern)
	}
	if h.loading {
		cost := float64(len(s) + 1)
		for i := 1; i < len(pattern); i++ {
			if strings.IndexByte("*+-?", pattern[i]) >= 0 && pattern[i-1] != '%' {
				cost *= float64(len(s) + 1)
			}
		}
		if cost > loadPattern {
			h.fail("a pattern this costly can't be used while the file loads: use it in a phase")
		}
	}
	m, err := pm.Find(pattern, []byte(s), from, limit)
	if err != nil {
		h.fail("the pattern %q is wrong: %v", pattern, err)
	}
	return m
}

// captures pushes a match's captures, the whole match when there are none and whole is set.
func (h *host) captures(s string, m *pm.MatchData, whole bool) int {
	n := 0
	for i := 2; i < m.CaptureLength(); i += 2 {
		h.L.Push(capture(s, m, i))
		n++
	}
	if n == 0 && whole {
		h.L.Push(lua.LString(s[m.Capture(0):m.Capture(1)]))
		n = 1
	}
	return n
}

func capture(s string, m *pm.MatchData, i int) lua.LValue {
	if m.IsPosCapture(i) {
		return lua.LNumber(m.Capture(i))
	}
	return lua.LString(s[m.Capture(i):m.Capture(i+1)])
}

// replace is gsub over the matches m.
func (h *host) replace(s string, m []*pm.MatchData, by lua.LValue) string {
	var b strings.Builder
	last := 0
	for _, md := range m {
		start, end := md.Capture(0), md.Capture(1)
		b.WriteString(s[last:start])
		last = end
		old := s[start:end]
		first := lua.LValue(lua.LString(old))
		if md.CaptureLength() > 2 {
			first = capture(s, md, 2)
		}
		var v lua.LValue
		switch by := by.(type) {
		case lua.LString, lua.LNumber:
			v = lua.LString(h.expand(by.String(), s, md))
		case *lua.LTable:
			v = h.contents(by).RawGet(first)
		case *lua.LFunction:
			h.L.Push(by)
			n := h.captures(s, md, true)
			h.L.Call(n, 1)
			v = h.L.Get(-1)
			h.L.Pop(1)
		default:
			h.fail("string.gsub replaces by a text, a table or a function, not %s", kind(by))
		}
		if lua.LVIsFalse(v) {
			v = lua.LString(old)
		}
		b.WriteString(h.joined(v, "string.gsub"))
		h.grow(b.Len(), "string.gsub")
	}
	b.WriteString(s[last:])
	h.grow(b.Len(), "string.gsub")
	return b.String()
}

// expand fills %0 … %9 of a replacement.
func (h *host) expand(by, s string, md *pm.MatchData) string {
	if !strings.Contains(by, "%") {
		return by
	}
	var b strings.Builder
	for i := 0; i < len(by); i++ {
		if by[i] != '%' || i+1 == len(by) {
			b.WriteByte(by[i])
			continue
		}
		i++
		c := by[i]
		if c < '0' || c > '9' {
			b.WriteByte(c)
			continue
		}
		at := 2 * int(c-'0')
		if c == '1' && md.CaptureLength() == 2 {
			at = 0
		}
		if at >= md.CaptureLength() {
			h.fail("string.gsub: the pattern has no capture %%%c", c)
		}
		b.WriteString(capture(s, md, at).String())
	}
	return b.String()
}

// format is string.format for c d i u x X o e E f g G q s %, with widths below 100.
func (h *host) format(f string) string {
	var b strings.Builder
	arg := 1
	for i := 0; i < len(f); i++ {
		if f[i] != '%' {
			b.WriteByte(f[i])
			continue
		}
		if i++; i < len(f) && f[i] == '%' {
			b.WriteByte('%')
			continue
		}
		start := i
		for i < len(f) && strings.IndexByte("-+ #0123456789.", f[i]) >= 0 {
			i++
		}
		if i >= len(f) || i-start > 7 {
			h.fail("string.format: the format %q is wrong", f)
		}
		spec := "%" + f[start:i]
		for _, part := range strings.FieldsFunc(spec, func(r rune) bool { return r < '0' || r > '9' }) {
			if n, err := strconv.Atoi(part); err != nil || n > 99 {
				h.fail("string.format: a width is above 99")
			}
		}
		if arg++; arg > h.L.GetTop() {
			h.fail("string.format: a value is missing for %q", spec+string(f[i]))
		}
		v := h.L.Get(arg)
		switch f[i] {
		case 's':
			fmt.Fprintf(&b, spec+"s", h.shown(v))
		case 'q':
			b.WriteString(strconv.Quote(h.joined(v, "string.format")))
		case 'd', 'i', 'u':
			fmt.Fprintf(&b, spec+"d", int64(h.number(v)))
		case 'c':
			fmt.Fprintf(&b, spec+"s", string([]byte{byte(int64(h.number(v)))}))
		case 'x', 'X', 'o':
			fmt.Fprintf(&b, spec+string(f[i]), int64(h.number(v)))
		case 'e', 'E', 'f', 'g', 'G':
			fmt.Fprintf(&b, spec+string(f[i]), h.number(v))
		default:
			h.fail("string.format: %q is not known", "%"+string(f[i]))
		}
		h.grow(b.Len(), "string.format")
	}
	return b.String()
}

// shown is v for %s: secrets are refused, tables and the like print their kind.
func (h *host) shown(v lua.LValue) string {
	switch v.(type) {
	case lua.LString, lua.LNumber, *lua.LUserData:
		return h.joined(v, "string.format")
	}
	return h.tostring(v)
}

func (h *host) number(v lua.LValue) float64 {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v)
	case lua.LString:
		if f, err := strconv.ParseFloat(strings.TrimSpace(string(v)), 64); err == nil {
			return f
		}
	}
	h.fail("string.format: a number is needed, not %s", kind(v))
	return 0
}
