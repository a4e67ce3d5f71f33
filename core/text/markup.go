package text

import (
	"fmt"
	"regexp"
	"strings"
)

// marks are how a format writes inline styles. Escape is told whether the text
// starts a line; label is a link's text, for formats that don't parse it.
type marks struct {
	bold, italic [2]string
	br           string
	sep          string // between two styled texts that touch, where their marks would run together
	escape       func(text string, lineStart bool) string
	link         func(href, label string) string
	label        func(text string) string
}

// inline writes the spans of a block. Styles are closed before a line ends and
// nest as bold, italic, text; the space at their edges stays outside.
func (m marks) inline(w *writer, spans []span, styled bool) {
	lineStart := true
	for i := 0; i < len(spans); i++ {
		s := spans[i]
		if s.br {
			w.WriteString(m.br)
			lineStart = true
			continue
		}
		if s.href != "" {
			last := i
			for last+1 < len(spans) && spans[last+1].href == s.href {
				last++
			}
			whole := linkText(spans, last)
			text := strings.TrimSpace(whole)
			if strings.HasPrefix(whole, " ") {
				w.WriteString(" ")
			}
			if text == "" || says(text, s.href) {
				text = ""
			} else {
				text = m.label(text)
			}
			m.style(w, m.link(s.href, text), s, styled)
			if strings.HasSuffix(whole, " ") {
				w.WriteString(" ")
			}
			i, lineStart = last, false
			continue
		}
		text := strings.Trim(s.text, " ")
		if strings.HasPrefix(s.text, " ") {
			w.WriteString(" ")
		}
		m.style(w, m.escape(text, lineStart), s, styled && text != "")
		if strings.HasSuffix(s.text, " ") && text != "" {
			w.WriteString(" ")
		}
		lineStart = false
	}
}

func (m marks) style(w *writer, text string, s span, styled bool) {
	styled = styled && text != ""
	if styled && (s.bold || s.italic) && m.sep != "" && strings.HasSuffix(w.String(), m.italic[1]) {
		w.WriteString(m.sep)
	}
	if styled && s.bold {
		w.WriteString(m.bold[0])
	}
	if styled && s.italic {
		w.WriteString(m.italic[0])
	}
	w.WriteString(text)
	if styled && s.italic {
		w.WriteString(m.italic[1])
	}
	if styled && s.bold {
		w.WriteString(m.bold[1])
	}
}

// bbcode: a bracket that could open a tag is followed by a zero-width space,
// since BBCode has no escape that every forum knows.
var bbcode = marks{
	bold: [2]string{"[b]", "[/b]"}, italic: [2]string{"[i]", "[/i]"}, br: "\n",
	escape: func(s string, _ bool) string { return openBracket(s) },
	label:  openBracket,
	link: func(href, label string) string {
		tag := "url"
		if addr, ok := strings.CutPrefix(href, "mailto:"); ok {
			tag, href = "email", addr
		}
		if label == "" {
			return "[" + tag + "]" + href + "[/" + tag + "]"
		}
		return "[" + tag + "=" + href + "]" + label + "[/" + tag + "]"
	},
}

func openBracket(s string) string {
	if !strings.Contains(s, "[") {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		if s[i] == '[' && (i+1 == len(s) || s[i+1] != ' ' && (s[i+1] < '0' || s[i+1] > '9')) {
			b.WriteString("\u200B")
		}
	}
	return b.String()
}

func renderBBCode(list []block) string {
	var w writer
	var open []string // closing tags of the lists that are open
	closeTo := func(n int) {
		for len(open) > n {
			w.WriteString("\n" + open[len(open)-1])
			open = open[:len(open)-1]
		}
	}
	for _, b := range list {
		if b.kind != item {
			closeTo(0)
			w.begin(b)
			switch b.kind {
			case heading:
				w.WriteString("[b]")
				bbcode.inline(&w, b.spans, false)
				w.WriteString("[/b]")
			case rule:
				w.WriteString("---")
			default:
				bbcode.inline(&w, b.spans, true)
			}
			continue
		}
		closeTo(b.depth + 1)
		if len(open) == b.depth+1 && w.prev.kind == item && b.ordered && b.number == 1 {
			closeTo(b.depth)
		}
		w.begin(b)
		for len(open) <= b.depth {
			if b.ordered {
				w.WriteString("[list=1]\n")
			} else {
				w.WriteString("[list]\n")
			}
			open = append(open, "[/list]")
		}
		w.WriteString("[*]")
		bbcode.inline(&w, b.spans, true)
	}
	closeTo(0)
	return w.String()
}

// wikitext escapes with character references, which MediaWiki shows and never parses.
var wikitext = marks{
	bold: [2]string{"'''", "'''"}, italic: [2]string{"''", "''"}, br: "<br>", sep: "<nowiki/>",
	escape: wikiEscape,
	label:  func(s string) string { return wikiEscape(s, false) },
	link: func(href, label string) string {
		if label == "" {
			if addr, ok := strings.CutPrefix(href, "mailto:"); ok {
				return "[" + href + " " + wikiEscape(addr, false) + "]"
			}
			return href
		}
		return "[" + href + " " + label + "]"
	},
}

var wikiSpecial = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "[", "&#91;", "]", "&#93;",
	"{", "&#123;", "}", "&#125;", "|", "&#124;", "~~", "&#126;&#126;", "__", "&#95;&#95;", "''", "&#39;&#39;")

func wikiEscape(s string, lineStart bool) string {
	if s == "" {
		return s
	}
	head, tail := "", ""
	if c := s[0]; c == '\'' || c == '_' || c == '~' || lineStart && strings.IndexByte("*#:;=-!", c) >= 0 {
		head, s = fmt.Sprintf("&#%d;", c), s[1:]
	}
	if n := len(s); n > 0 && strings.IndexByte("'_~=", s[n-1]) >= 0 {
		s, tail = s[:n-1], fmt.Sprintf("&#%d;", s[n-1])
	}
	return head + wikiSpecial.Replace(s) + tail
}

func renderWikitext(list []block) string {
	var w writer
	for _, b := range list {
		w.begin(b)
		switch b.kind {
		case heading:
			eq := strings.Repeat("=", max(b.level, 2))
			w.WriteString(eq + " ")
			wikitext.inline(&w, oneLine(b.spans), false)
			w.WriteString(" " + eq)
		case item:
			mark := "*"
			if b.ordered {
				mark = "#"
			}
			w.WriteString(strings.Repeat(mark, b.depth+1) + " ")
			wikitext.inline(&w, b.spans, true)
		case rule:
			w.WriteString("----")
		default:
			wikitext.inline(&w, b.spans, true)
		}
	}
	return w.String()
}

// oneLine turns the breaks into spaces.
func oneLine(spans []span) []span {
	out := make([]span, len(spans))
	for i, s := range spans {
		if s.br {
			s = span{text: " "}
		}
		out[i] = s
	}
	return trim(out)
}

// dokuwiki puts what could be markup between %% and %%, or in <nowiki> where
// the text has a percent sign itself. Link texts and headings are not parsed by
// DokuWiki, so they lose the brackets instead.
var dokuwiki = marks{
	bold: [2]string{"**", "**"}, italic: [2]string{"//", "//"}, br: `\\ `,
	escape: dokuEscape,
	label:  dokuLabel,
	link: func(href, label string) string {
		if addr, ok := strings.CutPrefix(href, "mailto:"); ok {
			addr, _, _ = strings.Cut(addr, "?")
			href = addr
		}
		if label == "" {
			return "[[" + href + "]]"
		}
		return "[[" + href + "|" + label + "]]"
	},
}

var (
	dokuRun   = regexp.MustCompile(`[*/_'"\[\]{}()~<>%\\^|=#:-]+`)
	dokuHead  = regexp.MustCompile(`^(?:[>|^]|-{2,})`)
	bareURL   = regexp.MustCompile(`(?i)\bhttps?://[^\s<>"'\[\]{}|\\^` + "`" + `()]+[^\s<>"'\[\]{}|\\^` + "`" + `().,;:!?*_~%]`)
	dokuWords = strings.NewReplacer("[", "(", "]", ")", "{", "(", "}", ")", "|", "/", "==", "=", "%%", "%", "<", "‹", ">", "›", "((", "(", "))", ")")
)

func dokuLabel(s string) string {
	for {
		next := dokuWords.Replace(s)
		if next == s {
			return s
		}
		s = next
	}
}

func dokuEscape(s string, lineStart bool) string {
	var b strings.Builder
	at := 0
	for _, m := range bareURL.FindAllStringIndex(s, -1) {
		if u, ok := webURL(s[m[0]:m[1]]); ok {
			b.WriteString(dokuRuns(s[at:m[0]], lineStart && at == 0))
			b.WriteString("[[" + u + "]]")
			at = m[1]
		}
	}
	b.WriteString(dokuRuns(s[at:], lineStart && at == 0))
	return b.String()
}

func dokuRuns(s string, lineStart bool) string {
	head := ""
	if lineStart {
		if head = dokuHead.FindString(s); head != "" {
			s = s[len(head):]
			head = "%%" + head + "%%"
		}
	}
	var b strings.Builder
	b.WriteString(head)
	at := 0
	for _, m := range dokuRun.FindAllStringIndex(s, -1) {
		run := s[m[0]:m[1]]
		b.WriteString(s[at:m[0]])
		edge := m[0] == 0 || m[1] == len(s)
		b.WriteString(dokuQuote(run, edge))
		at = m[1]
	}
	b.WriteString(s[at:])
	return b.String()
}

// dokuQuote quotes a run of punctuation unless it is one that never means
// anything. At the edge of a text the neighbour may complete it.
func dokuQuote(run string, edge bool) string {
	quiet := strings.Trim(run, "():-\"'=#|^>") == "" && !strings.Contains(run, "((") && !strings.Contains(run, "))") &&
		!strings.Contains(run, "''") && !strings.Contains(run, "==")
	single := len(run) == 1 && run != "<"
	if quiet && (!edge || !strings.ContainsAny(run, "('=")) || single && (!edge || strings.ContainsAny(run, ":-\"#|^>")) {
		return run
	}
	if strings.Contains(run, "%") {
		return "<nowiki>" + run + "</nowiki>"
	}
	return "%%" + run + "%%"
}

func renderDokuWiki(list []block) string {
	var w writer
	for _, b := range list {
		w.begin(b)
		switch b.kind {
		case heading:
			eq := strings.Repeat("=", 7-min(max(b.level, 1), 5))
			var head strings.Builder
			for _, s := range oneLine(b.spans) {
				head.WriteString(s.text)
			}
			w.WriteString(eq + " " + dokuLabel(head.String()) + " " + eq)
		case item:
			mark := "*"
			if b.ordered {
				mark = "-"
			}
			w.WriteString(strings.Repeat("  ", b.depth+1) + mark + " ")
			dokuwiki.inline(&w, b.spans, true)
		case rule:
			w.WriteString("----")
		default:
			dokuwiki.inline(&w, b.spans, true)
		}
	}
	return w.String()
}
