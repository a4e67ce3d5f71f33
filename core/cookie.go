package core

import (
	"context"
	"time"
)

// Cookie is one cookie of a visit.
type Cookie struct {
	Name     string
	Value    Value  // a secret
	Domain   string // the host, or with Wide the domain whose hosts get it
	Wide     bool   // hosts below Domain get it too
	Path     string
	Secure   bool
	HTTPOnly bool
	SameSite string    // Lax, Strict, None, or empty
	Expires  time.Time // zero: ends with the visit
}

// CookieKeeper is what Services also are where a visit's cookies outlive a
// phase that has no browser: the next phase, in whatever engine, goes on with them.
type CookieKeeper interface {
	// Cookies are the visit's now.
	Cookies(ctx context.Context) ([]Cookie, error)
	// KeepCookies replaces them.
	KeepCookies(ctx context.Context, all []Cookie) error
}

// AssetReader is what Services also are where a driver may run in a process that
// can't read the file of Services.Asset.
type AssetReader interface {
	// ReadAsset is the fitted image: the name of its file and its bytes.
	ReadAsset(ctx context.Context, name string, fit Fit) (file string, data []byte, err error)
}
