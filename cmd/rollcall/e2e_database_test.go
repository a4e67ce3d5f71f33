package main_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// wire stands before a database server and can be cut and joined again, or hold
// back what is sent, which looks like a network that is gone without a word.
type wire struct {
	t        *testing.T
	at, to   string
	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
	flows    chan struct{} // closed while bytes pass
	running  sync.WaitGroup
}

// newWire returns a wire to the database, and the database's address through it.
func newWire(t *testing.T, address string) (*wire, string) {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, at: "127.0.0.1:0", to: u.Host, flows: make(chan struct{})}
	close(w.flows)
	w.join()
	t.Cleanup(w.cut)
	u.Host = w.at
	return w, u.String()
}

func (w *wire) join() {
	l, err := net.Listen("tcp", w.at)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.listener, w.at = l, l.Addr().String()
	w.mu.Unlock()
	w.running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", w.to)
			if err != nil {
				in.Close()
				continue
			}
			w.mu.Lock()
			if w.listener != l { // cut meanwhile
				in.Close()
				out.Close()
			}
			w.conns = append(w.conns, in, out)
			w.mu.Unlock()
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				w.running.Go(func() {
					w.carry(pair[0], pair[1])
					pair[0].Close()
				})
			}
		}
	})
}

// carry takes bytes along until an end closes, or the wire is cut.
func (w *wire) carry(to io.Writer, from io.Reader) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		w.mu.Lock()
		flows := w.flows
		w.mu.Unlock()
		<-flows
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hold lets no byte pass until the returned function is called.
func (w *wire) hold() (flow func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	held := make(chan struct{})
	w.flows = held
	return func() { close(held) }
}

// cut ends every connection, and no new one is taken.
func (w *wire) cut() {
	w.mu.Lock()
	if w.listener != nil {
		w.listener.Close()
		w.listener = nil
	}
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
	w.mu.Unlock()
	w.running.Wait()
}

func TestARunnerAwaitsADatabaseThatIsAway(t *testing.T) {
	wire, through := newWire(t, ledgertest.Postgres(t))
	w := newWorld(t, settings{slots: 2, store: through, scripts: own(t, "300ms", "20s")})
	g := newGate(t)
	w.sb.Board.OnCommit(func(s sandbox.Submit) sandbox.CommitFault {
		if s.N == 1 {
			g.hold()
		}
		return sandbox.CommitFault{}
	})
	w.add(w.sb.Board, sandbox.StateRegister, 4)
	r := w.start(w.config("one"))
	g.await(t, r, "the sign-up")
	wire.cut()
	r.await("that the ledger is awaited", message("the ledger does not answer; trying again"))
	g.open()
	wire.join()
	w.await(r)
	r.stop()
	w.checkDone()
}
