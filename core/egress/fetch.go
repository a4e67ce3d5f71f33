package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

const (
	fetchLimit     = 1 << 20 // bytes of body
	fetchRedirects = 5
)

// Fetch reads a page of the site logged-out, through the rules of Admit and the
// fence: no cookies, no user info of the address, at most 5 redirects. It
// returns at most 1 MB of the body, whatever its status.
func (g *Gate) Fetch(ctx context.Context, address string) (status int, final string, body []byte, err error) {
	t := g.term.Load()
	if t == nil || !g.enter() {
		return 0, "", nil, errShut
	}
	defer g.running.Done()
	u, err := url.Parse(address)
	if err != nil {
		return 0, "", nil, errors.New("fetch: the address can't be read")
	}
	if err := t.fetchable(u); err != nil {
		return 0, "", nil, fmt.Errorf("fetch: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, g.proxy.o.Timeouts.Fetch)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()

	transport := t.transport(true)
	transport.ForceAttemptHTTP2 = true
	transport.DisableCompression = false
	transport.TLSClientConfig = &tls.Config{RootCAs: g.proxy.o.RootCAs, MinVersion: tls.VersionTLS12}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport: transport,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > fetchRedirects {
				return fmt.Errorf("more than %d redirects", fetchRedirects)
			}
			r.Header.Del("Referer")
			return t.fetchable(r.URL)
		},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, "", nil, errors.New("fetch: the address can't be read")
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	r.Header.Set("User-Agent", "Mozilla/5.0 (compatible; rollcall)")
	answer, err := client.Do(r)
	if err != nil {
		return 0, "", nil, fmt.Errorf("fetch: %w", t.because(err))
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(io.LimitReader(answer.Body, fetchLimit))
	if err != nil {
		return 0, "", nil, fmt.Errorf("fetch: %w", t.because(err))
	}
	return answer.StatusCode, answer.Request.URL.String(), body, nil
}

// because drops the address from err, which may hold a secret link, and puts
// the fence before what it caused.
func (t *term) because(err error) error {
	if shut := t.open(); shut != nil {
		return shut
	}
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// fetchable checks one address of a Fetch and takes its user info away.
func (t *term) fetchable(u *url.URL) error {
	var usual uint16
	switch u.Scheme {
	case "http":
		usual = 80
	case "https":
		usual = 443
	default:
		return errors.New("only http and https addresses are fetched")
	}
	u.User = nil
	host, port, ok := splitTarget(u.Host, usual)
	if !ok {
		return errors.New("the address has no usable host")
	}
	if _, why := t.rules.admit(host, port); why != "" {
		return t.refuse(host, port, why)
	}
	return t.open()
}

func itoa(port uint16) string { return strconv.Itoa(int(port)) }
