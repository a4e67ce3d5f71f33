package config

import (
	"strconv"
	"strings"
)

// index knows the line of every key of a TOML text. A key is its path joined by
// pathSep; elements of arrays are numbered from 0.
type index map[string]int

const pathSep = "\x00"

func join(path ...string) string { return strings.Join(path, pathSep) }

// line is where the key stands, or else the nearest table that holds it.
func (x index) line(path []string) int {
	for n := len(path); n > 0; n-- {
		if line, ok := x[join(path[:n]...)]; ok {
			return line
		}
	}
	return 0
}

// indexLines walks through a TOML text that the parser has accepted. On any
// other text it stops where it does not understand it.
func indexLines(text string) index {
	w := &walker{text: strings.TrimPrefix(text, "\ufeff"), line: 1, out: index{}, last: map[string]int{}}
	for w.blank(true); w.at < len(w.text) && !w.lost; w.blank(true) {
		if w.peek() == '[' {
			w.header()
		} else {
			w.pair(w.table)
		}
	}
	return w.out
}

type walker struct {
	text  string
	at    int
	line  int
	table []string       // of the last header
	last  map[string]int // number of the last element of each array of tables
	out   index
	lost  bool
}

func (w *walker) peek() byte {
	if w.at < len(w.text) {
		return w.text[w.at]
	}
	return 0
}

func (w *walker) step(n int) {
	n = min(n, len(w.text)-w.at)
	w.line += strings.Count(w.text[w.at:w.at+n], "\n")
	w.at += n
}

// take passes over s when it is next.
func (w *walker) take(s string) bool {
	if !strings.HasPrefix(w.text[w.at:], s) {
		return false
	}
	w.step(len(s))
	return true
}

// blank passes over white space and comments, over line ends too when lines is set.
func (w *walker) blank(lines bool) {
	for w.at < len(w.text) {
		switch c := w.text[w.at]; {
		case c == ' ' || c == '\t' || c == '\r' || lines && c == '\n':
			w.step(1)
		case lines && c == '#':
			end := strings.IndexByte(w.text[w.at:], '\n')
			if end < 0 {
				end = len(w.text) - w.at
			}
			w.step(end)
		default:
			return
		}
	}
}

func (w *walker) mark(path []string) {
	for n := 1; n <= len(path); n++ {
		if k := join(path[:n]...); w.out[k] == 0 {
			w.out[k] = w.line
		}
	}
}

// header reads [a.b] or [[a.b]].
func (w *walker) header() {
	w.step(1)
	array := w.take("[")
	var path []string
	keys := w.keys()
	for i, k := range keys {
		path = append(path, k)
		n, known := w.last[join(path...)]
		if array && i == len(keys)-1 {
			if known {
				n++
			}
			w.last[join(path...)] = n
			known = true
		}
		if known {
			path = append(path, strconv.Itoa(n))
		}
	}
	w.mark(path)
	w.table = path
	if !w.take("]") || array && !w.take("]") {
		w.lost = true
	}
}

// pair reads key = value below the table.
func (w *walker) pair(table []string) {
	keys := w.keys()
	path := append(append([]string(nil), table...), keys...)
	w.mark(path)
	w.blank(false)
	if len(keys) == 0 || !w.take("=") {
		w.lost = true
		return
	}
	w.value(path)
}

// keys reads a dotted key.
func (w *walker) keys() []string {
	var out []string
	for {
		w.blank(false)
		from := w.at
		switch c := w.peek(); c {
		case '"', '\'':
			w.quoted()
			if w.lost {
				return out
			}
			raw := w.text[from:w.at]
			key := raw[1 : len(raw)-1]
			if c == '"' && strings.Contains(key, `\`) {
				if s, err := strconv.Unquote(raw); err == nil {
					key = s
				}
			}
			out = append(out, key)
		default:
			for w.at < len(w.text) && !strings.ContainsRune(" \t\r\n.=]#\"'", rune(w.text[w.at])) {
				w.at++
			}
			if w.at == from {
				w.lost = true
				return out
			}
			out = append(out, w.text[from:w.at])
		}
		w.blank(false)
		if !w.take(".") {
			return out
		}
	}
}

// quoted passes over a string of any kind.
func (w *walker) quoted() {
	q := w.text[w.at : w.at+1]
	long := strings.Repeat(q, 3)
	if w.take(long) {
		for !w.lost && !w.take(long) {
			w.char(q)
		}
		for range 2 { // quotes may stand right before the closing ones
			w.take(q)
		}
		return
	}
	w.step(1)
	for !w.lost && !w.take(q) {
		w.char(q)
	}
}

// char passes over one character of a string, or one escape of a basic one.
func (w *walker) char(q string) {
	switch {
	case w.at >= len(w.text):
		w.lost = true
	case q == `"` && w.text[w.at] == '\\':
		w.step(2)
	default:
		w.step(1)
	}
}

// value passes over a value, and marks the keys of inline tables.
func (w *walker) value(path []string) {
	w.blank(true)
	switch w.peek() {
	case '"', '\'':
		w.quoted()
	case '[':
		w.step(1)
		for n := 0; !w.lost; n++ {
			w.blank(true)
			if w.at >= len(w.text) {
				w.lost = true
			}
			if w.lost || w.take("]") {
				return
			}
			w.value(append(append([]string(nil), path...), strconv.Itoa(n)))
			w.blank(true)
			w.take(",")
		}
	case '{':
		w.step(1)
		for !w.lost {
			w.blank(true)
			if w.take("}") {
				return
			}
			w.pair(path)
			w.blank(true)
			w.take(",")
		}
	default:
		from := w.at
		for w.at < len(w.text) && !strings.ContainsRune(",]}#\n", rune(w.text[w.at])) {
			w.at++
		}
		if w.at == from {
			w.lost = true
		}
	}
}
