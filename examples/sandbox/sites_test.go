package sandbox

import (
	"bytes"
	"encoding/json"
	"html"
	pic "image/png"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func with(m map[string]string, pairs ...string) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

func TestBoardFromSignUpToPublicProfile(t *testing.T) {
	sb := start(t, Options{})
	v := visit(t, sb.Board.URL)
	resp, page := v.submit("/register", "/register", ada)
	if resp.Request.URL.Path != "/welcome" {
		t.Fatalf("sign-up ended at %s", resp.Request.URL)
	}
	has(t, page, "Welcome aboard, Ada Lovelace")

	_, page = v.get("/settings/profile")
	if strings.Contains(page, "has been saved") {
		t.Error("a profile that was never saved says that it was")
	}
	picture := tiles("ada", 128, 128)
	_, page = v.upload("/settings/profile", "/settings/profile", map[string]string{
		"bio": "Poetical science.\n\n<b>Notes</b>", "website": "https://example.com/ada",
		"signature": "[url=https://a.example/x]a[/url] [url]https://b.example/y?a=1&b=2[/url] [url]javascript:alert(1)[/url]",
	}, "avatar", picture)
	has(t, page, `role="status">Your profile has been saved.`)
	if _, page = v.get("/settings/profile"); !strings.Contains(page, "has been saved") {
		t.Error("the notice of the last save is gone: nothing is stale here")
	}

	_, page = visit(t, sb.Board.URL).get("/u/ADA")
	has(t, page, "Poetical science.", "&lt;b&gt;Notes&lt;/b&gt;", `<a href="https://example.com/ada" rel="nofollow ugc">`,
		`<a href="https://a.example/x" rel="nofollow ugc">a</a>`, `href="https://b.example/y?a=1&amp;b=2"`)
	if strings.Contains(page, `href="javascript`) {
		t.Error("a script became a link")
	}
	if _, avatar := v.get("/avatar/ada"); avatar != string(picture) {
		t.Error("the picture is not what was uploaded")
	}
	a, _ := sb.Board.Account("ada@mail.sandbox.test")
	if len(sb.Board.Accounts()) != 1 || len(sb.Board.Submits()) != 1 || a.Saves != 1 || a.Password != ada["password"] || sb.Board.Submits()[0].Account != "ada" {
		t.Errorf("accounts %+v, submits %d", sb.Board.Accounts(), len(sb.Board.Submits()))
	}
}

func TestBoardRefusesInItsOwnWords(t *testing.T) {
	sb := start(t, Options{Terms: true})
	sb.Board.AddAccount(Account{Username: "Grace", Email: "grace@mail.sandbox.test"})
	agreed := with(ada, "agree", "yes")
	for _, tt := range []struct {
		fields map[string]string
		say    string
	}{
		{with(agreed, "username", "grace"), "That username is already taken."},
		{with(agreed, "email", "Grace@mail.sandbox.test"), "That email address is already in use."},
		{with(agreed, "username", "a b"), "Usernames have 3 to 20"},
		{with(agreed, "email", "nobody"), "Enter a valid email address."},
		{with(agreed, "password", "short", "password_repeat", "short"), "The password is too weak"},
		{with(agreed, "password_repeat", "other 12345"), "do not match"},
		{ada, "You must accept the terms of use."},
	} {
		_, page := visit(t, sb.Board.URL).submit("/register", "/register", tt.fields)
		has(t, page, `role="alert"`, tt.say)
	}
	if len(sb.Board.Accounts()) != 1 {
		t.Error("a refused sign-up made an account")
	}
	if _, page := visit(t, sb.Board.URL).submit("/register", "/register", agreed); !strings.Contains(page, "Welcome aboard") {
		t.Error("an accepted sign-up was refused")
	}
}

func TestFormsOfAnotherSessionAreRefused(t *testing.T) {
	sb := start(t, Options{})
	for site, path := range map[*Site]string{sb.Board: "/register", sb.Community: "/dang-ky", sb.Guarded: "/join", sb.Wizard: "/api/accounts"} {
		v := visit(t, site.URL)
		resp, _ := v.read(v.client.PostForm(site.URL+path, map[string][]string{"csrf_token": {"stolen"}, "ma_bao_ve": {"stolen"}}))
		if resp.StatusCode != http.StatusForbidden || len(site.Accounts()) != 0 || len(site.Submits()) != 1 {
			t.Errorf("%s: %d, %d submits", site.Name, resp.StatusCode, len(site.Submits()))
		}
	}
}

func TestBoardLoginAndLogout(t *testing.T) {
	sb := start(t, Options{})
	sb.Board.AddAccount(Account{Username: "ada", Email: "ada@mail.sandbox.test", Password: "engine 1842"})
	v := visit(t, sb.Board.URL)
	_, page := v.submit("/login", "/login", map[string]string{"login": "ada", "password": "wrong"})
	has(t, page, "Wrong username or password.")
	_, page = v.submit("/login", "/login", map[string]string{"login": "ADA@mail.sandbox.test", "password": "engine 1842"})
	has(t, page, "Edit profile", `id="bio"`)
	v.submit("/", "/logout", nil)
	if resp, _ := v.get("/settings/profile"); resp.Request.URL.Path != "/login" {
		t.Errorf("after logging out the settings are at %s", resp.Request.URL)
	}
}

func TestBoardCarriesItsWeight(t *testing.T) {
	sb := start(t, Options{Weight: 60_000})
	v := visit(t, sb.Board.URL)
	_, page := v.get("/register")
	total := len(page)
	for _, m := range regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		resp, body := v.get(m[1])
		if resp.StatusCode != 200 {
			t.Errorf("%s: %d", m[1], resp.StatusCode)
		}
		total += len(body)
	}
	if total < 57_000 || total > 68_000 {
		t.Errorf("the page weighs %d bytes", total)
	}
}

func TestBoardOverTLSSpeaksHTTP2(t *testing.T) {
	sb := start(t, Options{TLS: true})
	v := visit(t, sb.Board.TLSURL)
	tr := v.client.Transport.(*http.Transport)
	tr.TLSClientConfig, tr.ForceAttemptHTTP2 = tlsTrust(sb.Board.RootCA()), true
	if _, page := v.submit("/register", "/register", ada); !strings.Contains(page, "Welcome aboard") {
		t.Fatal(page)
	}
	if s := sb.Board.Submits()[0]; s.Proto != "HTTP/2.0" || !s.Reused {
		t.Errorf("the form came over %s, re-used %v", s.Proto, s.Reused)
	}
}

var lan = map[string]string{"ho_ten": "Phạm Thị Lan", "email": "lan@mail.sandbox.test", "mat_khau": "hoa sen 2026"}

func TestCommunityAsksForTheMailFirst(t *testing.T) {
	clock := NewManualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	sb := start(t, Options{Clock: clock, MailDelay: time.Minute, MailTwice: true})
	v := visit(t, sb.Community.URL)
	resp, _ := v.submit("/dang-ky", "/dang-ky", lan)
	if resp.Request.URL.Path != "/dang-ky/kiem-tra-hop-thu" {
		t.Fatalf("sign-up ended at %s", resp.Request.URL)
	}
	login := map[string]string{"email": lan["email"], "mat_khau": lan["mat_khau"]}
	_, page := v.submit("/dang-nhap", "/dang-nhap", login)
	has(t, page, "Tài khoản chưa được xác nhận")
	_, page = v.submit("/dang-nhap", "/dang-nhap", with(login, "mat_khau", "x"))
	has(t, page, "Email hoặc mật khẩu không đúng.")
	if resp, _ := v.get("/thanh-vien/pham-thi-lan"); resp.StatusCode != 404 {
		t.Errorf("an unconfirmed member has a page: %d", resp.StatusCode)
	}
	if n := len(sb.Mail.Messages(lan["email"])); n != 0 {
		t.Fatalf("%d mails before their time", n)
	}
	clock.Advance(time.Minute)
	mails := sb.Mail.Messages(lan["email"])
	if len(mails) != 2 {
		t.Fatalf("%d mails", len(mails))
	}
	link := html.UnescapeString(regexp.MustCompile(`href="([^"]+/xac-nhan[^"]+)"`).FindStringSubmatch(mails[0].HTML)[1])
	if !strings.Contains(mails[0].Text, link) || mails[1].Text == mails[0].Text {
		t.Error("the text part has another link, or the second mail has the same")
	}
	_, page = v.read(v.client.Get(link))
	has(t, page, "Tài khoản đã được xác nhận")
	resp, page = v.read(v.client.Get(link))
	if has(t, page, "không còn hiệu lực"); resp.StatusCode != http.StatusGone {
		t.Errorf("a used link answers %d", resp.StatusCode)
	}
	resp, _ = v.submit("/dang-nhap", "/dang-nhap", login)
	if resp.Request.URL.Path != "/tai-khoan/ho-so" {
		t.Fatalf("signing in ended at %s", resp.Request.URL)
	}
	_, page = v.submit("/tai-khoan/ho-so", "/tai-khoan/ho-so", map[string]string{"gioi_thieu": "Tôi **yêu** sách.\n\nXem [kho](https://example.com/lan).", "website": "https://example.com/lan"})
	has(t, page, "Đã lưu hồ sơ.")
	_, page = v.submit("/tai-khoan/ho-so", "/tai-khoan/lien-ket", map[string]string{"dia_chi": "https://social.example/lan"})
	has(t, page, `<a href="https://social.example/lan"`)
	_, page = v.submit("/tai-khoan/ho-so", "/tai-khoan/lien-ket", map[string]string{"dia_chi": "https://social.example/lan"})
	has(t, page, "đã có trong danh sách")
	_, page = visit(t, sb.Community.URL).get("/thanh-vien/pham-thi-lan")
	has(t, page, "<strong>yêu</strong>", `<a href="https://example.com/lan" rel="nofollow ugc">kho</a>`, `<a href="https://social.example/lan" rel="nofollow ugc">`)
}

func TestCommunityGivesNamesakesTheirOwnPage(t *testing.T) {
	sb := start(t, Options{})
	visit(t, sb.Community.URL).submit("/dang-ky", "/dang-ky", lan)
	visit(t, sb.Community.URL).submit("/dang-ky", "/dang-ky", with(lan, "email", "lan2@mail.sandbox.test"))
	_, page := visit(t, sb.Community.URL).submit("/dang-ky", "/dang-ky", lan)
	has(t, page, "Email này đã được đăng ký.")
	if got := sb.Community.Accounts(); len(got) != 2 || got[0].Username != "pham-thi-lan" || got[1].Username != "pham-thi-lan-2" {
		t.Errorf("%+v", got)
	}
	if slug("Đỗ Ư--Ân!") != "do-u-an" || slug("王") != "thanh-vien" {
		t.Errorf("slugs %q %q", slug("Đỗ Ư--Ân!"), slug("王"))
	}
}

func TestGuardedAsksForAPersonFirst(t *testing.T) {
	sb := start(t, Options{})
	v := visit(t, sb.Guarded.URL)
	fields := map[string]string{"username": "ada", "email": "ada@mail.sandbox.test", "password": "engine 1842"}
	_, page := v.submit("/join", "/join", fields)
	has(t, page, "Type the word in the picture")
	if len(sb.Guarded.Accounts()) != 0 {
		t.Fatal("an account was made without an answer")
	}
	picture := regexp.MustCompile(`src="(/picture/[^"]+)"`).FindStringSubmatch(page)[1]
	_, body := v.get(picture)
	if _, err := pic.Decode(strings.NewReader(body)); err != nil || strings.Contains(page, sb.Guarded.Word()) {
		t.Errorf("the challenge is no picture (%v), or the page tells the word", err)
	}
	_, page = v.submit("/join", "/join/check", map[string]string{"word": "wrong"})
	has(t, page, "That is not the word.")
	_, page = v.get("/join")
	v.t = t
	resp, page := v.answer(page, sb.Guarded.Word())
	if has(t, page, `id="join"`); resp.Request.URL.Path != "/join" {
		t.Fatalf("the right answer led to %s", resp.Request.URL)
	}
	resp, page = v.submit("/join", "/join", fields)
	if has(t, page, "You are in"); resp.Request.URL.Path != "/welcome" {
		t.Fatalf("joining ended at %s", resp.Request.URL)
	}
	_, page = v.submit("/me", "/me", map[string]string{"about": "Numbers.", "website": "https://example.com/ada"})
	has(t, page, "Your page was updated.")
	_, page = visit(t, sb.Guarded.URL).get("/members/ada")
	has(t, page, "Numbers.", `<a href="https://example.com/ada" rel="nofollow ugc">`)
}

// answer posts the challenge of a page that is shown already.
func (v *visitor) answer(page, word string) (*http.Response, string) {
	v.t.Helper()
	values := hiddenFields(page)
	values.Set("word", word)
	return v.read(v.client.PostForm(v.base+"/join/check", values))
}

// call uses the Wizard's JSON API as its script does.
func (v *visitor) call(csrf, method, path string, in any) (int, map[string]any) {
	v.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		v.t.Fatal(err)
	}
	req, _ := http.NewRequest(method, v.base+path, bytes.NewReader(body))
	req.Header.Set("X-CSRF-Token", csrf)
	resp, text := v.read(v.client.Do(req))
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		v.t.Fatalf("%s %s: %v in %q", method, path, err, text)
	}
	return resp.StatusCode, out
}

func TestWizardAPI(t *testing.T) {
	sb := start(t, Options{})
	v := visit(t, sb.Wizard.URL)
	_, page := v.get("/signup")
	csrf := regexp.MustCompile(`csrf-token" content="([^"]+)"`).FindStringSubmatch(page)[1]
	account := map[string]any{"username": "ada", "email": "ada@mail.sandbox.test", "password": "engine 1842", "name": "Ada", "bio": "Numbers.", "terms": false}
	if status, got := v.call(csrf, "POST", "/api/accounts", account); status != 422 || got["error"] != "Accept the terms first." {
		t.Errorf("without the terms: %d %v", status, got)
	}
	account["terms"] = true
	status, got := v.call(csrf, "POST", "/api/accounts", account)
	if status != 201 {
		t.Fatalf("%d %v", status, got)
	}
	if _, free := v.call("", "GET", "/api/usernames/ada", nil); free["free"] != false {
		t.Error("a taken username is free")
	}
	status, got = v.call(got["csrf"].(string), "PUT", "/api/profile", map[string]any{
		"name": "Ada L", "bio": "</script><script>alert(1)</script>", "website": "https://example.com/ada?a=1&b=2", "links": []string{"https://social.example/ada"},
	})
	if status != 200 {
		t.Fatalf("%d %v", status, got)
	}
	_, page = visit(t, sb.Wizard.URL).get("/people/ada")
	has(t, page, `href="https://example.com/ada?a=1&amp;b=2"`, `href="https://social.example/ada"`)
	if strings.Contains(page, "<script>alert") {
		t.Error("a bio became a script")
	}
	other := visit(t, sb.Wizard.URL)
	_, page = other.get("/login")
	csrf = regexp.MustCompile(`csrf-token" content="([^"]+)"`).FindStringSubmatch(page)[1]
	if status, _ := other.call(csrf, "POST", "/api/sessions", map[string]string{"username": "ada", "password": "x"}); status != 401 {
		t.Errorf("a wrong password: %d", status)
	}
	if status, _ := other.call(csrf, "POST", "/api/sessions", map[string]string{"username": "ada", "password": "engine 1842"}); status != 200 {
		t.Errorf("the right password: %d", status)
	}
}
