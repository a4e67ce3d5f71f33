package lua

import (
	"slices"

	"github.com/yuin/gopher-lua/ast"
)

// visit calls f for every statement and expression, outermost first; f says
// whether to go into it.
func visit(stmts []ast.Stmt, f func(n any) bool) {
	for _, s := range stmts {
		if !f(s) {
			continue
		}
		switch s := s.(type) {
		case *ast.AssignStmt:
			visitExprs(s.Lhs, f)
			visitExprs(s.Rhs, f)
		case *ast.LocalAssignStmt:
			visitExprs(s.Exprs, f)
		case *ast.FuncCallStmt:
			visitExpr(s.Expr, f)
		case *ast.DoBlockStmt:
			visit(s.Stmts, f)
		case *ast.WhileStmt:
			visitExpr(s.Condition, f)
			visit(s.Stmts, f)
		case *ast.RepeatStmt:
			visit(s.Stmts, f)
			visitExpr(s.Condition, f)
		case *ast.IfStmt:
			visitExpr(s.Condition, f)
			visit(s.Then, f)
			visit(s.Else, f)
		case *ast.NumberForStmt:
			visitExprs([]ast.Expr{s.Init, s.Limit, s.Step}, f)
			visit(s.Stmts, f)
		case *ast.GenericForStmt:
			visitExprs(s.Exprs, f)
			visit(s.Stmts, f)
		case *ast.FuncDefStmt:
			visitExpr(s.Name.Func, f)
			visitExpr(s.Name.Receiver, f)
			visitExpr(s.Func, f)
		case *ast.ReturnStmt:
			visitExprs(s.Exprs, f)
		}
	}
}

func visitExprs(list []ast.Expr, f func(n any) bool) {
	for _, e := range list {
		visitExpr(e, f)
	}
}

func visitExpr(e ast.Expr, f func(n any) bool) {
	if e == nil || !f(e) {
		return
	}
	switch e := e.(type) {
	case *ast.AttrGetExpr:
		visitExpr(e.Object, f)
		visitExpr(e.Key, f)
	case *ast.TableExpr:
		for _, field := range e.Fields {
			visitExpr(field.Key, f)
			visitExpr(field.Value, f)
		}
	case *ast.FuncCallExpr:
		visitExpr(e.Func, f)
		visitExpr(e.Receiver, f)
		visitExprs(e.Args, f)
	case *ast.LogicalOpExpr:
		visitExprs([]ast.Expr{e.Lhs, e.Rhs}, f)
	case *ast.RelationalOpExpr:
		visitExprs([]ast.Expr{e.Lhs, e.Rhs}, f)
	case *ast.ArithmeticOpExpr:
		visitExprs([]ast.Expr{e.Lhs, e.Rhs}, f)
	case *ast.StringConcatOpExpr:
		visitExprs([]ast.Expr{e.Lhs, e.Rhs}, f)
	case *ast.UnaryMinusOpExpr:
		visitExpr(e.Expr, f)
	case *ast.UnaryNotOpExpr:
		visitExpr(e.Expr, f)
	case *ast.UnaryLenOpExpr:
		visitExpr(e.Expr, f)
	case *ast.FunctionExpr:
		visit(e.Stmts, f)
	}
}

// globalNames are the globals of every state.
var globalNames = []string{
	"assert", "error", "ipairs", "log", "mail", "math", "next", "outcome", "pairs", "print", "require", "select", "string", "table",
	"text", "tonumber", "tostring", "totp", "type", "unpack",
}

// globals resolves names block by block and reports the free ones.
type globals struct{ c *checker }

// scope is the names of a block and those around it.
type scope struct {
	names []string
	outer *scope
}

func (s *scope) has(name string) bool {
	for ; s != nil; s = s.outer {
		if slices.Contains(s.names, name) {
			return true
		}
	}
	return false
}

func (g *globals) block(stmts []ast.Stmt, outer *scope, names ...string) *scope {
	s := &scope{names: names, outer: outer}
	for _, st := range stmts {
		g.stmt(st, s)
	}
	return s
}

func (g *globals) stmt(st ast.Stmt, s *scope) {
	switch st := st.(type) {
	case *ast.AssignStmt:
		g.exprs(st.Rhs, s)
		for _, l := range st.Lhs {
			if id, ok := l.(*ast.IdentExpr); ok {
				g.write(id.Value, st.Line(), s)
			} else {
				g.expr(l, s)
			}
		}
	case *ast.LocalAssignStmt:
		// local function f: f is known in its own body
		if len(st.Names) == 1 && len(st.Exprs) == 1 {
			if _, ok := st.Exprs[0].(*ast.FunctionExpr); ok {
				s.names = append(s.names, st.Names[0])
			}
		}
		g.exprs(st.Exprs, s)
		s.names = append(s.names, st.Names...)
	case *ast.FuncCallStmt:
		g.expr(st.Expr, s)
	case *ast.DoBlockStmt:
		g.block(st.Stmts, s)
	case *ast.WhileStmt:
		g.expr(st.Condition, s)
		g.block(st.Stmts, s)
	case *ast.RepeatStmt:
		inner := g.block(st.Stmts, s)
		g.expr(st.Condition, inner)
	case *ast.IfStmt:
		g.expr(st.Condition, s)
		g.block(st.Then, s)
		g.block(st.Else, s)
	case *ast.NumberForStmt:
		g.exprs([]ast.Expr{st.Init, st.Limit, st.Step}, s)
		g.block(st.Stmts, s, st.Name)
	case *ast.GenericForStmt:
		g.exprs(st.Exprs, s)
		g.block(st.Stmts, s, st.Names...)
	case *ast.FuncDefStmt:
		if id, ok := st.Name.Func.(*ast.IdentExpr); ok {
			g.write(id.Value, st.Line(), s)
		} else {
			g.expr(st.Name.Func, s)
		}
		g.expr(st.Name.Receiver, s)
		g.function(st.Func, s, st.Name.Method != "")
	case *ast.ReturnStmt:
		g.exprs(st.Exprs, s)
	}
}

func (g *globals) function(fn *ast.FunctionExpr, s *scope, method bool) {
	names := slices.Clone(fn.ParList.Names)
	if method {
		names = append(names, "self")
	}
	if fn.ParList.HasVargs {
		names = append(names, "arg")
	}
	g.block(fn.Stmts, s, names...)
}

func (g *globals) exprs(list []ast.Expr, s *scope) {
	for _, e := range list {
		g.expr(e, s)
	}
}

func (g *globals) expr(e ast.Expr, s *scope) {
	if e == nil {
		return
	}
	visitExpr(e, func(n any) bool {
		switch n := n.(type) {
		case *ast.FunctionExpr:
			g.function(n, s, false)
			return false
		case *ast.IdentExpr:
			if !s.has(n.Value) && !slices.Contains(globalNames, n.Value) && n.Value != concatName {
				g.c.add(n.Line(), ruleGlobal, "%s", undefined(n.Value, slices.Concat(globalNames, s.names)))
			}
		}
		return true
	})
}

func (g *globals) write(name string, line int, s *scope) {
	if !s.has(name) {
		g.c.add(line, ruleGlobal, "%s is assigned but not local: write `local %s`", name, name)
	}
}
