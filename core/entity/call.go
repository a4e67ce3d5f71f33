package entity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// maxWords bounds the server's own words in an error, in characters.
const maxWords = 300

// request is one call.
type request struct {
	call     string
	method   string
	path     string
	query    string
	body     []byte
	item     bool   // about one task, which may be gone
	most     int64  // bytes of the answer
	tooLarge string // what to do about a larger one
}

func (r request) post() bool { return r.method == http.MethodPost }

// do makes a call and returns the answer of a server that said yes.
func (c *Client) do(ctx context.Context, r request) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.Timeout, fmt.Errorf("no answer within %s ([entity] timeout)", c.o.Timeout))
	defer cancel()
	// Once there is a connection, the request may have reached the server. A
	// transport that does not report its connections is taken to have had one.
	var sent atomic.Bool
	_, reports := c.o.Transport.(*http.Transport)
	sent.Store(!reports)
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }}
	// transient is a failure that may go better later.
	transient := func(err error, after time.Duration, ambiguous bool) error {
		return &core.TransientError{Call: r.call, Err: err, RetryAfter: after, Ambiguous: r.post() && ambiguous && sent.Load()}
	}

	u := *c.base
	u.Path, u.RawPath = "", ""
	address := u.String() + strings.TrimRight(c.base.EscapedPath(), "/") + r.path
	if r.query != "" {
		address += "?" + r.query
	}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), r.method, address, bytes.NewReader(r.body))
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", r.call, err)
	}
	req.Header.Set("X-API-Key", c.o.Key.Reveal())
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.o.UserAgent)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}

	began := c.now()
	resp, err := c.http.Do(req)
	if err != nil {
		err = c.plain(ctx, err)
		c.o.Logger.Debug("task manager", "call", r.call, "error", err)
		return answer{}, transient(err, 0, true)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, r.most+1))
	c.o.Logger.Debug("task manager", "call", r.call, "status", resp.StatusCode, "bytes", len(body), "took", c.now().Sub(began))

	after := retryAfter(resp.Header.Get("Retry-After"), c.now())
	status := resp.StatusCode
	switch {
	case status >= 300 && status < 400:
		return answer{}, transient(fmt.Errorf("the server redirects to %s, where the API key is not sent; if that is its new address, set [entity] base_url",
			target(resp)), 0, true)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return answer{}, &core.AuthError{Status: status, Message: c.words(status, body)}
	case status == http.StatusNotFound && r.item && !looksHTML(body):
		return answer{}, fmt.Errorf("%s: %w", r.call, core.ErrGone)
	case status == http.StatusNotFound && r.item:
		return answer{}, transient(errors.New("the answer is 404 with a web page; check [entity] base_url"), 0, false)
	case status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return answer{}, transient(errors.New(c.words(status, body)), after, false)
	case status == http.StatusRequestTimeout, status >= 500, status < 200:
		return answer{}, transient(errors.New(c.words(status, body)), after, true)
	case status >= 400:
		return answer{}, &core.Refusal{Call: r.call, Status: status, Message: c.words(status, body)}
	case err != nil:
		return answer{}, transient(fmt.Errorf("the answer broke off: %w", c.plain(ctx, err)), 0, true)
	case int64(len(body)) > r.most:
		err := fmt.Errorf("the answer is larger than %d bytes", r.most)
		if r.tooLarge != "" {
			err = fmt.Errorf("%w; %s", err, r.tooLarge)
		}
		return answer{}, transient(err, 0, true)
	}
	a, err := readAnswer(body)
	if err != nil {
		return answer{}, transient(err, 0, true)
	}
	if !a.success {
		return answer{}, &core.Refusal{Call: r.call, Status: status, Message: c.words(status, body)}
	}
	return a, nil
}

// checkRedirect lets a GET follow a redirect within its host, and nothing else:
// the key goes to no other host, and never from https to http.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet || len(via) > maxRedirects ||
		req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme || req.URL.User != nil {
		return http.ErrUseLastResponse
	}
	return nil
}

// target is where a redirect leads, without its query.
func target(resp *http.Response) string {
	u, err := resp.Location()
	if err != nil {
		return "nowhere"
	}
	return oneLine((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), maxWords)
}

// plain is a network error in one line, without the request's address.
func (c *Client) plain(ctx context.Context, err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if cause := context.Cause(ctx); cause != nil {
		return &networkError{text: oneLine(c.masked(cause.Error()), maxWords), err: ctx.Err()}
	}
	return &networkError{text: oneLine(c.masked(err.Error()), maxWords), err: err}
}

// networkError has a cleaned text and keeps the error for errors.Is.
type networkError struct {
	text string
	err  error
}

func (e *networkError) Error() string { return e.text }
func (e *networkError) Unwrap() error { return e.err }

// words is what the server said, for an error.
func (c *Client) words(status int, body []byte) string {
	said := http.StatusText(status)
	if said == "" {
		said = "no message"
	}
	switch a, err := readAnswer(body); {
	case err == nil && strings.TrimSpace(a.message) != "":
		said = a.message
	case looksHTML(body):
		said += ", with a web page"
	case err == nil || len(bytes.TrimSpace(body)) == 0:
	default:
		said += ": " + strings.ToValidUTF8(string(body[:min(len(body), 8*maxWords)]), "�")
	}
	said = oneLine(c.masked(said), maxWords)
	if status >= 400 {
		said = oneLine("HTTP "+strconv.Itoa(status)+": "+said, maxWords)
	}
	return said
}

// masked removes the key, should a server or a proxy repeat it.
func (c *Client) masked(s string) string {
	if key := c.o.Key.Reveal(); len(key) >= 6 {
		s = strings.ReplaceAll(s, key, "•••")
	}
	return s
}

func looksHTML(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

// retryAfter reads the header, in seconds or as a date, capped at MaxRetryAfter.
func retryAfter(header string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.ParseInt(strings.TrimSpace(header), 10, 64); err == nil {
		d = time.Duration(min(max(n, 0), int64(MaxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), MaxRetryAfter)
}
