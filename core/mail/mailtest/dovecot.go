// Package mailtest runs a real Dovecot on loopback ports for tests and trials.
// Every address has a mailbox and every mailbox the same password.
package mailtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-smtp"
)

// Password opens every mailbox of a Server.
const Password = "mailbox-password"

// Server is a running Dovecot.
type Server struct {
	IMAP   string // host:port, plain and STARTTLS
	IMAPS  string // host:port
	LMTP   string // host:port
	CAFile string // PEM of the authority that signed the certificate for 127.0.0.1
	Dir    string
}

// Dovecot starts a server that ends with the test.
func Dovecot(t testing.TB) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "dovecot-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s, stop, err := Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Start starts Dovecot with all its state in dir, which must be short (Dovecot
// keeps sockets in it) and, under root, reachable by other users. Ctx bounds the
// start only. Stop ends the process group and waits for it.
func Start(ctx context.Context, dir string) (s *Server, stop func() error, err error) {
	binary, err := exec.LookPath("dovecot")
	if err != nil {
		if binary, err = exec.LookPath("/usr/sbin/dovecot"); err != nil {
			return nil, nil, errors.New("dovecot is not installed: apt-get install -y --no-install-recommends dovecot-imapd dovecot-lmtpd")
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, nil, err
	}
	if len(dir) > 70 {
		return nil, nil, fmt.Errorf("%s is too long for Dovecot's sockets: at most 70 characters", dir)
	}
	s = &Server{Dir: dir, CAFile: filepath.Join(dir, "ca.pem")}
	conf, err := s.prepare()
	if err != nil {
		return nil, nil, fmt.Errorf("dovecot: %w", err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(binary, "-F", "-c", conf)
	cmd.Stdout, cmd.Stderr = w, w
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started, exited := make(chan error, 1), make(chan error, 1)
	go func() { // Pdeathsig is bound to the thread that starts the process
		runtime.LockOSThread()
		err := cmd.Start()
		w.Close()
		started <- err
		if err == nil {
			exited <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		out.Close()
		return nil, nil, fmt.Errorf("dovecot: %w", err)
	}
	up, said := make(chan struct{}), &tail{}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		defer out.Close()
		sc := bufio.NewScanner(out)
		for once := true; sc.Scan(); {
			said.add(sc.Text())
			if once && strings.Contains(sc.Text(), "starting up") {
				close(up)
				once = false
			}
		}
		io.Copy(io.Discard, out)
	}()
	stop = sync.OnceValue(func() error {
		syscall.Kill(cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(5 * time.Second):
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-exited
		}
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-drained
		return nil
	})
	select {
	case <-up:
		return s, stop, nil
	case err := <-exited:
		<-drained
		return nil, nil, fmt.Errorf("dovecot did not start: %v: %s", err, said)
	case <-ctx.Done():
		stop()
		return nil, nil, fmt.Errorf("dovecot did not start in time: %s: %w", said, ctx.Err())
	}
}

// tail keeps the last lines of a log.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lines = append(t.lines, line); len(t.lines) > 5 {
		t.lines = t.lines[1:]
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "; ")
}

// prepare writes certificates and configuration, and chooses the ports.
func (s *Server) prepare() (conf string, err error) {
	if err := os.Chmod(s.Dir, 0o711); err != nil {
		return "", err
	}
	mail := filepath.Join(s.Dir, "mail")
	if err := os.MkdirAll(mail, 0o700); err != nil {
		return "", err
	}
	uid, gid, internal, login := os.Getuid(), os.Getgid(), "", ""
	if uid == 0 {
		// Dovecot refuses to deliver as root: mail belongs to nobody.
		uid, gid, internal, login = 65534, 65534, "dovecot", "dovenull"
		if err := os.Chown(mail, uid, gid); err != nil {
			return "", err
		}
	} else {
		me, err := user.Current()
		if err != nil {
			return "", err
		}
		internal, login = me.Username, me.Username
	}
	if err := s.certificate(); err != nil {
		return "", err
	}
	var ports [3]int
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		defer l.Close() // all at once, so that the three differ
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	s.IMAP, s.IMAPS, s.LMTP = at(0), at(1), at(2)
	conf = filepath.Join(s.Dir, "dovecot.conf")
	return conf, os.WriteFile(conf, fmt.Appendf(nil, `base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = /dev/stderr
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <%[1]s/cert.pem
ssl_key = <%[1]s/key.pem
disable_plaintext_auth = no
auth_failure_delay = 0
mail_location = maildir:%[1]s/mail/%%Lu
mail_home = %[1]s/mail/%%Lu
first_valid_uid = 1
first_valid_gid = 1
default_internal_user = %[2]s
default_internal_group = %[8]s
default_login_user = %[3]s
mail_max_userip_connections = 0
passdb {
  driver = static
  args = password=%[9]s
}
userdb {
  driver = static
  args = uid=%[4]d gid=%[5]d home=%[1]s/mail/%%Lu allow_all_users=yes
}
namespace inbox {
  inbox = yes
  mailbox Junk {
    auto = create
    special_use = \Junk
  }
}
service imap-login {
  chroot =
  inet_listener imap {
    address = 127.0.0.1
    port = %[6]d
  }
  inet_listener imaps {
    address = 127.0.0.1
    port = %[7]d
    ssl = yes
  }
}
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = %[10]d
  }
}
`, s.Dir, internal, login, uid, gid, ports[0], ports[1], groupOf(internal), Password, ports[2]), 0o600)
}

func groupOf(name string) string {
	u, err := user.Lookup(name)
	if err != nil {
		return name
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		return name
	}
	return g.Name
}

// certificate writes an authority and a certificate for 127.0.0.1 and localhost.
func (s *Server) certificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "mailtest"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, b := range map[string][]byte{"ca.pem": cert, "cert.pem": cert,
		"key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Deliver hands a message to the inbox of to over LMTP; line ends may be \n.
func (s *Server) Deliver(from, to string, raw []byte) error {
	conn, err := net.DialTimeout("tcp", s.LMTP, 10*time.Second)
	if err != nil {
		return err
	}
	c := smtp.NewClientLMTP(conn)
	defer c.Close()
	if err := c.Hello("localhost"); err != nil {
		return err
	}
	if err := c.SendMail(from, []string{to}, bytes.NewReader(crlf(raw))); err != nil {
		return fmt.Errorf("deliver to %s: %w", to, err)
	}
	return c.Quit()
}

// Append puts a message into a folder of the address' mailbox, such as Junk.
func (s *Server) Append(address, folder string, raw []byte) error {
	return s.as(address, func(c *imapclient.Client) error {
		raw := crlf(raw)
		cmd := c.Append(folder, int64(len(raw)), nil)
		if _, err := cmd.Write(raw); err != nil {
			return err
		}
		if err := cmd.Close(); err != nil {
			return err
		}
		_, err := cmd.Wait()
		return err
	})
}

// Flags are the flags of every message in the folder.
func (s *Server) Flags(address, folder string) (flags []string, err error) {
	err = s.as(address, func(c *imapclient.Client) error {
		d, err := c.Select(folder, &imap.SelectOptions{ReadOnly: true}).Wait()
		if err != nil || d.NumMessages == 0 {
			return err
		}
		var all imap.SeqSet
		all.AddRange(1, d.NumMessages)
		got, err := c.Fetch(all, &imap.FetchOptions{Flags: true}).Collect()
		for _, m := range got {
			for _, f := range m.Flags {
				flags = append(flags, string(f))
			}
		}
		return err
	})
	return flags, err
}

// Rebuild deletes the folder and makes it anew: its UIDVALIDITY changes.
func (s *Server) Rebuild(address, folder string) error {
	return s.as(address, func(c *imapclient.Client) error {
		if err := c.Delete(folder).Wait(); err != nil {
			return err
		}
		return c.Create(folder, nil).Wait()
	})
}

func (s *Server) as(address string, do func(*imapclient.Client) error) error {
	conn, err := net.DialTimeout("tcp", s.IMAP, 10*time.Second)
	if err != nil {
		return err
	}
	c := imapclient.New(conn, nil)
	defer c.Close()
	if err := c.Login(address, Password).Wait(); err != nil {
		return err
	}
	return do(c)
}

func crlf(raw []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
}
