package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Human implements core.Services: the page stays open for Limits.HumanHold.
func (s *services) Human(ctx context.Context, ask core.Ask) (core.Answer, error) {
	ctx, done, err := s.enter(ctx)
	if err != nil {
		return core.Answer{}, err
	}
	defer done()
	answer, err := s.human(ctx, ask)
	return answer, s.kept(err)
}

func (s *services) human(ctx context.Context, ask core.Ask) (core.Answer, error) {
	v := s.v
	if ask.Kind == core.AskAct && s.plain() {
		return core.Answer{}, &core.Fault{Code: core.DriverError, Phase: s.phase, Verb: "human",
			Why: `a person can't act on a page without a browser: run this phase with engine = "browser"`}
	}
	ask.Say, ask.URL = v.r.line(ask.Say), v.r.line(ask.URL)
	if ask.Kind == core.AskAgree && v.b.TermsAccept {
		return core.Answer{By: "configuration"}, v.note(nil, core.Event{Kind: "ask", Phase: s.phase, Level: "INFO",
			Text: "terms accepted by configuration", Attrs: map[string]string{"url": ask.URL, "sha256": ask.Hash}})
	}
	v.mu.Lock()
	v.person = true
	v.mu.Unlock()
	resume := s.budget.wait()
	defer resume()
	id, answer, answered, err := s.ask(ask)
	if err != nil || answered {
		return answer, err
	}
	v.picture(id)
	v.log.Warn("a person is asked", "code", string(ask.Code), "say", ask.Say, "ask", id)
	v.r.notice(Notice{Task: v.id, Domain: v.domain, Phase: s.phase, Text: "asks a person: " + ask.Say, Slot: v.slot.name})

	from := v.record().State
	var over *handover
	if ask.Kind == core.AskAct && from == core.Prepared && s.phase == core.Register {
		if over, err = s.handOver(ctx); err != nil {
			return core.Answer{}, err
		}
	}
	holds := from.Move(core.Held) == nil
	if holds {
		if !v.permit.hold(v.r) {
			if over != nil {
				if nerr := over.nobody(); nerr != nil {
					return core.Answer{}, nerr
				}
			}
			return core.Answer{}, s.away()
		}
		if err := v.move(core.Move{To: core.Held, Phase: s.phase, Event: say("held for a person: " + ask.Say)}); err != nil {
			return core.Answer{}, err
		}
	}
	answer, err = s.await(ctx, id)
	switch {
	case err == core.ErrAway:
		if over != nil {
			if nerr := over.nobody(); nerr != nil {
				return core.Answer{}, nerr
			}
		}
		if holds {
			return core.Answer{}, s.away()
		}
		return core.Answer{}, err
	case context.Cause(v.ctx) != nil:
		return core.Answer{}, context.Cause(v.ctx)
	case err != nil: // the phase needs nobody any more
		if cerr := s.withdraw(id); cerr != nil {
			return core.Answer{}, cerr
		}
	}
	if holds {
		if perr := v.permit.resume(v.ctx, v.r); perr != nil {
			return core.Answer{}, perr
		}
		back := core.Move{To: from, Phase: s.phase, Event: say("a person answered")}
		if err != nil {
			back.Event = say("no person is needed any more")
		}
		if over != nil {
			over.settle(&back, answer)
		}
		if merr := v.move(back); merr != nil {
			return core.Answer{}, merr
		}
	}
	if err != nil {
		return core.Answer{}, err
	}
	v.guardLate(answer.Text)
	return answer, nil
}

// ask opens the question, or uses up the answer that came while nobody waited.
func (s *services) ask(ask core.Ask) (string, core.Answer, bool, error) {
	ctx, cancel := s.v.ledger()
	defer cancel()
	id, a, answered, err := s.v.r.o.Store.OpenAsk(ctx, s.v.record().Lease, ask, time.Now().Add(s.v.r.o.Limits.HumanExpires))
	if err != nil {
		return "", core.Answer{}, false, ofLedger(fmt.Errorf("ask a person: %w", err))
	}
	if answered {
		s.v.guardLate(a.Text)
	}
	return id, a, answered, nil
}

// await waits for the answer: core.ErrAway when nobody came while the page was held.
func (s *services) await(ctx context.Context, id string) (core.Answer, error) {
	v := s.v
	changed, cancel := v.r.o.Store.Subscribe()
	defer cancel()
	hold := time.NewTimer(v.r.o.Limits.HumanHold)
	defer hold.Stop()
	sweep := time.NewTicker(v.r.o.Limits.Heartbeat)
	defer sweep.Stop()
	for {
		call, done := v.ledger()
		a, ok, err := v.r.o.Store.TakeAnswer(call, v.record().Lease, id)
		done()
		if err != nil {
			return core.Answer{}, ofLedger(fmt.Errorf("look for the answer: %w", err))
		}
		if ok {
			return a, nil
		}
		select {
		case <-changed:
		case <-sweep.C:
		case <-hold.C:
			return core.Answer{}, core.ErrAway
		case <-v.waive:
			return core.Answer{}, core.ErrAway
		case <-ctx.Done():
			return core.Answer{}, context.Cause(ctx)
		}
	}
}

// away remembers that the phase must end now; the visit parks the task.
func (s *services) away() error {
	s.mu.Lock()
	s.parkErr = core.ErrAway
	s.mu.Unlock()
	s.v.asked = true
	return core.ErrAway
}

func (s *services) withdraw(id string) error {
	ctx, cancel := s.v.ledger()
	defer cancel()
	if err := s.v.r.o.Store.CloseAsk(ctx, s.v.record().Lease, id); err != nil {
		return ofLedger(fmt.Errorf("withdraw the question: %w", err))
	}
	return nil
}
