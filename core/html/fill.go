package html

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	dom "golang.org/x/net/html"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// guard refuses a secret where it does not belong.
func (p *Page) guard(v core.Value, n *dom.Node, locator string) error {
	if !v.IsSecret() {
		return nil
	}
	c := page.Control{Tag: tag(n), Type: typeOf(n), Name: attr(n, "name"), ID: attr(n, "id"), Autocomplete: attr(n, "autocomplete"),
		Inputmode: attr(n, "inputmode"), Pattern: attr(n, "pattern"), Page: p.doc.url.String(), Maxlength: maxlength(n)}
	if form := p.doc.form(n); form != nil {
		u, err := p.doc.action(form, nil)
		if err != nil {
			return page.Wrong("a secret is not typed here: the address that its form is sent to can't be parsed")
		}
		c.Action = u.String()
	}
	if why := page.SecretField(p.site, p.o.Manifest.Permissions, c, locator); why != "" {
		return page.Wrong("a secret is not typed here: %s", why)
	}
	return nil
}

// set is a verb that sets one control.
func (p *Page) set(ctx context.Context, name string, loc page.Locator, value core.Value, s *page.Signs, text func(d *document, n *dom.Node) (core.Value, error)) (page.Seen, error) {
	return p.act(ctx, name, loc, s, true, func(v *verb, n *dom.Node) (deed, error) {
		if err := page.Typeable(value); err != nil {
			return deed{}, err
		}
		n = p.control(n)
		if err := usable(n, true); err != nil {
			return deed{}, err
		}
		if err := p.guard(value, n, v.locator()); err != nil {
			return deed{}, err
		}
		whole, err := text(p.doc, n)
		if err != nil {
			return deed{}, err
		}
		if _, err := p.doc.put(n, whole, nil); err != nil {
			return deed{}, err
		}
		return deed{do: func() {}}, nil
	})
}

// Fill sets a control, whatever its kind. A text that does not fit is an error.
// An empty value clears.
func (p *Page) Fill(ctx context.Context, loc page.Locator, value core.Value, s *page.Signs) (page.Seen, error) {
	return p.set(ctx, "fill", loc, value, s, func(*document, *dom.Node) (core.Value, error) { return value, nil })
}

// Type adds to what a text control holds. No key event tells a script of it.
func (p *Page) Type(ctx context.Context, loc page.Locator, value core.Value, s *page.Signs) (page.Seen, error) {
	return p.set(ctx, "type", loc, value, s, func(d *document, n *dom.Node) (core.Value, error) {
		if kind(n) != "text" {
			return core.Value{}, page.Wrong("a <%s> can't be typed into", strings.TrimSpace(tag(n)+" "+typeOf(n)))
		}
		whole := d.value(n) + value.Reveal()
		if value.IsSecret() || d.secrets[n] {
			return core.Secret(whole), nil
		}
		return core.Text(whole), nil
	})
}

// Paste gives a plain text control the HTML as text; rich editors need a browser.
func (p *Page) Paste(ctx context.Context, loc page.Locator, html string, s *page.Signs) (page.Seen, error) {
	return p.set(ctx, "paste", loc, core.Text(html), s, func(_ *document, n *dom.Node) (core.Value, error) {
		if kind(n) != "text" {
			return core.Value{}, noBrowser("pasting into " + describe(n))
		}
		return core.Text(html), nil
	})
}

// Fields fills what the task has a value for, by kind of control and within the
// manifest's limits, and leaves alone what holds its value already. It returns how
// many were changed, and records for each field set, kept, truncated(n) or
// unsupported. Nothing is changed when a control is missing that must be there.
func (p *Page) Fields(ctx context.Context, fields []page.Field) (changed int, err error) {
	var names page.Locator
	for _, f := range fields {
		names = append(names, f.Name)
	}
	_, err = p.run(ctx, "fields", names, func(ctx context.Context, v *verb) (page.Seen, error) {
		entries, uploads, err := page.Plan(fields, p.o)
		if err != nil {
			return page.Seen{}, err
		}
		if changed, err = p.fillAll(entries); err != nil {
			return page.Seen{}, err
		}
		for _, f := range uploads {
			_, err := p.Upload(ctx, f.At, f.Name, nil)
			var fault *core.Fault
			switch {
			case errors.Is(err, core.ErrNoAsset):
			case err != nil && f.Optional && errors.As(err, &fault) && fault.Code == core.LayoutChanged:
				p.results[f.Name] = "unsupported"
			case err != nil:
				return page.Seen{}, err
			default:
				changed++
			}
		}
		return page.Seen{}, nil
	})
	return changed, err
}

func (p *Page) fillAll(entries []*page.Entry) (int, error) {
	results := map[string]string{}
	controls := map[*page.Entry]*dom.Node{}
	for _, e := range entries {
		n, err := p.fieldControl(e)
		if err != nil {
			return 0, err
		}
		if n == nil {
			results[e.Name] = "unsupported"
			continue
		}
		controls[e] = n
	}
	changed := 0
	for _, e := range entries {
		n := controls[e]
		if n == nil {
			continue
		}
		result, err := p.fillOne(e, n)
		if err != nil {
			f := core.AsFault(err, core.LayoutChanged)
			f.Why = "the field " + e.Name + ": " + f.Why
			return changed, f
		}
		if results[e.Name] = result; result == "set" || strings.HasPrefix(result, "truncated") {
			changed++
		}
	}
	for name, result := range results {
		p.results[name] = result
	}
	return changed, nil
}

// fieldControl is the control of a field, nil when it is optional and not there.
func (p *Page) fieldControl(e *page.Entry) (*dom.Node, error) {
	v := &verb{at: -1}
	f, err := p.first(e.At, p.doc.reachable)
	if err != nil {
		return nil, err
	}
	if len(f.els) == 0 && e.Optional {
		return nil, nil
	}
	n, err := p.element(v, e.At, p.doc.reachable, true)
	if err != nil {
		var fault *core.Fault
		if errors.As(err, &fault) {
			fault.Why = "the field " + e.Name + " (" + strings.Join(e.At, " | ") + "): " + fault.Why
		}
		return nil, err
	}
	n = p.control(n)
	off, k := usable(n, true), kind(n)
	switch {
	case off == nil && k != "none" && k != "file":
	case e.Optional:
		return nil, nil
	case off != nil:
		f := core.AsFault(off, core.LayoutChanged)
		f.Why, f.Detail = strings.Replace(f.Why, "the element", "the field "+e.Name, 1), p.state()
		return nil, f
	case has(n, "contenteditable") || has(n, "role"):
		return nil, noBrowser("the field " + e.Name + ", which scripts of the page make,")
	default:
		return nil, page.Wrong("the field %s: a <%s> can't be filled", e.Name, strings.TrimSpace(tag(n)+" "+typeOf(n)))
	}
	if err := p.guard(e.Text, n, e.At[max(0, f.at)]); err != nil {
		fault := core.AsFault(err, core.DriverError)
		fault.Why = "the field " + e.Name + ": " + fault.Why
		return nil, fault
	}
	return n, nil
}

func (p *Page) fillOne(e *page.Entry, n *dom.Node) (string, error) {
	k := kind(n)
	if k == "text" {
		if err := e.FitLength(maxlength(n)); err != nil {
			return "", err
		}
	}
	same := func(s string) string { return strings.TrimSpace(lines(s)) }
	if len(e.Want) == 0 && (k == "text" || k == "native") && typeOf(n) != "password" && !e.Text.IsSecret() && !p.doc.secrets[n] && same(p.doc.value(n)) == same(e.Text.Reveal()) {
		return "kept", nil
	}
	result, err := p.doc.put(n, e.Text, e.Want)
	switch {
	case err != nil && (k == "select" || k == "radio" || k == "native" || k == "check") && !slices.Contains(page.Identity, e.Name):
		return "unsupported", nil
	case err != nil:
		return "", err
	case result == "set" && e.Cut:
		return e.Truncated(), nil
	}
	return result, nil
}

// Upload gives the task's image called asset, avatar or cover, fitted to the
// manifest's limits, to a file input, hidden or not. core.ErrNoAsset passes through.
func (p *Page) Upload(ctx context.Context, loc page.Locator, asset string, s *page.Signs) (page.Seen, error) {
	return p.run(ctx, "upload", loc, func(ctx context.Context, v *verb) (page.Seen, error) {
		if asset != "avatar" && asset != "cover" {
			return page.Seen{}, page.Wrong("there is no image %q: name avatar or cover", p.shown.Clip(asset, 40))
		}
		if err := s.Check(); err != nil {
			return page.Seen{}, err
		}
		f, err := p.image(ctx, asset)
		if err != nil {
			return page.Seen{}, err
		}
		n, err := p.element(v, loc, func(*dom.Node) bool { return true }, false)
		if err != nil {
			return page.Seen{}, err
		}
		if n = p.control(n); typeOf(n) != "file" {
			return page.Seen{}, noBrowser("a file chooser that " + describe(n) + " opens")
		}
		if err := usable(n, false); err != nil {
			return page.Seen{}, err
		}
		m, err := p.remember(s)
		if err != nil {
			return page.Seen{}, err
		}
		p.doc.files[n] = f
		seen, err := p.after(ctx, m, s)
		if err == nil {
			p.results[asset] = "set"
		}
		return seen, err
	})
}

// image is the task's fitted image, from the runner where it gives the bytes.
func (p *Page) image(ctx context.Context, asset string) (file, error) {
	fit := p.o.Manifest.Limits[asset].Fit
	if r, ok := p.s.Services.(core.AssetReader); ok {
		name, data, err := r.ReadAsset(ctx, asset, fit)
		if err != nil {
			return file{}, page.ServiceError{Err: err}
		}
		return fileOf(name, data), nil
	}
	path, err := p.s.Services.Asset(ctx, asset, fit)
	if err != nil {
		return file{}, page.ServiceError{Err: err}
	}
	f, err := readFile(path)
	if err != nil {
		return file{}, &core.Fault{Code: core.DriverError, Why: "the image's file can't be read"}
	}
	return f, nil
}

func fileOf(path string, data []byte) file {
	kind := mime.TypeByExtension(filepath.Ext(path))
	if kind == "" {
		kind = http.DetectContentType(data)
	}
	return file{name: filepath.Base(path), kind: kind, data: data}
}

func readFile(path string) (file, error) {
	in, err := os.Open(path)
	if err != nil {
		return file{}, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxUpload+1))
	if err == nil && len(data) > maxUpload {
		err = fmt.Errorf("it is larger than %d MB", maxUpload>>20)
	}
	return fileOf(path, data), err
}
