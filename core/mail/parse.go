package mail

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	netmail "net/mail"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/charset"
	"github.com/emersion/go-message/textproto"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	htmlcharset "golang.org/x/net/html/charset"
	"golang.org/x/text/unicode/norm"
)

// Bounds of one message, however it is built.
const (
	maxParts   = 64
	maxNesting = 8
	maxText    = 2 << 20 // bytes of decoded text, over all parts
)

// header is what is read of a message's header, decoded.
type header struct {
	from, subject string
	to            []string // lower-case addresses of every recipient field
}

// reaches reports whether the address is one of the recipients, exactly.
func (h header) reaches(address string) bool { return slices.Contains(h.to, address) }

var recipients = []string{"To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To"}

func readHead(raw []byte) header {
	h, err := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(append(bytes.TrimRight(raw, "\r\n"), "\r\n\r\n"...))))
	if err != nil {
		h = salvage(raw)
	}
	return decodeHead(h)
}

// salvage keeps the lines that are fields where a header is broken.
func salvage(raw []byte) textproto.Header {
	var h textproto.Header
	for line := range strings.SplitSeq(string(raw), "\n") {
		line = strings.TrimRight(line, "\r")
		if line == "" {
			break
		}
		k, v, ok := strings.Cut(line, ":")
		if ok && k != "" && !strings.ContainsAny(k, " \t") {
			h.Add(k, strings.TrimSpace(v))
		}
	}
	return h
}

func decodeHead(h textproto.Header) header {
	out := header{from: words(h.Get("From")), subject: words(h.Get("Subject"))}
	for _, name := range recipients {
		for f := h.FieldsByKey(name); f.Next(); {
			out.to = append(out.to, addresses(words(f.Value()))...)
		}
	}
	return out
}

// words decodes a header's encoded words and 8-bit bytes.
func words(s string) string {
	d := mime.WordDecoder{CharsetReader: charset.Reader}
	if out, err := d.DecodeHeader(s); err == nil {
		s = out
	}
	return norm.NFC.String(eightBit([]byte(s), ""))
}

// addresses are the addresses of a recipient field, also of one that is not
// written by the rules.
func addresses(v string) []string {
	var out []string
	if list, err := netmail.ParseAddressList(v); err == nil {
		for _, a := range list {
			out = append(out, strings.ToLower(a.Address))
		}
		return out
	}
	for _, f := range strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(" \t\r\n<>,;:\"()", r) }) {
		if strings.Contains(f, "@") {
			out = append(out, strings.ToLower(f))
		}
	}
	return out
}

// eightBit makes text of bytes whose charset nobody named: UTF-8 where they are
// that, else what an HTML reader would take them for.
func eightBit(b []byte, contentType string) string {
	if utf8.Valid(b) {
		return string(b)
	}
	enc, _, _ := htmlcharset.DetermineEncoding(b, contentType)
	if out, err := enc.NewDecoder().Bytes(b); err == nil {
		return strings.ToValidUTF8(string(out), "\uFFFD")
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// content is what is read of a message. Hrefs are in the order of the message,
// text is that of its plain parts and seen is that of its HTML parts as a
// reader sees it.
type content struct {
	header
	hrefs      []string
	text, seen string
}

// parse reads a message. It never fails: what can't be read is left out.
func parse(raw []byte) content {
	var p parser
	e, err := message.Read(bytes.NewReader(raw))
	if e == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		_, body, found := bytes.Cut(raw, []byte("\n\r\n"))
		if !found {
			_, body, _ = bytes.Cut(raw, []byte("\n\n"))
		}
		p.out.header = decodeHead(salvage(raw))
		p.plain.WriteString(eightBit(body, ""))
	} else {
		p.out.header = decodeHead(e.Header.Header)
		p.left = maxText
		p.part(e, 0)
	}
	p.out.text = norm.NFC.String(p.plain.String())
	p.out.seen = norm.NFC.String(p.html.String())
	return p.out
}

type parser struct {
	out         content
	plain, html strings.Builder
	parts       int
	left        int64
}

func (p *parser) part(e *message.Entity, depth int) {
	if p.parts++; p.parts > maxParts || depth > maxNesting {
		return
	}
	if disposition, _, _ := e.Header.ContentDisposition(); strings.EqualFold(disposition, "attachment") {
		return
	}
	if mr := e.MultipartReader(); mr != nil {
		for p.parts <= maxParts {
			sub, err := mr.NextPart()
			if sub == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
				return
			}
			p.part(sub, depth+1)
		}
		return
	}
	kind, params, err := e.Header.ContentType()
	if err != nil && kind == "" || e.Header.Get("Content-Type") == "" {
		kind = "text/plain"
	}
	kind = strings.ToLower(kind)
	if kind != "text/plain" && kind != "text/html" || p.left <= 0 {
		return
	}
	b, _ := io.ReadAll(io.LimitReader(e.Body, p.left)) // what came before an error counts
	p.left -= int64(len(b))
	contentType := kind
	if params["charset"] != "" {
		contentType = "" // decoded already, where the charset is known
	}
	s := eightBit(b, contentType)
	if kind == "text/plain" {
		p.plain.WriteString(s + "\n")
		return
	}
	p.page(s)
}

// page reads an HTML part without building a tree, so that nesting costs nothing.
func (p *parser) page(s string) {
	z := html.NewTokenizer(strings.NewReader(s))
	skip := 0 // inside style, script and the like
	for {
		switch z.Next() {
		case html.ErrorToken:
			p.html.WriteString("\n")
			return
		case html.TextToken:
			if skip == 0 {
				p.html.WriteString(html.UnescapeString(string(z.Raw())))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			switch t.DataAtom {
			case atom.Style, atom.Script, atom.Title, atom.Template:
				if t.Type == html.StartTagToken {
					skip++
				}
			case atom.A, atom.Area:
				for _, a := range t.Attr {
					if a.Key == "href" {
						p.out.hrefs = append(p.out.hrefs, strings.TrimSpace(a.Val))
					}
				}
			}
			p.space(t.DataAtom)
		case html.EndTagToken:
			t := z.Token()
			switch t.DataAtom {
			case atom.Style, atom.Script, atom.Title, atom.Template:
				skip = max(0, skip-1)
			}
			p.space(t.DataAtom)
		}
	}
}

// space parts the texts of what stands apart on the page.
func (p *parser) space(a atom.Atom) {
	switch a {
	case atom.Br, atom.P, atom.Div, atom.Tr, atom.Li, atom.H1, atom.H2, atom.H3, atom.H4, atom.Table, atom.Ul, atom.Ol, atom.Center, atom.Blockquote, atom.Hr:
		p.html.WriteString("\n")
	case atom.Td, atom.Th, atom.Img, atom.A:
		p.html.WriteString(" ")
	}
}
