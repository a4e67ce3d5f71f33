package egress

import (
	"net/netip"
	"testing"

	"github.com/rollcall-run/rollcall/core"
)

func TestForbiddenAddresses(t *testing.T) {
	for _, c := range []struct {
		addr            string
		public, private bool // allowed
	}{
		{"93.184.216.34", true, true},
		{"2606:2800:220:1:248:1893:25c8:1946", true, true},
		{"127.0.0.1", false, true}, {"127.8.8.8", false, true}, {"::1", false, true},
		{"10.1.2.3", false, true}, {"172.31.255.255", false, true}, {"172.32.0.1", true, true}, {"192.168.0.1", false, true},
		{"100.64.0.1", false, true}, {"100.127.255.255", false, true}, {"100.128.0.1", true, true},
		{"fd12::1", false, true},
		{"169.254.169.254", false, false}, {"fe80::1", false, false}, {"fd00:ec2::254", false, false}, {"100.100.100.200", false, false},
		{"0.0.0.0", false, false}, {"0.1.2.3", false, false}, {"::", false, false},
		{"224.0.0.1", false, false}, {"239.255.255.250", false, false}, {"ff02::1", false, false}, {"255.255.255.255", false, false}, {"240.0.0.1", false, false},
		{"198.18.0.1", false, false}, {"192.0.2.1", false, false}, {"2001:db8::1", false, false},
		{"::ffff:127.0.0.1", false, true}, {"::ffff:169.254.169.254", false, false}, {"::ffff:8.8.8.8", true, true},
		{"::127.0.0.1", false, false},
		{"64:ff9b::10.0.0.1", false, true}, {"64:ff9b::169.254.169.254", false, false}, {"64:ff9b::8.8.8.8", true, true},
		{"64:ff9b:1::8.8.8.8", false, false},
		{"2002:7f00:1::", false, true}, {"2002:808:808::", true, true}, {"2001:0:1::", false, false},
		{"fe80::1%eth0", false, false},
	} {
		a := netip.MustParseAddr(c.addr)
		for private, want := range map[bool]bool{false: c.public, true: c.private} {
			if why := forbidden(a, private); (why == "") != want {
				t.Errorf("%s, private %v: %q, want allowed %v", a, private, why, want)
			}
		}
	}
	if forbidden(netip.Addr{}, true) == "" {
		t.Error("the zero address is allowed")
	}
}

func TestRules(t *testing.T) {
	site := core.EgressRules{Domain: "Example.org", Base: "https://www.example.org", Hosts: []string{"cdn.example.net", "*.static.example.com"}}
	based := core.EgressRules{Domain: "wiki.example.org", Base: "http://127.0.0.1:8081/wiki", Private: true}
	six := core.EgressRules{Domain: "wiki.example.org", Base: "http://[::1]:8081", Private: true}
	for _, c := range []struct {
		rules            core.EgressRules
		target           string
		allowed, private bool
	}{
		{site, "example.org:443", true, false},
		{site, "EXAMPLE.ORG.:80", true, false},
		{site, "deep.www.example.org:443", true, false},
		{site, "notexample.org:443", false, false},
		{site, "example.org.evil.test:443", false, false},
		{site, ".example.org:443", false, false},
		{site, "example.org:22", false, false},
		{site, "example.org:8443", false, false},
		{site, "cdn.example.net:443", true, false},
		{site, "a.cdn.example.net:443", false, false},
		{site, "x.static.example.com:80", true, false},
		{site, "static.example.com:80", false, false},
		{site, "127.0.0.1:443", false, false},
		{based, "127.0.0.1:8081", true, true},
		{based, "127.0.0.1:80", true, false},
		{based, "127.0.0.1:8082", false, false},
		{based, "localhost:8081", false, false},
		{based, "wiki.example.org:443", true, false},
		{based, "wiki.example.org:8081", false, false},
		{based, "[::ffff:127.0.0.1]:8081", true, true},
		{six, "[::1]:8081", true, true},
		{six, "[0:0:0:0:0:0:0:1]:8081", true, true},
		{core.EgressRules{}, "example.org:443", false, false},
	} {
		host, port, ok := splitTarget(c.target, 0)
		private, why := newRules(c.rules).admit(host, port)
		if allowed := ok && why == ""; allowed != c.allowed || allowed && private != c.private {
			t.Errorf("%s in %+v: allowed %v (%s), private %v", c.target, c.rules, allowed, why, private)
		}
	}
}

func TestSplitTarget(t *testing.T) {
	for _, bad := range []string{"", ":443", "example.org", "example.org:", "example.org:0", "example.org:65536", "example.org:x", "a b:443", "u@example.org:443", "[fe80::1%25eth0]:443"} {
		if host, port, ok := splitTarget(bad, 0); ok {
			t.Errorf("%q is taken for %s and %d", bad, host, port)
		}
	}
	if host, port, ok := splitTarget("Example.org", 80); !ok || host != "example.org" || port != 80 {
		t.Errorf("the usual port: %s %d %v", host, port, ok)
	}
}

func FuzzSplitTarget(f *testing.F) {
	for _, s := range []string{"example.org:443", "[::1]:1", "::1", "%", "[", "]:1", "a:b:c"} {
		f.Add(s)
	}
	r := newRules(core.EgressRules{Domain: "example.org"})
	f.Fuzz(func(t *testing.T, s string) {
		host, port, ok := splitTarget(s, 0)
		if !ok {
			return
		}
		if _, why := r.admit(host, port); why == "" && host != "example.org" && !below(host, "example.org") {
			t.Errorf("%q was admitted as %s:%d", s, host, port)
		}
	})
}
