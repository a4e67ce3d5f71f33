package lua

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"
)

// Bounds of a state.
const (
	maxString   = 1 << 20 // bytes of any string that the library makes
	loadSteps   = 100_000 // instructions of a load
	loadBytes   = 8 << 20 // bytes of strings that a load may make
	loadPattern = 1 << 24 // steps that one pattern may take in a load, at worst
	callStack   = 160     // calls within calls
	registry    = 1 << 10 // values, at the start
	registryMax = 1 << 14
	maxIndex    = 1 << 16 // the highest index that is kept in a table's array part
)

// missing explains the standard names that a driver does not have.
var missing = map[string]string{
	"pcall":          "an error can't be caught: a broken attempt ends the phase",
	"xpcall":         "an error can't be caught: a broken attempt ends the phase",
	"coroutine":      "a phase runs straight through",
	"load":           "a driver is one file; shared parts are required from lib.*",
	"loadstring":     "a driver is one file; shared parts are required from lib.*",
	"loadfile":       "a driver is one file; shared parts are required from lib.*",
	"dofile":         "a driver is one file; shared parts are required from lib.*",
	"module":         "a lib file returns a table",
	"package":        "only lib.* can be required",
	"os":             "a driver has no access to the system",
	"io":             "a driver has no access to files",
	"debug":          "a driver can't look into its host",
	"channel":        "a phase runs straight through",
	"newproxy":       "metatables can't be reached",
	"getmetatable":   "metatables can't be reached",
	"setmetatable":   "metatables can't be reached",
	"rawget":         "metatables can't be reached",
	"rawset":         "metatables can't be reached",
	"rawequal":       "metatables can't be reached",
	"getfenv":        "environments can't be reached",
	"setfenv":        "environments can't be reached",
	"collectgarbage": "memory is the host's concern",
	"_G":             "globals can't be written or listed",
	"_VERSION":       "a driver names the api it needs in its manifest",
}

// limitIndex lowers gopher-lua's array bound once, before the first state:
// t[67108862] = 1 would take a gigabyte.
var limitIndex = sync.OnceFunc(func() { lua.MaxArrayIndex = maxIndex })

// host is one Lua state and what its functions share. It is used by one goroutine.
type host struct {
	L       *lua.LState
	prog    *program
	frozen  map[*lua.LTable]*lua.LTable // read-only table → its contents
	loaded  map[string]lua.LValue       // what require returned
	loading bool                        // true while the file itself runs: no phase is under way
	made    int                         // bytes made while loading
	globals *lua.LTable
	lazy    map[string]func() *lua.LTable // global tables, made when they are first read
	meta    struct{ secret, asset, outcome, page *lua.LTable }
	run     *run // nil outside a phase
}

// newHost makes a closed state for prog.
func newHost(ctx context.Context, prog *program) *host {
	limitIndex()
	L := lua.NewState(lua.Options{
		SkipOpenLibs: true, CallStackSize: callStack,
		RegistrySize: registry, RegistryMaxSize: registryMax, RegistryGrowStep: registry,
	})
	L.SetContext(ctx)
	h := &host{L: L, prog: prog, frozen: map[*lua.LTable]*lua.LTable{}, loaded: map[string]lua.LValue{}}
	h.globals = L.CreateTable(0, 32)
	L.Env = h.globals
	L.G.Global = h.globals
	h.base()
	h.lazy = map[string]func() *lua.LTable{"string": h.strings, "table": h.tables, "math": h.math}
	h.words()
	mt := L.CreateTable(0, 1)
	mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		lib := h.contents(h.global("string"))
		mt.RawSetString("__index", lib)
		L.Push(lib.RawGet(L.Get(2)))
		return 1
	}))
	L.SetMetatable(lua.LString(""), mt)
	gmt := L.CreateTable(0, 2)
	gmt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		name := lua.LVAsString(L.Get(2))
		if t := h.global(name); t != nil {
			L.Push(t)
			return 1
		}
		h.fail("%s", undefined(name, h.globalNames()))
		return 0
	}))
	gmt.RawSetString("__newindex", L.NewFunction(func(L *lua.LState) int {
		name := lua.LVAsString(L.Get(2))
		h.fail("%s is assigned but not local: write `local %s`", name, name)
		return 0
	}))
	h.globals.Metatable = gmt
	return h
}

// undefined says that the global name does not exist.
func undefined(name string, known []string) string {
	if why, ok := missing[name]; ok {
		return fmt.Sprintf("%s does not exist here: %s", name, why)
	}
	return fmt.Sprintf("the global %q is not defined%s", name, near(name, known))
}

func (h *host) globalNames() []string {
	names := slices.Collect(maps.Keys(h.lazy))
	for k, _ := h.globals.Next(lua.LNil); k != lua.LNil; k, _ = h.globals.Next(k) {
		if name := lua.LVAsString(k); name != concatName && h.lazy[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (h *host) close() { h.L.Close() }

// global is the global table name, made and frozen when it is first read; nil
// when there is none.
func (h *host) global(name string) *lua.LTable {
	if t, ok := h.globals.RawGetString(name).(*lua.LTable); ok {
		return t
	}
	build := h.lazy[name]
	if build == nil {
		return nil
	}
	t := h.freeze(name, build())
	h.globals.RawSetString(name, t)
	return t
}

// table makes a table of functions.
func (h *host) table(funcs map[string]lua.LGFunction) *lua.LTable {
	t := h.L.CreateTable(0, len(funcs))
	for name, fn := range funcs {
		t.RawSetString(name, h.L.NewFunction(fn))
	}
	return t
}

// freeze returns a read-only view of data; reading a name that is not there is nil.
func (h *host) freeze(name string, data *lua.LTable) *lua.LTable {
	return h.freezeWith(name, data, data)
}

// freezeWith is freeze with its own reader, a table or a function.
func (h *host) freezeWith(name string, data *lua.LTable, index lua.LValue) *lua.LTable {
	proxy := h.L.CreateTable(0, 0)
	mt := h.L.CreateTable(0, 3)
	mt.RawSetString("__index", index)
	mt.RawSetString("__newindex", h.L.NewFunction(func(L *lua.LState) int {
		h.fail("%s is read-only", name)
		return 0
	}))
	mt.RawSetString("__len", h.L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LNumber(data.Len()))
		return 1
	}))
	proxy.Metatable = mt
	h.frozen[proxy] = data
	return proxy
}

// freezeDeep freezes t and every plain table in it. Depth is bounded by the caller's data.
func (h *host) freezeDeep(name string, t *lua.LTable, depth int) *lua.LTable {
	if h.frozen[t] != nil {
		return t
	}
	if depth > 20 {
		h.fail("%s is nested too deeply", name)
	}
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		if sub, ok := v.(*lua.LTable); ok && sub != t {
			t.RawSet(k, h.freezeDeep(name, sub, depth+1))
		}
	}
	return h.freeze(name, t)
}

// contents returns the table behind a read-only view, or t itself.
func (h *host) contents(t *lua.LTable) *lua.LTable {
	if data, ok := h.frozen[t]; ok {
		return data
	}
	return t
}

// checkTable is argument n as a table, frozen or not.
func (h *host) checkTable(n int, what string) *lua.LTable {
	t, ok := h.L.Get(n).(*lua.LTable)
	if !ok {
		h.fail("%s must be a table, not %s", what, kind(h.L.Get(n)))
	}
	return h.contents(t)
}

// fail raises an error at the script's own line.
func (h *host) fail(format string, args ...any) {
	panic(&scriptError{place: h.place(), msg: fmt.Sprintf(format, args...)})
}

// scriptError is a mistake of the script, with its place.
type scriptError struct{ place, msg string }

func (e *scriptError) Error() string { return e.msg }

// place is file:line of the innermost script function, "" when none runs. A function
// that has not begun is at the line where it is defined.
func (h *host) place() string {
	for level := 0; level < callStack; level++ {
		dbg, ok := h.L.GetStack(level)
		if !ok {
			return ""
		}
		if _, err := h.L.GetInfo("Sl", dbg, lua.LNil); err != nil || dbg.What == "G" {
			continue
		}
		if line := cmp.Or(dbg.CurrentLine, dbg.LineDefined); line > 0 {
			return fmt.Sprintf("%s:%d", dbg.Source, line)
		}
	}
	return ""
}

// protect calls f and returns what broke it. Whatever unwinds the Lua stack ends
// here: scripts have nothing that could catch it. The state is not used again
// after an error.
func (h *host) protect(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *scriptError:
			err = r
		case *unwind:
			err = r.err
		case *lua.ApiError:
			err = h.apiError(r)
		case error:
			why := "the script broke its host: " + r.Error()
			if overflowing() {
				why = tooManyValues
			}
			err = &scriptError{h.place(), why}
		default:
			err = &scriptError{h.place(), fmt.Sprintf("the script broke its host: %v", r)}
		}
	}()
	f()
	return nil
}

// tooManyValues is what the interpreter's own "registry overflow" means to a person.
var tooManyValues = fmt.Sprintf("more than %d values at once: a call hands on ever more arguments, or calls within calls keep too many", registryMax)

// overflowing reports, to a function that recovers, whether the panic came up while the
// interpreter was reporting that its values don't fit. It fails at that where a
// function has just been entered by a tail call, and so has no line yet.
func overflowing() bool {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	for f, more := frames.Next(); more; f, more = frames.Next() {
		if strings.HasSuffix(f.Function, ".registryOverflow") {
			return true
		}
	}
	return false
}

// unwind carries an error of a verb through the Lua stack.
type unwind struct{ err error }

// apiError splits gopher-lua's "file:line: message".
func (h *host) apiError(e *lua.ApiError) error {
	msg := strings.TrimSpace(lua.LVAsString(h.L.ToStringMeta(e.Object)))
	if e.Object.Type() == lua.LTTable {
		msg = "error was called with a table: give it a sentence"
	}
	place := ""
	if head, rest, ok := strings.Cut(msg, ": "); ok {
		if i := strings.LastIndexByte(head, ':'); i > 0 && strings.Trim(head[i+1:], "0123456789") == "" {
			place, msg = head, rest
		}
	}
	if place == "" {
		place = h.place()
	}
	if ctx := h.L.Context(); ctx != nil && ctx.Err() != nil {
		if errors.Is(ctx.Err(), errSteps) {
			return &scriptError{place, errSteps.Error()}
		}
		return &stopped{place: place, err: ctx.Err()}
	}
	switch {
	case strings.HasPrefix(msg, "stack overflow"):
		msg = fmt.Sprintf("more than %d calls within calls", callStack)
	case strings.Contains(msg, "registry overflow"):
		msg = tooManyValues
	}
	return &scriptError{place, msg}
}

// stopped is a script that its context ended.
type stopped struct {
	place string
	err   error
}

func (e *stopped) Error() string { return e.err.Error() }
func (e *stopped) Unwrap() error { return e.err }

var errSteps = fmt.Errorf("loading takes more than %d steps: a driver file only describes, the work is done in its phases", loadSteps)

// steps is a context that ends after a number of instructions: the machine asks
// Done once for each.
type steps struct {
	context.Context
	left int
}

var ended = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (s *steps) Done() <-chan struct{} {
	if s.left--; s.left < 0 {
		return ended
	}
	return nil
}

func (s *steps) Err() error {
	if s.left < 0 {
		return errSteps
	}
	return nil
}

// grow counts bytes made by the library and refuses too many.
func (h *host) grow(n int, what string) {
	if n > maxString {
		h.fail("%s would make a text of %d bytes, the limit is %d", what, n, maxString)
	}
	if h.loading {
		if h.made += n; h.made > loadBytes {
			h.fail("loading makes more than %d bytes of text", loadBytes)
		}
	}
}

// kind names a value's type for a person.
func kind(v lua.LValue) string {
	if ud, ok := v.(*lua.LUserData); ok {
		switch ud.Value.(type) {
		case secret:
			return "a secret"
		case asset:
			return "an image"
		case *result:
			return "an outcome"
		case pageHandle:
			return "the page"
		}
	}
	switch v.Type() {
	case lua.LTNil:
		return "nil"
	case lua.LTFunction:
		return "a function"
	case lua.LTTable:
		return "a table"
	case lua.LTBool:
		return "a boolean"
	case lua.LTNumber:
		return "a number"
	case lua.LTString:
		return "a text"
	}
	return v.Type().String()
}
