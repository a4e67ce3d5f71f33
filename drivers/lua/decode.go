package lua

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// Finding is one thing wrong with a script.
type Finding struct {
	File    string
	Line    int // 0: the whole file
	Rule    string
	Message string
}

func (f Finding) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s [%s]", f.File, f.Message, f.Rule)
	}
	return fmt.Sprintf("%s:%d: %s [%s]", f.File, f.Line, f.Message, f.Rule)
}

// decoder reads the driver's table strictly and collects what is wrong.
type decoder struct {
	h        *host
	file     string
	lines    map[string]int // path of a key in the driver's table → line
	problems []Finding
}

func (d *decoder) bad(path, format string, args ...any) {
	line := 0
	for p := path; p != ""; p = parent(p) {
		if n, ok := d.lines[p]; ok {
			line = n
			break
		}
	}
	d.problems = append(d.problems, Finding{d.file, line, "manifest", fmt.Sprintf(format, args...)})
}

func parent(path string) string {
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '.' {
			return path[:i]
		}
	}
	return ""
}

// keys gives each entry of the table at path that known names, in the order of
// the source, and reports the others.
func (d *decoder) keys(t *lua.LTable, path string, known []string, each func(key, path string, v lua.LValue)) {
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		name, ok := k.(lua.LString)
		if !ok {
			if slices.Contains(known, "[]") {
				continue
			}
			d.bad(path, "%s has an entry without a name", orDriver(path))
			continue
		}
		sub := join(path, string(name))
		if known != nil && !slices.Contains(known, string(name)) {
			d.bad(sub, "unknown key %q in %s%s", string(name), orDriver(path), near(string(name), known))
			continue
		}
		each(string(name), sub, v)
	}
}

func orDriver(path string) string {
	if path == "" {
		return "the driver"
	}
	return path
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *decoder) table(path string, v lua.LValue) *lua.LTable {
	t, ok := v.(*lua.LTable)
	if !ok {
		d.bad(path, "%s must be a table, not %s", path, kind(v))
		return nil
	}
	return d.h.contents(t)
}

func (d *decoder) text(path string, v lua.LValue) string {
	s, ok := v.(lua.LString)
	if !ok {
		d.bad(path, "%s must be a text, not %s", path, kind(v))
		return ""
	}
	return string(s)
}

func (d *decoder) boolean(path string, v lua.LValue) bool {
	b, ok := v.(lua.LBool)
	if !ok {
		d.bad(path, "%s must be true or false, not %s", path, kind(v))
	}
	return bool(b)
}

// count is a whole number from low to high.
func (d *decoder) count(path string, v lua.LValue, low, high int) int {
	n, ok := v.(lua.LNumber)
	f := float64(n)
	if !ok || f != math.Trunc(f) || f < float64(low) || f > float64(high) {
		d.bad(path, "%s must be a whole number from %d to %d, not %s", path, low, high, shortly(v))
		return 0
	}
	return int(f)
}

// duration is a text such as "30s", "2m" or "1h30m", from low to high.
func (d *decoder) duration(path string, v lua.LValue, low, high time.Duration) time.Duration {
	s, ok := v.(lua.LString)
	dur, err := time.ParseDuration(string(s))
	if !ok || err != nil || dur < low || dur > high {
		d.bad(path, "%s must be a time from %s to %s such as \"30s\", not %s", path, low, high, shortly(v))
		return 0
	}
	return dur
}

// list is a list of texts without doubles.
func (d *decoder) list(path string, v lua.LValue) []string {
	t := d.table(path, v)
	if t == nil {
		return nil
	}
	var out []string
	d.items(t, path, func(i int, sub string, v lua.LValue) {
		s, ok := v.(lua.LString)
		switch {
		case !ok:
			d.bad(sub, "%s[%d] must be a text, not %s", path, i, kind(v))
		case slices.Contains(out, string(s)):
			d.bad(sub, "%s names %q twice", path, string(s))
		default:
			out = append(out, string(s))
		}
	})
	return out
}

// items gives each entry of the list at path; anything but a plain list is reported.
func (d *decoder) items(t *lua.LTable, path string, each func(i int, path string, v lua.LValue)) {
	n := t.Len()
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		if i, ok := k.(lua.LNumber); !ok || float64(i) < 1 || int(i) > n {
			d.bad(join(path, k.String()), "%s must be a list, it has the key %q", path, k.String())
		}
	}
	for i := 1; i <= n; i++ {
		v := t.RawGetInt(i)
		if v == lua.LNil {
			d.bad(path, "%s has a hole at %d", path, i)
			continue
		}
		each(i, join(path, strconv.Itoa(i)), v)
	}
}

func shortly(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		if len(v) <= 40 {
			return strconv.Quote(string(v))
		}
	case lua.LNumber, lua.LBool:
		return v.String()
	}
	return kind(v)
}

// lineIndex maps the keys of the table that the chunk returns to their lines.
func lineIndex(stmts []ast.Stmt) map[string]int {
	lines := map[string]int{}
	if len(stmts) == 0 {
		return lines
	}
	ret, ok := stmts[len(stmts)-1].(*ast.ReturnStmt)
	if !ok || len(ret.Exprs) != 1 {
		return lines
	}
	switch e := ret.Exprs[0].(type) {
	case *ast.TableExpr:
		indexTable(e, "", lines)
	case *ast.IdentExpr:
		for _, s := range stmts {
			indexStmt(s, e.Value, lines)
		}
	}
	return lines
}

func indexStmt(s ast.Stmt, name string, lines map[string]int) {
	switch s := s.(type) {
	case *ast.LocalAssignStmt:
		for i, n := range s.Names {
			if n == name && i < len(s.Exprs) {
				if t, ok := s.Exprs[i].(*ast.TableExpr); ok {
					indexTable(t, "", lines)
				}
			}
		}
	case *ast.FuncDefStmt:
		if s.Name.Func != nil {
			if p, ok := dotted(s.Name.Func, name); ok {
				lines[p] = s.Line()
			}
		} else if id, ok := s.Name.Receiver.(*ast.IdentExpr); ok && id.Value == name {
			lines[s.Name.Method] = s.Line()
		}
	case *ast.AssignStmt:
		for i, l := range s.Lhs {
			p, ok := dotted(l, name)
			if !ok {
				continue
			}
			lines[p] = s.Line()
			if i < len(s.Rhs) {
				if t, ok := s.Rhs[i].(*ast.TableExpr); ok {
					indexTable(t, p, lines)
				}
			}
		}
	}
}

// dotted is the path of name.a.b.
func dotted(e ast.Expr, name string) (string, bool) {
	at, ok := e.(*ast.AttrGetExpr)
	if !ok {
		return "", false
	}
	key, ok := at.Key.(*ast.StringExpr)
	if !ok {
		return "", false
	}
	if id, ok := at.Object.(*ast.IdentExpr); ok {
		return key.Value, id.Value == name
	}
	head, ok := dotted(at.Object, name)
	return join(head, key.Value), ok
}

func indexTable(t *ast.TableExpr, path string, lines map[string]int) {
	n := 0
	for _, f := range t.Fields {
		key := ""
		if f.Key == nil {
			n++
			key = strconv.Itoa(n)
		} else if s, ok := f.Key.(*ast.StringExpr); ok {
			key = s.Value
		} else {
			continue
		}
		sub := join(path, key)
		line := f.Value.Line()
		if f.Key != nil && f.Key.Line() > 0 {
			line = f.Key.Line()
		}
		lines[sub] = line
		if inner, ok := f.Value.(*ast.TableExpr); ok {
			indexTable(inner, sub, lines)
		}
	}
}
