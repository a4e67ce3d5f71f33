package browser

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
)

var _ core.CookieKeeper = (*Isolated)(nil)

// Cookies implements core.CookieKeeper.
func (c *Isolated) Cookies(ctx context.Context) ([]core.Cookie, error) {
	got, err := proto.StorageGetCookies{BrowserContextID: c.id}.Call(c.process.control.on(ctx, ""))
	if err != nil {
		return nil, fmt.Errorf("read the context's cookies: %w", err)
	}
	var out []core.Cookie
	for _, k := range got.Cookies {
		one := core.Cookie{Name: k.Name, Value: core.Secret(k.Value), Domain: strings.TrimPrefix(k.Domain, "."), Wide: strings.HasPrefix(k.Domain, "."),
			Path: k.Path, Secure: k.Secure, HTTPOnly: k.HTTPOnly, SameSite: string(k.SameSite)}
		if !k.Session && k.Expires > 0 {
			one.Expires = k.Expires.Time()
		}
		out = append(out, one)
	}
	return out, nil
}

// KeepCookies implements core.CookieKeeper.
func (c *Isolated) KeepCookies(ctx context.Context, all []core.Cookie) error {
	on := c.process.control.on(ctx, "")
	if err := (proto.StorageClearCookies{BrowserContextID: c.id}).Call(on); err != nil {
		return fmt.Errorf("replace the context's cookies: %w", err)
	}
	set := proto.StorageSetCookies{BrowserContextID: c.id, Cookies: []*proto.NetworkCookieParam{}}
	for _, k := range all {
		one := &proto.NetworkCookieParam{Name: k.Name, Value: k.Value.Reveal(), Domain: k.Domain, Path: k.Path, Secure: k.Secure, HTTPOnly: k.HTTPOnly,
			SameSite: proto.NetworkCookieSameSite(k.SameSite)}
		if k.Wide {
			one.Domain = "." + k.Domain
		}
		if !k.Expires.IsZero() {
			if !k.Expires.After(time.Now()) {
				continue
			}
			one.Expires = proto.TimeSinceEpoch(k.Expires.Unix())
		}
		set.Cookies = append(set.Cookies, one)
	}
	if len(set.Cookies) == 0 {
		return nil
	}
	if err := set.Call(on); err != nil {
		return fmt.Errorf("replace the context's cookies: %w", err)
	}
	return nil
}
