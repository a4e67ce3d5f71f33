package main

import (
	"regexp"
	"strings"
)

// part is something that a page is to hold: lines, or with url a line that is
// there when the address stands anywhere, as an address of its own.
type part struct{ url, add string }

// goesOn is what continues an address.
var goesOn = regexp.MustCompile(`^(?:[A-Za-z0-9%/?=&#_~+-]|[.:,;!][A-Za-z0-9])`)

func hasURL(current, url string) bool {
	for rest := current; ; {
		_, after, found := strings.Cut(rest, url)
		if !found {
			return false
		}
		if !goesOn.MatchString(after) {
			return true
		}
		rest = after
	}
}

// addTo is current with the parts that it lacks, and how many were added: a
// second run adds none.
func addTo(current string, parts []part) (string, int) {
	current = strings.TrimRight(strings.ReplaceAll(current, "\r\n", "\n"), " \t\n\r\v\f")
	added := 0
	for _, p := range parts {
		if p.url != "" && hasURL(current, p.url) || p.url == "" && strings.Contains(current, p.add) {
			continue
		}
		gap := "\n\n"
		head, _, _ := strings.Cut(p.add, p.url)
		last := current[strings.LastIndexByte(current, '\n')+1:]
		switch {
		case current == "":
			gap = ""
		case p.url != "" && head != "" && strings.HasPrefix(last, head):
			gap = "\n" // goes on with that list
		}
		current += gap + p.add
		added++
	}
	return current, added
}
