package text

import (
	"fmt"
	"html"
	"net"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Links writes a list of web addresses, one a line, in the format. An address
// without a scheme gets https. An entry that is no web address is an error that
// names its place.
func Links(format string, urls []string) (string, error) {
	if err := known(format); err != nil {
		return "", err
	}
	var lines []string
	for i, raw := range urls {
		u, ok := webURL(raw)
		if !ok {
			return "", fmt.Errorf("link %d is not a web address: %.80q", i+1, raw)
		}
		switch format {
		case FormatHTML:
			u = html.EscapeString(u)
			u = `<li><a href="` + u + `">` + u + `</a></li>`
		case FormatMarkdown:
			u = "- <" + u + ">"
		case FormatBBCode:
			u = "[url]" + u + "[/url]"
		case FormatWikitext:
			u = "* " + u
		case FormatDokuWiki:
			u = "  * [[" + u + "]]"
		}
		lines = append(lines, u)
	}
	out := strings.Join(lines, "\n")
	if format == FormatHTML && out != "" {
		out = "<ul>\n" + out + "\n</ul>"
	}
	return out, nil
}

// webURL checks an http or https address and encodes what a markup could take for its own.
func webURL(raw string) (string, bool) {
	raw = strings.TrimSpace(raw)
	if raw == "" || strings.ContainsAny(raw, "\n\r\t") {
		return "", false
	}
	if !strings.Contains(raw, "://") {
		host, _, _ := strings.Cut(raw, "/")
		if strings.ContainsAny(host, ":@") || !strings.Contains(host, ".") || strings.HasPrefix(raw, "/") {
			return "", false
		}
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" || strings.ContainsAny(u.Host, "<>\"'`[]{}|\\^ ") && net.ParseIP(strings.Trim(u.Hostname(), "[]")) == nil {
		return "", false
	}
	return escapeURL(u.String()), true
}

// escapeURL percent-encodes what is markup in one of the formats: quotes,
// brackets, doubled apostrophes, control characters. IPv6 hosts keep theirs.
func escapeURL(s string) string {
	const hex = "0123456789ABCDEF"
	host := 0
	if i := strings.Index(s, "://["); i >= 0 {
		host = i + strings.IndexByte(s[i:], ']') + 1
	}
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if i >= host && (c <= ' ' || c == 0x7F || strings.IndexByte("<>\"'`[]{}|\\^()*~", c) >= 0) {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
			continue
		}
		b.WriteByte(c)
	}
	// __ and %% never stand in an address as MediaWiki or DokuWiki markup once encoded.
	return strings.ReplaceAll(b.String(), "__", "_%5F")
}

// networks are the social networks by registrable domain.
var networks = map[string]string{
	"facebook.com": "facebook", "fb.com": "facebook", "fb.me": "facebook", "x.com": "x", "twitter.com": "x",
	"linkedin.com": "linkedin", "youtube.com": "youtube", "youtu.be": "youtube", "instagram.com": "instagram",
	"tiktok.com": "tiktok", "github.com": "github", "gitlab.com": "gitlab", "pin.it": "pinterest", "t.me": "telegram",
	"telegram.me": "telegram", "reddit.com": "reddit", "medium.com": "medium", "tumblr.com": "tumblr",
	"vimeo.com": "vimeo", "twitch.tv": "twitch", "soundcloud.com": "soundcloud", "behance.net": "behance",
	"dribbble.com": "dribbble", "flickr.com": "flickr", "threads.net": "threads", "threads.com": "threads",
	"bsky.app": "bluesky", "quora.com": "quora", "snapchat.com": "snapchat", "wa.me": "whatsapp",
	"whatsapp.com": "whatsapp", "discord.gg": "discord", "discord.com": "discord", "zalo.me": "zalo", "vk.com": "vk",
	"gravatar.com": "gravatar", "about.me": "about.me", "linktr.ee": "linktree", "wordpress.com": "wordpress",
	"blogspot.com": "blogger", "blogger.com": "blogger", "500px.com": "500px", "patreon.com": "patreon",
	"producthunt.com": "producthunt", "goodreads.com": "goodreads", "deviantart.com": "deviantart",
	"stackoverflow.com": "stackoverflow", "mixcloud.com": "mixcloud", "spotify.com": "spotify", "dev.to": "dev.to",
}

// Network names the social network of a profile's address: facebook, x,
// linkedin, youtube, … It goes by the registrable domain, so that
// facebook.com.example.org is example.org. The address of another site gives
// its registrable domain, what is no address gives "".
func Network(raw string) string {
	u, domain, ok := split(raw)
	if !ok {
		return ""
	}
	for d := strings.ToLower(u.Hostname()); d != ""; {
		if name := networks[d]; name != "" {
			return name
		}
		_, d, _ = strings.Cut(d, ".")
	}
	if label, _, _ := strings.Cut(domain, "."); label == "pinterest" {
		return label
	}
	return domain
}

func split(raw string) (u *url.URL, domain string, ok bool) {
	clean, ok := webURL(raw)
	if !ok {
		return nil, "", false
	}
	u, err := url.Parse(clean)
	if err != nil {
		return nil, "", false
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	domain, err = publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		domain = host
	}
	return u, domain, true
}

// rooms are path segments that stand before a profile's name.
var rooms = map[string]bool{"in": true, "company": true, "school": true, "pub": true, "c": true, "channel": true, "user": true,
	"u": true, "users": true, "people": true, "profile": true, "profiles": true, "pages": true, "pg": true, "add": true,
	"s": true, "author": true, "member": true, "members": true, "artist": true, "m": true}

// Handle is the account's name in the address of a profile, without @, such as
// jane in https://x.com/jane; "" when there is none.
func Handle(raw string) string {
	u, _, ok := split(raw)
	if !ok {
		return ""
	}
	switch Network(raw) {
	case "facebook":
		if id := u.Query().Get("id"); id != "" && strings.Trim(u.Path, "/") == "profile.php" {
			return id
		}
	case "tumblr", "blogger", "wordpress", "deviantart":
		if label, rest, _ := strings.Cut(strings.ToLower(u.Hostname()), "."); networks[rest] != "" && label != "www" && label != "m" {
			return label
		}
	}
	var parts []string
	for p := range strings.SplitSeq(u.Path, "/") {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if len(parts) > 1 && parts[0] == "people" && len(parts) == 3 {
		return parts[2] // facebook.com/people/Name/1000…
	}
	for len(parts) > 1 && rooms[strings.ToLower(parts[0])] {
		parts = parts[1:]
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.TrimPrefix(parts[0], "@")
}
