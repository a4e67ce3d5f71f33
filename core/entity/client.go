package entity

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Bounds of the protocol and of a call.
const (
	MaxLimit        = 1000 // tasks in one list
	MaxMessage      = 1000 // characters of error_message and note
	MaxRetryAfter   = time.Hour
	maxID           = 200 // bytes
	maxRedirects    = 5
	maxHeaderBytes  = 64 << 10
	maxReplyBytes   = 64 << 10 // of an answer that carries no task
	defaultTimeout  = 30 * time.Second
	defaultListSize = 8 << 20
	defaultItemSize = 1 << 20
)

// Options are the settings of a Client.
type Options struct {
	// BaseURL is the address up to and without /links. Plain http is for loopback hosts only.
	BaseURL string
	// Key goes into the X-API-Key header, and nowhere else.
	Key core.Value
	// States are the server's names. Defaults to core.DefaultStateNames.
	States core.StateNames
	// Transport sends the requests. Defaults to one of the client's own.
	Transport http.RoundTripper
	// ListLimitBytes bounds the answer to List. Defaults to 8 MB.
	ListLimitBytes int64
	// ItemLimitBytes bounds one task. Defaults to 1 MB.
	ItemLimitBytes int64
	// Timeout bounds one call, from the dial to the last byte of the answer. Defaults to 30s.
	Timeout time.Duration
	// UserAgent names the program to the server. Defaults to rollcall.
	UserAgent string
	// Logger gets a line per call at debug level, and warnings about tasks read singly. Defaults to none.
	Logger *slog.Logger
}

// Client calls the Entity API. It is safe for concurrent use.
type Client struct {
	o    Options
	base *url.URL
	http *http.Client
	now  func() time.Time
}

var _ core.TaskManager = (*Client)(nil)

// New checks the options; it makes no call.
func New(o Options) (*Client, error) {
	base, err := parseBase(o.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("[entity] base_url: %w", err)
	}
	switch key := o.Key.Reveal(); {
	case key == "":
		return nil, errors.New("[entity] api_key: it is empty")
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return nil, errors.New("[entity] api_key: it has spaces, line ends or characters other than ASCII; check what it was copied from")
	}
	if o.States == (core.StateNames{}) {
		o.States = core.DefaultStateNames
	}
	if o.ListLimitBytes <= 0 {
		o.ListLimitBytes = defaultListSize
	}
	if o.ItemLimitBytes <= 0 {
		o.ItemLimitBytes = defaultItemSize
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.UserAgent == "" {
		o.UserAgent = "rollcall"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	return &Client{
		o: o, base: base, now: time.Now,
		http: &http.Client{Transport: o.Transport, CheckRedirect: checkRedirect},
	}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    32, // as many calls as there may be slots
		IdleConnTimeout:        60 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, fmt.Errorf("%q must begin with https:// and name a host", u.Redacted())
	case u.User != nil:
		return nil, errors.New("it holds a user name or password; the key belongs in api_key")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("it has a query or fragment")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("http://%s would send the key unencrypted; use https", u.Host)
	}
	return u, nil
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// List asks for tasks of both kinds. limit is brought into 1 … MaxLimit.
func (c *Client) List(ctx context.Context, limit int) (core.Listing, error) {
	limit = min(max(limit, 1), MaxLimit)
	a, err := c.do(ctx, request{
		call: "list", method: http.MethodGet, path: "/links",
		query: "limit=" + strconv.Itoa(limit), most: c.o.ListLimitBytes,
		tooLarge: "lower [entity] limit, or raise [limits] list_mb",
	})
	if err != nil {
		return core.Listing{}, err
	}
	items, n, err := elements(a.data, limit)
	if err != nil {
		return core.Listing{}, &core.TransientError{Call: "list", Err: fmt.Errorf("data: %w", err)}
	}
	l := c.listing(items)
	if n > limit {
		l.Warnings = append(l.Warnings, fmt.Sprintf("the list has %d tasks, %d were asked for; the first ones count", n, limit))
	}
	return l, nil
}

// Get reads one task.
func (c *Client) Get(ctx context.Context, id string) (core.Listed, error) {
	path, err := itemPath(id, "")
	if err != nil {
		return core.Listed{}, err
	}
	a, err := c.do(ctx, request{
		call: "get", method: http.MethodGet, path: path, item: true,
		most: c.o.ItemLimitBytes + maxReplyBytes, tooLarge: "raise [limits] item_mb",
	})
	if err != nil {
		return core.Listed{}, err
	}
	d := c.decode(a.data)
	if d.err != nil {
		return core.Listed{}, &core.TransientError{Call: "get", Err: fmt.Errorf("task %s can't be read: %w", oneLine(id, maxID), d.err)}
	}
	if d.listed.Task.ID != id {
		return core.Listed{}, &core.TransientError{Call: "get", Err: fmt.Errorf("asked for task %s, the answer is task %s",
			oneLine(id, maxID), oneLine(d.listed.Task.ID, maxID))}
	}
	for _, w := range d.warnings {
		c.o.Logger.Warn(w, "task", id)
	}
	return d.listed, nil
}

// Start tells the server that the task is worked on. It must come before the work.
func (c *Client) Start(ctx context.Context, id string) error {
	return c.post(ctx, "start", id, nil)
}

// completion is the body of complete.
type completion struct {
	LinkProfile string `json:"link_profile"`
	Email       string `json:"email,omitempty"`
	Username    string `json:"username,omitempty"`
	Password    string `json:"password,omitempty"`
	Note        string `json:"note,omitempty"`
}

// failure is the body of fail.
type failure struct {
	Status  string `json:"status"`
	Message string `json:"error_message"`
	Note    string `json:"note,omitempty"`
}

// Complete reports a finished task. r.LinkProfile must be an http or https URL;
// a note longer than MaxMessage is cut.
func (c *Client) Complete(ctx context.Context, id string, r core.Report) error {
	u, err := url.Parse(r.LinkProfile)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("complete %s: link_profile is no http or https URL: %q", oneLine(id, maxID), oneLine(r.LinkProfile, maxWords))
	}
	return c.post(ctx, "complete", id, completion{
		LinkProfile: r.LinkProfile, Email: r.Email.Reveal(), Username: r.Username.Reveal(),
		Password: r.Password.Reveal(), Note: cut(r.Note, MaxMessage),
	})
}

// Fail reports a failed task. r.Status must be one of the server's failed
// states and r.Message must not be empty; message and note are cut to
// MaxMessage. The caller has redacted both.
func (c *Client) Fail(ctx context.Context, id string, r core.Report) error {
	s := c.o.States
	if r.Status == "" || r.Status != s.RegisterFailed && r.Status != s.ProfileFailed && r.Status != s.ConnectFailed {
		return fmt.Errorf("fail %s: status %q is none of %s, %s, %s", oneLine(id, maxID), oneLine(r.Status, maxWords),
			s.RegisterFailed, s.ProfileFailed, s.ConnectFailed)
	}
	if strings.TrimSpace(r.Message) == "" {
		return fmt.Errorf("fail %s: error_message is empty", oneLine(id, maxID))
	}
	return c.post(ctx, "fail", id, failure{Status: r.Status, Message: cut(r.Message, MaxMessage), Note: cut(r.Note, MaxMessage)})
}

func (c *Client) post(ctx context.Context, call, id string, body any) error {
	path, err := itemPath(id, "/"+call)
	if err != nil {
		return err
	}
	var raw []byte
	if body != nil {
		if raw, err = json.Marshal(body); err != nil {
			return fmt.Errorf("%s %s: %w", call, oneLine(id, maxID), err)
		}
	}
	_, err = c.do(ctx, request{call: call, method: http.MethodPost, path: path, body: raw, item: true, most: maxReplyBytes + c.o.ItemLimitBytes})
	return err
}

// itemPath is the path of one task, or of a call on it.
func itemPath(id, call string) (string, error) {
	if err := checkID(id); err != nil {
		return "", err
	}
	return "/links/" + url.PathEscape(id) + call, nil
}

func checkID(id string) error {
	switch {
	case id == "":
		return errors.New("id: it is empty")
	case len(id) > maxID:
		return fmt.Errorf("id: it is longer than %d bytes", maxID)
	case id == "." || id == ".." || strings.ContainsFunc(id, hidden):
		return fmt.Errorf("id: %q can't be part of a URL", oneLine(id, maxID))
	}
	return nil
}
