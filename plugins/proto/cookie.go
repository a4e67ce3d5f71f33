package proto

import (
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// FromCookies carries a visit's cookies.
func FromCookies(all []core.Cookie) []*Cookie {
	out := make([]*Cookie, len(all))
	for i, c := range all {
		out[i] = &Cookie{Name: valid(c.Name), Value: valid(c.Value.Reveal()), Domain: valid(c.Domain), Wide: c.Wide, Path: valid(c.Path),
			Secure: c.Secure, HttpOnly: c.HTTPOnly, SameSite: valid(c.SameSite)}
		if !c.Expires.IsZero() {
			out[i].Expires = c.Expires.Unix()
		}
	}
	return out
}

// Cookies returns a visit's cookies.
func Cookies(all []*Cookie) []core.Cookie {
	out := make([]core.Cookie, len(all))
	for i, c := range all {
		out[i] = core.Cookie{Name: c.GetName(), Value: core.Secret(c.GetValue()), Domain: c.GetDomain(), Wide: c.GetWide(), Path: c.GetPath(),
			Secure: c.GetSecure(), HTTPOnly: c.GetHttpOnly(), SameSite: c.GetSameSite()}
		if c.GetExpires() != 0 {
			out[i].Expires = time.Unix(c.GetExpires(), 0)
		}
	}
	return out
}
