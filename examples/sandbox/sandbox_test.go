package sandbox

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, o Options) *Sandbox {
	t.Helper()
	sb, err := Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return sb
}

// within is a context that ends well after anything here takes.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// visitor is a plain HTTP client with cookies that fills forms as they are.
type visitor struct {
	t      *testing.T
	base   string
	client *http.Client
}

func visit(t *testing.T, base string) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &visitor{t: t, base: base, client: &http.Client{Jar: jar, Transport: tr, Timeout: 20 * time.Second}}
}

func (v *visitor) read(resp *http.Response, err error) (*http.Response, string) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp, string(b)
}

func (v *visitor) get(path string) (*http.Response, string) {
	v.t.Helper()
	return v.read(v.client.Get(v.base + path))
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]+)"`)

// hiddenFields are the last form's tokens on a page.
func hiddenFields(page string) url.Values {
	out := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		out.Set(m[1], m[2])
	}
	return out
}

// try posts the form of a page without judging the answer.
func (v *visitor) try(page, action string, fields map[string]string) (*http.Response, error) {
	_, body := v.get(page)
	values := hiddenFields(body)
	for k, val := range fields {
		values.Set(k, val)
	}
	return v.client.PostForm(v.base+action, values)
}

func (v *visitor) submit(page, action string, fields map[string]string) (*http.Response, string) {
	v.t.Helper()
	return v.read(v.try(page, action, fields))
}

func (v *visitor) upload(page, action string, fields map[string]string, field string, file []byte) (*http.Response, string) {
	v.t.Helper()
	_, body := v.get(page)
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, val := range hiddenFields(body) {
		w.WriteField(k, val[0])
	}
	for k, val := range fields {
		w.WriteField(k, val)
	}
	part, err := w.CreateFormFile(field, "picture.png")
	if err != nil {
		v.t.Fatal(err)
	}
	part.Write(file)
	w.Close()
	return v.read(v.client.Post(v.base+action, w.FormDataContentType(), &b))
}

func has(t *testing.T, page string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(page, w) {
			t.Errorf("the page lacks %q:\n%s", w, page)
		}
	}
}

var ada = map[string]string{
	"username": "ada", "email": "ada@mail.sandbox.test", "password": "engine 1842", "password_repeat": "engine 1842",
	"full_name": "Ada Lovelace", "location": "London",
}

func TestOnlyLoopbackIsServed(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "192.0.2.1:80", "example.org:80", "nonsense"} {
		if sb, err := Start(context.Background(), Options{Addrs: Addrs{Manager: addr}}); err == nil {
			sb.Close()
			t.Errorf("%s was served", addr)
		}
	}
}

func TestSandboxEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	sb, err := Start(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := http.Get(sb.Board.URL); err == nil {
		t.Error("the board still answers")
	}
}
