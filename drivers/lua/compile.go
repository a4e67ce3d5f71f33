package lua

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"sync"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// concatName is the global that `..` is compiled to; no script can spell it.
const concatName = "(concat)"

// program is a compiled script with the libs it requires.
type program struct {
	file   string
	stmts  []ast.Stmt
	main   *lua.FunctionProto
	libs   map[string]*lua.FunctionProto // by the name that require gets
	digest string
	quiet  bool
}

// compile parses, bounds and compiles the source and every lib it requires.
func compile(src Source) (*program, *LoadError) {
	p := &program{file: src.file(), quiet: src.Quiet, libs: map[string]*lua.FunctionProto{}}
	stmts, proto, wanted, err := compileFile(p.file, src.Text)
	if err != nil {
		return nil, err
	}
	p.stmts, p.main = stmts, proto
	texts, err := required(src)
	if err != nil {
		return nil, err
	}
	type ask struct {
		use  requirement
		from string
	}
	var queue []ask
	for _, w := range wanted {
		queue = append(queue, ask{w, p.file})
	}
	for len(queue) > 0 {
		q := queue[0]
		queue = queue[1:]
		if p.libs[q.use.name] != nil {
			continue
		}
		file := libFile(q.use.name)
		text, have := texts[q.use.name]
		if !have {
			if _, err := readLib(src.Lib, file); err == nil { // its text does not show the name
				return nil, &LoadError{q.from, q.use.line, fmt.Sprintf("require %q: write the name as it is, without escapes", q.use.name)}
			}
			return nil, &LoadError{q.from, q.use.line, fmt.Sprintf("require %q: there is no %s", q.use.name, file)}
		}
		lib, err := compileLib(libPath(p.file, file), text)
		if err != nil {
			return nil, err
		}
		p.libs[q.use.name] = lib.proto
		for _, w := range lib.requires {
			queue = append(queue, ask{w, file})
		}
	}
	p.digest = digest(src.Text, texts)
	if src.Digest != "" && src.Digest != p.digest {
		return nil, &LoadError{p.file, 0, "the script or a lib file of it changed since it was chosen: its digest differs"}
	}
	return p, nil
}

// lib is a compiled lib file.
type lib struct {
	proto    *lua.FunctionProto
	requires []requirement
}

// compiled keeps the lib files that were compiled last: the scripts of a folder share theirs.
var compiled struct {
	sync.Mutex
	by map[libKey]lib
}

type libKey struct {
	file   string
	digest [sha256.Size]byte
}

// compileLib does one lib file, or finds it done.
func compileLib(file string, text []byte) (lib, *LoadError) {
	key := libKey{file, sha256.Sum256(text)}
	compiled.Lock()
	l, ok := compiled.by[key]
	compiled.Unlock()
	if ok {
		return l, nil
	}
	_, proto, wanted, err := compileFile(file, text)
	if err != nil {
		return lib{}, err
	}
	l = lib{proto, wanted}
	compiled.Lock()
	defer compiled.Unlock()
	if len(compiled.by) >= maxLibs || compiled.by == nil {
		compiled.by = map[libKey]lib{}
	}
	compiled.by[key] = l
	return l, nil
}

// compileFile does one file. A panic of the compiler is an error of the file.
func compileFile(file string, text []byte) (stmts []ast.Stmt, proto *lua.FunctionProto, wanted []requirement, fail *LoadError) {
	if err := checkText(file, text); err != nil {
		return nil, nil, nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			stmts, proto, wanted = nil, nil, nil
			fail = &LoadError{file, 0, fmt.Sprintf("can't be compiled: %v", r)}
		}
	}()
	stmts, err := parse.Parse(bytes.NewReader(text), file)
	if err != nil {
		return nil, nil, nil, syntaxError(file, text, err)
	}
	w := &walker{file: file}
	w.block(stmts, 1)
	if w.err != nil {
		return nil, nil, nil, w.err
	}
	proto, err = lua.Compile(stmts, file)
	if err != nil {
		var ce *lua.CompileError
		if errors.As(err, &ce) {
			return nil, nil, nil, &LoadError{file, ce.Line, ce.Message}
		}
		return nil, nil, nil, &LoadError{file, 0, err.Error()}
	}
	return stmts, proto, w.requires, nil
}

func syntaxError(file string, text []byte, err error) *LoadError {
	var pe *parse.Error
	if !errors.As(err, &pe) {
		return &LoadError{file, 0, err.Error()}
	}
	line := pe.Pos.Line
	if line <= 0 { // the end of the file
		return &LoadError{file, bytes.Count(text, []byte{'\n'}) + 1, "syntax error: the file ends too early, an end or a bracket is missing"}
	}
	if pe.Token == "" {
		return &LoadError{file, line, pe.Message}
	}
	return &LoadError{file, line, fmt.Sprintf("%s near %s", pe.Message, strconv.Quote(pe.Token))}
}

// walker bounds the depth of a tree, finds what it requires and turns each
// concatenation into a call.
type walker struct {
	file     string
	requires []requirement
	err      *LoadError
}

func (w *walker) fail(line int, format string, args ...any) {
	if w.err == nil {
		w.err = &LoadError{w.file, line, fmt.Sprintf(format, args...)}
	}
}

func (w *walker) block(stmts []ast.Stmt, depth int) {
	for _, s := range stmts {
		if depth > maxDepth {
			w.fail(s.Line(), "nested deeper than %d levels", maxDepth)
		}
		if w.err != nil {
			return
		}
		w.stmt(s, depth)
	}
}

func (w *walker) stmt(s ast.Stmt, depth int) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		for _, to := range s.Lhs {
			w.target(to, s.Line())
		}
		w.exprs(s.Lhs, depth)
		w.exprs(s.Rhs, depth)
	case *ast.LocalAssignStmt:
		w.exprs(s.Exprs, depth)
	case *ast.FuncCallStmt:
		s.Expr = w.expr(s.Expr, depth)
	case *ast.DoBlockStmt:
		w.block(s.Stmts, depth+1)
	case *ast.WhileStmt:
		s.Condition = w.expr(s.Condition, depth)
		w.block(s.Stmts, depth+1)
	case *ast.RepeatStmt:
		s.Condition = w.expr(s.Condition, depth)
		w.block(s.Stmts, depth+1)
	case *ast.IfStmt:
		s.Condition = w.expr(s.Condition, depth)
		w.block(s.Then, depth+1)
		w.block(s.Else, depth+1)
	case *ast.NumberForStmt:
		s.Init, s.Limit = w.expr(s.Init, depth), w.expr(s.Limit, depth)
		if s.Step != nil {
			s.Step = w.expr(s.Step, depth)
		}
		w.block(s.Stmts, depth+1)
	case *ast.GenericForStmt:
		w.exprs(s.Exprs, depth)
		w.block(s.Stmts, depth+1)
	case *ast.FuncDefStmt:
		if s.Name.Func != nil {
			s.Name.Func = w.expr(s.Name.Func, depth)
		}
		if s.Name.Receiver != nil {
			s.Name.Receiver = w.expr(s.Name.Receiver, depth)
		}
		w.block(s.Func.Stmts, depth+1)
	case *ast.ReturnStmt:
		w.exprs(s.Exprs, depth)
	}
}

// target refuses to assign into a constant: the compiler takes its number for
// that of a local variable, or of whatever lies behind the function's own.
func (w *walker) target(to ast.Expr, line int) {
	field, ok := to.(*ast.AttrGetExpr)
	if !ok {
		return
	}
	switch field.Object.(type) {
	case *ast.StringExpr, *ast.NumberExpr, *ast.TrueExpr, *ast.FalseExpr, *ast.NilExpr:
		w.fail(line, "a constant has no fields to assign to")
	}
}

func (w *walker) exprs(list []ast.Expr, depth int) {
	for i := range list {
		list[i] = w.expr(list[i], depth)
	}
}

func (w *walker) expr(e ast.Expr, depth int) ast.Expr {
	if e == nil || w.err != nil {
		return e
	}
	if depth++; depth > maxDepth {
		w.fail(e.Line(), "an expression is nested deeper than %d levels", maxDepth)
		return e
	}
	switch e := e.(type) {
	case *ast.AttrGetExpr:
		e.Object, e.Key = w.expr(e.Object, depth), w.expr(e.Key, depth)
	case *ast.TableExpr:
		for _, f := range e.Fields {
			f.Key, f.Value = w.expr(f.Key, depth), w.expr(f.Value, depth)
			if f.Key != nil {
				f.Value = single(f.Value) // as the last one it would become an element of the list as well
			}
		}
	case *ast.FuncCallExpr:
		w.require(e)
		e.Func, e.Receiver = w.expr(e.Func, depth), w.expr(e.Receiver, depth)
		w.exprs(e.Args, depth)
	case *ast.LogicalOpExpr:
		e.Lhs, e.Rhs = w.expr(e.Lhs, depth), w.expr(e.Rhs, depth)
	case *ast.RelationalOpExpr:
		e.Lhs, e.Rhs = w.expr(e.Lhs, depth), w.expr(e.Rhs, depth)
	case *ast.ArithmeticOpExpr:
		e.Lhs, e.Rhs = w.expr(e.Lhs, depth), w.expr(e.Rhs, depth)
	case *ast.UnaryMinusOpExpr:
		e.Expr = w.expr(e.Expr, depth)
	case *ast.UnaryNotOpExpr:
		e.Expr = w.expr(e.Expr, depth)
	case *ast.UnaryLenOpExpr:
		e.Expr = w.expr(e.Expr, depth)
	case *ast.FunctionExpr:
		w.block(e.Stmts, depth)
	case *ast.StringConcatOpExpr:
		return w.concat(e, depth)
	}
	return e
}

// concat turns a .. b .. c into one call with three arguments.
func (w *walker) concat(e *ast.StringConcatOpExpr, depth int) ast.Expr {
	var parts []ast.Expr
	var rest ast.Expr = e
	for {
		c, ok := rest.(*ast.StringConcatOpExpr)
		if !ok {
			break
		}
		parts = append(parts, single(w.expr(c.Lhs, depth)))
		rest = c.Rhs
		if len(parts) >= maxNesting {
			w.fail(e.Line(), "more than %d parts are joined at once: use table.concat", maxNesting)
			return e
		}
	}
	parts = append(parts, single(w.expr(rest, depth)))
	fn := &ast.IdentExpr{Value: concatName}
	fn.SetLine(e.Line())
	fn.SetLastLine(e.Line())
	call := &ast.FuncCallExpr{Func: fn, Args: parts, AdjustRet: true}
	call.SetLine(e.Line())
	call.SetLastLine(e.Line())
	return call
}

// single keeps a call or ... in last place from spreading into several values.
func single(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		e.AdjustRet = true
	case *ast.Comma3Expr:
		e.AdjustRet = true
	}
	return e
}

// require records require "lib.x"; anything but a plain name is refused.
func (w *walker) require(e *ast.FuncCallExpr) {
	id, ok := e.Func.(*ast.IdentExpr)
	if !ok || id.Value != "require" {
		return
	}
	if len(e.Args) == 1 {
		if name, ok := e.Args[0].(*ast.StringExpr); ok {
			if !libName.MatchString(name.Value) {
				w.fail(e.Line(), "require %q: only lib.* can be required", name.Value)
			}
			w.requires = append(w.requires, requirement{name.Value, e.Line()})
			return
		}
	}
	w.fail(e.Line(), `require takes one name in quotes: require "lib.words"`)
}
