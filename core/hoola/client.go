package hoola

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

const (
	path          = "/manage/api/users/create-multi-user"
	maxAnswer     = 8 << 20 // bytes
	maxWords      = 300     // characters of the server's own words
	maxRetryAfter = 24 * time.Hour
)

// Options are the settings of a Client.
type Options struct {
	// BaseURL is the tenant's address. Plain http is for loopback hosts only.
	BaseURL string
	// Token goes into the query of the call, and nowhere else.
	Token core.Value
	// UserAgent names the program to the server. Defaults to rollcall.
	UserAgent string
	// Logger gets a line a call, without its address. Defaults to none.
	Logger *slog.Logger
	// TLS trusts the server. Defaults to the system's roots.
	TLS *tls.Config
}

// Client makes the bulk call of one tenant. It is safe for concurrent use.
type Client struct {
	o    Options
	base string
	now  func() time.Time
}

var _ core.BulkAPI = (*Client)(nil)

// New checks the options; it makes no call.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.BaseURL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("base_url is not an address such as https://abc.hoola.vn")
	case u.Scheme == "http" && !Loopback(o.BaseURL):
		return nil, fmt.Errorf("base_url: http://%s would send the token unencrypted; use https", u.Host)
	case o.Token.Empty():
		return nil, errors.New("token is empty")
	case strings.ContainsFunc(o.Token.Reveal(), func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return nil, errors.New("token has spaces, line ends or characters other than ASCII; check what it was copied from")
	}
	if o.UserAgent == "" {
		o.UserAgent = "rollcall"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Client{o: o, base: strings.TrimRight(o.BaseURL, "/"), now: time.Now}, nil
}

// Loopback reports whether an address is of this machine.
func Loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := u.Hostname()
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// user is one element of the call's body.
type user struct {
	Name     string `json:"name"`
	Username string `json:"username"`
	Email    string `json:"email"`
	Password string `json:"password"`
	Phone    string `json:"phone,omitempty"`
	City     string `json:"city,omitempty"`
	District string `json:"district,omitempty"`
	Street   string `json:"street,omitempty"`
	Gender   string `json:"gender,omitempty"`
	Job      string `json:"job,omitempty"`
}

// Body implements core.BulkAPI.
func (c *Client) Body(rows []core.BulkRow) ([]byte, error) {
	users := make([]user, 0, len(rows))
	for _, r := range rows {
		f := func(name string) string { return r.Fields[name].Reveal() }
		users = append(users, user{f(FieldName), f(FieldUsername), f(FieldEmail), f(FieldPassword), f(FieldPhone), f(FieldCity),
			f(FieldDistrict), f(FieldStreet), f(FieldGender), f(FieldJob)})
	}
	if n := len(users); n == 0 || n > MaxUsers {
		return nil, fmt.Errorf("hoola: a call has 1 to %d users, not %d", MaxUsers, n)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(map[string]any{"users": users})
	return b.Bytes(), err
}

// Send implements core.BulkAPI. Its connection is fresh and used once, because a
// client sends a request again by itself when a connection it had kept dies.
func (c *Client) Send(ctx context.Context, body []byte, rows []core.BulkRow, late func() bool) ([]core.BulkResult, error) {
	var reached atomic.Bool
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, TLSHandshakeTimeout: 15 * time.Second,
		MaxResponseHeaderBytes: 64 << 10, TLSClientConfig: c.tls(), TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{Timeout: 15 * time.Second}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &fenced{Conn: conn, late: late}, nil
		},
	}
	defer transport.CloseIdleConnections()
	hc := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { reached.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path+"?token="+url.QueryEscape(c.o.Token.Reveal()), bytes.NewReader(body))
	if err != nil {
		return nil, &core.BulkError{Kind: core.BulkCallUnsent, Message: "the address can't be called"}
	}
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.o.UserAgent)
	began := c.now()
	resp, err := hc.Do(req)
	if err != nil {
		kind := core.BulkCallUncertain
		if !reached.Load() {
			kind = core.BulkCallUnsent
		}
		e := &core.BulkError{Kind: kind, Message: c.network(ctx, err)}
		c.o.Logger.Debug("hoola", "users", len(rows), "error", e.Message)
		return nil, e
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	c.o.Logger.Debug("hoola", "users", len(rows), "status", resp.StatusCode, "bytes", len(data), "took", c.now().Sub(began))
	return c.judge(resp, data, err, rows)
}

// judge says what an answer means.
func (c *Client) judge(resp *http.Response, data []byte, broke error, rows []core.BulkRow) ([]core.BulkResult, error) {
	status := resp.StatusCode
	fail := func(kind core.BulkErrorKind, what string) error {
		return &core.BulkError{Kind: kind, Message: c.words(what, rows), RetryAfter: retryAfter(resp.Header.Get("Retry-After"), c.now())}
	}
	http := "HTTP " + strconv.Itoa(status)
	switch {
	case status == 401 || status == 403:
		return nil, fail(core.BulkCallDenied, http+said(data))
	case status == 425 || status == 429:
		return nil, fail(core.BulkCallLater, http+said(data))
	case status >= 400 && status < 500:
		return nil, fail(core.BulkCallRefused, http+said(data))
	case status >= 300 && status < 400:
		where := "elsewhere"
		if u, err := resp.Location(); err == nil {
			where = u.Scheme + "://" + u.Host
		}
		return nil, fail(core.BulkCallUncertain, http+": the site redirects to "+where+", where nothing was sent; check base_url")
	case status < 200 || status >= 500:
		return nil, fail(core.BulkCallUncertain, http+said(data))
	case broke != nil:
		return nil, fail(core.BulkCallUncertain, "the answer broke off")
	case len(data) > maxAnswer:
		return nil, fail(core.BulkCallUncertain, fmt.Sprintf("the answer is larger than %d bytes", maxAnswer))
	}
	a, err := readAnswer(data)
	switch {
	case err != nil:
		return nil, fail(core.BulkCallUncertain, err.Error())
	case a.Code != "00":
		return nil, fail(core.BulkCallRefused, "respCode "+a.Code+": "+a.Msg)
	}
	results, foreign := match(a.Users, rows)
	if foreign > 0 {
		c.o.Logger.Warn("the answer names users that were not sent, or contradicts itself", "rows", foreign)
	}
	for i := range results {
		results[i].Message = c.words(results[i].Message, rows)
	}
	return results, nil
}

// fenced is a connection over which no byte leaves when it is late.
type fenced struct {
	net.Conn
	late func() bool
}

var errLate = errors.New("the call's time was over before it was sent")

func (f *fenced) Write(b []byte) (int, error) {
	if f.late != nil && f.late() {
		return 0, errLate
	}
	return f.Conn.Write(b)
}

func (c *Client) tls() *tls.Config {
	if c.o.TLS != nil {
		return c.o.TLS.Clone()
	}
	return &tls.Config{MinVersion: tls.VersionTLS12}
}

// network is a network error in one line, without the call's address.
func (c *Client) network(ctx context.Context, err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return "no answer in time"
	}
	return c.words(err.Error(), nil)
}

// words are a text in one line without the token and the users' passwords.
func (c *Client) words(s string, rows []core.BulkRow) string {
	hide := []string{c.o.Token.Reveal(), url.QueryEscape(c.o.Token.Reveal())}
	for _, r := range rows {
		hide = append(hide, r.Fields[FieldPassword].Reveal())
	}
	for _, h := range hide {
		if len(h) >= 4 {
			s = strings.ReplaceAll(s, h, "•••")
		}
	}
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxWords {
		s = string(r[:maxWords-1]) + "…"
	}
	return s
}

// retryAfter reads the header, in seconds or as a date.
func retryAfter(header string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.ParseInt(strings.TrimSpace(header), 10, 64); err == nil {
		d = time.Duration(min(max(n, 0), int64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

func escape(s string) string { return url.PathEscape(s) }
