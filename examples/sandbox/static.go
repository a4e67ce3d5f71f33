package sandbox

import (
	"fmt"
	"net/http"
	"strings"
)

// static serves the style sheets and scripts, and the files that give Board its weight.
func (s *Site) static(w http.ResponseWriter, r *http.Request) {
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".png": "image/png"}
	name := r.PathValue("file")
	kind := kinds[name[max(strings.LastIndex(name, "."), 0):]]
	var body []byte
	switch name {
	case "weight.js":
		body = weightJS(s.options.Weight / 2)
	case "weight.css":
		body = weightCSS(s.options.Weight / 6)
	case "weight.png":
		body = noise("weight", s.options.Weight/3)
	default:
		var err error
		if body, err = pageFiles.ReadFile("pages/" + name); err != nil || kind == "" {
			http.NotFound(w, r)
			return
		}
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "max-age=3600")
	w.Write(body)
}

// weightJS is a script of about size bytes that runs: many small functions, one of them called.
func weightJS(size int) []byte {
	var b strings.Builder
	b.WriteString("'use strict';\nconst board = {};\n")
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "board.f%d = function (a, b) { if (a > b) { return a * %d + b; } return [a, b].map((x) => x + %d).join('-'); };\n", i, i+3, i)
	}
	b.WriteString("board.f0(1, 2);\n")
	return []byte(b.String())
}

func weightCSS(size int) []byte {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, ".board-tile-%d { padding: %dpx %dpx; color: #%06x; border-radius: 3px }\n", i, i%9, i%7, i*977%0xffffff)
	}
	return []byte(b.String())
}
