package asset

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"

	"github.com/rollcall-run/rollcall/core"
)

// Bounds of an image before it is decoded, and of one that is made.
const (
	maxSide   = 4096
	maxPixels = 16_000_000
)

// writable are the formats that images are written in.
var writable = []string{"png", "jpeg", "gif"}

// format names a format as Fit does; jpg is taken for jpeg.
func format(s string) string {
	if s = strings.ToLower(strings.TrimPrefix(s, ".")); s == "jpg" {
		return "jpeg"
	}
	return s
}

// allowed are the formats to write, in the fit's order; all when it names none.
func allowed(fit core.Fit) []string {
	if len(fit.Formats) == 0 {
		return writable
	}
	var out []string
	for _, f := range fit.Formats {
		if f = format(f); slices.Contains(writable, f) {
			out = append(out, f)
		}
	}
	return out
}

// squared makes the bounds of a square fit the same for both sides.
func squared(fit core.Fit) core.Fit {
	if !fit.Square {
		return fit
	}
	side := min(fit.MaxWidth, fit.MaxHeight)
	if side == 0 {
		side = max(fit.MaxWidth, fit.MaxHeight)
	}
	fit.MaxWidth, fit.MaxHeight = side, side
	fit.MinWidth = max(fit.MinWidth, fit.MinHeight)
	fit.MinHeight = fit.MinWidth
	return fit
}

func checkFit(fit core.Fit) error {
	fit = squared(fit)
	for _, n := range []int{fit.MaxWidth, fit.MaxHeight, fit.MinWidth, fit.MinHeight, fit.MaxKB} {
		if n < 0 {
			return fmt.Errorf("%w: the limits have a negative number", ErrNoFit)
		}
	}
	switch {
	case len(allowed(fit)) == 0:
		return fmt.Errorf("%w: none of the formats %s can be written; png, jpeg and gif can", ErrNoFit, strings.Join(fit.Formats, ", "))
	case fit.MaxWidth > 0 && fit.MinWidth > fit.MaxWidth, fit.MaxHeight > 0 && fit.MinHeight > fit.MaxHeight, fit.MinWidth > maxSide, fit.MinHeight > maxSide,
		fit.MinWidth*fit.MinHeight > maxPixels:
		return fmt.Errorf("%w: the limits want at least %dx%d and at most %dx%d pixels", ErrNoFit, fit.MinWidth, fit.MinHeight, fit.MaxWidth, fit.MaxHeight)
	}
	return nil
}

// fitted decodes an image, makes it fit and encodes it.
func fitted(ctx context.Context, data []byte, fit core.Fit) (out []byte, ext string, err error) {
	img, from, err := decode(data)
	if err != nil {
		return nil, "", err
	}
	formats := allowed(fit)
	to := from
	if !slices.Contains(formats, to) {
		to = formats[0]
	}
	crop, w, h := plan(img.Bounds(), fit)
	for {
		if err := ctx.Err(); err != nil {
			return nil, "", context.Cause(ctx)
		}
		scaled := scale(img, crop, w, h)
		out, err := encode(scaled, to, fit.MaxKB)
		if err != nil {
			return nil, "", err
		}
		small := within(out, fit)
		if !small && to == "png" && scaled.Opaque() && slices.Contains(formats, "jpeg") {
			if out, err = encode(scaled, "jpeg", fit.MaxKB); err != nil {
				return nil, "", err
			}
			if small = within(out, fit); small {
				to = "jpeg"
			}
		}
		if small {
			return out, map[string]string{"png": ".png", "jpeg": ".jpg", "gif": ".gif"}[to], nil
		}
		// The size goes roughly with the pixels.
		by := min(0.9, max(0.3, 0.95*math.Sqrt(float64(fit.MaxKB)*1000/float64(len(out)))))
		nw, nh := int(float64(w)*by), int(float64(h)*by)
		if nw < max(fit.MinWidth, 8) || nh < max(fit.MinHeight, 8) {
			if w == max(fit.MinWidth, 8) || h == max(fit.MinHeight, 8) {
				return nil, "", fmt.Errorf("%w: it is over %d kB even at %dx%d pixels", ErrNoFit, fit.MaxKB, w, h)
			}
			// As small as it may get, in its shape.
			by = max(float64(max(fit.MinWidth, 8))/float64(w), float64(max(fit.MinHeight, 8))/float64(h))
			if by >= 1 {
				return nil, "", fmt.Errorf("%w: it is over %d kB even at %dx%d pixels", ErrNoFit, fit.MaxKB, w, h)
			}
			nw, nh = max(int(math.Ceil(float64(w)*by)), fit.MinWidth), max(int(math.Ceil(float64(h)*by)), fit.MinHeight)
			if nw >= w && nh >= h {
				return nil, "", fmt.Errorf("%w: it is over %d kB even at %dx%d pixels", ErrNoFit, fit.MaxKB, w, h)
			}
		}
		w, h = nw, nh
	}
}

// decode reads an image whose head says that it is not too big.
func decode(data []byte) (image.Image, string, error) {
	type codec struct {
		name   string
		config func(*bytes.Reader) (image.Config, error)
		decode func(*bytes.Reader) (image.Image, error)
	}
	codecs := map[string]codec{
		"image/png":  {"png", func(r *bytes.Reader) (image.Config, error) { return png.DecodeConfig(r) }, func(r *bytes.Reader) (image.Image, error) { return png.Decode(r) }},
		"image/jpeg": {"jpeg", func(r *bytes.Reader) (image.Config, error) { return jpeg.DecodeConfig(r) }, func(r *bytes.Reader) (image.Image, error) { return jpeg.Decode(r) }},
		"image/gif":  {"gif", func(r *bytes.Reader) (image.Config, error) { return gif.DecodeConfig(r) }, func(r *bytes.Reader) (image.Image, error) { return gif.Decode(r) }},
		"image/webp": {"webp", func(r *bytes.Reader) (image.Config, error) { return webp.DecodeConfig(r) }, func(r *bytes.Reader) (image.Image, error) { return webp.Decode(r) }},
	}
	kind := http.DetectContentType(data)
	c, ok := codecs[kind]
	if !ok {
		kind, _, _ = strings.Cut(kind, ";")
		return nil, "", fmt.Errorf("%w but %s", ErrNotImage, kind)
	}
	cfg, err := c.config(bytes.NewReader(data))
	if err != nil {
		return nil, "", fmt.Errorf("%w: its head can't be read: %w", ErrNotImage, err)
	}
	if cfg.Width < 1 || cfg.Height < 1 {
		return nil, "", fmt.Errorf("%w: it has no pixels", ErrNotImage)
	}
	if cfg.Width > maxSide || cfg.Height > maxSide || cfg.Width*cfg.Height > maxPixels {
		return nil, "", fmt.Errorf("%w: %dx%d pixels, at most %d a side and %d in all are decoded", ErrTooBig, cfg.Width, cfg.Height, maxSide, maxPixels)
	}
	img, err := c.decode(bytes.NewReader(data))
	if err != nil {
		return nil, "", fmt.Errorf("the %s image is damaged: %w", c.name, err)
	}
	if c.name == "jpeg" {
		img = upright(img, orientation(data))
	}
	return img, c.name, nil
}

// plan chooses the part of the image that is kept and the size it is scaled to.
func plan(b image.Rectangle, fit core.Fit) (crop image.Rectangle, w, h int) {
	crop, fit = b, squared(fit)
	if fit.Square {
		crop = middle(crop, min(b.Dx(), b.Dy()), min(b.Dx(), b.Dy()))
	}
	maxW, maxH := maxSide, maxSide
	if fit.MaxWidth > 0 {
		maxW = min(maxW, fit.MaxWidth)
	}
	if fit.MaxHeight > 0 {
		maxH = min(maxH, fit.MaxHeight)
	}
	cw, ch := float64(crop.Dx()), float64(crop.Dy())
	f := min(1, float64(maxW)/cw, float64(maxH)/ch)
	f = max(f, float64(fit.MinWidth)/cw, float64(fit.MinHeight)/ch)
	round := func(x float64, lo, hi int) int { return min(max(int(math.Round(x)), lo, 1), max(hi, 1)) }
	w, h = round(cw*f, fit.MinWidth, maxW), round(ch*f, fit.MinHeight, maxH)
	// Where both bounds can't hold in this shape, the middle is kept.
	crop = middle(crop, min(crop.Dx(), max(1, int(math.Ceil(float64(w)/f)))), min(crop.Dy(), max(1, int(math.Ceil(float64(h)/f)))))
	return crop, w, h
}

// middle is the w×h rectangle in the middle of b.
func middle(b image.Rectangle, w, h int) image.Rectangle {
	at := image.Pt(b.Min.X+(b.Dx()-w)/2, b.Min.Y+(b.Dy()-h)/2)
	return image.Rectangle{at, at.Add(image.Pt(w, h))}
}

func scale(img image.Image, crop image.Rectangle, w, h int) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	if crop.Dx() == w && crop.Dy() == h {
		draw.Draw(out, out.Bounds(), img, crop.Min, draw.Src)
	} else {
		draw.CatmullRom.Scale(out, out.Bounds(), img, crop, draw.Src, nil)
	}
	return out
}

func within(b []byte, fit core.Fit) bool { return fit.MaxKB == 0 || len(b) <= fit.MaxKB*1000 }

// encode writes the image, a JPEG in the best quality that is within maxKB, or
// in the lowest when none is.
func encode(img *image.NRGBA, to string, maxKB int) ([]byte, error) {
	var b bytes.Buffer
	switch to {
	case "jpeg":
		flat := image.NewRGBA(img.Bounds())
		draw.Draw(flat, flat.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
		draw.Draw(flat, flat.Bounds(), img, image.Point{}, draw.Over)
		for _, quality := range []int{90, 80, 70, 60, 50} {
			b.Reset()
			if err := jpeg.Encode(&b, flat, &jpeg.Options{Quality: quality}); err != nil {
				return nil, fmt.Errorf("encode as JPEG: %w", err)
			}
			if maxKB == 0 || b.Len() <= maxKB*1000 {
				break
			}
		}
	case "gif":
		if err := gif.Encode(&b, img, nil); err != nil {
			return nil, fmt.Errorf("encode as GIF: %w", err)
		}
	default:
		if err := png.Encode(&b, img); err != nil {
			return nil, fmt.Errorf("encode as PNG: %w", err)
		}
	}
	return b.Bytes(), nil
}
