package ledger

import (
	"context"

	"github.com/rollcall-run/rollcall/core"
)

// putAccount stores or replaces the account of a task. What the ledger knows
// of the task fills what a leaves out.
func (x *tx) putAccount(t *task, a core.Account) error {
	r := &t.rec
	a.TaskID = r.ID
	if a.Domain == "" {
		a.Domain = r.Domain
	}
	if a.Driver == "" {
		a.Driver = r.Driver
	}
	if a.Created.IsZero() {
		if a.Created = at(t.now); r.Account != nil {
			a.Created = r.Account.Created
		}
	}
	sealed, err := x.seal(accountDoc{docOf(a.Username), docOf(a.Email), docOf(a.Password), docOf(a.TOTP), a.LinkProfile}, "account", r.ID, "account")
	if err != nil {
		return err
	}
	if err := x.later(`INSERT INTO account (task_id, domain, driver, created, sealed) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (task_id) DO UPDATE SET domain = excluded.domain, driver = excluded.driver, created = excluded.created, sealed = excluded.sealed`,
		r.ID, a.Domain, a.Driver, micro(a.Created), sealed); err != nil {
		return err
	}
	a.Created = at(micro(a.Created))
	r.Account = &a
	return nil
}

func (l *Ledger) accountOf(id, domain, driver string, created int64, sealed []byte) (core.Account, error) {
	var d accountDoc
	if err := l.unseal(sealed, &d, "account", id, "account"); err != nil {
		return core.Account{}, err
	}
	return core.Account{TaskID: id, Domain: domain, Username: d.Username.value(), Email: d.Email.value(), Password: d.Password.value(),
		TOTP: d.TOTP.value(), LinkProfile: d.LinkProfile, Driver: driver, Created: at(created)}, nil
}

// accountPage is how many accounts one statement of Accounts reads.
const accountPage = 100

// Accounts implements core.Admin.
func (l *Ledger) Accounts(ctx context.Context, f func(core.Account) error) error {
	created, id := int64(-1), ""
	for {
		var page []core.Account
		err := l.read(ctx, "read accounts", func(x *tx) error {
			page = page[:0]
			return x.each(func(scan func(...any) error) error {
				var (
					one, domain, driver string
					when                int64
					sealed              []byte
				)
				if err := scan(&one, &domain, &driver, &when, &sealed); err != nil {
					return err
				}
				a, err := l.accountOf(one, domain, driver, when, sealed)
				page = append(page, a)
				return err
			}, `SELECT task_id, domain, driver, created, sealed FROM account WHERE (created, task_id) > ($1, $2)
				ORDER BY created, task_id LIMIT $3`, created, id, accountPage)
		})
		if err != nil {
			return err
		}
		for _, a := range page {
			if err := f(a); err != nil {
				return err
			}
		}
		if len(page) < accountPage {
			return nil
		}
		last := page[len(page)-1]
		created, id = micro(last.Created), last.TaskID
	}
}
