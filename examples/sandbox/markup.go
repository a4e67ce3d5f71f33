package sandbox

import (
	"html/template"
	"net/url"
	"regexp"
	"strings"
)

// nofollow is how every site here writes a member's link.
func nofollow(address, label string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return template.HTMLEscapeString(label)
	}
	return `<a href="` + template.HTMLEscapeString(u.String()) + `" rel="nofollow ugc">` + template.HTMLEscapeString(label) + `</a>`
}

var (
	bbURL   = regexp.MustCompile(`(?is)\[url(?:=([^\]]+))?\](.*?)\[/url\]`)
	bbPairs = strings.NewReplacer("[b]", "<b>", "[/b]", "</b>", "[i]", "<i>", "[/i]", "</i>", "[list]", "<ul>", "[/list]", "</ul>", "[*]", "<li>", "\n", "<br>\n")
)

// bbcode renders the signature: links, bold, italics and lists.
func bbcode(s string) template.HTML {
	var b strings.Builder
	rest := s
	for rest != "" {
		at := bbURL.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		b.WriteString(bbPairs.Replace(template.HTMLEscapeString(rest[:at[0]])))
		label := rest[at[4]:at[5]]
		address := label
		if at[2] >= 0 {
			address = strings.Trim(rest[at[2]:at[3]], `"'`)
		}
		b.WriteString(nofollow(address, label))
		rest = rest[at[1]:]
	}
	b.WriteString(bbPairs.Replace(template.HTMLEscapeString(rest)))
	return template.HTML(b.String())
}

var (
	mdLink  = regexp.MustCompile(`\[([^\]\n]+)\]\((https?://[^\s)]+)\)|<(https?://[^\s>]+)>`)
	mdBold  = regexp.MustCompile(`\*\*(.+?)\*\*`)
	mdPlain = regexp.MustCompile(`\*(.+?)\*`)
)

// markdown renders what members write about themselves: paragraphs, lists,
// links, bold and italics.
func markdown(s string) template.HTML {
	var b strings.Builder
	for block := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n\n") {
		block = strings.TrimSpace(block)
		if block == "" {
			continue
		}
		if strings.HasPrefix(block, "- ") || strings.HasPrefix(block, "* ") {
			b.WriteString("<ul>")
			for line := range strings.Lines(block) {
				b.WriteString("<li>" + inline(strings.TrimSpace(strings.TrimLeft(line, "-* "))) + "</li>")
			}
			b.WriteString("</ul>\n")
			continue
		}
		b.WriteString("<p>" + strings.ReplaceAll(inline(block), "\n", "<br>\n") + "</p>\n")
	}
	return template.HTML(b.String())
}

func inline(s string) string {
	var b strings.Builder
	plain := func(t string) {
		t = mdBold.ReplaceAllString(template.HTMLEscapeString(t), "<strong>$1</strong>")
		b.WriteString(mdPlain.ReplaceAllString(t, "<em>$1</em>"))
	}
	for s != "" {
		at := mdLink.FindStringSubmatchIndex(s)
		if at == nil {
			break
		}
		plain(s[:at[0]])
		if at[2] >= 0 {
			b.WriteString(nofollow(s[at[4]:at[5]], s[at[2]:at[3]]))
		} else {
			b.WriteString(nofollow(s[at[6]:at[7]], s[at[6]:at[7]]))
		}
		s = s[at[1]:]
	}
	plain(s)
	return b.String()
}
