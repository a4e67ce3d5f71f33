package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
)

// gesture is evaluate with the rights of a click: it may open pop-ups, and its
// page may ask whether it is to be left.
func gesture(t testing.TB, c *Isolated, js string) string {
	t.Helper()
	out, err := proto.RuntimeEvaluate{Expression: js, AwaitPromise: true, ReturnByValue: true, UserGesture: true}.Call(c.at(t))
	if err != nil {
		t.Fatal(err)
	}
	if out.ExceptionDetails != nil {
		t.Fatalf("%s: %s", js, out.ExceptionDetails.Exception.Description)
	}
	return out.Result.Value.String()
}

// look returns what the site finds again in the context, and the id that its
// cacheable script has there.
func look(t testing.TB, c *Isolated, patience time.Duration) (found map[string]any, id string) {
	t.Helper()
	visit(t, c, plantHome+"/look")
	if err := json.Unmarshal([]byte(gesture(t, c, fmt.Sprintf("look(%d)", patience.Milliseconds()))), &found); err != nil {
		t.Fatal(err)
	}
	return found, gesture(t, c, `script("/id.js").then(String)`)
}

func plant(t testing.TB, c *Isolated) (id string) {
	t.Helper()
	visit(t, c, plantHome+"/plant")
	return gesture(t, c, "plant().then(String)")
}

func cleaned(t testing.TB, c *Isolated) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.Clean(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestACleanedContextIsAsFresh lets a page plant all it can. Without cleaning it
// finds each thing again; in a cleaned context it finds what it finds in a fresh one.
func TestACleanedContextIsAsFresh(t *testing.T) {
	site := newPlanter(t)
	b := launch(t, nil)
	fresh, _ := look(t, isolated(t, b, site.URL, core.ContextOptions{}), 100*time.Millisecond)

	dirty := isolated(t, b, site.URL, core.ContextOptions{})
	id := plant(t, dirty)
	found, again := look(t, dirty, 10*time.Second)
	for _, key := range slices.Sorted(maps.Keys(fresh)) {
		if found[key] == fresh[key] {
			t.Errorf("%s: without cleaning the site finds %v again, as in a fresh context: it is not tested", key, found[key])
		}
	}
	if again != id {
		t.Errorf("without cleaning the cached script has the id %s, was %s", again, id)
	}
	if err := dirty.Close(); err != nil {
		t.Fatal(err)
	}

	// What a cleaned context can't be rid of: that its tab has shown a page, the
	// blank one, and answers to HTTP authentication. docs/threat-model.md says so.
	fresh["history"], fresh["auth"] = 2.0, 200.0

	c := isolated(t, b, site.URL, core.ContextOptions{})
	for round := range 3 {
		id := plant(t, c)
		process := c.TargetID()
		cleaned(t, c)
		if others, err := c.others(t.Context()); err != nil || len(others) > 0 {
			t.Errorf("round %d: %d targets stayed, %v", round, len(others), err)
		}
		ticks := site.count("/tick")
		found, again := look(t, c, 100*time.Millisecond)
		for _, key := range slices.Sorted(maps.Keys(fresh)) {
			if found[key] != fresh[key] {
				t.Errorf("round %d: %s: after cleaning the site finds %v, in a fresh context %v", round, key, found[key], fresh[key])
			}
		}
		if again == id {
			t.Errorf("round %d: the cached script of before is found again", round)
		}
		if n := site.count("/tick"); n != ticks {
			t.Errorf("round %d: a page of before sent %d requests after the cleaning", round, n-ticks)
		}
		if c.TargetID() != process {
			t.Errorf("round %d: another tab", round)
		}
	}
}
