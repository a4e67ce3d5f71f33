package text

import (
	"fmt"
	"slices"
	"strings"

	md "github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"golang.org/x/net/html"
)

// The formats that a field may take.
const (
	FormatText     = "text"
	FormatHTML     = "html"
	FormatMarkdown = "markdown"
	FormatBBCode   = "bbcode"
	FormatWikitext = "wikitext" // MediaWiki
	FormatDokuWiki = "dokuwiki"
)

// Formats lists every format.
var Formats = []string{FormatText, FormatHTML, FormatMarkdown, FormatBBCode, FormatWikitext, FormatDokuWiki}

// Convert writes HTML in the format; the empty format is text. Links with an
// http, https or mailto address, bold, italic, headings, lists, rules, line
// breaks and paragraphs are kept where the format has them. Input without any
// tag keeps its line breaks. The only error is an unknown format.
func Convert(src, format string) (string, error) {
	if err := known(format); err != nil {
		return "", err
	}
	return render(parse(src), format), nil
}

func known(format string) error {
	if format != "" && !slices.Contains(Formats, format) {
		return fmt.Errorf("unknown text format %q; known are %s", format, strings.Join(Formats, ", "))
	}
	return nil
}

// render writes a sanitised tree, which it may change, in a known format.
func render(body *html.Node, format string) string {
	var out string
	switch format {
	case FormatHTML:
		out = renderHTML(body)
	case FormatMarkdown:
		out = renderMarkdown(body)
	case FormatBBCode:
		out = renderBBCode(blocks(body))
	case FormatWikitext:
		out = renderWikitext(blocks(body))
	case FormatDokuWiki:
		out = renderDokuWiki(blocks(body))
	default:
		out = renderText(blocks(body))
	}
	return strings.Trim(out, "\n")
}

func renderHTML(body *html.Node) string {
	var b strings.Builder
	for n := range body.ChildNodes() {
		if err := html.Render(&b, n); err != nil {
			return html.EscapeString(plain(body))
		}
	}
	return strings.TrimSpace(b.String())
}

func renderMarkdown(body *html.Node) string {
	c := md.NewConverter(md.WithPlugins(
		base.NewBasePlugin(),
		commonmark.NewCommonmarkPlugin(commonmark.WithListEndComment(false)),
	))
	// Ctrl characters are the converter's own markers, so the tree carries none.
	out, err := c.ConvertNode(body)
	if err != nil {
		return renderText(blocks(body))
	}
	return strings.TrimSpace(string(out))
}

func renderText(list []block) string {
	var w writer
	for _, b := range list {
		w.begin(b)
		if b.kind == item {
			w.WriteString(strings.Repeat("  ", b.depth))
			if b.ordered {
				fmt.Fprintf(&w, "%d. ", b.number)
			} else {
				w.WriteString("- ")
			}
		}
		for i := 0; i < len(b.spans); i++ {
			s := b.spans[i]
			if s.br {
				w.WriteString("\n")
				continue
			}
			w.WriteString(s.text)
			last := i+1 == len(b.spans) || b.spans[i+1].href != s.href
			if s.href != "" && last && !says(linkText(b.spans, i), s.href) {
				w.WriteString(" (" + strings.TrimPrefix(s.href, "mailto:") + ")")
			}
		}
		if b.kind == rule {
			w.WriteString("---")
		}
	}
	return w.String()
}

// linkText is the text of the link whose last span is at i.
func linkText(spans []span, i int) string {
	first := i
	for first > 0 && spans[first-1].href == spans[i].href {
		first--
	}
	var b strings.Builder
	for _, s := range spans[first : i+1] {
		b.WriteString(s.text)
	}
	return b.String()
}

// says reports whether a link's text already names its address.
func says(text, href string) bool {
	bare := func(s string) string {
		s = strings.ToLower(strings.TrimSpace(s))
		for _, p := range []string{"mailto:", "https://", "http://"} {
			s = strings.TrimPrefix(s, p)
		}
		return strings.TrimSuffix(s, "/")
	}
	return bare(text) == bare(href)
}
