package lua

import (
	"math"
	"sort"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// base installs the functions that have no namespace.
func (h *host) base() {
	next := h.L.NewFunction(h.next)
	inext := h.L.NewFunction(func(L *lua.LState) int {
		t, i := h.checkTable(1, "ipairs"), L.CheckInt(2)+1
		v := t.RawGetInt(i)
		if v == lua.LNil {
			L.Push(lua.LNil)
			return 1
		}
		L.Push(lua.LNumber(i))
		L.Push(v)
		return 2
	})
	for name, fn := range map[string]lua.LGFunction{
		"assert": func(L *lua.LState) int {
			if !L.ToBool(1) {
				msg := "assertion failed"
				if s, ok := L.Get(2).(lua.LString); ok {
					msg = string(s)
				}
				h.fail("%s", msg)
			}
			return L.GetTop()
		},
		"error": func(L *lua.LState) int {
			h.fail("%s", h.tostring(L.Get(1)))
			return 0
		},
		"pairs": func(L *lua.LState) int {
			h.checkTable(1, "pairs")
			L.Push(next)
			L.Push(L.Get(1)) // the view, never the contents
			L.Push(lua.LNil)
			return 3
		},
		"ipairs": func(L *lua.LState) int {
			h.checkTable(1, "ipairs")
			L.Push(inext)
			L.Push(L.Get(1))
			L.Push(lua.LNumber(0))
			return 3
		},
		"print": func(L *lua.LState) int {
			parts := make([]string, L.GetTop())
			for i := range parts {
				parts[i] = h.tostring(L.Get(i + 1))
			}
			h.logLine(strings.Join(parts, " "), nil)
			return 0
		},
		"select": func(L *lua.LState) int {
			top := L.GetTop()
			if s, ok := L.Get(1).(lua.LString); ok && s == "#" {
				L.Push(lua.LNumber(top - 1))
				return 1
			}
			i := L.CheckInt(1)
			if i < 0 {
				i = top + i
			}
			if i < 1 {
				h.fail("select: index out of range")
			}
			return max(top-i, 0)
		},
		"tonumber": h.tonumber,
		"tostring": func(L *lua.LState) int {
			L.Push(lua.LString(h.tostring(L.CheckAny(1))))
			return 1
		},
		"type": func(L *lua.LState) int {
			L.Push(lua.LString(L.CheckAny(1).Type().String()))
			return 1
		},
		"unpack": func(L *lua.LState) int {
			t := h.checkTable(1, "unpack")
			from, to := L.OptInt(2, 1), L.OptInt(3, t.Len())
			if to-from >= 250 {
				h.fail("unpack gives at most 250 values")
			}
			for i := from; i <= to; i++ {
				L.Push(t.RawGetInt(i))
			}
			return max(to-from+1, 0)
		},
		"require":  h.require,
		concatName: h.concat,
	} {
		h.globals.RawSetString(name, h.L.NewFunction(fn))
	}
	h.globals.RawSetString("next", next)
}

func (h *host) next(L *lua.LState) int {
	k, v := h.checkTable(1, "next").Next(L.Get(2))
	L.Push(k)
	if k == lua.LNil {
		return 1
	}
	L.Push(v)
	return 2
}

func (h *host) tonumber(L *lua.LState) int {
	base := L.OptInt(2, 10)
	switch v := L.Get(1).(type) {
	case lua.LNumber:
		L.Push(v)
		return 1
	case lua.LString:
		s := strings.TrimSpace(string(v))
		if base == 10 {
			if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) && !strings.Contains(s, "_") {
				L.Push(lua.LNumber(f))
				return 1
			}
		} else if base >= 2 && base <= 36 {
			if n, err := strconv.ParseInt(s, base, 64); err == nil {
				L.Push(lua.LNumber(n))
				return 1
			}
		}
	}
	L.Push(lua.LNil)
	return 1
}

// tostring never gives an address, nor the text of a secret.
func (h *host) tostring(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString, lua.LNumber, lua.LBool, *lua.LNilType:
		return v.String()
	case *lua.LUserData:
		switch d := v.Value.(type) {
		case secret:
			return d.value.String()
		case asset:
			return d.name
		case *result:
			return d.String()
		}
	}
	return v.Type().String()
}

// joined is v as a part of a text; anything but texts and numbers is refused.
func (h *host) joined(v lua.LValue, what string) string {
	switch v := v.(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return v.String()
	case *lua.LUserData:
		if _, ok := v.Value.(secret); ok {
			h.fail("%s: a secret can't be part of a text; pass it to a verb as it is", what)
		}
	}
	h.fail("%s: %s can't be part of a text", what, kind(v))
	return ""
}

func (h *host) concat(L *lua.LState) int {
	var b strings.Builder
	for i := 1; i <= L.GetTop(); i++ {
		s := h.joined(L.Get(i), "..")
		h.grow(b.Len()+len(s), "..")
		b.WriteString(s)
	}
	L.Push(lua.LString(b.String()))
	return 1
}

// require runs a lib file once per state and gives its table, read-only.
func (h *host) require(L *lua.LState) int {
	name := L.CheckString(1)
	if v, ok := h.loaded[name]; ok {
		if v == nil {
			h.fail("require %q: the lib files require each other in a circle", name)
		}
		L.Push(v)
		return 1
	}
	proto, ok := h.prog.libs[name]
	if !ok {
		h.fail("require %q: only lib files named in quotes can be required", name)
	}
	h.loaded[name] = nil
	L.Push(L.NewFunctionFromProto(proto))
	L.Call(0, 1)
	t, ok := L.Get(-1).(*lua.LTable)
	if !ok {
		h.fail("require %q: the lib file must return a table", name)
	}
	v := h.freezeDeep(name, t, 0)
	h.loaded[name] = v
	L.Push(v)
	return 1
}

// tables is the table library.
func (h *host) tables() *lua.LTable {
	writable := func(what string) *lua.LTable {
		t, ok := h.L.Get(1).(*lua.LTable)
		if !ok {
			h.fail("%s: a table is needed, not %s", what, kind(h.L.Get(1)))
		}
		if h.frozen[t] != nil {
			h.fail("%s: the table is read-only", what)
		}
		return t
	}
	return h.table(map[string]lua.LGFunction{
		"concat": func(L *lua.LState) int {
			t, sep := h.checkTable(1, "table.concat"), L.OptString(2, "")
			from, to := max(L.OptInt(3, 1), 1), min(L.OptInt(4, t.Len()), t.Len())
			var b strings.Builder
			for i := from; i <= to; i++ {
				s := h.joined(t.RawGetInt(i), "table.concat")
				if i > from {
					s = sep + s
				}
				h.grow(b.Len()+len(s), "table.concat")
				b.WriteString(s)
			}
			L.Push(lua.LString(b.String()))
			return 1
		},
		"insert": func(L *lua.LState) int {
			t := writable("table.insert")
			switch L.GetTop() {
			case 2:
				t.Append(L.Get(2))
			case 3:
				i := L.CheckInt(2)
				if i < 1 || i > t.Len()+1 {
					h.fail("table.insert: position %d is outside 1 … %d", i, t.Len()+1)
				}
				t.Insert(i, L.Get(3))
			default:
				h.fail("table.insert takes a table, a position if you like, and a value")
			}
			return 0
		},
		"remove": func(L *lua.LState) int {
			t := writable("table.remove")
			i := L.OptInt(2, t.Len())
			if i < 1 || i > t.Len() {
				L.Push(lua.LNil)
				return 1
			}
			L.Push(t.Remove(i))
			return 1
		},
		"sort": func(L *lua.LState) int {
			t := writable("table.sort")
			n := t.Len()
			list := make([]lua.LValue, n)
			for i := range list {
				if list[i] = t.RawGetInt(i + 1); list[i] == lua.LNil {
					h.fail("table.sort: the list has a hole at %d", i+1)
				}
			}
			less := func(a, b lua.LValue) bool { return h.less(a, b) }
			if fn, ok := L.Get(2).(*lua.LFunction); ok {
				less = func(a, b lua.LValue) bool {
					L.Push(fn)
					L.Push(a)
					L.Push(b)
					L.Call(2, 1)
					r := lua.LVAsBool(L.Get(-1))
					L.Pop(1)
					return r
				}
			}
			sort.SliceStable(list, func(i, j int) bool { return less(list[i], list[j]) })
			for i, v := range list {
				t.RawSetInt(i+1, v)
			}
			return 0
		},
	})
}

func (h *host) less(a, b lua.LValue) bool {
	switch a := a.(type) {
	case lua.LNumber:
		if b, ok := b.(lua.LNumber); ok {
			return a < b
		}
	case lua.LString:
		if b, ok := b.(lua.LString); ok {
			return a < b
		}
	}
	h.fail("table.sort: %s and %s have no order", kind(a), kind(b))
	return false
}

// math is the part of the math library that depends on nothing but its arguments.
func (h *host) math() *lua.LTable {
	one := func(f func(float64) float64) lua.LGFunction {
		return func(L *lua.LState) int {
			L.Push(lua.LNumber(f(float64(L.CheckNumber(1)))))
			return 1
		}
	}
	fold := func(f func(a, b float64) float64) lua.LGFunction {
		return func(L *lua.LState) int {
			v := float64(L.CheckNumber(1))
			for i := 2; i <= L.GetTop(); i++ {
				v = f(v, float64(L.CheckNumber(i)))
			}
			L.Push(lua.LNumber(v))
			return 1
		}
	}
	t := h.table(map[string]lua.LGFunction{
		"abs": one(math.Abs), "ceil": one(math.Ceil), "floor": one(math.Floor), "sqrt": one(math.Sqrt),
		"max": fold(math.Max), "min": fold(math.Min),
		"fmod": func(L *lua.LState) int {
			L.Push(lua.LNumber(math.Mod(float64(L.CheckNumber(1)), float64(L.CheckNumber(2)))))
			return 1
		},
	})
	t.RawSetString("huge", lua.LNumber(math.Inf(1)))
	return t
}
