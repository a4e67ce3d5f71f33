package core

import (
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// TestChart holds the package documentation and the code to the same edges.
func TestChart(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	documented := map[State][]State{}
	for line := range strings.Lines(file.Doc.Text()) {
		from, to, ok := strings.Cut(line, "→")
		if !ok {
			continue
		}
		s := State(strings.TrimSpace(from))
		if _, twice := documented[s]; twice {
			t.Errorf("doc.go has two lines for %s", s)
		}
		for _, n := range strings.Fields(to) {
			documented[s] = append(documented[s], State(n))
		}
	}
	for _, s := range States {
		got, want := slices.Clone(s.Next()), slices.Clone(documented[s])
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the code has %v, doc.go has %v", s, got, want)
		}
		delete(documented, s)
	}
	for s := range documented {
		t.Errorf("doc.go has the state %s, which the code does not", s)
	}
}

// TestMove tries every pair of states: just the chart's edges are allowed.
func TestMove(t *testing.T) {
	for _, from := range States {
		for _, to := range States {
			err := from.Move(to)
			if want := slices.Contains(from.Next(), to); (err == nil) != want {
				t.Errorf("%s → %s: allowed %v, want %v", from, to, err == nil, want)
			}
		}
	}
}

// TestNoDeadEnd: every state but the final ones leads to a final one, and every
// state is reached from ready.
func TestNoDeadEnd(t *testing.T) {
	reach := func(from State) map[State]bool {
		seen, queue := map[State]bool{from: true}, []State{from}
		for len(queue) > 0 {
			s := queue[0]
			queue = queue[1:]
			for _, n := range s.Next() {
				if !seen[n] {
					seen[n] = true
					queue = append(queue, n)
				}
			}
		}
		return seen
	}
	for _, s := range States {
		if !reach(s)[Reported] {
			t.Errorf("%s never leads to reported", s)
		}
		if !reach(Ready)[s] {
			t.Errorf("%s is not reached from ready", s)
		}
	}
}
