package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-run/rollcall/core"
	"pgregory.net/rapid"
)

const canary = `pÄ"<s&s>w/ö\r+d%41'é😀~`

// encodings is every form in which a secret must be found.
func encodings(s string) map[string]string {
	percentLower := strings.Builder{}
	percentUpper := strings.Builder{}
	for _, b := range []byte(s) {
		fmt.Fprintf(&percentLower, "%%%02x", b)
		fmt.Fprintf(&percentUpper, "%%%02X", b)
	}
	decimal, hexa, jsonAll, padded := strings.Builder{}, strings.Builder{}, strings.Builder{}, strings.Builder{}
	for _, r := range s {
		fmt.Fprintf(&decimal, "&#%d;", r)
		fmt.Fprintf(&hexa, "&#x%X;", r)
		fmt.Fprintf(&padded, "&#%07d;", r)
		if r < 0x10000 {
			fmt.Fprintf(&jsonAll, `\u%04X`, r)
		} else {
			fmt.Fprintf(&jsonAll, `\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		}
	}
	js, _ := json.Marshal(s)
	plainJSON := &strings.Builder{}
	enc := json.NewEncoder(plainJSON)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)
	out := map[string]string{
		"raw": s, "hex": hex.EncodeToString([]byte(s)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(s))),
		"query": url.QueryEscape(s), "path": url.PathEscape(s), "percent lower": percentLower.String(), "percent upper": percentUpper.String(),
		"query lower": strings.NewReplacer("%2B", "%2b", "%2F", "%2f", "%3C", "%3c").Replace(url.QueryEscape(s)),
		"html":        html.EscapeString(s), "html named": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;", "é", "&eacute;").Replace(s),
		"html decimal": decimal.String(), "html hex": hexa.String(), "html padded": padded.String(),
		"json": strings.Trim(string(js), `"`), "json plain": plainJSON.String()[1 : plainJSON.Len()-2], "json all": jsonAll.String(),
		"json slashes": strings.ReplaceAll(strings.Trim(string(js), `"`), "/", `\/`),
		"go":           strings.Trim(strconv.Quote(s), `"`), "go ascii": strings.Trim(strconv.QuoteToASCII(s), `"`),
	}
	for name, e := range map[string]*base64.Encoding{"std": base64.StdEncoding, "raw std": base64.RawStdEncoding, "url": base64.URLEncoding, "raw url": base64.RawURLEncoding} {
		for shift := range 3 {
			for tail := range 3 {
				out[fmt.Sprintf("base64 %s %d %d", name, shift, tail)] = e.EncodeToString([]byte("abc"[:shift] + s + "xyz"[:tail]))
			}
		}
		out["base64 url-escaped "+name] = url.QueryEscape(e.EncodeToString([]byte(s)))
		out["base64 in json "+name] = strings.ReplaceAll(e.EncodeToString([]byte(s)), "/", `\/`)
	}
	return out
}

func TestEveryEncodingIsRedacted(t *testing.T) {
	for _, s := range []string{canary, "Abc123!@xyzQ", "abcdef", "xxxx yyyy zzzz wwww", "a&amp;b&lt;c", "%25%25%2541", "mật khẩu dài", "\\u0041\\\\"} {
		r := NewRedactor()
		release := r.Add(core.Secret(s))
		for name, form := range encodings(s) {
			got := r.Redact("before " + form + " after")
			if strings.HasPrefix(name, "base64") {
				// what stands around the secret in the same encoded text may stay
				if rest := len(got) - len("before ••• after"); !strings.Contains(got, mask) || rest > 7 {
					t.Errorf("%q %s: %q became %q", s, name, form, got)
				}
			} else if got != "before ••• after" {
				t.Errorf("%q %s: %q became %q", s, name, form, got)
			}
		}
		release()
		if got := r.Redact(s); got != s {
			t.Errorf("after release %q became %q", s, got)
		}
	}
}

func TestMixedEscapesAreRedacted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[a-zA-Z0-9 %&\\+<>"'/é=;#x]{6,24}`).Draw(t, "secret")
		r := NewRedactor()
		defer r.Add(core.Secret(s))()
		var b strings.Builder
		for _, c := range s {
			switch rapid.IntRange(0, 5).Draw(t, "how") {
			case 0:
				fmt.Fprintf(&b, "&#%d;", c)
			case 1:
				fmt.Fprintf(&b, `\u%04x`, c)
			case 2:
				b.WriteString(url.QueryEscape(string(c)))
			case 3:
				b.WriteString(html.EscapeString(string(c)))
			default:
				b.WriteRune(c)
			}
		}
		if got := r.Redact("[" + b.String() + "]"); got != "[•••]" {
			t.Fatalf("%q written as %q became %q", s, b.String(), got)
		}
	})
}

func TestRedactLeavesOtherTextAlone(t *testing.T) {
	r := NewRedactor()
	defer r.Add(core.Secret("hunter22"), core.Secret("short"), core.Secret(""), core.Text("xyz"))()
	for _, s := range []string{"", "hunter2", "hunter 22", "short", "xyz", "%68unter", "&#104;unter", "&&&;;;%%%\\\\\\u12", "\xff\xfe\\x"} {
		if got := r.Redact(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func TestOverlappingValuesGoAsOnePiece(t *testing.T) {
	r := NewRedactor()
	defer r.Add(core.Secret("abcdefgh"), core.Secret("efghijkl"), core.Secret("abcdefghij"), core.Secret("abcdef"))()
	if got := r.Redact("1abcdefghijkl2 3abcdef4"); got != "1•••2 3•••4" {
		t.Errorf("got %q", got)
	}
}

func TestAppPasswordIsRedactedWithoutItsSpaces(t *testing.T) {
	r := NewRedactor()
	defer r.Add(core.Secret("abcd efgh ijkl mnop"))()
	if got := r.Redact("login abcdefghijklmnop, abcd+efgh+ijkl+mnop, abcd%20efgh%20ijkl%20mnop"); got != "login •••, •••, •••" {
		t.Errorf("got %q", got)
	}
	defer r.Add(core.Secret("-----KEY-----\nline of the key\nanother line\n"))()
	if got := r.Redact("x line of the key y"); got != "x ••• y" {
		t.Errorf("one line of a longer secret: %q", got)
	}
}

func TestValueStaysRedactedUntilItsLastRelease(t *testing.T) {
	r := NewRedactor()
	first := r.Add(core.Secret("hunter22"))
	second := r.Add(core.Secret("hunter22"), core.Secret("hunter22"))
	first()
	first()
	if got := r.Redact("hunter22"); got != "•••" {
		t.Errorf("after one release of two: %q", got)
	}
	second()
	if got := r.Redact("hunter22"); got != "hunter22" {
		t.Errorf("after the last release: %q", got)
	}
}

func TestRedactorServesManyAtOnce(t *testing.T) {
	r := NewRedactor()
	defer r.Add(core.Secret("always-there"))()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 50 {
				s := fmt.Sprintf("secret-%d-%d", i, n)
				release := r.Add(core.Secret(s))
				if got := r.Redact(s + " always-there"); got != "••• •••" {
					t.Errorf("got %q", got)
				}
				release()
			}
		})
	}
	wg.Wait()
	if got := r.Redact("secret-1-1"); got != "secret-1-1" {
		t.Errorf("left over: %q", got)
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("hunter22", "x hunter22 &#104;unter22 aHVudGVyMjI=")
	f.Add(canary, `\u0070%C3%84`)
	f.Fuzz(func(t *testing.T, value, text string) {
		r := NewRedactor()
		defer r.Add(core.Secret(value))()
		got := r.Redact(text)
		if len([]rune(value)) >= minRunes && !strings.Contains(mask, value) && strings.Contains(strings.ReplaceAll(got, mask, "\n\x00\n"), value) && !strings.Contains(value, "\n\x00\n") {
			t.Errorf("%q still in %q", value, got)
		}
		if r.Redact("("+value+")") != "("+mask+")" && len([]rune(value)) >= minRunes {
			t.Errorf("%q is not redacted", value)
		}
	})
}

func benchmark(b *testing.B, n int, text string) {
	r := NewRedactor()
	for i := range n {
		r.Add(core.Secret(fmt.Sprintf("%dAbc12&3!@xyz%d", i*7919, i)))
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r.Redact(text)
	}
}

var page = strings.Repeat(`<p class="x">Some ordinary text &amp; a link <a href="/u/%C3%A9">profile</a></p>`+"\n", 13_000)

func BenchmarkRedactNothingRegistered(b *testing.B) { benchmark(b, 0, page) }
func BenchmarkRedactLine(b *testing.B) {
	benchmark(b, 32, `phase=register task=a1b2c3d4-5678 domain=wiki.example.org msg="opened the page"`)
}
func BenchmarkRedactPageOf1MB(b *testing.B) { benchmark(b, 32, page) }
func BenchmarkAddReleaseAmong32(b *testing.B) {
	r := NewRedactor()
	for i := range 32 {
		r.Add(core.Secret(fmt.Sprintf("%dAbc12&3!@xyz%d", i*7919, i)))
	}
	for b.Loop() {
		release := r.Add(core.Secret("Another1!"), core.Secret("JBSWY3DPEHPK3PXP"), core.Secret("abcd efgh ijkl mnop"))
		r.Redact("some text that is long enough")
		release()
	}
}
