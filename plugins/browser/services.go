package browser

import (
	"errors"
	"log/slog"

	"github.com/rollcall-run/rollcall/core"
)

// Mail waits for a message to the task's address, in confirm and login. One that
// has not come ends the phase as waiting; it is entered again when it comes.
// Link, Code and Text are secrets.
func (p *Page) Mail(q core.MailQuery) core.MailMessage {
	if p.over() {
		return core.MailMessage{}
	}
	if p.run.Phase != core.Confirm && p.run.Phase != core.Login {
		p.wrong("mail", "mail is for confirm and login, not %s: register ends with its commit, confirm does what follows", p.run.Phase)
		return core.MailMessage{}
	}
	m, err := p.session.Services.Mail(p.ctx, q)
	if errors.Is(err, core.ErrNotYet) {
		p.stop(core.Outcome{Status: core.Waiting, Code: core.Pending, Reason: "the mail has not come yet"})
		return core.MailMessage{}
	}
	p.failed("mail", err)
	for _, v := range []*core.Value{&m.Link, &m.Code, &m.Text} {
		*v = core.Secret(v.Reveal())
		p.redact.Add(*v)
	}
	return m
}

// TOTP is the current code of the secret enrolled on this site.
func (p *Page) TOTP() core.Value {
	if p.over() {
		return core.Value{}
	}
	v, err := p.session.Services.TOTP(p.ctx)
	p.failed("totp", err)
	p.redact.Add(v)
	return v
}

// EnrolTOTP hands the secret that an element shows to the runner, which seals it.
func (p *Page) EnrolTOTP(loc Locator) {
	secret := p.Text(loc)
	if p.over() {
		return
	}
	v := core.Secret(secret)
	p.redact.Add(v)
	p.failed("totp", p.session.Services.EnrolTOTP(p.ctx, v))
}

// Log adds a line to the task's time line.
func (p *Page) Log(msg string, args ...any) {
	if p.session.Services != nil {
		p.session.Services.Log(p.ctx, slog.LevelInfo, p.redact.Redact(msg), args...)
	}
}
