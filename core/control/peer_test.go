package control

import "testing"

func TestWhoMayTalk(t *testing.T) {
	for _, c := range []struct {
		own, other    int
		serves, trust bool
	}{
		{1000, 1000, true, true},
		{1000, 0, true, true},
		{1000, 1001, false, false},
		{0, 1000, false, true},
		{0, 0, true, true},
	} {
		if got := serves(c.own, c.other); got != c.serves {
			t.Errorf("a runner of %d answers %d: %v", c.own, c.other, got)
		}
		if got := asks(c.own, c.other); got != c.trust {
			t.Errorf("a command of %d asks a runner of %d: %v", c.own, c.other, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"item":{"id":"1"}}`, `{"end":true}`, `{"fail":{"kind":"unknown_task","text":"x"}}`, `{}{}`, `[`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m message
		if err := decode(data, &m); err == nil && m.Fail != nil && m.Fail.err().Error() != m.Fail.Text {
			t.Errorf("%q changed its text", data)
		}
		var d recordDoc
		if decode(data, &d) == nil {
			_ = d.record()
		}
	})
}
