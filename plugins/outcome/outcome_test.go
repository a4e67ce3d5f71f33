package outcome_test

import (
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins/outcome"
)

func TestRefusedFindsTheCodeByWhatTheSiteSaid(t *testing.T) {
	own := []outcome.Rule{{Code: core.Closed, Phrases: []string{"the garden is full"}}}
	for _, c := range []struct {
		said   string
		status core.Status
		code   core.Code
		field  string
	}{
		{"Sorry, a User with this login already exists.", core.Rejected, core.AlreadyExists, "username"},
		{"Tên đăng nhập đã tồn tại", core.Rejected, core.AlreadyExists, "username"},
		{"Too many tries", core.Waiting, core.RateLimited, ""},
		{"Wrong captcha", core.Blocked, core.Captcha, ""},
		{"The garden is full.", core.Rejected, core.Closed, ""},
		{"Blue is not a number", core.Rejected, core.InvalidInput, ""},
	} {
		o := outcome.Refused(c.said, own, outcome.Words)
		if o.Status != c.status || o.Code != c.code || o.Field != c.field || o.Reason != c.said {
			t.Errorf("%q: %+v", c.said, o)
		}
		if err := o.Check(core.Register); err != nil {
			t.Errorf("%q: %v", c.said, err)
		}
	}
}

func TestReasonsAreOneShortLine(t *testing.T) {
	o := outcome.Rejected(core.Banned, "a\n  b\t"+strings.Repeat("word ", 200))
	if strings.ContainsAny(o.Reason, "\n\t") || len([]rune(o.Reason)) > 300 || !strings.HasPrefix(o.Reason, "a b word") {
		t.Errorf("%q", o.Reason)
	}
}
