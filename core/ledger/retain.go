package ledger

import (
	"context"
	"time"
)

// retainBatch is how many tasks one transaction of Retain deletes.
const retainBatch = 200

const endedQuery = `SELECT id FROM task WHERE ended < $1 ORDER BY ended LIMIT 200`

// Retain implements core.Store. Each batch is one transaction, in which the
// sealed rows go first; what remains of a task are the keyed hashes of the
// identities that it had booked.
func (l *Ledger) Retain(ctx context.Context, before time.Time) (int, error) {
	total := 0
	for {
		var ids []string
		err := l.write(ctx, "delete old tasks", func(x *tx) error {
			ids = ids[:0]
			err := x.each(func(scan func(...any) error) error {
				var id string
				err := scan(&id)
				ids = append(ids, id)
				return err
			}, endedQuery+` {for update skip}`, before.UnixMicro())
			if err != nil {
				return err
			}
			for _, id := range ids {
				for _, q := range retainSteps {
					if err := x.later(q, id); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		total += len(ids)
		if len(ids) < retainBatch {
			return total, l.retainBulk(ctx, before)
		}
	}
}

var retainSteps = []string{
	`DELETE FROM entity WHERE task_id = $1`,
	`DELETE FROM account WHERE task_id = $1`,
	`DELETE FROM intent WHERE task_id = $1`,
	`DELETE FROM ask WHERE task_id = $1`,
	`UPDATE identity SET task_id = NULL, secrets_mac = NULL WHERE task_id = $1`,
	`DELETE FROM event WHERE task_id = $1`,
	`UPDATE bulk_row SET sealed = NULL WHERE task_id = $1 AND task_id <> ''`,
	`DELETE FROM task WHERE id = $1`,
}
