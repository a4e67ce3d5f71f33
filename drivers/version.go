package drivers

import "github.com/rollcall-run/rollcall/core"

// Version implements core.Catalog: a task that has an intent goes on with the
// version of the driver that made it, as long as this process remembers it.
func (s *Set) Version(b core.Binding, digest string) (core.Binding, bool) {
	v, ok := s.byDigest.Load(digest)
	if !ok {
		return b, false
	}
	script := v.(Script)
	if script.Name != b.Driver {
		return b, false
	}
	b.Digest, b.Manifest, b.Source, b.Native = script.Digest, script.Manifest, script.Path, script.Program
	return b, true
}
