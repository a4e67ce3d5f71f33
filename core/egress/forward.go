package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"time"
)

// flow is a plain request on its way.
type flow struct {
	cancel   context.CancelFunc
	deadline func(time.Time) error // of writing to the browser

	mu       sync.Mutex
	answered bool
	aborted  bool
}

// abort ends the flow. Before the answer has begun the browser still gets its
// 502; after that its connection is cut.
func (f *flow) abort() {
	f.cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.aborted = true
	if f.answered {
		f.deadline(time.Now())
	}
}

// answer marks that the site's answer is being passed on; false when the flow
// was aborted before.
func (f *flow) answer() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answered = !f.aborted
	return f.answered
}

func (t *term) begin(ctx context.Context, rc *http.ResponseController) (*flow, context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	f := &flow{cancel: cancel, deadline: rc.SetWriteDeadline}
	t.mu.Lock()
	t.flows[f] = struct{}{}
	t.mu.Unlock()
	if t.ctx.Err() != nil { // ended before the flow was listed
		f.abort()
	}
	return f, ctx, func() {
		cancel()
		t.mu.Lock()
		delete(t.flows, f)
		t.mu.Unlock()
	}
}

// serveRequest forwards one plain request.
func (t *term) serveRequest(w http.ResponseWriter, r *http.Request) {
	if r.URL.Scheme != "http" || r.URL.Host == "" {
		deny(w, http.StatusBadRequest, "this is a proxy: send it http:// addresses or CONNECT")
		return
	}
	host, port, ok := splitTarget(r.URL.Host, 80)
	if !ok {
		deny(w, http.StatusBadRequest, "the address has no usable host")
		return
	}
	if _, why := t.rules.admit(host, port); why != "" {
		t.fail(w, t.refuse(host, port, why))
		return
	}
	if err := t.open(); err != nil {
		t.fail(w, err)
		return
	}
	rc := http.NewResponseController(w)
	f, ctx, end := t.begin(r.Context(), rc)
	defer end()

	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	send := t.writes
	if safe {
		send = t.reads.Load()
	} else {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { t.countSent() },
		})
	}
	out := r.Clone(ctx)
	out.RequestURI, out.Close = "", false
	out.URL.User = nil
	stripHop(out.Header)
	out.Header.Del("Expect") // answered here
	if _, set := out.Header["User-Agent"]; !set {
		out.Header["User-Agent"] = nil // none was sent, none is added
	}
	out.Body = nil
	if r.ContentLength != 0 {
		out.Body = &pacedBody{ReadCloser: r.Body, rc: rc, idle: t.gate.proxy.o.Timeouts.Idle}
	}
	in, err := send.RoundTrip(out)
	if err != nil {
		t.fail(w, err)
		return
	}
	defer in.Body.Close()
	if err := t.open(); err != nil || !f.answer() {
		t.fail(w, errors.Join(err, errShut))
		return
	}
	t.passOn(w, rc, in, !safe)
}

// passOn copies the site's answer to the browser. When it breaks off, the
// browser's connection is cut so that a part is not taken for the whole; the
// headers of what must not be sent again are with the browser before that.
func (t *term) passOn(w http.ResponseWriter, rc *http.ResponseController, in *http.Response, early bool) {
	stripHop(in.Header)
	h := w.Header()
	for k, v := range in.Header {
		h[k] = v
	}
	if _, dated := in.Header["Date"]; !dated {
		h["Date"] = nil
	}
	w.WriteHeader(in.StatusCode)
	stream := in.ContentLength < 0
	if early || stream {
		rc.Flush()
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	idle := t.gate.proxy.o.Timeouts.Idle
	for {
		n, err := in.Body.Read(*buf)
		if n > 0 {
			if t.open() != nil {
				rc.Flush()
				panic(http.ErrAbortHandler)
			}
			rc.SetWriteDeadline(time.Now().Add(idle))
			if _, werr := w.Write((*buf)[:n]); werr != nil {
				return
			}
			if stream && rc.Flush() != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			rc.Flush() // the headers, if they are not with the browser yet
			panic(http.ErrAbortHandler)
		}
	}
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// fail answers a request that was not forwarded, or not answered: 403 when it
// is refused, 502 when the site failed. The browser's connection stays, since a
// cut one would make the browser send the request again.
func (t *term) fail(w http.ResponseWriter, err error) {
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * time.Second))
	var no *refusal
	var slow net.Error
	switch {
	case errors.As(err, &no):
		deny(w, http.StatusForbidden, "refused, "+no.Error())
	case t.open() != nil:
		w.Header().Set("Connection", "close")
		deny(w, http.StatusBadGateway, t.open().Error())
	case errors.As(err, &slow) && slow.Timeout():
		deny(w, http.StatusBadGateway, "the site did not answer in time")
	default:
		deny(w, http.StatusBadGateway, "the site can't be reached or broke off")
	}
}

// pacedBody is a request's body that may pause for at most idle.
type pacedBody struct {
	io.ReadCloser
	rc   *http.ResponseController
	idle time.Duration
}

func (b *pacedBody) Read(p []byte) (int, error) {
	b.rc.SetReadDeadline(time.Now().Add(b.idle))
	n, err := b.ReadCloser.Read(p)
	b.rc.SetReadDeadline(time.Time{})
	return n, err
}

// hopHeaders concern one connection (RFC 9110, 7.6.1) and are not passed on.
var hopHeaders = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func stripHop(h http.Header) {
	for _, line := range h["Connection"] {
		for field := range strings.SplitSeq(line, ",") {
			h.Del(textproto.TrimString(field))
		}
	}
	for _, k := range hopHeaders {
		h.Del(k)
	}
}
