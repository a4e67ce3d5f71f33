package egress

import "net/netip"

// Networks that no site on the internet lives in. Those that an operator may
// have of their own are apart: they can be allowed for a base address.
var (
	ownNetworks = prefixes(
		"127.0.0.0/8", "::1/128", // loopback
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", // RFC 1918
		"100.64.0.0/10", // shared address space, RFC 6598
		"fc00::/7",      // unique local, RFC 4193
	)
	nobodysNetworks = prefixes(
		"0.0.0.0/8", "::/128", // unspecified, "this network"
		"169.254.0.0/16", "fe80::/10", "fec0::/10", // link-local, site-local
		"100.100.100.200/32", "fd00:ec2::254/128", // metadata services outside link-local
		"168.63.129.16/32",                                // metadata service
		"192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", // protocol assignments, relays, benchmarks
		"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", // documentation
		"224.0.0.0/4", "ff00::/8", "240.0.0.0/4", // multicast, reserved, broadcast
		"64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", // local NAT64, discard, Teredo and kin, documentation
		"3fff::/20", "5f00::/16", // documentation, segment routing
	)
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	sixTo4  = netip.MustParsePrefix("2002::/16")
	compat4 = netip.MustParsePrefix("::/96")
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, p := range list {
		out[i] = netip.MustParsePrefix(p)
	}
	return out
}

// forbidden says why a must not be dialled, "" when it may. An address that
// carries an IPv4 address is judged by that one too. With private, loopback and
// private networks are allowed; link-local and metadata addresses never are.
func forbidden(a netip.Addr, private bool) string {
	if !a.IsValid() {
		return "an invalid address"
	}
	if a.Zone() != "" {
		return "an address with a zone"
	}
	a = a.Unmap()
	for _, p := range nobodysNetworks {
		if p.Contains(a) {
			return "an address in " + p.String() + ", which no site uses"
		}
	}
	for _, p := range ownNetworks {
		if p.Contains(a) {
			if private {
				return ""
			}
			return "a private address in " + p.String()
		}
	}
	if a.Is6() {
		b := a.As16()
		switch {
		case nat64.Contains(a):
			return forbidden(netip.AddrFrom4([4]byte(b[12:16])), private)
		case compat4.Contains(a):
			return "an IPv4-compatible address"
		case sixTo4.Contains(a):
			return forbidden(netip.AddrFrom4([4]byte(b[2:6])), private)
		}
	}
	return ""
}
