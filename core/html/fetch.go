package html

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

const (
	maxBody      = 8 << 20 // bytes of a document
	maxRedirects = 20
	maxUpload    = 32 << 20 // bytes of an image
)

// userAgent says what this is.
const userAgent = "Mozilla/5.0 (compatible; rollcall; engine=http)"

// errStay says that an answer leaves the page as it is (204, 205).
var errStay = errors.New("the answer has no content")

// load sends a request, follows its redirects and makes the answer the page's document.
func (p *Page) load(ctx context.Context, r *request, referrer *url.URL) error {
	doc, err := p.fetch(ctx, r, referrer)
	if err == nil {
		p.doc = doc
	}
	if errors.Is(err, errStay) {
		return nil
	}
	return err
}

func (p *Page) fetch(ctx context.Context, r *request, referrer *url.URL) (*document, error) {
	fragment := r.url.Fragment
	for hop := 0; ; hop++ {
		if hop > maxRedirects {
			return nil, &core.Fault{Code: core.HTTPError, Why: fmt.Sprintf("more than %d redirects", maxRedirects), URL: r.url.String()}
		}
		if !p.site.Allowed(r.url.String()) {
			return nil, p.refused(r.url)
		}
		if r.secret && !p.site.Own(r.url.String()) {
			return nil, page.Wrong("a secret is not sent: the site redirects its form to another one")
		}
		answer, err := p.send(ctx, r, referrer)
		if err != nil {
			return nil, p.netFault(ctx, err, r.url)
		}
		next, err := p.redirect(answer, r)
		if next == nil && err == nil {
			doc, err := p.document(ctx, answer, r.url, fragment)
			answer.Body.Close()
			return doc, err
		}
		answer.Body.Close()
		if err != nil {
			return nil, err
		}
		if next.url.Fragment != "" {
			fragment = next.url.Fragment
		}
		r = next
	}
}

// send sends one request over the wire that it must take.
func (p *Page) send(ctx context.Context, r *request, referrer *url.URL) (*http.Response, error) {
	to := *r.url
	to.Fragment, to.RawFragment, to.User = "", "", nil
	out, err := http.NewRequestWithContext(ctx, r.method, to.String(), nil)
	if err != nil {
		return nil, err
	}
	if r.method != http.MethodGet {
		// Without GetBody nothing can send the body a second time.
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(r.body)), int64(len(r.body))
		if len(r.body) == 0 {
			out.Body = http.NoBody
		}
		if r.kind != "" {
			out.Header.Set("Content-Type", r.kind)
		}
	}
	out.Header.Set("User-Agent", userAgent)
	out.Header.Set("Accept", "text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.5")
	if p.o.Task.Language != "" {
		out.Header.Set("Accept-Language", p.o.Task.Language)
	}
	if referrer != nil && strings.HasPrefix(referrer.Scheme, "http") && !(referrer.Scheme == "https" && to.Scheme == "http") {
		from := *referrer
		from.User, from.Fragment, from.RawFragment = nil, "", ""
		same := from.Scheme == to.Scheme && from.Host == to.Host
		if r.method != http.MethodGet {
			out.Header.Set("Origin", from.Scheme+"://"+from.Host)
		}
		if !same {
			from.Path, from.RawPath, from.RawQuery = "/", "", ""
		}
		out.Header.Set("Referer", from.String())
	}
	if c := p.jar.header(&to); c != "" {
		out.Header.Set("Cookie", c)
	}
	answer, err := p.wires.carry(out, r.method == http.MethodGet && !p.committing)
	if err != nil {
		return nil, err
	}
	p.jar.set(&to, answer.Cookies())
	return answer, nil
}

// redirect is the request that an answer leads to, nil when it leads nowhere.
func (p *Page) redirect(a *http.Response, r *request) (*request, error) {
	to := a.Header.Get("Location")
	switch a.StatusCode {
	case 301, 302, 303, 307, 308:
	default:
		return nil, nil
	}
	if to == "" {
		return nil, nil
	}
	u, err := r.url.Parse(to)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, &core.Fault{Code: core.HTTPError, Why: "the site redirects to an address that can't be opened", URL: r.url.String()}
	}
	if a.StatusCode >= 307 {
		return &request{method: r.method, url: u, kind: r.kind, body: r.body, secret: r.secret}, nil
	}
	return &request{method: http.MethodGet, url: u}, nil
}

// document reads the answer.
func (p *Page) document(ctx context.Context, a *http.Response, u *url.URL, fragment string) (*document, error) {
	if a.StatusCode == http.StatusNoContent || a.StatusCode == http.StatusResetContent {
		return nil, errStay
	}
	body, err := io.ReadAll(io.LimitReader(a.Body, maxBody+1))
	if err != nil {
		return nil, p.netFault(ctx, err, u)
	}
	if len(body) > maxBody {
		return nil, &core.Fault{Code: core.HTTPError, Why: fmt.Sprintf("the page is larger than %d MB", maxBody>>20), URL: u.String()}
	}
	if a.StatusCode == http.StatusForbidden && bytes.HasPrefix(body, []byte("rollcall: refused")) {
		return nil, p.refused(u)
	}
	at := *u
	at.User, at.Fragment, at.RawFragment = nil, fragment, ""
	kind := a.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(kind)
	disposition, _, _ := mime.ParseMediaType(a.Header.Get("Content-Disposition"))
	switch {
	case disposition == "attachment" && a.StatusCode < 400:
		return nil, p.noPage(u)
	case media == "text/html", media == "application/xhtml+xml", kind == "", err != nil && strings.Contains(kind, "html"):
	case strings.HasPrefix(media, "text/"), media == "application/json", media == "application/xml", len(body) == 0:
		body = []byte("<!DOCTYPE html><title></title><pre>" + escape(string(body)) + "</pre>")
	default:
		if a.StatusCode < 400 {
			return nil, p.noPage(u)
		}
		body = nil
	}
	doc, err := newDocument(&at, body, kind, a.StatusCode, a.Header.Get("Retry-After"))
	if err != nil {
		return nil, &core.Fault{Code: core.HTTPError, Why: "the page is no HTML that can be read: " + err.Error(), URL: u.String()}
	}
	return doc, nil
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace

func (p *Page) refused(u *url.URL) error {
	return &core.Fault{Code: core.HostRefused, Why: "the host " + u.Hostname() + " is not one of the site's: declare it in hosts", URL: u.String()}
}

func (p *Page) noPage(u *url.URL) error {
	return &core.Fault{Code: core.LayoutChanged, Why: "the address brought no page: a download, or an answer without content", URL: u.String()}
}

// netFault is the error of a document that could not be loaded.
func (p *Page) netFault(ctx context.Context, err error, u *url.URL) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var cert *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errRefused):
		return p.refused(u)
	case errors.As(err, &cert), errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &record):
		return &core.Fault{Code: core.HTTPError, Why: "the page could not be loaded: its certificate is not valid", URL: u.String()}
	}
	return &page.SiteAnswer{Outcome: core.Outcome{Status: core.Waiting, Code: core.SiteDown, Reason: "the site can't be reached: it broke off or did not answer"}}
}
