package browser

import (
	"bytes"
	"image"
	"image/png"
	"testing"

	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
)

// The test's secrets are drawn in pure red, which nothing else on its pages is.
const shotStyle = `<style>*{margin:0} input,textarea,p,div{color:#f00;background:#fff;border:0;font:40px monospace;width:600px;display:block;outline:0;caret-color:#fff}</style>`

func reds(t *testing.T, picture []byte) int {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if r, g, b, _ := img.At(x, y).RGBA(); r > 0xe000 && g < 0x6000 && b < 0x6000 {
				n++
			}
		}
	}
	return n
}

func TestShotMasksSecrets(t *testing.T) {
	const secret = "hunter2-secret"
	pages := map[string]string{
		"/plain":       `<input value="hello world">`,
		"/password":    `<input type=password value="` + secret + `">`,
		"/code":        `<input autocomplete="section-a one-time-code" value="123456">`,
		"/toggled":     `<input value="` + secret + `">`,
		"/textarea":    `<textarea>see ` + secret + `</textarea>`,
		"/echo":        `<p>your password is ` + secret + `</p>`,
		"/open":        `<div id=h></div><script>h.attachShadow({mode:"open"}).innerHTML = document.querySelector("style").outerHTML + '<input type=password value=x123>'</script>`,
		"/closed":      `<div id=h></div><script>h.attachShadow({mode:"closed"}).innerHTML = document.querySelector("style").outerHTML + '<input type=password value=x123>'</script>`,
		"/frame":       `<iframe style="width:700px;height:200px;border:0" src="/password"></iframe>`,
		"/foreign":     `<iframe style="width:700px;height:200px;border:0" src="http://elsewhere.example/password"></iframe>`,
		"/foreign-own": `<iframe style="width:700px;height:200px;border:0" src="http://elsewhere.example/plain"></iframe>`,
		"/nested":      `<iframe style="width:700px;height:300px;border:0" src="http://elsewhere.example/foreign-b"></iframe>`,
		"/foreign-b":   `<iframe style="width:650px;height:200px;border:0" src="http://third.example/password"></iframe>`,
		"/scrolled":    `<div style="height:3000px"></div><input type=password id=p value="` + secret + `"><script>p.scrollIntoView()</script>`,
		"/turned":      `<div style="transform:rotate(20deg);margin:200px"><input type=password value="` + secret + `"></div>`,
	}
	for path, page := range pages {
		pages[path] = "<!doctype html>" + shotStyle + page
	}
	origin := newOrigin(t, pages)
	b := launch(t, nil)
	for path := range pages {
		t.Run(path[1:], func(t *testing.T) {
			c := isolated(t, b, origin.URL, core.ContextOptions{})
			visit(t, c, "http://site.test"+path)
			seen := path == "/plain" || path == "/foreign-own"
			c.Mask(core.Secret(secret), core.Value{})
			picture, err := c.Shot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if n := reds(t, picture); (n > 50) != seen {
				t.Errorf("%d pixels of text are to be seen, visible should be %v", n, seen)
			}
		})
	}
	t.Run("without a value registered an echo is seen", func(t *testing.T) {
		c := isolated(t, b, origin.URL, core.ContextOptions{})
		visit(t, c, "http://site.test/echo")
		picture, err := c.Shot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if reds(t, picture) == 0 {
			t.Error("the test can't tell text from a mask")
		}
	})
}

func TestPaintCoversWhatIsPartlyOutside(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, 20, 20))); err != nil {
		t.Fatal(err)
	}
	out, err := paint(b.Bytes(), []proto.DOMQuad{{-5, -5, 5, -5, 5, 5, -5, 5}, {1e9, 0, 1e9, 0, 1e9, 0, 1e9, 0}, {1, 2}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, a := img.At(0, 0).RGBA(); a != 0xffff {
		t.Error("the corner is not covered")
	}
	if _, _, _, a := img.At(15, 15).RGBA(); a != 0 {
		t.Error("more is covered than asked")
	}
}
