package text

import (
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/net/html"

	"github.com/rollcall-run/rollcall/core"
)

// Length counts characters as a person does: grapheme clusters.
func Length(s string) int { return uniseg.GraphemeClusterCount(s) }

// Fit cuts s to at most limit characters, counted as grapheme clusters, at the
// end of a word where one is near, and ends it with …, which is counted. A
// limit of 0 or less does not limit. Invalid UTF-8 becomes U+FFFD.
func Fit(s string, limit int) (out string, cut bool) {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if limit <= 0 || len(s) <= limit || Length(s) <= limit {
		return s, false
	}
	if limit == 1 {
		return "…", true
	}
	keep, word, wordAt := 0, 0, 0 // bytes kept, bytes and clusters up to the last word's end
	rest, state := s, -1
	var cluster string
	space := true
	for n := 0; n < limit; n++ { // one more than can be kept: it may be the space after a word
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		r, _ := utf8.DecodeRuneInString(cluster)
		if unicode.IsSpace(r) {
			if !space {
				word, wordAt = len(s)-len(rest)-len(cluster), n
			}
			space = true
		} else {
			space = false
		}
		if n < limit-1 {
			keep += len(cluster)
		}
	}
	if wordAt*2 >= limit-1 {
		keep = word
	}
	return ending(s[:keep]), true
}

// ending ends a text that was cut with ….
func ending(s string) string {
	return strings.TrimRightFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;:-–—…", r) }) + "…"
}

// Texts implements core.Texts.
type Texts struct{}

var _ core.Texts = Texts{}

// Fit converts HTML to the limit's format, keeps the limit's characters and
// cuts the result to its length; markup is never cut, the words in it are. The
// answer's cut is the length of the text after a cut. An unknown format is
// written as text.
func (Texts) Fit(src string, limit core.Limit) (string, int) {
	format := limit.Format
	if known(format) != nil {
		format = FormatText
	}
	if format == "" || format == FormatText {
		s := Restrict(render(parse(src), FormatText), limit)
		if out, cut := Fit(s, limit.Max); cut {
			return out, Length(out)
		} else {
			return out, 0
		}
	}
	whole := render(parse(src), format)
	if limit.Max <= 0 || Length(whole) <= limit.Max {
		return whole, 0
	}
	short := parse(src)
	left := limit.Max
	shortenTree(short, &left)
	total := Length(plain(short))
	shorten := func(n int) string {
		body := clone(short)
		shortenTree(body, &n)
		return render(body, format)
	}
	// The longest text whose markup still fits; markup makes lengths uneven, so
	// the place that the search finds is checked and left downwards.
	n := sort.Search(total, func(n int) bool { return Length(shorten(n+1)) > limit.Max })
	for ; n > 0; n-- {
		if out := shorten(n); Length(out) <= limit.Max {
			return out, Length(out)
		}
	}
	return "", 0
}

func clone(n *html.Node) *html.Node {
	out := &html.Node{Type: n.Type, Data: n.Data, DataAtom: n.DataAtom, Attr: slices.Clone(n.Attr)}
	for c := range n.ChildNodes() {
		out.AppendChild(clone(c))
	}
	return out
}

// Spin implements core.Texts.
func (Texts) Spin(text, seed string) string { return Spin(text, seed) }

// Username implements core.Texts.
func (Texts) Username(base string, l core.Limit, n int) string {
	name, _ := Username(base, l, n)
	return name
}

// Password implements core.Texts.
func (Texts) Password(base core.Value, l core.Limit) (core.Value, error) {
	p, _, err := Password(base, l)
	return p, err
}

// shortenTree keeps the first *left characters of the tree's text and removes
// all nodes after them.
func shortenTree(n *html.Node, left *int) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		switch {
		case *left <= 0:
			n.RemoveChild(c)
		case c.Type == html.TextNode:
			if size := Length(c.Data); size > *left {
				c.Data, _ = Fit(c.Data, *left)
				*left = 0
			} else if *left -= size; *left == 0 && (next != nil || n.NextSibling != nil) {
				c.Data = ending(c.Data)
			}
		default:
			shortenTree(c, left)
		}
		c = next
	}
}
