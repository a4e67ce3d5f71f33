package egress

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/rollcall-run/rollcall/core"
)

// rules are core.EgressRules made ready for matching.
type rules struct {
	domain   string
	baseHost string
	basePort uint16
	private  bool
	hosts    []string
}

func newRules(r core.EgressRules) rules {
	out := rules{domain: canonical(r.Domain), private: r.Private}
	if u, err := url.Parse(r.Base); err == nil && u.Hostname() != "" {
		out.baseHost = canonical(u.Hostname())
		out.basePort = 443
		if u.Scheme == "http" {
			out.basePort = 80
		}
		if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
			out.basePort = uint16(n)
		}
	}
	for _, h := range r.Hosts {
		if h = canonical(h); h != "" {
			out.hosts = append(out.hosts, h)
		}
	}
	return out
}

// canonical is a host in lower case without brackets and final dot; addresses
// are in their shortest form.
func canonical(host string) string {
	host = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(host), "."))
	bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if a, err := netip.ParseAddr(bare); err == nil {
		return a.Unmap().String()
	}
	return host
}

// admit says why host and port are refused, "" when they are not, and whether
// private addresses are allowed there. host is canonical.
func (r rules) admit(host string, port uint16) (private bool, why string) {
	base := r.baseHost != "" && host == r.baseHost
	switch {
	case base:
	case r.domain != "" && (host == r.domain || below(host, r.domain)):
	case r.listed(host):
	default:
		return false, "not among the site's hosts"
	}
	if port == 80 || port == 443 || base && port == r.basePort {
		return r.private && base && port == r.basePort, ""
	}
	return false, "port " + strconv.Itoa(int(port)) + " is not the site's"
}

func (r rules) listed(host string) bool {
	for _, h := range r.hosts {
		if rest, any := strings.CutPrefix(h, "*."); any && below(host, rest) || h == host {
			return true
		}
	}
	return false
}

// below reports whether host is a proper subdomain of domain.
func below(host, domain string) bool {
	return len(host) > len(domain)+1 && strings.HasSuffix(host, domain) && host[len(host)-len(domain)-1] == '.'
}

// splitTarget reads "host:port", with fallback for an absent port, into a
// canonical host and a port.
func splitTarget(hostport string, fallback uint16) (host string, port uint16, ok bool) {
	u := url.URL{Host: hostport}
	host = canonical(u.Hostname())
	if host == "" || len(host) > 253 || strings.ContainsAny(host, "%/@\\ ") {
		return "", 0, false
	}
	if u.Port() == "" {
		return host, fallback, fallback != 0 && !strings.HasSuffix(hostport, ":")
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return host, uint16(n), err == nil && n != 0
}
