package lua

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"github.com/rollcall-run/rollcall/core"
)

// stub is what the file for editors declares: fields of each class, and the
// functions of each table.
type stub struct {
	fields map[string][]string
	funcs  map[string]map[string]string // table → function → parameters
}

var (
	classLine = regexp.MustCompile(`^---@class rollcall\.(\w+)`)
	fieldLine = regexp.MustCompile(`^---@field (\w+)\??\s`)
	funcLine  = regexp.MustCompile(`^function (?:(\w+)[.:])?(\w+)\((.*)\) end$`)
)

func readStub(t *testing.T) stub {
	t.Helper()
	text, err := os.ReadFile("../../scripts/meta/rollcall.lua")
	if err != nil {
		t.Fatal(err)
	}
	s := stub{map[string][]string{}, map[string]map[string]string{}}
	class := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if m := classLine.FindStringSubmatch(line); m != nil {
			class = m[1]
			s.fields[class] = nil
		} else if m := fieldLine.FindStringSubmatch(line); m != nil {
			s.fields[class] = append(s.fields[class], m[1])
		} else if m := funcLine.FindStringSubmatch(line); m != nil {
			if s.funcs[m[1]] == nil {
				s.funcs[m[1]] = map[string]string{}
			}
			s.funcs[m[1]][m[2]] = m[3]
		} else if strings.HasPrefix(line, "function ") {
			t.Errorf("a function that is not understood: %s", line)
		}
	}
	return s
}

func same(t *testing.T, what string, stub, host []string) {
	t.Helper()
	stub, host = slices.Sorted(slices.Values(stub)), slices.Sorted(slices.Values(host))
	for _, n := range stub {
		if !slices.Contains(host, n) {
			t.Errorf("%s: the stub has %q, the host does not", what, n)
		}
	}
	for _, n := range host {
		if !slices.Contains(stub, n) {
			t.Errorf("%s: the host has %q, the stub does not", what, n)
		}
	}
}

func keys(t *lua.LTable) []string {
	var out []string
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		out = append(out, k.String())
	}
	return out
}

func keysOf(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

func TestTheStubForEditorsIsTheHost(t *testing.T) {
	s := readStub(t)
	h := testHost(t, "")
	h.run = &run{h: h, page: noPage{}, driver: &Driver{}}

	var verbs []string
	for name := range h.pageFuncs() {
		verbs = append(verbs, name)
	}
	same(t, "page", keysOf(s.funcs["page"]), verbs)
	same(t, "the list of verbs", PageVerbs, verbs)
	for _, table := range []string{"outcome", "mail", "totp", "text"} {
		same(t, table, keysOf(s.funcs[table]), keys(h.contents(h.global(table))))
	}
	same(t, "functions without a table", keysOf(s.funcs[""]), []string{"log"})

	phases := []string{}
	for _, p := range core.Phases {
		phases = append(phases, string(p))
	}
	same(t, "driver", s.fields["Driver"], slices.Concat(manifestKeys, phases))
	same(t, "task", s.fields["Task"], slices.Concat(taskAlways, TaskFields))
	same(t, "outcome's fields", s.fields["Outcome"], []string{"status", "code", "reason"})
	for class, known := range map[string][]string{
		"Limit": limitKeys, "ImageLimit": assetKeys, "Pace": paceKeys, "Probe": probeKeys, "Test": testKeys, "Route": routeKeys, "TestMail": mailKeys, "Want": wantKeys,
	} {
		same(t, class, s.fields[class], known)
	}
	text, err := os.ReadFile("../../scripts/meta/rollcall.lua")
	if err != nil {
		t.Fatal(err)
	}
	aliases := regexp.MustCompile(`"(\w+)"`)
	for alias, want := range map[string][]string{
		"Format": Formats, "WaitingCode": codes(core.Waiting), "RejectedCode": codes(core.Rejected), "BlockedCode": codes(core.Blocked), "Field": TaskFields,
	} {
		_, rest, _ := strings.Cut(string(text), "---@alias rollcall."+alias)
		body, _, _ := strings.Cut(rest, "\n\n")
		if alias != "Field" {
			body, _, _ = strings.Cut(rest, "\n")
		}
		var got []string
		for _, m := range aliases.FindAllStringSubmatch(body, -1) {
			got = append(got, m[1])
		}
		same(t, alias, got, want)
	}
}

func codes(s core.Status) []string {
	var out []string
	for _, c := range core.Codes[s] {
		out = append(out, string(c))
	}
	return out
}

// TestTheStubsParametersAreAccepted calls each function with one argument more
// than the stub declares: the host must refuse that, and that only.
func TestTheStubsParametersAreAccepted(t *testing.T) {
	s := readStub(t)
	for table, funcs := range s.funcs {
		for name, params := range funcs {
			n := 0
			if params != "" {
				n = len(strings.Split(params, ","))
			}
			call := name
			switch table {
			case "page":
				call = "page:" + name
			case "":
			default:
				call = table + "." + name
			}
			if table == "page" && name == "commit" {
				continue // needs register; its arguments are tried by the tests of the board
			}
			if table == "mail" {
				continue // needs confirm; its argument is tried by the tests of the board
			}
			args := strings.TrimSuffix(strings.Repeat(`"x", `, n+1), ", ")
			_, err := phase(t, call+"("+args+") return outcome.done()")
			if err == nil || !strings.Contains(err.Error(), "takes at most") {
				t.Errorf("%s with %d arguments: %v", call, n+1, err)
			}
		}
	}
}
