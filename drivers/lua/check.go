package lua

import (
	"fmt"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/rollcall-run/rollcall/core"
)

// The rules of Check besides "load" and "manifest".
const (
	ruleLost       = "lost-click"        // a click whose answer nobody waits for
	ruleMail       = "mail-in-register"  // mail.wait before the commit
	ruleIgnored    = "ignored-refusal"   // a sign "refused" that nothing looks at
	ruleLabel      = "one-language"      // label= in a family driver without alternatives
	ruleCommit     = "no-commit"         // register without commit
	ruleHost       = "undeclared-host"   // an address of a host that is not declared
	ruleGlobal     = "undefined-global"  // read or written
	ruleEvasion    = "evasion"           // words of what rollcall does not do
	ruleField      = "undeclared-field"  // task.x that is in neither needs nor wants
	ruleVerb       = "unknown-verb"      // page:x that does not exist
	ruleCommitElse = "commit-elsewhere"  // commit outside register
	ruleLink       = "no-link-profile"   // profile that can be done without link_profile
	ruleAbsent     = "absent-elsewhere"  // outcome.absent outside verify
	ruleUnset      = "undeclared-option" // task.options.x that the manifest lacks
	ruleBrowser    = "needs-browser"     // what has no meaning with engine = "http"
)

// Rules lists every rule of Check with what it finds.
var Rules = map[string]string{
	"load":         "the file can't be loaded",
	"manifest":     "the driver's table is wrong",
	ruleLost:       "a click without signs is followed by open or by the end of the phase: the browser may cancel what it sent",
	ruleMail:       "mail.wait in register: register ends with its commit, confirm does what follows",
	ruleIgnored:    "a sign called refused is waited for and never looked at",
	ruleLabel:      "a family driver finds an element by one language's label: give a list",
	ruleCommit:     "register has no commit, so it can never be done",
	ruleHost:       "an address of a host that is neither the site's nor declared in hosts",
	ruleGlobal:     "a global that does not exist is read or written",
	ruleEvasion:    "rollcall does not solve captchas, hide the browser, rotate proxies or use throw-away mail",
	ruleField:      "a field of the task is used and not declared",
	ruleVerb:       "the page has no such verb",
	ruleCommitElse: "commit outside register",
	ruleLink:       "profile is done without link_profile",
	ruleAbsent:     "outcome.absent outside verify",
	ruleUnset:      "an option is read that the manifest does not have",
	ruleBrowser:    "a phase with engine = \"http\" uses what only a browser can do",
}

// evasions are words of services and tricks, as they stand in texts of a script.
var evasions = []string{
	"2captcha", "anticaptcha", "anti-captcha", "capsolver", "capmonster", "deathbycaptcha", "rucaptcha", "nopecha", "navigator.webdriver",
	"stealth", "user-agent", "useragent", "fingerprint", "socks5://", "socks4://", "mailinator", "10minutemail", "guerrillamail", "temp-mail",
	"tempmail", "yopmail", "javascript:",
}

// Check finds what is wrong with a script, in the order of its lines. The error
// is for a lib folder that can't be read; what is wrong with the script is a finding.
func Check(src Source) ([]Finding, error) {
	d, problems, err := load(src)
	if err != nil {
		le, ok := err.(*LoadError)
		if !ok {
			return nil, err
		}
		return []Finding{{le.File, le.Line, "load", le.Msg}}, nil
	}
	c := &checker{file: d.prog.file, m: d.manifest, found: problems, funcs: map[string]*ast.FunctionExpr{}}
	c.run(d.prog.stmts)
	sortFindings(c.found)
	return slices.Compact(c.found), nil
}

type checker struct {
	file  string
	m     core.Manifest
	found []Finding
	funcs map[string]*ast.FunctionExpr // local functions by name
}

func (c *checker) add(line int, rule, format string, args ...any) {
	c.found = append(c.found, Finding{c.file, line, rule, fmt.Sprintf(format, args...)})
}

func (c *checker) run(stmts []ast.Stmt) {
	g := &globals{c: c}
	g.block(stmts, nil)
	phases := map[core.Phase]*ast.FunctionExpr{}
	passed := map[*ast.FunctionExpr]bool{} // to a call, such as commit's action: what follows is the callee's
	visit(stmts, func(n any) bool {
		if call, ok := n.(*ast.FuncCallExpr); ok {
			for _, a := range call.Args {
				if fn, ok := a.(*ast.FunctionExpr); ok {
					passed[fn] = true
				}
			}
		}
		return true
	})
	visit(stmts, func(n any) bool {
		switch n := n.(type) {
		case *ast.LocalAssignStmt:
			for i, name := range n.Names {
				if i < len(n.Exprs) {
					if fn, ok := n.Exprs[i].(*ast.FunctionExpr); ok {
						c.funcs[name] = fn
					}
				}
			}
		case *ast.FuncDefStmt:
			if at, ok := n.Name.Func.(*ast.AttrGetExpr); ok {
				c.phase(phases, at.Key, n.Func)
			}
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				if at, ok := l.(*ast.AttrGetExpr); ok && i < len(n.Rhs) {
					if fn, ok := n.Rhs[i].(*ast.FunctionExpr); ok {
						c.phase(phases, at.Key, fn)
					}
				}
			}
		case *ast.TableExpr:
			for _, f := range n.Fields {
				if fn, ok := f.Value.(*ast.FunctionExpr); ok {
					c.phase(phases, f.Key, fn)
				}
			}
		case *ast.StringExpr:
			c.words(n)
		case *ast.FunctionExpr:
			c.lost(n.Stmts, !passed[n])
			c.refusals(n)
		}
		return true
	})
	for _, p := range core.Phases {
		if fn := phases[p]; fn != nil {
			c.onePhase(p, fn)
		}
	}
	c.calls(stmts)
}

func (c *checker) phase(phases map[core.Phase]*ast.FunctionExpr, key ast.Expr, fn *ast.FunctionExpr) {
	if s, ok := key.(*ast.StringExpr); ok && c.m.Has(core.Phase(s.Value)) && phases[core.Phase(s.Value)] == nil {
		phases[core.Phase(s.Value)] = fn
	}
}

// onePhase checks what depends on the phase, through the local functions that it calls.
func (c *checker) onePhase(p core.Phase, fn *ast.FunctionExpr) {
	commits, plain := false, c.m.EngineOf(p) == core.EngineHTTP
	params := fn.ParList.Names
	c.reach(fn, map[*ast.FunctionExpr]bool{}, func(n any) {
		if s, ok := n.(*ast.StringExpr); ok && plain && (strings.HasPrefix(s.Value, "xpath=") || strings.Contains(s.Value, ">> xpath=")) {
			c.add(s.Line(), ruleBrowser, "%q in %s: without a browser there is no xpath=, use a CSS selector", s.Value, p)
		}
		call, ok := n.(*ast.FuncCallExpr)
		if !ok {
			return
		}
		if plain && (call.Method == "hover" || call.Method == "human") {
			c.add(call.Line(), ruleBrowser, "%s calls %s, which needs a browser: engine = { %s = \"browser\", … }", p, call.Method, p)
		}
		switch {
		case call.Method == "commit":
			commits = true
			if p != core.Register {
				c.add(call.Line(), ruleCommitElse, "%s calls commit, which is for register only", p)
			}
		case global(call.Func) == "mail.wait" && p != core.Confirm && p != core.Login:
			rule := ruleMail
			c.add(call.Line(), rule, "mail.wait in %s: it belongs into confirm (or login), which is entered again when the mail comes", p)
		case global(call.Func) == "outcome.absent" && p != core.Verify:
			c.add(call.Line(), ruleAbsent, "outcome.absent in %s: it is for verify", p)
		case global(call.Func) == "outcome.done" && p == core.Profile && !names(call, "link_profile"):
			c.add(call.Line(), ruleLink, "profile must give the address of what it wrote: outcome.done { link_profile = page:url(…) }")
		}
		if id, ok := call.Receiver.(*ast.IdentExpr); ok && len(params) > 0 && id.Value == params[0] && !slices.Contains(PageVerbs, call.Method) {
			c.add(call.Line(), ruleVerb, "the page has no verb %q%s", call.Method, near(call.Method, PageVerbs))
		}
	})
	if p == core.Register && !commits {
		c.add(fn.Line(), ruleCommit, "register never calls page:commit: the one action that makes the account must be committed")
	}
	if len(params) > 1 {
		c.fields(fn, params[1])
	}
}

// names reports whether a call's only table names key; anything but a plain table counts as yes.
func names(call *ast.FuncCallExpr, key string) bool {
	if len(call.Args) == 0 {
		return false
	}
	t, ok := call.Args[0].(*ast.TableExpr)
	if !ok {
		return true
	}
	for _, f := range t.Fields {
		if s, ok := f.Key.(*ast.StringExpr); ok && s.Value == key {
			return true
		}
	}
	return false
}

// reach visits fn and the local functions it calls or passes on.
func (c *checker) reach(fn *ast.FunctionExpr, seen map[*ast.FunctionExpr]bool, f func(any)) {
	if seen[fn] {
		return
	}
	seen[fn] = true
	visit(fn.Stmts, func(n any) bool {
		f(n)
		if id, ok := n.(*ast.IdentExpr); ok && c.funcs[id.Value] != nil {
			c.reach(c.funcs[id.Value], seen, f)
		}
		return true
	})
}

// fields checks task.x and task.options.x.
func (c *checker) fields(fn *ast.FunctionExpr, task string) {
	visit(fn.Stmts, func(n any) bool {
		at, ok := n.(*ast.AttrGetExpr)
		if !ok {
			return true
		}
		key, ok := at.Key.(*ast.StringExpr)
		if !ok {
			return true
		}
		if inner, ok := at.Object.(*ast.AttrGetExpr); ok {
			if id, ok := inner.Object.(*ast.IdentExpr); ok && id.Value == task && literal(inner.Key) == "options" {
				if _, known := c.m.Options[key.Value]; !known {
					c.add(at.Line(), ruleUnset, "task.options.%s: the manifest has no option %q", key.Value, key.Value)
				}
				return true
			}
		}
		if id, ok := at.Object.(*ast.IdentExpr); ok && id.Value == task {
			c.declared(at.Line(), key.Value)
		}
		return true
	})
}

func (c *checker) declared(line int, name string) {
	if slices.Contains(taskAlways, name) || slices.Contains(c.m.Needs, name) || slices.Contains(c.m.Wants, name) {
		return
	}
	if slices.Contains(TaskFields, name) {
		c.add(line, ruleField, "the field %q is not declared: add it to needs or wants", name)
		return
	}
	c.add(line, ruleField, "the task has no field %q%s", name, near(name, slices.Concat(taskAlways, TaskFields)))
}

// calls checks every call by itself.
func (c *checker) calls(stmts []ast.Stmt) {
	visit(stmts, func(n any) bool {
		call, ok := n.(*ast.FuncCallExpr)
		if !ok || call.Method == "" {
			return true
		}
		if call.Method == "fields" && len(call.Args) == 1 {
			if t, ok := call.Args[0].(*ast.TableExpr); ok {
				for _, f := range t.Fields {
					if spec, ok := f.Value.(*ast.TableExpr); ok && hasKey(spec, "value") {
						continue
					}
					if name := literal(f.Key); name != "" {
						c.declared(call.Line(), name)
					}
				}
			}
		}
		if slices.Contains(PageVerbs, call.Method) {
			for _, a := range call.Args {
				c.locators(a, false)
			}
		}
		return true
	})
}

func hasKey(t *ast.TableExpr, key string) bool {
	return slices.ContainsFunc(t.Fields, func(f *ast.Field) bool { return literal(f.Key) == key })
}

// literal is the text of a string constant.
func literal(e ast.Expr) string {
	if s, ok := e.(*ast.StringExpr); ok {
		return s.Value
	}
	return ""
}

// global is "mail.wait" for mail.wait and "log" for log.
func global(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.IdentExpr:
		return e.Value
	case *ast.AttrGetExpr:
		if id, ok := e.Object.(*ast.IdentExpr); ok {
			return id.Value + "." + literal(e.Key)
		}
	}
	return ""
}
