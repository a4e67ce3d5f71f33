package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Times of the server. A client that stops reading loses its connection, so that
// it can't hold the ledger or the end of the runner up.
const (
	readTime  = 10 * time.Second // of one request
	writeTime = 30 * time.Second // of one line of an answer
	idleTime  = time.Minute
	graceTime = 5 * time.Second // the default of Options.Grace
)

// Options are the settings of Serve.
type Options struct {
	// Logger gets what no client can be told. Defaults to none.
	Logger *slog.Logger
	// Version is the program's, told to clients. Defaults to none.
	Version string
	// Grace is how long stop waits for calls under way. Defaults to 5s.
	Grace time.Duration
	// Bulk answers what commands ask about bulk calls; nil answers none of it.
	Bulk core.BulkAdmin
}

// Serve answers core.Admin on a socket at path until stop is called, which gives
// calls under way o.Grace, cuts the others and lets the next runner have the socket.
// ctx bounds the start only. A socket that a dead process left behind is
// replaced; a living runner's is a *ServedError.
func Serve(ctx context.Context, path string, admin core.Admin, o Options) (stop func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	s := &server{admin: admin, bulk: o.Bulk, version: o.Version, log: o.Logger}
	h := &http.Server{
		Handler: s, ReadHeaderTimeout: readTime, IdleTimeout: idleTime, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, peerOf(c))
		},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := h.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			o.Logger.Error("the control socket ended; commands can't reach this runner any more", "socket", path, "err", err)
		}
	}()
	return sync.OnceFunc(func() {
		grace, cancel := context.WithTimeout(context.Background(), cmp.Or(o.Grace, graceTime))
		defer cancel()
		if h.Shutdown(grace) != nil {
			_ = h.Close() // cuts the calls that did not end; their clients say so
		}
		<-done
		if err := l.release(); err != nil {
			o.Logger.Warn("the control socket was not removed", "socket", path, "err", err)
		}
	}), nil
}

type peerKey struct{}

// server answers the calls.
type server struct {
	admin   core.Admin
	bulk    core.BulkAdmin
	version string
	log     *slog.Logger
}

// hello says who answers.
type hello struct {
	PID     int    `json:"pid"`
	Version string `json:"version,omitempty"`
	// Goroutines is how many the process has now, which must not grow with its tasks.
	Goroutines int `json:"goroutines,omitempty"`
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, _ := r.Context().Value(peerKey{}).(peer)
	if p.err != nil || p.known && !serves(os.Geteuid(), p.uid) {
		refuse(w, http.StatusForbidden, fmt.Sprintf("this runner belongs to user id %d and answers that user and root only", os.Geteuid()))
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, prefix)
	call := calls[name]
	if call == nil {
		call = bulkCalls[name]
	}
	if !ok || call == nil {
		refuse(w, http.StatusNotFound, fmt.Sprintf("the running runner (version %s) does not know the call %s: use the same rollcall for both", s.version, r.URL.Path))
		return
	}
	if r.Method != http.MethodPost {
		refuse(w, http.StatusMethodNotAllowed, "a call is a POST")
		return
	}
	control := http.NewResponseController(w)
	body, err := s.body(control, w, r, mostOf(name))
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	send := func(m message) error {
		if err := control.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
			return err
		}
		line, err := json.Marshal(m)
		if err != nil {
			return err
		}
		_, err = w.Write(append(line, '\n'))
		return err
	}
	err = call(r.Context(), s, body, func(item any) error {
		data, err := json.Marshal(item)
		if err != nil {
			return err
		}
		return send(message{Item: data})
	})
	last := message{End: true}
	if err != nil {
		last = message{Fail: failureOf(err)}
	}
	if err := send(last); err != nil && r.Context().Err() == nil {
		s.log.Warn("an answer did not reach its command", "call", name, "err", err)
	}
}

// body reads the request in time and in bounds.
func (s *server) body(control *http.ResponseController, w http.ResponseWriter, r *http.Request, most int) ([]byte, error) {
	if err := control.SetReadDeadline(time.Now().Add(readTime)); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(most)))
	if err != nil {
		return nil, fmt.Errorf("the request was not read: %w", err)
	}
	// A call may take longer than its request; from here on reads only notice that the client went.
	return body, control.SetReadDeadline(time.Time{})
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(status)
	// A client that is gone needs no answer.
	_ = json.NewEncoder(w).Encode(message{Fail: &failure{Text: text}})
}
