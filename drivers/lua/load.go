package lua

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	lua "github.com/yuin/gopher-lua"

	"github.com/rollcall-run/rollcall/core"
)

// Driver is a loaded script. It holds no state: each Run has its own.
type Driver struct {
	manifest core.Manifest
	prog     *program
	tests    []Test
}

var _ core.Driver = (*Driver)(nil)

// Load compiles the source and reads its manifest. It has no effect outside,
// takes bounded time and memory, and fails with a *LoadError.
func Load(src Source) (*Driver, error) {
	d, problems, err := load(src)
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		first := problems[0]
		msg := first.Message
		if n := len(problems) - 1; n > 0 {
			msg += fmt.Sprintf(" (and %d more)", n)
		}
		return nil, &LoadError{first.File, first.Line, msg}
	}
	d.prog.stmts = nil // only checks read the tree
	return d, nil
}

// load is Load with all that is wrong with the manifest.
func load(src Source) (*Driver, []Finding, error) {
	prog, lerr := compile(src)
	if lerr != nil {
		return nil, nil, lerr
	}
	h := newHost(&steps{Context: context.Background(), left: loadSteps}, prog)
	defer h.close()
	h.loading = true
	t, err := h.chunk()
	if err != nil {
		return nil, nil, loadError(prog.file, err)
	}
	d := &decoder{h: h, file: prog.file, lines: lineIndex(prog.stmts)}
	m, tests := d.manifest(t)
	drv := &Driver{manifest: m, prog: prog}
	if tests != nil && len(d.problems) == 0 {
		drv.tests = d.tests(tests, m)
	}
	if src.Name != "" && m.Name != "" && m.Name != src.Name {
		d.bad("name", "the driver's name is %q and its file's is %q: they must be the same", m.Name, src.Name)
	}
	sortFindings(d.problems)
	return drv, d.problems, nil
}

// chunk runs the file and gives the table it returns.
func (h *host) chunk() (*lua.LTable, error) {
	var t *lua.LTable
	err := h.protect(func() {
		h.L.Push(h.L.NewFunctionFromProto(h.prog.main))
		h.L.Call(0, 1)
		got, ok := h.L.Get(-1).(*lua.LTable)
		if !ok || h.frozen[got] != nil {
			panic(&scriptError{"", "the file must end with `return driver`, the driver's table; it returns " + kind(h.L.Get(-1))})
		}
		t = got
		h.L.Pop(1)
	})
	return t, err
}

func loadError(file string, err error) *LoadError {
	if e, ok := err.(*scriptError); ok {
		name, line := splitPlace(e.place)
		if name == "" {
			name = file
		}
		return &LoadError{name, line, oneLine(e.msg)}
	}
	return &LoadError{file, 0, oneLine(err.Error())}
}

// maxMessage bounds what a script says of itself in an error, in characters.
const maxMessage = 1000

// oneLine shows what a script said, which may be anything, as one line of text.
func oneLine(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > maxMessage {
			b.WriteString("…")
			break
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// Manifest is the driver's own description. Callers don't change it.
func (d *Driver) Manifest() core.Manifest { return d.manifest }

// Digest is the SHA-256 of the script and of the lib files it requires.
func (d *Driver) Digest() string { return d.prog.digest }

// Tests are the tests in the file.
func (d *Driver) Tests() []Test { return d.tests }

// sortFindings puts findings in the order of lines, those of the whole file last.
func sortFindings(list []Finding) {
	slices.SortStableFunc(list, func(a, b Finding) int {
		if (a.Line == 0) != (b.Line == 0) {
			return b.Line - a.Line
		}
		return a.Line - b.Line
	})
}
