package ledger

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-run/rollcall/core"
)

// normal is the form in which two spellings of one name are equal.
func normal(s string, keepCase bool) string {
	s = norm.NFC.String(strings.TrimSpace(s))
	if !keepCase {
		s = norm.NFC.String(strings.ToLower(s))
	}
	return s
}

// Reserve implements core.Store.
func (l *Ledger) Reserve(ctx context.Context, lease core.Lease, b core.Booking) error {
	return l.write(ctx, "reserve the identities of task "+lease.TaskID, func(x *tx) error {
		t, err := x.leased(lease)
		if err != nil {
			return err
		}
		return x.book(t, b)
	})
}

func (x *tx) book(t *task, b core.Booking) error {
	var email, username string
	for _, id := range b.Identities {
		switch id.Kind {
		case core.FieldEmail:
			email = normal(id.Value.Reveal(), id.KeepCase)
		case core.FieldUsername:
			username = normal(id.Value.Reveal(), id.KeepCase)
		}
	}
	secrets := x.l.mac("credentials", email, username, b.Password.Reveal())
	var rows []string
	var kinds []string
	var macs [][]byte
	args := []any{t.rec.Domain, t.rec.ID, secrets}
	for _, id := range b.Identities {
		name := normal(id.Value.Reveal(), id.KeepCase)
		if name == "" {
			continue
		}
		mac := x.l.mac("identity", t.rec.Domain, id.Kind, name)
		n := len(args)
		rows = append(rows, fmt.Sprintf("($1, $%d, $%d, $2, $3)", n+1, n+2))
		args = append(args, id.Kind, mac)
		kinds, macs = append(kinds, id.Kind), append(macs, mac)
	}
	if len(rows) == 0 {
		return nil
	}
	n, err := x.exec(`INSERT INTO identity (domain, kind, mac, task_id, secrets_mac) VALUES `+strings.Join(rows, ", ")+`
		ON CONFLICT (domain, kind, mac) DO UPDATE SET secrets_mac = excluded.secrets_mac WHERE identity.task_id = excluded.task_id`, args...)
	if err != nil || n == int64(len(rows)) {
		return err
	}
	for i, kind := range kinds {
		if err := x.taken(t.rec.ID, t.rec.Domain, kind, macs[i], secrets); err != nil {
			return err
		}
	}
	return fmt.Errorf("task %s: %d of %d identities were booked", t.rec.ID, n, len(rows))
}

// taken tells which other task than id has booked an identity; nil for none.
func (x *tx) taken(id, domain, kind string, mac, secrets []byte) error {
	e := &core.TakenError{Kind: kind}
	var (
		other  string
		theirs []byte
		proved int
	)
	if err := x.row(`SELECT COALESCE(i.task_id, ''), i.secrets_mac, (SELECT count(*) FROM account a WHERE a.task_id = i.task_id)
		FROM identity i WHERE i.domain = $1 AND i.kind = $2 AND i.mac = $3`, domain, kind, mac).Scan(&other, &theirs, &proved); err != nil {
		return err
	}
	if other == id {
		return nil
	}
	e.TaskID, e.Proved = other, proved > 0
	e.SameCredentials = other != "" && string(theirs) == string(secrets)
	return e
}
