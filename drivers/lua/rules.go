package lua

import (
	"net/url"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// locators looks for label= that stands alone in a family driver.
func (c *checker) locators(e ast.Expr, listed bool) {
	switch e := e.(type) {
	case *ast.StringExpr:
		if c.m.Family && !listed && (strings.HasPrefix(e.Value, "label=") || strings.Contains(e.Value, ">> label=")) {
			c.add(e.Line(), ruleLabel, "%q is one language's label: a family's sites speak many, give a list of alternatives", e.Value)
		}
	case *ast.TableExpr:
		positional := 0
		for _, f := range e.Fields {
			if f.Key == nil {
				positional++
			}
		}
		for _, f := range e.Fields {
			c.locators(f.Value, f.Key == nil && positional > 1)
		}
	}
}

// words checks a text for hosts and for what rollcall does not do.
func (c *checker) words(s *ast.StringExpr) {
	low := strings.ToLower(s.Value)
	for _, w := range evasions {
		if strings.Contains(low, w) {
			c.add(s.Line(), ruleEvasion, "%q: rollcall does not solve captchas, hide the browser, rotate proxies or use throw-away mail; page:human asks a person", w)
			break
		}
	}
	if !strings.HasPrefix(low, "http://") && !strings.HasPrefix(low, "https://") {
		return
	}
	u, err := url.Parse(low)
	if err != nil || u.Hostname() == "" || c.allowed(u.Hostname()) {
		return
	}
	c.add(s.Line(), ruleHost, "the host %s is not declared: add it to hosts, or use a path, which is joined to the site's address", u.Hostname())
}

func (c *checker) allowed(host string) bool {
	for _, h := range slices.Concat(c.m.Hosts, c.m.Domains) {
		if host == h || host == "www."+h || strings.HasPrefix(h, "*.") && strings.HasSuffix(host, h[1:]) {
			return true
		}
	}
	return false
}

// lost finds clicks whose answer nobody waits for.
func (c *checker) lost(stmts []ast.Stmt, function bool) {
	for i, s := range stmts {
		st, ok := s.(*ast.FuncCallStmt)
		if !ok {
			continue
		}
		call, ok := st.Expr.(*ast.FuncCallExpr)
		if !ok || call.Method != "click" || len(call.Args) != 1 {
			continue
		}
		if i+1 == len(stmts) {
			if function {
				c.add(call.Line(), ruleLost, "the phase ends after a click without signs: say what shows that it worked")
			}
			continue
		}
		switch next := stmts[i+1].(type) {
		case *ast.ReturnStmt:
			c.add(call.Line(), ruleLost, "a click without signs is followed by return: say what shows that it worked")
		case *ast.FuncCallStmt:
			if n, ok := next.Expr.(*ast.FuncCallExpr); ok && n.Method == "open" {
				c.add(call.Line(), ruleLost, "a click without signs is followed by open, which may cancel what it sent: say what shows that it worked")
			}
		case *ast.LocalAssignStmt:
			if len(next.Exprs) > 0 && opens(next.Exprs[0]) {
				c.add(call.Line(), ruleLost, "a click without signs is followed by open, which may cancel what it sent: say what shows that it worked")
			}
		case *ast.AssignStmt:
			if len(next.Rhs) > 0 && opens(next.Rhs[0]) {
				c.add(call.Line(), ruleLost, "a click without signs is followed by open, which may cancel what it sent: say what shows that it worked")
			}
		}
	}
	for _, s := range stmts {
		switch s := s.(type) {
		case *ast.IfStmt:
			c.lost(s.Then, false)
			c.lost(s.Else, false)
		case *ast.DoBlockStmt:
			c.lost(s.Stmts, false)
		case *ast.WhileStmt:
			c.lost(s.Stmts, false)
		case *ast.RepeatStmt:
			c.lost(s.Stmts, false)
		case *ast.NumberForStmt:
			c.lost(s.Stmts, false)
		case *ast.GenericForStmt:
			c.lost(s.Stmts, false)
		}
	}
}

func opens(e ast.Expr) bool {
	call, ok := e.(*ast.FuncCallExpr)
	return ok && call.Method == "open"
}

// refusals finds a sign "refused" that the function never compares with.
func (c *checker) refusals(fn *ast.FunctionExpr) {
	var waits []*ast.FuncCallExpr
	looked := false
	visit(fn.Stmts, func(n any) bool {
		switch n := n.(type) {
		case *ast.FunctionExpr:
			return n == fn
		case *ast.FuncCallExpr:
			if n.Method == "" {
				break
			}
			for _, a := range n.Args {
				if t, ok := a.(*ast.TableExpr); ok && n.Method != "fields" && hasKey(t, "refused") {
					waits = append(waits, n)
				}
			}
		case *ast.RelationalOpExpr:
			if literal(n.Lhs) == "refused" || literal(n.Rhs) == "refused" {
				looked = true
			}
		case *ast.ReturnStmt: // return page:click(…) hands the label on
			for _, e := range n.Exprs {
				if call, ok := e.(*ast.FuncCallExpr); ok && call.Method != "" {
					looked = true
				}
			}
		}
		return true
	})
	if looked {
		visit(fn.Stmts, func(n any) bool {
			if inner, ok := n.(*ast.FunctionExpr); ok {
				return inner == fn
			}
			if st, ok := n.(*ast.FuncCallStmt); ok {
				if call, ok := st.Expr.(*ast.FuncCallExpr); ok && slices.Contains(waits, call) {
					c.add(call.Line(), ruleIgnored, "the sign refused is waited for and its label is thrown away")
				}
			}
			return true
		})
		return
	}
	for _, w := range waits {
		c.add(w.Line(), ruleIgnored, "the sign refused is waited for and never looked at: if seen == \"refused\" then return outcome.refused(said, words) end")
	}
}
