package hoola_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/hoola"
)

const (
	token  = "canary-token-5512"
	secret = "canary-password"
)

func user(i int) core.BulkRow {
	return core.BulkRow{ID: fmt.Sprint(i), Fields: map[string]core.Value{"name": core.Text("Nguyễn Văn"), "username": core.Text(fmt.Sprintf("user%d", i)),
		"email": core.Text(fmt.Sprintf("u%d@x.vn", i)), "password": core.Secret(secret)}}
}

func send(t *testing.T, h http.HandlerFunc, late func() bool, rows ...core.BulkRow) ([]core.BulkResult, *core.BulkError, string) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	var log bytes.Buffer
	c, err := hoola.New(hoola.Options{BaseURL: server.URL, Token: core.Secret(token), Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	body, err := c.Body(rows)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	res, err := c.Send(ctx, body, rows, late)
	var failed *core.BulkError
	if err != nil && !errors.As(err, &failed) {
		t.Fatalf("%T %v", err, err)
	}
	return res, failed, log.String()
}

// TestWhatAnAnswerMeans: only a 4xx or a respCode that is not 00 says that
// nothing was made, and neither token nor password is in any text.
func TestWhatAnAnswerMeans(t *testing.T) {
	answer := func(status int, body string, head ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			for i := 0; i+1 < len(head); i += 2 {
				w.Header().Set(head[i], head[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	echo := `{"respCode":"42","msg":"bad token ` + token + ` or ` + secret + `"}`
	for _, c := range []struct {
		name  string
		h     http.HandlerFunc
		kind  core.BulkErrorKind
		words string
		after time.Duration
	}{
		{"a code of refusal", answer(200, echo), core.BulkCallRefused, "respCode 42: bad token ••• or •••", 0},
		{"400", answer(400, echo), core.BulkCallRefused, "HTTP 400: bad token", 0},
		{"401", answer(401, ``), core.BulkCallDenied, "HTTP 401", 0},
		{"403 with a page", answer(403, `<html>`), core.BulkCallDenied, "with a web page", 0},
		{"429", answer(429, ``, "Retry-After", "1800"), core.BulkCallLater, "HTTP 429", 30 * time.Minute},
		{"500 with a code", answer(500, echo), core.BulkCallUncertain, "HTTP 500", 0},
		{"503", answer(503, ``, "Retry-After", "60"), core.BulkCallUncertain, "HTTP 503", time.Minute},
		{"a web page", answer(200, `<!doctype html>`), core.BulkCallUncertain, "web page", 0},
		{"nothing", answer(200, ``), core.BulkCallUncertain, "empty", 0},
		{"cut off", answer(200, `{"respCode":"00","users":[`), core.BulkCallUncertain, "can't be read", 0},
		{"no code", answer(200, `{"users":[]}`), core.BulkCallUncertain, "no respCode", 0},
		{"something behind", answer(200, `{"respCode":"00"} x`), core.BulkCallUncertain, "follows", 0},
		{"another host", answer(307, ``, "Location", "https://elsewhere.example/x?token="+token), core.BulkCallUncertain, "redirects to https://elsewhere.example,", 0},
		{"no answer", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() }, core.BulkCallUncertain, "no answer in time", 0},
		{"connection cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, core.BulkCallUncertain, "EOF", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, failed, log := send(t, c.h, nil, user(1))
			if failed == nil || failed.Kind != c.kind || !strings.Contains(failed.Message, c.words) || failed.RetryAfter != c.after {
				t.Errorf("got %+v, want %s with %q after %s", failed, c.kind, c.words, c.after)
			}
			if text := log + fmt.Sprint(failed); strings.Contains(text, token) || strings.Contains(text, secret) {
				t.Errorf("a secret shows: %s", text)
			}
		})
	}
}

func TestUnreachableIsUnsent(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	c, err := hoola.New(hoola.Options{BaseURL: server.URL, Token: core.Secret(token)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Send(t.Context(), []byte(`{}`), []core.BulkRow{user(1)}, nil)
	var failed *core.BulkError
	if !errors.As(err, &failed) || failed.Kind != core.BulkCallUnsent || strings.Contains(err.Error(), token) {
		t.Errorf("got %v", err)
	}
}

// TestLateCallSendsNothing: a process that wakes after its time writes no byte.
func TestLateCallSendsNothing(t *testing.T) {
	hit := false
	_, failed, _ := send(t, func(http.ResponseWriter, *http.Request) { hit = true }, func() bool { return true }, user(1))
	if hit || failed == nil {
		t.Errorf("the server was reached: %v, error %v", hit, failed)
	}
}

// TestRowsAreMatchedByName: whatever the order, foreign, missing and double rows.
func TestRowsAreMatchedByName(t *testing.T) {
	row := func(i int, more string) string {
		return fmt.Sprintf(`{"username":"USER%d","email":"U%d@x.vn",%s}`, i, i, more)
	}
	users := []string{
		`{"username":"stranger","email":"s@x.vn","userId":"no","success":true,"status":"Success created"}`,
		row(3, `"userId":null,"success":false,"status":"Not enough required infomation to create new user"`),
		row(2, `"userId":null,"success":false,"status":"Email already in use"`),
		row(1, `"userId":"id1","success":true,"status":"Success created"`),
		row(1, `"userId":null,"success":false,"status":"Email already in use"`),
		row(5, `"userId":"a","success":true,"status":"x"`), row(5, `"userId":"b","success":true,"status":"x"`),
		`{"username":"user6","email":"other@x.vn","userId":"id6","success":true}`, `17`,
		row(7, `"userId":77,"success":true,"status":"Success created"`), row(8, `"userId":null,"status":"?"`),
	}
	var rows []core.BulkRow
	for i := 1; i <= 8; i++ {
		rows = append(rows, user(i))
	}
	res, failed, _ := send(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("token") != token || r.URL.Path != "/manage/api/users/create-multi-user" || r.Method != "POST" {
			t.Errorf("the call is %s %s", r.Method, r.URL)
		}
		_, _ = io.WriteString(w, `{"respCode":"00","users":[`+strings.Join(users, ",")+`],"msg":"x"}`)
	}, nil, rows...)
	if failed != nil {
		t.Fatal(failed)
	}
	got := map[string]string{}
	for _, r := range res {
		got[r.Row] = string(r.Answer) + " " + r.UserID
	}
	want := map[string]string{"1": "made id1", "2": "exists ", "3": "denied ", "7": "made 77"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRules(t *testing.T) {
	for _, c := range []struct {
		field, value, rule string
	}{
		{"name", "Lý", "it has 2 characters"}, {"name", norm.NFD.String("Lý"), "it has 2 characters"}, {"name", "Lý A", ""}, {"name", "", "missing"},
		{"username", "ab", "3 to 20"}, {"username", "abc", ""}, {"username", strings.Repeat("a", 20), ""}, {"username", strings.Repeat("a", 21), "3 to 20"},
		{"username", "a b c", "3 to 20"}, {"username", "nguyễn", "3 to 20"}, {"username", "a_bc", "3 to 20"}, {"username", " abc\u200b ", ""},
		{"email", "x", "not an e-mail"}, {"email", "a@b", "not an e-mail"}, {"email", "A <a@b.vn>", "not an e-mail"}, {"email", "a@b.vn", ""},
		{"password", "12345", "it has 5"}, {"password", "mật ẩu", ""}, {"password", strings.Repeat("ữ", 35), ""}, {"password", strings.Repeat("ữ", 36), "it has 36"},
		{"gender", "nam", ""}, {"gender", "F", ""}, {"gender", norm.NFD.String("Nữ"), ""}, {"gender", "x", "Nam or Nữ"},
		{"phone", `="0987654321"`, ""}, {"phone", "'0987654321", ""}, {"username", `="12345"`, ""}, {"phone", "9.87654321E+08", "a spreadsheet"}, {"phone", "987654321", ""}, {"job", strings.Repeat("x", 1001), "at most 1000"}, {"street", "a\nb", "line break"},
	} {
		fields := user(1).Fields
		fields[c.field] = core.Text(c.value)
		if c.field == "password" {
			fields[c.field] = core.Secret(c.value)
		}
		hoola.Clean(fields)
		broken := hoola.Check(fields)
		switch {
		case c.rule == "" && len(broken) > 0:
			t.Errorf("%s %q: %v", c.field, c.value, broken[0])
		case c.rule != "" && (len(broken) != 1 || !strings.Contains(broken[0].Rule, c.rule)):
			t.Errorf("%s %q: %v, want %q", c.field, c.value, broken, c.rule)
		case c.field == "password" && len(broken) > 0 && strings.Contains(broken[0].Error(), c.value):
			t.Errorf("the password shows: %v", broken[0])
		}
	}
	fields := user(1).Fields
	fields["gender"], fields["phone"] = core.Text("female"), core.Text("987654321")
	if notes := hoola.Clean(fields); fields["gender"].Reveal() != "Nữ" || fields["phone"].Reveal() != "0987654321" || len(notes) != 2 {
		t.Errorf("%v %v", fields, notes)
	}
}

const header = "Họ và tên,Tên đăng nhập,E-mail,Mật khẩu,Số điện thoại,Tỉnh/Thành phố,Quận/Huyện,Đường,Giới tính,Nghề nghiệp"

func utf16le(s string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

func sheet(t *testing.T, rows ...[]any) []byte {
	t.Helper()
	f := excelize.NewFile()
	for i, r := range rows {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &r); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestFilesReadAlike: the same user in every form that a spreadsheet writes.
func TestFilesReadAlike(t *testing.T) {
	line := "Nguyễn Văn A,nguyenvana,a@x.vn,matkhau,0987654321,Hà Nội,Cầu Giấy,Hoàng Đạo Thuý,Nam,Giáo viên"
	plain := header + "\n" + line + "\n"
	semicolons := strings.ReplaceAll(plain, ",", ";")
	for name, c := range map[string]struct {
		file string
		data []byte
	}{
		"plain":      {"a.csv", []byte(plain)},
		"BOM, CRLF":  {"a.csv", []byte("\ufeff" + strings.ReplaceAll(plain, "\n", "\r\n"))},
		"semicolons": {"a.csv", []byte("sep=;\n" + semicolons)},
		"tabs":       {"a.tsv", []byte(strings.ReplaceAll(plain, ",", "\t"))},
		"UTF-16":     {"a.csv", utf16le(semicolons)},
		"decomposed": {"a.csv", []byte(norm.NFD.String(plain))},
		"JSON":       {"-", []byte(`[{"name":"Nguyễn Văn A","username":"nguyenvana","email":"a@x.vn","password":"matkhau","phone":987654321,"city":"Hà Nội","district":"Cầu Giấy","street":"Hoàng Đạo Thuý","gender":"male","job":"Giáo viên"}]`)},
		"XLSX": {"a.xlsx", sheet(t, []any{"Họ tên", "username", "Email", "password", "SĐT", "Tỉnh", "Quận", "Địa chỉ", "Phái", "Nghề"},
			[]any{"Nguyễn Văn A", "nguyenvana", "a@x.vn", "matkhau", 987654321, "Hà Nội", "Cầu Giấy", "Hoàng Đạo Thuý", "M", "Giáo viên"})},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := hoola.Read(c.file, c.data)
			if err != nil {
				t.Fatal(err)
			}
			l, err := hoola.Users(table, hoola.ListOptions{})
			if err != nil || l.Valid != 1 {
				t.Fatalf("%v %+v", err, l)
			}
			var got []string
			for _, f := range hoola.Fields {
				got = append(got, l.Rows[0].Fields[f].Reveal())
			}
			if strings.Join(got, ",") != line {
				t.Errorf("got %s", strings.Join(got, ","))
			}
		})
	}
}

func TestBadFiles(t *testing.T) {
	head := "name,username,email,password\n"
	for name, c := range map[string]struct {
		data  []byte
		words string
	}{
		"empty":        {nil, "it is empty"},
		"only blanks":  {[]byte("\ufeff \n"), "it is empty"},
		"header only":  {[]byte(head), "a header and no users"},
		"quotes":       {[]byte(head + "\"a,b\nc,d\n"), "quote"},
		"Latin-1":      {[]byte(head + "Nguy\xean,a,b,c\n"), "line 2 is not valid UTF-8"},
		"binary":       {[]byte("a\x00b"), "byte 1 is zero"},
		"old Excel":    {[]byte("\xd0\xcf\x11\xe0xxxx"), "old .xls"},
		"broken XLSX":  {[]byte("PK\x03\x04xxxx"), "XLSX file can't be read"},
		"JSON":         {[]byte(`[{"name":]`), "JSON"},
		"odd UTF-16":   {[]byte("\xff\xfea"), "cut off"},
		"no column":    {[]byte("a,b\nc,d\n"), "no column is the name"},
		"two columns":  {[]byte("name,họ tên,username,email,password\na,b,c,d,e\n"), "may both be the name"},
		"JSON no list": {[]byte(`{"people":[]}`), `no "users"`},
	} {
		table, err := hoola.Read(name, c.data)
		if err == nil {
			_, err = hoola.Users(table, hoola.ListOptions{})
		}
		if err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want %q", name, err, c.words)
		}
	}
	if _, err := hoola.Read("x", make([]byte, hoola.MaxFile+1)); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a huge file: %v", err)
	}
}

// TestBadRows: a bad row costs itself only.
func TestBadRows(t *testing.T) {
	text := "name,username,email,password\nNguyen A,usera,a@x.vn,secret1,more,cells\nNguyen B,userb,b@x.vn\n" +
		"Nguyen C,userc," + strings.Repeat("c", 10<<20) + ",secret1\n\n,,,\nNguyen D,USERD,d@x.vn,secret1\nNguyen E,userd,e@x.vn,secret1\nNguyen F,userf,D@X.VN,secret1\n"
	table, err := hoola.Read("a.csv", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	l, err := hoola.Users(table, hoola.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range l.Errors {
		got = append(got, e.String())
	}
	want := `row 1 (line 2), the row "": it has 6 cells, the header has 4
row 2 (line 3), password "": it is missing
row 3 (line 4), the row "": column 3 has 10485760 bytes, at most 10000 are read
row 5 (line 8), username "userd": row 4 has it already
row 6 (line 9), email "D@X.VN": row 4 has it already`
	if strings.Join(got, "\n") != want || l.Valid != 1 || len(l.Rows) != 6 {
		t.Errorf("%d valid of %d\n%s", l.Valid, len(l.Rows), strings.Join(got, "\n"))
	}
}

// TestResultComesBack: formulas are quoted on the way out, and a corrected result is read again.
func TestResultComesBack(t *testing.T) {
	head := []string{"name", "username", "email", "password", "note"}
	row := core.BulkRow{State: core.BulkFailed, UserID: "", Message: "=cmd|x", Cells: []core.Value{core.Text("Nguyễn A"), core.Text("usera"), core.Text("a@x.vn"), core.Secret("+secret"), core.Text("=1+1")}}
	for _, xlsx := range []bool{false, true} {
		var b bytes.Buffer
		r, err := hoola.NewResults(&b, head, xlsx)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.Row(head, row), r.Close()); err != nil {
			t.Fatal(err)
		}
		if !xlsx && !strings.Contains(b.String(), "'=1+1,failed,,'=cmd|x") {
			t.Errorf("the formula is not quoted: %s", b.String())
		}
		table, err := hoola.Read("r", b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		l, err := hoola.Users(table, hoola.ListOptions{})
		if err != nil || l.Valid != 1 || l.Rows[0].Fields["password"].Reveal() != "+secret" || len(l.Unread) != 1 {
			t.Errorf("xlsx %v: %v, %+v", xlsx, err, l)
		}
	}
}

func TestGeneratedPasswordsFit(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		p := hoola.Password()
		fields := user(1).Fields
		fields["password"] = core.Secret(p)
		if len(hoola.Check(fields)) > 0 || seen[p] || !strings.ContainsAny(p, "23456789") || strings.ToLower(p) == p || strings.ToUpper(p) == p {
			t.Errorf("%q", p)
		}
		seen[p] = true
	}
}

func TestACallHasAtMostAHundredUsers(t *testing.T) {
	c, err := hoola.New(hoola.Options{BaseURL: "https://abc.hoola.vn", Token: core.Secret(token)})
	if err != nil {
		t.Fatal(err)
	}
	var rows []core.BulkRow
	for i := range 101 {
		rows = append(rows, user(i))
	}
	if _, err := c.Body(rows); err == nil {
		t.Error("101 users make a body")
	}
	a, err := c.Body(rows[:100])
	b, _ := c.Body(rows[:100])
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("the bodies differ, %v", err)
	}
	for _, bad := range []string{"http://abc.hoola.vn", "abc.hoola.vn", "https://u:p@x.vn", "https://x.vn?token=1"} {
		if _, err := hoola.New(hoola.Options{BaseURL: bad, Token: core.Secret(token)}); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}
