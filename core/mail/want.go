package mail

import (
	"fmt"
	"net/url"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-run/rollcall/core"
)

// maxShown is how much of a message's text is returned, in bytes.
const maxShown = 64 << 10

// want is a checked query.
type want struct {
	core.MailQuery
	hosts   []string       // the site's, lower case
	digits  int            // of a code that is a number
	pattern *regexp.Regexp // of a code otherwise
}

func newWant(site string, q core.MailQuery) (*want, error) {
	w := &want{MailQuery: q}
	for s := range strings.FieldsSeq(site) {
		if !strings.Contains(s, "://") {
			s = "//" + s
		}
		u, err := url.Parse(s)
		if err != nil || u.Hostname() == "" {
			return nil, fmt.Errorf("mail: the site %.100q is neither a host nor an address", site)
		}
		w.hosts = append(w.hosts, strings.TrimPrefix(strings.ToLower(u.Hostname()), "www."))
	}
	if q.Code == "" {
		return w, nil
	}
	if n, err := strconv.Atoi(q.Code); err == nil {
		if n < 1 || n > 12 {
			return nil, fmt.Errorf("mail: code = %d digits: between 1 and 12 can be found", n)
		}
		w.digits = n
		return w, nil
	}
	re, err := regexp.Compile(q.Code)
	if err != nil {
		why := err
		if e, ok := err.(*syntax.Error); ok {
			why = fmt.Errorf("%s", e.Code)
		}
		return nil, fmt.Errorf("mail: code = %.100q is no pattern: %w", q.Code, why)
	}
	if re.NumSubexp() != 1 {
		return nil, fmt.Errorf("mail: code = %.100q has %d groups and needs one, around the code", q.Code, re.NumSubexp())
	}
	w.pattern = re
	return w, nil
}

// from reports whether sender and subject are the ones asked for.
func (w *want) from(h header) bool {
	return contains(h.from, w.From) && contains(h.subject, w.Subject)
}

func contains(s, part string) bool {
	return part == "" || strings.Contains(fold(s), fold(part))
}

func fold(s string) string {
	return strings.Join(strings.Fields(cases.Fold().String(norm.NFC.String(s))), " ")
}

// take reads the message and returns what was asked for, all of it or nothing.
func (w *want) take(raw []byte) (core.MailMessage, bool) {
	c := parse(raw)
	out := core.MailMessage{From: c.from, Subject: c.subject}
	if w.AnyLink || len(w.Link) > 0 {
		link, ok := w.link(c)
		if !ok {
			return core.MailMessage{}, false
		}
		out.Link = core.Secret(link)
	}
	if w.digits > 0 || w.pattern != nil {
		code := ""
		for _, s := range []string{c.text, c.seen, c.subject} {
			if code = w.code(s); code != "" {
				break
			}
		}
		if code == "" {
			return core.MailMessage{}, false
		}
		out.Code = core.Secret(code)
	}
	text := strings.TrimSpace(c.text)
	if text == "" {
		text = strings.TrimSpace(c.seen)
	}
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "")
	}
	out.Text = core.Secret(text)
	return out, true
}

func (w *want) code(s string) string {
	if w.pattern != nil {
		if m := w.pattern.FindStringSubmatch(s); m != nil {
			return m[1]
		}
		return ""
	}
	// A number stands alone: it is no part of a word, an address, a date or a decimal.
	for i := 0; i < len(s); {
		if s[i] < '0' || s[i] > '9' {
			i++
			continue
		}
		end := i
		for end < len(s) && s[end] >= '0' && s[end] <= '9' {
			end++
		}
		if end-i == w.digits && loose(s[:i], true) && loose(s[end:], false) {
			return s[i:end]
		}
		i = end
	}
	return ""
}

// loose reports whether a number does not go on in the text beside it.
func loose(s string, before bool) bool {
	next := func() rune {
		r, n := utf8.DecodeRuneInString(s)
		if before {
			r, n = utf8.DecodeLastRuneInString(s)
			s = s[:len(s)-n]
		} else {
			s = s[n:]
		}
		if n == 0 {
			return ' '
		}
		return r
	}
	r := next()
	switch {
	case unicode.IsLetter(r), unicode.IsDigit(r), strings.ContainsRune("_/=&%@#+", r):
		return false
	case strings.ContainsRune("-.:,", r):
		beyond := next()
		return !unicode.IsDigit(beyond) && (!unicode.IsLetter(beyond) || r == ':' || before)
	}
	return true
}

var address = regexp.MustCompile(`(?i)\bhttps?://[^\s<>"'\x60\x{00A0}]+`)

// link is the first link that is asked for: those of the HTML parts come first,
// then the addresses in the text. With AnyLink the site's start page, which logos
// lead to, counts only when nothing else does.
func (w *want) link(c content) (string, bool) {
	all := c.hrefs
	for _, text := range []string{c.text, c.seen} {
		for _, s := range address.FindAllString(text, -1) {
			all = append(all, trimAddress(s))
		}
	}
	start := ""
	for _, s := range all {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Scheme, "http") && !strings.EqualFold(u.Scheme, "https") || u.User != nil {
			continue
		}
		if !w.leads(s, u) {
			continue
		}
		if len(w.Link) == 0 && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == "" {
			if start == "" {
				start = s
			}
			continue
		}
		return s, true
	}
	return start, start != ""
}

// leads reports whether the link has all parts and leads to the site, or to a
// host that a part names.
func (w *want) leads(s string, u *url.URL) bool {
	decoded, err := url.QueryUnescape(s)
	if err != nil {
		decoded = s
	}
	host := strings.ToLower(u.Hostname())
	named := false
	for _, part := range w.Link {
		if !strings.Contains(s, part) && !strings.Contains(decoded, part) {
			return false
		}
		named = named || names(strings.ToLower(part), host)
	}
	if named {
		return true
	}
	for _, h := range w.hosts {
		if host == h || strings.HasSuffix(host, "."+h) {
			return true
		}
	}
	return false
}

// names reports whether a part of a link begins with the host.
func names(part, host string) bool {
	_, after, ok := strings.Cut(part, "://")
	if !ok {
		after = strings.TrimPrefix(part, "//")
	}
	rest, ok := strings.CutPrefix(after, host)
	return ok && strings.Contains(host, ".") && (rest == "" || strings.IndexByte("/:?#", rest[0]) >= 0)
}

// trimAddress drops the punctuation that belongs to the sentence.
func trimAddress(s string) string {
	for {
		t := strings.TrimRight(s, ".,;:!?*_~|")
		for _, pair := range []string{"()", "[]", "{}"} {
			if strings.HasSuffix(t, pair[1:]) && strings.Count(t, pair[1:]) > strings.Count(t, pair[:1]) {
				t = t[:len(t)-1]
			}
		}
		if t == s {
			return s
		}
		s = t
	}
}
