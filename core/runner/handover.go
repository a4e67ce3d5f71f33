package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rollcall-run/rollcall/core"
)

// factHandover is set while a person has a page on which they could submit the
// sign-up; it holds the intent's mark. A runner that dies meanwhile leaves it,
// and the task goes on at a probe.
const factHandover = "_handover"

// Submitted is the answer of a person who has submitted the form that they were
// given to act on.
const Submitted = "submitted"

// handover is a page in a person's hands before the commit.
type handover struct {
	s      *services
	intent core.Intent
	writes func() int
}

// handed is what a hand-over keeps in its fact.
type handed struct {
	Mark    core.MailMark
	HasMark bool
}

// handOver makes what a person may do next recoverable, before they can do it.
func (s *services) handOver(ctx context.Context) (*handover, error) {
	v := s.v
	in, err := s.intent("hand-over")
	if err != nil {
		return nil, err
	}
	kept, err := json.Marshal(handed{in.Mark, in.HasMark})
	if err != nil {
		return nil, fmt.Errorf("keep the mailbox's mark: %w", err)
	}
	writes, err := v.bc.Writes(context.WithoutCancel(ctx), v.ofSite)
	if err != nil {
		return nil, &core.Fault{Code: core.Crashed, Phase: s.phase, Verb: "human", Why: err.Error()}
	}
	if err := v.note(core.Facts{factHandover: core.Text(string(kept))}); err != nil {
		writes()
		return nil, err
	}
	return &handover{s: s, intent: in, writes: writes}, nil
}

// ofSite reports whether a host is the task's site.
func (v *visit) ofSite(host string) bool {
	return host == v.b.Domain || strings.HasSuffix(host, "."+v.b.Domain) || strings.Contains(v.b.Base, "://"+host)
}

// settle turns the way back into an intent when the page sent something to the
// site while the person had it, or they say that they submitted; the driver's own
// commit is refused then, and a probe finds out. Otherwise the hand-over is withdrawn.
func (h *handover) settle(back *core.Move, answer core.Answer) {
	sent := h.writes()
	back.Facts = core.Facts{factHandover: core.Value{}}
	said := strings.EqualFold(strings.TrimSpace(answer.Text.Reveal()), Submitted)
	if sent > 0 || said {
		h.became(back, sent)
	}
}

// nobody settles a hand-over that nobody came to: it is withdrawn, unless the
// page sent something all the same.
func (h *handover) nobody() error {
	if sent := h.writes(); sent > 0 {
		m := core.Move{Phase: core.Register, Facts: core.Facts{factHandover: core.Value{}}}
		h.became(&m, sent)
		return h.s.v.move(m)
	}
	return h.s.v.note(core.Facts{factHandover: core.Value{}})
}

// became makes a move that of an intent.
func (h *handover) became(back *core.Move, sent int) {
	h.s.mu.Lock()
	h.s.committed = true
	h.s.mu.Unlock()
	in := h.intent
	back.To, back.Intent, back.Driver, back.Digest = core.Intended, &in, in.Driver, in.Digest
	back.Event = say(fmt.Sprintf("the page sent %d requests to the site in a person's hands: it counts as submitted", sent))
}

// abandoned settles a hand-over whose runner died: what the person did is not known.
func (v *visit) abandoned() error {
	var kept handed
	if err := json.Unmarshal([]byte(v.rec.Facts[factHandover].Reveal()), &kept); err != nil {
		return fmt.Errorf("read what was kept of a hand-over: %w", err)
	}
	if err := v.bind(); err != nil {
		return err
	}
	in := core.Intent{Name: "hand-over", Driver: v.b.Driver, Digest: v.b.Digest,
		Username: v.username(), Email: v.email(), Password: v.password(), Mark: kept.Mark, HasMark: kept.HasMark}
	return v.move(core.Move{To: core.Intended, Phase: core.Register, Intent: &in, Driver: in.Driver, Digest: in.Digest,
		Facts: core.Facts{factHandover: core.Value{}}, Event: say("the runner died while a person had the page; what was sent is not known")})
}
