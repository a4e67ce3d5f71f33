package mail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/rollcall-run/rollcall/core"
)

// skew is how far the mail server's clock may differ from ours.
const skew = 2 * time.Minute

// Mark implements core.Mailboxes.
func (m *Mailboxes) Mark(ctx context.Context, e core.Entity) (core.MailMark, error) {
	s, _, err := m.session(e)
	if err != nil {
		return core.MailMark{}, err
	}
	defer m.release(s)
	if err := s.enter(ctx); err != nil {
		return core.MailMark{}, err
	}
	defer s.leave()
	now := time.Now()
	if err := s.look(ctx, 0); err != nil {
		return core.MailMark{}, err
	}
	return core.MailMark{
		UIDValidity: s.state[inbox].validity, UIDNext: s.state[inbox].next,
		JunkValidity: s.state[junk].validity, JunkNext: s.state[junk].next, At: now,
	}, nil
}

// Find implements core.Mailboxes. A broken connection is made anew until ctx
// ends; refused passwords and a pattern that can't be read end the wait at once.
// The site may be several, parted by spaces, each a host or an address.
func (m *Mailboxes) Find(ctx context.Context, e core.Entity, mark core.MailMark, site string, q core.MailQuery) (core.MailMessage, error) {
	want, err := newWant(site, q)
	if err != nil {
		return core.MailMessage{}, err
	}
	s, address, err := m.session(e)
	if err != nil {
		return core.MailMessage{}, err
	}
	defer m.release(s)
	w := waiter{s: s, want: want, address: address, mark: mark, began: time.Now()}
	gap, first := min(m.o.Poll, 2*time.Second), true
	var last error
	for {
		msg, found, err := w.turn(ctx, gap, first)
		var login *LoginError
		switch {
		case found:
			return msg, nil
		case ctx.Err() != nil:
			if last != nil {
				return core.MailMessage{}, fmt.Errorf("%w; the last look failed: %w", core.ErrNotYet, last)
			}
			return core.MailMessage{}, core.ErrNotYet
		case errors.As(err, &login):
			return core.MailMessage{}, err
		case err != nil:
			s.log.Warn("the mailbox could not be read, it is tried again", "error", err.Error())
		}
		last = err
		timer := time.NewTimer(gap)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		if !first {
			gap = min(2*gap, m.o.Poll)
		}
		first = false
	}
}

// waiter is one Find. Its cursors say from which UID on each folder is unread.
type waiter struct {
	s       *session
	want    *want
	address string
	mark    core.MailMark
	began   time.Time
	cursor  [2]folderState
}

// turn looks at the mailbox once. Others' looks within the gap are as good,
// but the first is always one's own.
func (w *waiter) turn(ctx context.Context, gap time.Duration, first bool) (core.MailMessage, bool, error) {
	none := core.MailMessage{}
	if err := w.s.enter(ctx); err != nil {
		return none, false, err
	}
	defer w.s.leave()
	age := gap * 3 / 4
	if first {
		age = 0
	}
	if err := w.s.look(ctx, age); err != nil {
		return none, false, err
	}
	for folder, now := range w.s.state {
		if now.validity == 0 {
			continue
		}
		msg, found, err := w.read(ctx, folder, now)
		if err != nil || found {
			return msg, found, err
		}
	}
	return none, false, nil
}

// read goes through what is new in a folder, the newest message first.
func (w *waiter) read(ctx context.Context, folder int, now folderState) (core.MailMessage, bool, error) {
	none := core.MailMessage{}
	from := w.cursor[folder]
	if from.validity != now.validity {
		from = folderState{w.mark.UIDValidity, w.mark.UIDNext}
		if folder == junk {
			from = folderState{w.mark.JunkValidity, w.mark.JunkNext}
		}
	}
	var set imap.UIDSet
	var after time.Time
	if from.validity == now.validity {
		if from.next >= now.next {
			w.cursor[folder] = now
			return none, false, nil
		}
		set.AddRange(imap.UID(max(from.next, now.next-min(now.next-1, maxHeads))), imap.UID(now.next-1))
	} else {
		after = cmp.Or(w.mark.At, w.began.Add(-time.Hour)).Add(-skew)
		uids, err := w.s.since(ctx, folder, after)
		if err != nil {
			return none, false, err
		}
		if len(uids) == 0 {
			w.cursor[folder] = now
			return none, false, nil
		}
		set.AddNum(uids...)
	}
	heads, err := w.s.heads(ctx, folder, set)
	if err != nil {
		return none, false, err
	}
	slices.SortFunc(heads, func(a, b head) int { return cmp.Compare(b.uid, a.uid) })
	for _, h := range heads {
		if !after.IsZero() && h.arrived.Before(after) || uint32(h.uid) < from.next && after.IsZero() {
			continue
		}
		hd := readHead(h.raw)
		if !hd.reaches(w.address) || !w.want.from(hd) {
			continue
		}
		raw, err := w.s.body(ctx, folder, h.uid)
		if err != nil {
			return none, false, err
		}
		if msg, ok := w.want.take(raw); ok {
			return msg, true, nil
		}
	}
	w.cursor[folder] = now
	return none, false, nil
}
