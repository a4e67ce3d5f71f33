package main_test

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// publicSite is the address on the internet of the hosts that drivers may reach.
var publicSite = netip.MustParseAddr("11.22.33.44")

// The ports on which somebody listens, at every address there is.
var (
	trapTCP = []uint16{22, 25, 80, 443, 853, 3128, 3478, 5432, 6379, 8080, 9200}
	trapUDP = []uint16{53, 123, 443, 1900, 3478, 5353, 19302}
)

// outside is the world around the runner: listeners at every address, a sniffer
// for the ports where nobody listens, and a name server.
type outside struct {
	t    *testing.T
	stop chan struct{}
	wg   sync.WaitGroup

	mu      sync.Mutex
	arrived map[string]int // by kind and target
	names   map[string]int // asked of the name server
	resolve func(name string) (netip.Addr, bool)
	closers []func()
}

// newOutside makes the namespace into a world of its own. It must be the test's
// own one: the caller has asked inside.
func newOutside(t *testing.T, resolve func(name string) (netip.Addr, bool)) *outside {
	t.Helper()
	o := &outside{t: t, stop: make(chan struct{}), arrived: map[string]int{}, names: map[string]int{}, resolve: resolve}
	for _, args := range []string{
		"link set lo up", "route add local 0.0.0.0/0 dev lo", "-6 route add local ::/0 dev lo",
		// WebRTC offers nothing on a machine that has the loopback interface only. An address
		// that the kernel adds of itself after a second would break off what Chromium loads.
		"link add out0 type veth peer name out1", "link set out0 addrgenmode none", "link set out1 addrgenmode none", "addr add 10.99.0.2/24 dev out0", "link set out0 up", "link set out1 up",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v %s", args, err, out)
		}
	}
	o.files(map[string]string{
		"/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:2 attempts:2\n",
		"/etc/hosts":       "127.0.0.1 localhost\n::1 localhost\n",
	})
	t.Cleanup(o.close)
	o.sniff()
	for _, port := range trapTCP {
		o.trapTCP("tcp4", "0.0.0.0", port)
		o.trapTCP("tcp6", "::", port)
	}
	for _, port := range trapUDP {
		o.trapUDP("udp4", "0.0.0.0", port)
		o.trapUDP("udp6", "::", port)
	}
	o.nameServer()
	return o
}

// files puts other contents over files, for this mount namespace only.
func (o *outside) files(all map[string]string) {
	o.t.Helper()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		o.t.Fatalf("keep mounts to the namespace: %v", err)
	}
	dir := o.t.TempDir()
	for path, text := range all {
		own := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(own, []byte(text), 0o644); err != nil {
			o.t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			o.t.Fatal(err)
		}
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			continue // without the file 127.0.0.1 is asked
		}
		if err := unix.Mount(own, path, "", unix.MS_BIND, ""); err != nil {
			o.t.Fatalf("mount over %s: %v", path, err)
		}
		o.closers = append(o.closers, func() { unix.Unmount(path, unix.MNT_DETACH) })
	}
}

// shared lets a listener at one address stand beside one at all addresses.
func shared(_, _ string, c syscall.RawConn) error {
	var err error
	if cerr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); cerr != nil {
		return cerr
	}
	return err
}

// listen listens at one address, beside the traps.
func (o *outside) listen(network string, at netip.AddrPort) net.Listener {
	o.t.Helper()
	l, err := (&net.ListenConfig{Control: shared}).Listen(o.t.Context(), network, at.String())
	if err != nil {
		o.t.Fatal(err)
	}
	return l
}

func (o *outside) trapTCP(network, at string, port uint16) {
	l := o.listen(network, netip.AddrPortFrom(netip.MustParseAddr(at), port))
	o.closers = append(o.closers, func() { l.Close() })
	o.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			o.count("connection", c.LocalAddr().String())
			c.Close()
		}
	})
}

func (o *outside) trapUDP(network, at string, port uint16) {
	o.t.Helper()
	c, err := (&net.ListenConfig{Control: shared}).ListenPacket(o.t.Context(), network, netip.AddrPortFrom(netip.MustParseAddr(at), port).String())
	if err != nil {
		o.t.Fatal(err)
	}
	o.closers = append(o.closers, func() { c.Close() })
	o.wg.Go(func() {
		for b := make([]byte, 2048); ; {
			if _, _, err := c.ReadFrom(b); err != nil {
				return
			}
			o.count("datagram", fmt.Sprintf("port %d", port))
		}
	})
}

// nameServer answers for the names that resolve knows, and counts the others.
func (o *outside) nameServer() {
	c, err := (&net.ListenConfig{Control: shared}).ListenPacket(o.t.Context(), "udp4", "127.0.0.1:53")
	if err != nil {
		o.t.Fatal(err)
	}
	o.closers = append(o.closers, func() { c.Close() })
	o.wg.Go(func() {
		for b := make([]byte, 2048); ; {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if answer := o.answer(b[:n]); answer != nil {
				c.WriteTo(answer, from)
			}
		}
	})
}

func (o *outside) answer(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		o.count("datagram", "a malformed question to the name server")
		return nil
	}
	q := m.Questions[0]
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	addr, known := netip.Addr{}, true
	if q.Type == dnsmessage.TypeA {
		addr, known = o.resolve(name)
	}
	switch {
	case !known:
		m.RCode = dnsmessage.RCodeNameError
	case addr.Is4():
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.AResource{A: addr.As4()},
		}}
	}
	o.mu.Lock()
	o.names[name]++
	o.mu.Unlock()
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// first lets through what begins something: datagrams, and the first segment of
// a connection. All of IPv6 passes: nothing of ours speaks it.
var first = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 0},
	{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0xf0},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0x40, Jf: 6},
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 9},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.IPPROTO_TCP, Jf: 4},
	{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0},
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_IND, K: 13},
	{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0x12},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0x02, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 128},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
}

// sniff sees what is sent, also to ports on which nobody listens.
func (o *outside) sniff() {
	o.t.Helper()
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in the network's order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, all)
	if err != nil {
		o.t.Fatalf("a packet socket: %v", err)
	}
	prog := unix.SockFprog{Len: uint16(len(first)), Filter: &first[0]}
	err = errors.Join(
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 8<<20),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}),
	)
	if err != nil {
		o.t.Fatalf("a packet socket: %v", err)
	}
	o.wg.Go(func() {
		defer unix.Close(fd)
		for b := make([]byte, 128); ; {
			n, from, err := unix.Recvfrom(fd, b, 0)
			if err != nil {
				select {
				case <-o.stop:
					return
				default:
					continue
				}
			}
			if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype == unix.PACKET_OUTGOING {
				o.packet(b[:n])
			}
		}
	})
}

// packet counts a packet that does not stay between the processes of this test.
func (o *outside) packet(b []byte) {
	var from, to netip.Addr
	var proto byte
	var rest []byte
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		from, to, proto, rest = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9], b[min(len(b), int(b[0]&15)*4):]
	case len(b) >= 40 && b[0]>>4 == 6:
		from, to, proto, rest = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[6], b[40:]
	default:
		return
	}
	if proto != unix.IPPROTO_TCP && proto != unix.IPPROTO_UDP || len(rest) < 4 {
		return
	}
	source, port := uint16(rest[0])<<8|uint16(rest[1]), uint16(rest[2])<<8|uint16(rest[3])
	home := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	switch {
	case to == home && (proto == unix.IPPROTO_TCP || port == 53 || from == home && source == 53):
		return
	case to == publicSite && proto == unix.IPPROTO_TCP && port == 80:
		return
	case proto == unix.IPPROTO_TCP && to.Is6() && len(rest) > 13 && rest[13]&0x12 != 0x02:
		return // not the first segment
	}
	o.count("packet", netip.AddrPortFrom(to, port).String())
}

func (o *outside) count(kind, target string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.arrived[kind+" to "+target]++
}

// any reports whether anything arrived.
func (o *outside) any() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.arrived)+len(o.names) > 0
}

// taken returns what arrived and forgets it.
func (o *outside) taken() (arrived, names map[string]int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	arrived, names = maps.Clone(o.arrived), maps.Clone(o.names)
	clear(o.arrived)
	clear(o.names)
	return arrived, names
}

// control reaches for the world in every way that is counted, and wants it counted.
func (o *outside) control() {
	o.t.Helper()
	for _, to := range []string{"10.0.0.1:80", "169.254.169.254:80", "127.0.0.1:443", "[::1]:80", "[fd00:ec2::254]:80", "8.8.8.8:443"} {
		c, err := net.DialTimeout("tcp", to, patience)
		if err != nil {
			o.t.Fatalf("control: %v", err)
		}
		// The trap closes what it has counted.
		c.SetReadDeadline(time.Now().Add(patience))
		c.Read(make([]byte, 1))
		c.Close()
	}
	if _, err := net.DialTimeout("tcp", "10.1.2.3:4444", patience); err == nil {
		o.t.Fatal("control: somebody listens where nobody should")
	}
	for _, to := range []string{"8.8.8.8:53", "74.125.250.129:19302", "[2001:4860:4860::8888]:3478"} {
		c, err := net.Dial("udp", to)
		if err != nil {
			o.t.Fatalf("control: %v", err)
		}
		c.Write([]byte("x"))
		c.Close()
	}
	net.DefaultResolver.LookupHost(o.t.Context(), "control.example")
	want := []string{
		"connection to 10.0.0.1:80", "connection to 127.0.0.1:443", "connection to [::1]:80", "connection to [fd00:ec2::254]:80",
		"datagram to port 53", "datagram to port 19302", "datagram to port 3478",
		"packet to 10.1.2.3:4444", "packet to 8.8.8.8:53", "packet to [2001:4860:4860::8888]:3478", "packet to 169.254.169.254:80",
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond) // a packet that is counted gives no signal
	defer tick.Stop()
	for {
		o.mu.Lock()
		left := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return o.arrived[w] > 0 })
		asked := o.names["control.example"]
		o.mu.Unlock()
		if len(left) == 0 && asked > 0 {
			break
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			o.t.Fatalf("control: not counted: %v (name asked %d times)", left, asked)
		}
	}
	o.taken()
}

func (o *outside) close() {
	close(o.stop)
	for _, f := range o.closers {
		f()
	}
	o.wg.Wait()
}
