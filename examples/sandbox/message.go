package sandbox

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"
)

// compose writes a mail: multipart/alternative when there are both parts.
func compose(at time.Time, to, from, subject, html, text string) ([]byte, error) {
	sender, err := mail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("sender %q: %w", from, err)
	}
	recipient, err := mail.ParseAddress(to)
	if err != nil {
		return nil, fmt.Errorf("recipient %q: %w", to, err)
	}
	var b bytes.Buffer
	head := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	head("From", sender.String())
	head("To", recipient.String())
	head("Subject", mime.QEncoding.Encode("utf-8", subject))
	head("Date", at.Format(time.RFC1123Z))
	head("Message-ID", "<"+rand.Text()+"@"+sender.Address[strings.LastIndex(sender.Address, "@")+1:]+">")
	head("MIME-Version", "1.0")
	if html == "" || text == "" {
		kind, body := "text/plain", text
		if html != "" {
			kind, body = "text/html", html
		}
		head("Content-Type", kind+"; charset=utf-8")
		head("Content-Transfer-Encoding", "quoted-printable")
		b.WriteString("\r\n")
		if err := quote(&b, body); err != nil {
			return nil, err
		}
		return b.Bytes(), nil
	}
	parts := multipart.NewWriter(&b)
	head("Content-Type", "multipart/alternative; boundary="+parts.Boundary())
	b.WriteString("\r\n")
	for _, p := range []struct{ kind, body string }{{"text/plain", text}, {"text/html", html}} {
		w, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {p.kind + "; charset=utf-8"},
			"Content-Transfer-Encoding": {"quoted-printable"},
		})
		if err != nil {
			return nil, err
		}
		if err := quote(w, p.body); err != nil {
			return nil, err
		}
	}
	if err := parts.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func quote(w interface{ Write([]byte) (int, error) }, body string) error {
	q := quotedprintable.NewWriter(w)
	if _, err := q.Write([]byte(strings.ReplaceAll(body, "\n", "\r\n"))); err != nil {
		return err
	}
	return q.Close()
}
