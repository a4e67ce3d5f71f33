package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// hostile is one driver of the corpus. Its file begins with what it tries, and
// then says how that ends:
//
//	-- ends: failed     the state: refused (never loaded), failed, profile_failed, profiled, unknown, parked or waiting
//	-- says: a | b      part of the reason that people get, any of these
//	-- strikes: memory  what stopped it: load, language, memory, time, output, protocol, page, egress, evidence, or nothing
//	-- posts: 1         sign-ups that reach the site; none when absent
//
// In the text «30:x» stands for x thirty times, with # as the number of each.
type hostile struct {
	name, text, ends, says, strikes string
	posts                           int
	task                            sandbox.Task
}

func (h hostile) domain() string { return strings.ReplaceAll(h.name, "_", "-") + ".hostile.test" }

var repeated = regexp.MustCompile(`«(\d+):([^»]*)»`)

// corpus reads the hostile drivers.
func corpus(t *testing.T) []*hostile {
	t.Helper()
	paths, err := filepath.Glob("testdata/hostile/*.lua")
	if err != nil || len(paths) < 60 {
		t.Fatalf("the corpus has %d drivers, at least 60 are promised: %v", len(paths), err)
	}
	var out []*hostile
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		h := &hostile{name: strings.TrimSuffix(filepath.Base(path), ".lua")}
		for line := range strings.Lines(string(text)) {
			key, value, ok := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "-- ")), ": ")
			if !ok || !strings.HasPrefix(line, "-- ") {
				continue
			}
			switch key {
			case "ends":
				h.ends = value
			case "says":
				h.says = value
			case "strikes":
				h.strikes = value
			case "posts":
				if h.posts, err = strconv.Atoi(value); err != nil {
					t.Fatalf("%s: %v", path, err)
				}
			}
		}
		if h.ends == "" || h.says == "" || h.strikes == "" {
			t.Fatalf("%s does not say how it ends", path)
		}
		h.text = repeated.ReplaceAllStringFunc(string(text), func(m string) string {
			part := repeated.FindStringSubmatch(m)
			n, _ := strconv.Atoi(part[1])
			var b strings.Builder
			for i := range n {
				b.WriteString(strings.ReplaceAll(part[2], "#", strconv.Itoa(i)))
			}
			return b.String()
		})
		out = append(out, h)
	}
	return out
}

// wholeEnv asks for every driver of the corpus. Without it each family of
// drivers, named by the first word of their files, gives about a third.
const wholeEnv = "ROLLCALL_HOSTILE"

// sample is what a short run takes of the corpus.
func sample(all []*hostile) []*hostile {
	if os.Getenv(wholeEnv) != "" {
		return all
	}
	seen := map[string]int{}
	return slices.DeleteFunc(all, func(h *hostile) bool {
		family, _, _ := strings.Cut(h.name, "_")
		seen[family]++
		return seen[family]%3 != 1
	})
}
