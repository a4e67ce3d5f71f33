package sandbox

import (
	"testing"

	"github.com/rollcall-run/rollcall/core/config"
)

// TestConfigIsAccepted holds the text to the strict reader of rollcall itself.
func TestConfigIsAccepted(t *testing.T) {
	sb := start(t, Options{})
	path, err := sb.WriteConfig(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Entity.BaseURL != sb.Manager.URL || len(c.Sites) != 5 {
		t.Errorf("read %s with %d sites", c.Entity.BaseURL, len(c.Sites))
	}
}
