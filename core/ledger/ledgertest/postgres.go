package ledgertest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// shared is the server of the test binary.
var shared struct {
	once   sync.Once
	server *Server // kept, because the server ends with its input
	err    error
	n      int
	mu     sync.Mutex
}

// Postgres returns the address of an empty database on a PostgreSQL server that
// the first call starts. The server ends with the test binary, whichever way
// that ends, and leaves nothing behind.
func Postgres(t testing.TB) (url string) {
	t.Helper()
	shared.once.Do(func() {
		shared.server, shared.err = StartPostgres(context.Background(), "")
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	shared.mu.Lock()
	shared.n++
	name := fmt.Sprintf("test%d", shared.n)
	shared.mu.Unlock()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, shared.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(ctx, `CREATE DATABASE `+name)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		t.Fatal(err)
	}
	return strings.Replace(shared.server.URL, "/postgres?", "/"+name+"?", 1)
}

// keeper runs the server until its input ends, and clears up. A line of the input
// names the signal that ends the server first, and is echoed when that one is gone;
// at the next line it runs again. The input ends when stop closes it or when this
// process dies.
const keeper = `
run() {
	"$1/postgres" -D "$2/data" -p "$3" -k "$2" -h 127.0.0.1 >>"$2/log" 2>&1 &
	server=$!
}
run "$@"
while read -r how; do
	kill -"$how" $server
	wait $server
	echo "$how"
	read -r _ || break
	run "$@"
done
kill -QUIT $server 2>/dev/null
wait $server
rm -rf "$2"
`

// Server is a throw-away PostgreSQL on loopback.
type Server struct {
	URL  string // of its database postgres
	stop func() error
	in   io.Writer
	out  *bufio.Reader
}

// End ends the server and removes its data.
func (s *Server) End() error { return s.stop() }

// Down ends the server, and returns when it is gone: "INT" breaks off what its
// clients do, "QUIT" leaves it to the next start to make good what is half done.
// Only Up and End may follow.
func (s *Server) Down(how string) error {
	if _, err := fmt.Fprintln(s.in, how); err != nil {
		return fmt.Errorf("stop the PostgreSQL for tests: %w", err)
	}
	if _, err := s.out.ReadString('\n'); err != nil {
		return fmt.Errorf("stop the PostgreSQL for tests: %w", err)
	}
	return nil
}

// Up starts the server again after Down, on the same address and data, and
// returns when it answers.
func (s *Server) Up(ctx context.Context) error {
	if _, err := fmt.Fprintln(s.in); err != nil {
		return fmt.Errorf("start the PostgreSQL for tests again: %w", err)
	}
	if err := answers(ctx, s.URL); err != nil {
		return fmt.Errorf("the PostgreSQL for tests does not come back: %w", err)
	}
	return nil
}

// StartPostgres starts a throw-away PostgreSQL on loopback, whose data is below
// dir, or the system's temporary directory when dir is empty. As root it runs
// under the user postgres, or nobody.
func StartPostgres(ctx context.Context, dir string) (*Server, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp(dir, "rollcall-pg-")
	if err != nil {
		return nil, err
	}
	clear := func(err error) (*Server, error) {
		return nil, errors.Join(fmt.Errorf("start a PostgreSQL for tests: %w", err), os.RemoveAll(home))
	}
	as, err := unprivileged(home)
	if err != nil {
		return clear(err)
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync",
		"-D", filepath.Join(home, "data"))
	initdb.SysProcAttr, initdb.Dir = as, home
	if out, err := initdb.CombinedOutput(); err != nil {
		return clear(fmt.Errorf("initdb: %w: %s", err, out))
	}
	port, err := freePort()
	if err != nil {
		return clear(err)
	}
	server := exec.Command("/bin/sh", "-c", keeper, "keeper", bin, home, strconv.Itoa(port))
	server.SysProcAttr, server.Dir = as, home
	server.SysProcAttr.Setpgid = true // a Ctrl-C for the tests is not for the keeper
	input, err := server.StdinPipe()
	if err != nil {
		return clear(err)
	}
	output, err := server.StdoutPipe()
	if err != nil {
		return clear(err)
	}
	if err := server.Start(); err != nil {
		return clear(err)
	}
	s := &Server{
		URL: fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port),
		in:  input, out: bufio.NewReader(output),
		stop: sync.OnceValue(func() error { return errors.Join(input.Close(), server.Wait()) }),
	}
	if err := answers(ctx, s.URL); err != nil {
		log, _ := os.ReadFile(filepath.Join(home, "log"))
		return nil, errors.Join(fmt.Errorf("the PostgreSQL for tests does not answer: %w: %s", err, log), s.End())
	}
	return s, nil
}

// postgresBin is the directory of the newest installed server.
func postgresBin() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed; run: apt-get install postgresql")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// unprivileged gives home to the user under which the server runs.
func unprivileged(home string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	uid, gid := 65534, 65534
	if u, err := user.Lookup("postgres"); err == nil {
		if uid, err = strconv.Atoi(u.Uid); err != nil {
			return nil, err
		}
		if gid, err = strconv.Atoi(u.Gid); err != nil {
			return nil, err
		}
	}
	if err := os.Chown(home, uid, gid); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// answers waits until the server takes connections, at most 30 seconds.
func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond) // a starting server gives no signal
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}
