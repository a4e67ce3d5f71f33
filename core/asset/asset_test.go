package asset

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noise is an image that hardly compresses.
func noise(w, h int) *image.NRGBA {
	r := rand.New(rand.NewPCG(1, 2))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = byte(r.Uint32())
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

// halves is red on the left and blue on the right.
func halves(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{255, 0, 0, 255}
			if x >= w/2 {
				c = color.NRGBA{0, 0, 255, 255}
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

func pngOf(img image.Image) []byte {
	var b bytes.Buffer
	png.Encode(&b, img)
	return b.Bytes()
}

func jpegOf(img image.Image) []byte {
	var b bytes.Buffer
	jpeg.Encode(&b, img, nil)
	return b.Bytes()
}

func gifOf(img image.Image) []byte {
	var b bytes.Buffer
	gif.Encode(&b, img, nil)
	return b.Bytes()
}

// bomb is a small PNG that claims, and has, 30000×30000 pixels.
func bomb(t testing.TB) []byte {
	var out bytes.Buffer
	out.WriteString("\x89PNG\r\n\x1a\n")
	chunk := func(name string, data []byte) {
		binary.Write(&out, binary.BigEndian, uint32(len(data)))
		out.WriteString(name)
		out.Write(data)
		binary.Write(&out, binary.BigEndian, crc32.ChecksumIEEE(append([]byte(name), data...)))
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 30000), 30000)
	chunk("IHDR", append(head, 1, 0, 0, 0, 0)) // one bit a pixel
	var z bytes.Buffer
	w, _ := zlib.NewWriterLevel(&z, zlib.BestCompression)
	lines := make([]byte, 1000*(1+30000/8))
	for range 30 {
		w.Write(lines)
	}
	w.Close()
	chunk("IDAT", z.Bytes())
	chunk("IEND", nil)
	if out.Len() > 200_000 {
		t.Fatalf("the bomb has %d bytes", out.Len())
	}
	return out.Bytes()
}

// rotated is a JPEG with an EXIF orientation and a comment.
func rotated(o byte, img image.Image) []byte {
	j := jpegOf(img)
	exif := append([]byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"), o, 0, 0, 0, 0, 0, 0)
	seg := append([]byte{0xFF, 0xE1, 0, byte(len(exif) + 2)}, exif...)
	seg = append(seg, 0xFF, 0xFE, 0, 8, 's', 'e', 'c', 'r', 'e', 't')
	return append(append([]byte{0xFF, 0xD8}, seg...), j[2:]...)
}

// webpDot is a lossy WebP of one pixel.
var webpDot = func() []byte {
	b, err := base64.StdEncoding.DecodeString("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
	if err != nil {
		panic(err)
	}
	return b
}()

func serve(t *testing.T, routes map[string]http.HandlerFunc) *httptest.Server {
	mux := http.NewServeMux()
	for path, h := range routes {
		mux.HandleFunc(path, h)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func bytesOf(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write(b) }
}

func fetcher(s *httptest.Server) *Fetcher {
	return New(Options{Allow: []string{strings.TrimPrefix(s.URL, "http://")}, Timeout: 20 * time.Second})
}

func read(t *testing.T, path string) (image.Image, string, []byte) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	img, kind, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return img, kind, raw
}

func TestFetchFits(t *testing.T) {
	s := serve(t, map[string]http.HandlerFunc{
		"/wide.png": bytesOf(pngOf(halves(400, 100))), "/photo.jpg": bytesOf(jpegOf(halves(300, 200))), "/anim.gif": bytesOf(gifOf(halves(64, 64))), "/x.webp": bytesOf(webpDot),
		"/wrong.txt": bytesOf(pngOf(halves(50, 50))), "/noise.png": bytesOf(pngOf(noise(300, 300))), "/small.png": bytesOf(pngOf(halves(20, 10))),
	})
	for name, c := range map[string]struct {
		path string
		fit  core.Fit
		kind string
		w, h int
	}{
		"kept as it is":             {"/wide.png", core.Fit{}, "png", 400, 100},
		"scaled down":               {"/wide.png", core.Fit{MaxWidth: 200, MaxHeight: 200}, "png", 200, 50},
		"square":                    {"/wide.png", core.Fit{Square: true, MaxWidth: 80}, "png", 80, 80},
		"to the first format":       {"/wide.png", core.Fit{Formats: []string{"jpg", "gif"}}, "jpeg", 400, 100},
		"format kept when allowed":  {"/photo.jpg", core.Fit{Formats: []string{"png", "jpeg"}}, "jpeg", 300, 200},
		"GIF to PNG":                {"/anim.gif", core.Fit{Formats: []string{"png"}}, "png", 64, 64},
		"WebP":                      {"/x.webp", core.Fit{}, "png", 1, 1},
		"GIF":                       {"/anim.gif", core.Fit{}, "gif", 64, 64},
		"the content, not the name": {"/wrong.txt", core.Fit{}, "png", 50, 50},
		"scaled up":                 {"/small.png", core.Fit{MinWidth: 100, MinHeight: 100}, "png", 200, 100},
		"up and cropped":            {"/small.png", core.Fit{MinWidth: 100, MinHeight: 100, MaxWidth: 120, MaxHeight: 120}, "png", 120, 100},
		"square of both bounds":     {"/small.png", core.Fit{MinWidth: 64, MaxHeight: 64, Square: true}, "png", 64, 64},
		"few kB":                    {"/noise.png", core.Fit{MaxKB: 20, Formats: []string{"jpeg"}}, "jpeg", 0, 0},
		"few kB as PNG":             {"/noise.png", core.Fit{MaxKB: 40, Formats: []string{"png"}}, "png", 0, 0},
		"few kB, JPEG allowed":      {"/noise.png", core.Fit{MaxKB: 40}, "jpeg", 0, 0},
	} {
		dir := t.TempDir()
		path, err := fetcher(s).Fetch(t.Context(), []string{s.URL + c.path}, c.fit, dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		img, kind, raw := read(t, path)
		b := img.Bounds()
		if kind != c.kind || c.w > 0 && (b.Dx() != c.w || b.Dy() != c.h) || c.fit.MaxKB > 0 && len(raw) > c.fit.MaxKB*1000 {
			t.Errorf("%s: %s %v, %d bytes", name, kind, b, len(raw))
		}
		if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 || filepath.Dir(path) != dir {
			t.Errorf("%s: %s %v", name, path, info.Mode())
		}
		if want := map[string]string{"png": ".png", "jpeg": ".jpg", "gif": ".gif"}[kind]; filepath.Ext(path) != want {
			t.Errorf("%s: extension of %s", name, path)
		}
	}
}

func TestOrientationIsAppliedAndMetadataDropped(t *testing.T) {
	src := halves(64, 32) // red left, blue right
	for o, redAt := range map[byte]image.Point{1: {4, 16}, 2: {60, 16}, 3: {60, 16}, 4: {4, 16}, 5: {16, 4}, 6: {16, 4}, 7: {16, 60}, 8: {16, 60}} {
		s := serve(t, map[string]http.HandlerFunc{"/x": bytesOf(rotated(o, src))})
		path, err := fetcher(s).Fetch(t.Context(), []string{s.URL + "/x"}, core.Fit{}, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		img, _, raw := read(t, path)
		if bytes.Contains(raw, []byte("Exif")) || bytes.Contains(raw, []byte("secret")) {
			t.Errorf("orientation %d: metadata is kept", o)
		}
		if b := img.Bounds(); (b.Dx() < b.Dy()) != (o >= 5) {
			t.Errorf("orientation %d: %v", o, b)
		}
		if r, _, bl, _ := img.At(redAt.X, redAt.Y).RGBA(); r < 0xC000 || bl > 0x4000 {
			t.Errorf("orientation %d: no red at %v", o, redAt)
		}
	}
}

func TestFetchRefuses(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	private := serve(t, map[string]http.HandlerFunc{"/x.png": bytesOf(pngOf(halves(8, 8)))})
	big := pngOf(noise(400, 400))
	s := serve(t, map[string]http.HandlerFunc{
		"/bomb.png": bytesOf(bomb(t)),
		"/cut.png":  bytesOf(pngOf(noise(50, 50))[:3000]),
		"/cut.jpg":  bytesOf(jpegOf(noise(50, 50))[:1000]),
		"/page.png": bytesOf([]byte("<html><body>no image</body></html>")),
		"/svg":      bytesOf([]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>x</script></svg>`)),
		"/empty":    bytesOf(nil),
		"/head.gif": bytesOf([]byte("GIF89a")),
		"/to": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, private.URL+"/x.png", http.StatusFound)
		},
		"/file": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(302)
		},
		"/loop": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) },
		"/huge": bytesOf(big),
		"/endless": func(w http.ResponseWriter, r *http.Request) {
			for range 100 {
				w.Write(big)
				w.(http.Flusher).Flush()
			}
		},
		"/missing": http.NotFound,
		"/slow": func(w http.ResponseWriter, r *http.Request) {
			w.Write(big[:100])
			w.(http.Flusher).Flush()
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		},
	})
	f := New(Options{Allow: []string{strings.TrimPrefix(s.URL, "http://")}, MaxBytes: 400_000, Timeout: 500 * time.Millisecond})
	for target, want := range map[string]any{
		s.URL + "/bomb.png?token=abc": ErrTooBig, s.URL + "/cut.png": "damaged", s.URL + "/cut.jpg": "damaged", s.URL + "/page.png": ErrNotImage, s.URL + "/svg": ErrNotImage,
		s.URL + "/empty": ErrNotImage, s.URL + "/head.gif": ErrNotImage, s.URL + "/to": ErrPrivate, s.URL + "/file": "not a plain http", s.URL + "/loop": "redirects",
		s.URL + "/huge": ErrTooBig, s.URL + "/endless": ErrTooBig, s.URL + "/missing": "answered 404", s.URL + "/slow": context.DeadlineExceeded,
		private.URL + "/x.png": ErrPrivate, "ftp://x.example/a.png": "not a plain http", "http://u:hunter2@x.example/a.png": "not a plain http", "::": "can't be read", "http://127.0.0.1:1/x": ErrPrivate,
		"http://[::1]:1/x": ErrPrivate, "http://localhost:1/x": ErrPrivate,
	} {
		dir := t.TempDir()
		_, err := f.Fetch(t.Context(), []string{target}, core.Fit{}, dir)
		var e *Error
		if !errors.As(err, &e) || strings.Contains(err.Error(), "token=abc") || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", target, err)
			continue
		}
		switch want := want.(type) {
		case error:
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", target, err, want)
			}
		case string:
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", target, err, want)
			}
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s left %v", target, left)
		}
	}
}

func TestTheNextAddressIsTried(t *testing.T) {
	s := serve(t, map[string]http.HandlerFunc{"/bad": http.NotFound, "/good": bytesOf(pngOf(halves(8, 8)))})
	f := fetcher(s)
	if _, err := f.Fetch(t.Context(), []string{s.URL + "/bad", s.URL + "/good"}, core.Fit{}, t.TempDir()); err != nil {
		t.Error(err)
	}
	_, err := f.Fetch(t.Context(), []string{s.URL + "/bad", "ftp://x"}, core.Fit{}, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "/bad") || !strings.Contains(err.Error(), "ftp://x") {
		t.Errorf("each failure must be told: %v", err)
	}
	if _, err := f.Fetch(t.Context(), nil, core.Fit{}, t.TempDir()); !errors.Is(err, core.ErrNoAsset) {
		t.Errorf("no address: %v", err)
	}
	var e *Error
	if _, err := f.Fetch(t.Context(), []string{s.URL + "/good"}, core.Fit{}, filepath.Join(t.TempDir(), "none")); err == nil || errors.As(err, &e) {
		t.Errorf("a missing directory is not the address' fault: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Fetch(ctx, []string{s.URL + "/good"}, core.Fit{}, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
}

func TestImpossibleFitsAreRefused(t *testing.T) {
	s := serve(t, map[string]http.HandlerFunc{"/n.png": bytesOf(pngOf(noise(300, 300)))})
	for name, fit := range map[string]core.Fit{
		"format": {Formats: []string{"webp"}}, "bounds": {MinWidth: 10, MaxWidth: 5}, "square bounds": {MinWidth: 10, MaxHeight: 5, Square: true},
		"negative": {MaxKB: -1}, "size": {MinWidth: 250, MinHeight: 250, MaxKB: 5, Formats: []string{"png"}},
	} {
		if _, err := fetcher(s).Fetch(t.Context(), []string{s.URL + "/n.png"}, fit, t.TempDir()); !errors.Is(err, ErrNoFit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for addr, want := range map[string]bool{
		"1.1.1.1": true, "2606:4700::1111": true, "127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.0.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "::1": false, "::": false, "fe80::1": false, "fc00::1": false,
		"::ffff:127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "::7f00:1": false,
	} {
		if got := public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}

func FuzzFitted(f *testing.F) {
	for _, b := range [][]byte{pngOf(halves(8, 8)), rotated(6, halves(16, 8)), gifOf(halves(8, 8)), []byte("RIFF\x00\x00\x00\x00WEBPVP8 ")} {
		f.Add(b)
	}
	fit := core.Fit{MaxWidth: 32, MaxHeight: 32, Square: true, MaxKB: 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		if cfg, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil && cfg.Width*cfg.Height > 1<<20 {
			return // valid, and too slow to try often
		}
		orientation(data)
		if out, _, err := fitted(t.Context(), data, fit); err == nil {
			if cfg, _, err := image.DecodeConfig(bytes.NewReader(out)); err != nil || cfg.Width > 32 || cfg.Height > 32 {
				t.Fatalf("%v %v", cfg, err)
			}
		}
	})
}
