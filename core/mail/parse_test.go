package mail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rollcall-run/rollcall/core"
)

func TestTakeReadsMessagesAsSitesSendThem(t *testing.T) {
	for name, c := range map[string]struct {
		query                     core.MailQuery
		link, code, subject, text string
	}{
		"quoted.eml":       {core.MailQuery{Link: []string{"action=rp", "key="}}, "https://wiki.board.example/wp-login.php?action=rp&key=AbC_12345678901234567890&login=jane", "", "Đặt lại mật khẩu", "Xin chào"},
		"alternative.eml":  {core.MailQuery{AnyLink: true, Code: "6"}, "https://board.example/c/1?x=1&y=2", "482913", "Xác nhận tài khoản", "Mã của bạn"},
		"windows1258.eml":  {core.MailQuery{Code: `Mã: ([A-Z]{4}-\d{3})`}, "", "ABCD-123", "Tiếng Việt", "Việt"},
		"eightbit.eml":     {core.MailQuery{AnyLink: true}, "http://board.example/8", "", "Thư 8 bít không mã hoá", "x"},
		"nested.eml":       {core.MailQuery{AnyLink: true}, "https://board.example/real", "", "nested", "see"},
		"brokenheader.eml": {core.MailQuery{AnyLink: true}, "https://board.example/broken", "", "broken", "link"},
	} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		w, err := newWant("board.example", c.query)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := w.take(raw)
		if !ok || got.Link.Reveal() != c.link || got.Code.Reveal() != c.code || got.Subject != c.subject || !strings.Contains(got.Text.Reveal(), c.text) {
			t.Errorf("%s: ok %v\nlink %q\ncode %q\nsubject %q\ntext %q", name, ok, got.Link.Reveal(), got.Code.Reveal(), got.Subject, got.Text.Reveal())
		}
	}
}

func TestLinkLeadsToTheSiteOnly(t *testing.T) {
	body := `<a href="https://board.example">logo</a> <a href="https://evil.example/?u=board.example/confirm">x</a> <a href="https://board.example.evil.example/confirm">y</a>
<a href="https://user@board.example/confirm">u</a> <a href="javascript:board.example/confirm">j</a> <a href="https://click.mailer.example/c/9?to=https%3A%2F%2Fboard.example%2Fconfirm">z</a>
<a href=" https://id.board.example/confirm/%C3%A9?a=1&amp;b=2 ">ok</a> http://127.0.0.1:8081/confirm?x=(1)).`
	raw := []byte("Content-Type: text/html; charset=utf-8\n\n" + body)
	for _, c := range []struct {
		site string
		q    core.MailQuery
		want string
	}{
		{"board.example", core.MailQuery{AnyLink: true}, "https://id.board.example/confirm/%C3%A9?a=1&b=2"},
		{"www.board.example", core.MailQuery{Link: []string{"confirm"}}, "https://id.board.example/confirm/%C3%A9?a=1&b=2"},
		{"https://id.board.example/forum", core.MailQuery{Link: []string{"/é?"}}, "https://id.board.example/confirm/%C3%A9?a=1&b=2"},
		{"wiki.example http://127.0.0.1:8081/w", core.MailQuery{AnyLink: true}, "http://127.0.0.1:8081/confirm?x=(1)"},
		{"board.example", core.MailQuery{Link: []string{"click.mailer.example/c/", "board.example/confirm"}}, "https://click.mailer.example/c/9?to=https%3A%2F%2Fboard.example%2Fconfirm"},
		{"board.example", core.MailQuery{Link: []string{"mailer.example"}}, ""},
		{"other.example", core.MailQuery{AnyLink: true}, ""},
		{"oard.example", core.MailQuery{Link: []string{"confirm"}}, ""},
	} {
		w, err := newWant(c.site, c.q)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := w.take(raw)
		if got.Link.Reveal() != c.want || ok != (c.want != "") {
			t.Errorf("%s %+v: %q, %v; want %q", c.site, c.q, got.Link.Reveal(), ok, c.want)
		}
	}
}

func TestTheStartPageIsTheLastLinkTaken(t *testing.T) {
	w, _ := newWant("board.example", core.MailQuery{AnyLink: true})
	if got, ok := w.take([]byte("Subject: x\n\nhttps://board.example/ only")); !ok || got.Link.Reveal() != "https://board.example/" {
		t.Errorf("%q %v", got.Link.Reveal(), ok)
	}
}

func TestCodeStandsAlone(t *testing.T) {
	for text, want := range map[string]string{
		"Your code is 123456.": "123456", "code:123456": "123456", "(123456)": "123456", "Mã 123456, hết hạn": "123456", "123456": "123456",
		"1234567 x": "", "a123456": "", "123456b": "", "id=123456": "", "/123456/": "", "12.123456": "", "2024-123456": "", "#123456": "",
		"0912-123456 then 654321": "654321", "＃": "",
	} {
		w, _ := newWant("board.example", core.MailQuery{Code: "6"})
		if got := w.code(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestStyleAndScriptHoldNoCode(t *testing.T) {
	w, _ := newWant("board.example", core.MailQuery{Code: "6"})
	got, ok := w.take([]byte("Content-Type: text/html\n\n<style>p{width:111111 px}</style><script>222222</script><title>444444</title><p>code</p><b>333333</b>"))
	if !ok || got.Code.Reveal() != "333333" {
		t.Errorf("%q %v", got.Code.Reveal(), ok)
	}
}

func TestQueriesThatCantBeReadAreRefused(t *testing.T) {
	for _, q := range []core.MailQuery{{Code: "0"}, {Code: "99"}, {Code: "(a"}, {Code: "abc"}, {Code: "(a)(b)"}} {
		if _, err := newWant("x.example", q); err == nil || !strings.Contains(err.Error(), "code = ") {
			t.Errorf("%q: %v", q.Code, err)
		}
	}
	if _, err := newWant("http://", core.MailQuery{}); err == nil {
		t.Error("a site without a host must be refused")
	}
}

func TestSenderAndSubjectAreComparedFolded(t *testing.T) {
	w, _ := newWant("x", core.MailQuery{From: "NoReply@Board", Subject: "XÁC  NHẬN"})
	h := readHead([]byte("From: =?utf-8?q?B=E1=BA=A3ng?= <noreply@board.example>\r\nSubject: =?utf-8?b?WMOhYyBuaOG6rW4gdMOgaSBraG/huqNu?=\r\nTo: a@x.example, \"B, c\" <B@X.example>\r\nDelivered-To: c@x.example\r\n\r\n"))
	if !w.from(h) || !h.reaches("b@x.example") || !h.reaches("c@x.example") || h.reaches("x.example") {
		t.Errorf("%+v", h)
	}
	if w.from(readHead([]byte("From: other\r\nSubject: Xác nhận\r\n\r\n"))) {
		t.Error("another sender")
	}
}

func TestHostileMIMEIsBounded(t *testing.T) {
	deep := "Content-Type: multipart/mixed; boundary=b\n\n"
	for range 200 {
		deep += "--b\nContent-Type: multipart/mixed; boundary=b\n\n"
	}
	many := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 10_000)
	for _, raw := range []string{deep, many, "", "\n", "Content-Type: multipart/mixed\n\n--\n", strings.Repeat("A: b\n", 50_000) + "\n"} {
		c := parse([]byte(raw))
		if len(c.text) > maxText {
			t.Errorf("%d bytes of text", len(c.text))
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.eml")
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte("Content-Type: text/html; charset=utf-16\nContent-Transfer-Encoding: base64\n\n//48AGEA"))
	w, _ := newWant("board.example", core.MailQuery{AnyLink: true})
	f.Fuzz(func(t *testing.T, raw []byte) {
		readHead(raw).reaches("x")
		if got, ok := w.take(raw); ok && (got.Link.Empty() || !utf8.ValidString(got.Text.Reveal()) || !utf8.ValidString(got.Subject)) {
			t.Fatalf("%q %q", got.Link.Reveal(), got.Text.Reveal())
		}
	})
}
