package sandbox

import (
	"bytes"
	"hash/fnv"
	pic "image"
	"image/color"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// Images is the image host: every name below it is a picture of its own.
type Images struct{ URL string }

// Avatar is the address of a square picture, Cover of a wide one.
func (i *Images) Avatar(name string) string { return i.URL + "/avatar/" + name + ".png" }

// Cover is the address of a picture 600 pixels wide.
func (i *Images) Cover(name string) string { return i.URL + "/cover/" + name + ".png" }

func (i *Images) handler() http.Handler {
	mux := http.NewServeMux()
	serve := func(width, height int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			name, ok := strings.CutSuffix(r.PathValue("file"), ".png")
			if !ok {
				http.NotFound(w, r)
				return
			}
			body := tiles(name, width, height)
			w.Header().Set("Content-Type", "image/png")
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.Write(body)
		}
	}
	mux.HandleFunc("GET /avatar/{file}", serve(128, 128))
	mux.HandleFunc("GET /cover/{file}", serve(600, 200))
	return mux
}

func drawn(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(h.Sum64(), 7))
}

// tiles draws a mirrored pattern in two colours that depends on name only.
func tiles(name string, width, height int) []byte {
	r := drawn(name)
	img := pic.NewRGBA(pic.Rect(0, 0, width, height))
	back := color.RGBA{uint8(200 + r.IntN(55)), uint8(200 + r.IntN(55)), uint8(200 + r.IntN(55)), 255}
	fore := color.RGBA{uint8(r.IntN(160)), uint8(r.IntN(160)), uint8(r.IntN(160)), 255}
	draw.Draw(img, img.Bounds(), pic.NewUniform(back), pic.Point{}, draw.Src)
	size := height / 8
	for y := range 8 {
		for x := range (width/size + 1) / 2 {
			if r.IntN(2) == 0 {
				continue
			}
			for _, left := range []int{x * size, width - (x+1)*size} {
				draw.Draw(img, pic.Rect(left, y*size, left+size, (y+1)*size), pic.NewUniform(fore), pic.Point{}, draw.Src)
			}
		}
	}
	return encodePNG(img)
}

// noise is a PNG of about size bytes that does not compress.
func noise(name string, size int) []byte {
	r := drawn(name)
	width := 100
	img := pic.NewGray(pic.Rect(0, 0, width, max(size/width, 1)))
	for i := range img.Pix {
		img.Pix[i] = uint8(r.IntN(256))
	}
	return encodePNG(img)
}

// lettered is a picture of a word: large letters on a dotted ground.
func lettered(word string) []byte {
	const scale, margin = 4, 16
	face := basicfont.Face7x13
	small := pic.NewGray(pic.Rect(0, 0, len(word)*face.Advance, face.Height))
	d := font.Drawer{Dst: small, Src: pic.White, Face: face, Dot: fixed.P(0, face.Ascent)}
	d.DrawString(word)
	b := small.Bounds()
	img := pic.NewGray(pic.Rect(0, 0, b.Dx()*scale+2*margin, b.Dy()*scale+2*margin))
	r := drawn(word)
	for i := range img.Pix {
		img.Pix[i] = uint8(215 + r.IntN(40))
	}
	for y := range b.Dy() * scale {
		for x := range b.Dx() * scale {
			if small.GrayAt(x/scale, y/scale).Y > 0 {
				img.SetGray(x+margin, y+margin, color.Gray{Y: 40})
			}
		}
	}
	return encodePNG(img)
}

func encodePNG(img pic.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic("encoding a picture in memory: " + err.Error())
	}
	return b.Bytes()
}
