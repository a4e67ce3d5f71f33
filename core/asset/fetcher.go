// Package asset fetches a task's images and makes them fit a site's limits.
//
// An address is anyone's: only public http and https addresses are connected
// to, checked on the very address that is dialled and on each redirect, unless
// the operator allows a private host. The image's size is read before it is
// decoded, and what is written is a new encoding of its pixels, so that nothing
// else of the file (metadata, a script in a comment, a second format) is kept.
package asset

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Options are the fetcher's settings.
type Options struct {
	Allow    []string      // private hosts, "host" or "host:port", that may be reached all the same
	MaxBytes int64         // of one download; defaults to 10 MB
	Timeout  time.Duration // of one download, redirects included; defaults to 30s
	Logger   *slog.Logger  // defaults to no log
}

// Fetcher implements core.Assets. It is safe for concurrent use.
type Fetcher struct {
	o      Options
	allow  map[string]bool
	client *http.Client
	decode chan struct{} // at most two images are in memory
}

var _ core.Assets = (*Fetcher)(nil)

// Error says why one address gave no image.
type Error struct {
	URL string // without its query and user
	Err error
}

func (e *Error) Error() string { return e.URL + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// What an Error may wrap.
var (
	ErrPrivate  = errors.New("the address is private; a host in [assets] allow may be private")
	ErrTooBig   = errors.New("the image is too big")
	ErrNotImage = errors.New("this is no PNG, JPEG, GIF or WebP image")
	ErrNoFit    = errors.New("the image can't be made to fit")
)

const maxRedirects = 5

// New makes a fetcher.
func New(o Options) *Fetcher {
	o.MaxBytes = cmp.Or(o.MaxBytes, 10<<20)
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Fetcher{o: o, allow: map[string]bool{}, decode: make(chan struct{}, 2)}
	for _, h := range o.Allow {
		f.allow[strings.ToLower(strings.TrimSpace(h))] = true
	}
	f.client = &http.Client{
		Transport: &http.Transport{
			DialContext:            f.dial,
			DisableKeepAlives:      true,
			TLSHandshakeTimeout:    10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			return checkURL(r.URL)
		},
	}
	return f
}

// dial connects to the host, refusing each resolved address that is not public.
func (f *Fetcher) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: 10 * time.Second}
	if !f.allow[strings.ToLower(host)] && !f.allow[strings.ToLower(addr)] {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil || !public(ap.Addr()) {
				return ErrPrivate
			}
			return nil
		}
	}
	return d.DialContext(ctx, network, addr)
}

// special are the address blocks that are not reached over the public internet
// besides those that netip knows.
var special = func() (out []netip.Prefix) {
	for _, p := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10"} {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}()

func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.Zone() != "" {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

func checkURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return errors.New("not a plain http or https address")
	}
	return nil
}

// Fetch implements core.Assets. When no address gives an image the error wraps
// an *Error for each of them.
func (f *Fetcher) Fetch(ctx context.Context, urls []string, fit core.Fit, dir string) (string, error) {
	if len(urls) == 0 {
		return "", core.ErrNoAsset
	}
	if err := checkFit(fit); err != nil {
		return "", err
	}
	var failed []error
	for _, raw := range urls {
		path, err := f.one(ctx, raw, fit, dir)
		if err == nil {
			return path, nil
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		var bad *Error
		if !errors.As(err, &bad) { // the disk's, not the address'
			return "", err
		}
		f.o.Logger.Warn("an image was not usable", "error", err.Error())
		failed = append(failed, err)
	}
	return "", &allFailed{failed}
}

// allFailed is the errors of every address, on one line.
type allFailed struct{ errs []error }

func (e *allFailed) Error() string {
	var parts []string
	for _, err := range e.errs {
		parts = append(parts, err.Error())
	}
	return "no image could be used: " + strings.Join(parts, "; ")
}

func (e *allFailed) Unwrap() []error { return e.errs }

func (f *Fetcher) one(ctx context.Context, raw string, fit core.Fit, dir string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return "", &Error{"the image's address", errors.New("can't be read")}
	}
	fail := func(err error) (string, error) { return "", &Error{shown(u), err} }
	if err := checkURL(u); err != nil {
		return fail(err)
	}
	data, err := f.download(ctx, u)
	if err != nil {
		return fail(err)
	}
	select {
	case f.decode <- struct{}{}:
		defer func() { <-f.decode }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	out, ext, err := fitted(ctx, data, fit)
	if err != nil {
		return fail(err)
	}
	return write(dir, out, ext)
}

// shown is an address without what may be secret in it.
func shown(u *url.URL) string {
	s := u.Scheme + "://" + u.Host + u.EscapedPath()
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return s
}

func (f *Fetcher) download(ctx context.Context, u *url.URL) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, f.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("not an address that can be asked for")
	}
	req.Header.Set("Accept", "image/png, image/jpeg, image/gif, image/webp")
	req.Header.Set("User-Agent", "rollcall")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, f.why(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %d", resp.StatusCode)
	}
	if resp.ContentLength > f.o.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrTooBig, resp.ContentLength, f.o.MaxBytes)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, f.o.MaxBytes+1))
	if err != nil {
		return nil, f.why(ctx, err)
	}
	if int64(len(data)) > f.o.MaxBytes {
		return nil, fmt.Errorf("%w: at most %d bytes are read", ErrTooBig, f.o.MaxBytes)
	}
	return data, nil
}

// why is an error of the client without the address, which may carry secrets.
func (f *Fetcher) why(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("not complete within %s: %w", f.o.Timeout, context.DeadlineExceeded)
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return err
}

// write makes a new file below dir that only its owner may read.
func write(dir string, data []byte, ext string) (path string, err error) {
	path = filepath.Join(dir, rand.Text()+ext)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("write the image: %w", err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Close()); err != nil {
		os.Remove(path)
		return "", fmt.Errorf("write the image: %w", err)
	}
	return path, nil
}
