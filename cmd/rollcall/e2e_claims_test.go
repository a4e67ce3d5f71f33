package main_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// claim is one lease of one task, as the ledger's rows have had it.
type claim struct {
	task, domain, owner string
	epoch               int64
	begun               time.Time
	until               time.Time // when the lease ends, or ended
	released            bool      // it was given back; otherwise it ran out
}

func (c claim) String() string {
	return fmt.Sprintf("claim %d of %s by %s at %s", c.epoch, c.task, c.owner, c.begun.Format("15:04:05.000"))
}

// diary has the database write down every change of a lease. The runners do not
// know of it.
const diary = `
CREATE TABLE diary (n BIGSERIAL PRIMARY KEY, task TEXT NOT NULL, domain TEXT NOT NULL, owner TEXT NOT NULL, epoch BIGINT NOT NULL,
	expires BIGINT, due BIGINT, at BIGINT NOT NULL);
CREATE FUNCTION keep_diary() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO diary (task, domain, owner, epoch, expires, due, at)
	VALUES (NEW.id, NEW.domain, NEW.owner, NEW.epoch, NEW.expires, NEW.due, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
	RETURN NULL;
END $$;
CREATE TRIGGER keep_diary AFTER UPDATE ON task FOR EACH ROW
	WHEN (OLD.epoch IS DISTINCT FROM NEW.epoch OR OLD.expires IS DISTINCT FROM NEW.expires) EXECUTE FUNCTION keep_diary();`

// keepDiary begins the diary in a ledger that has its tables.
func keepDiary(t *testing.T, url string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(diary); err != nil {
		t.Fatal(err)
	}
}

// line is a line of the diary.
type line struct {
	task, domain, owner string
	epoch               int64
	expires, due        sql.NullInt64
	at                  int64
}

func readDiary(t *testing.T, url string) (out []line) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(context.Background(), `SELECT task, domain, owner, epoch, expires, due, at FROM diary ORDER BY n`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var l line
		if err := rows.Scan(&l.task, &l.domain, &l.owner, &l.epoch, &l.expires, &l.due, &l.at); err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// limits are what a site's operator was promised.
type limits struct {
	concurrency int
	every       time.Duration
}

// claims reads the diary: every lease there was, in the order of the claims, and
// what broke a site's limits by the ledger's own clock.
func claims(lines []line, sites map[string]limits) (out []claim, wrong []string) {
	open := map[string]int{} // task → index of its last claim
	last := map[string]time.Time{}
	for _, l := range lines {
		i, known := open[l.task]
		switch {
		case l.expires.Valid && (!known || l.epoch != out[i].epoch):
			c := claim{task: l.task, domain: l.domain, owner: l.owner, epoch: l.epoch, begun: time.UnixMicro(l.due.Int64), until: time.UnixMicro(l.expires.Int64)}
			running := 1
			for task, i := range open {
				if o := out[i]; o.domain == c.domain && o.until.After(c.begun) {
					if running++; task == c.task {
						wrong = append(wrong, fmt.Sprintf("%s, while %s has it", c, o))
					}
				}
			}
			if most := sites[c.domain].concurrency; running > most {
				wrong = append(wrong, fmt.Sprintf("%s: %d leases on a site with a concurrency of %d", c, running, most))
			}
			if before, ok := last[c.domain]; ok && c.begun.Sub(before) < sites[c.domain].every {
				wrong = append(wrong, fmt.Sprintf("%s: %s after the claim before, want %s", c, c.begun.Sub(before), sites[c.domain].every))
			}
			last[c.domain] = c.begun
			out = append(out, c)
			open[l.task] = len(out) - 1
		case known && l.expires.Valid:
			out[i].until = time.UnixMicro(l.expires.Int64)
		case known && !out[i].released:
			if now := time.UnixMicro(l.at); now.Before(out[i].until) {
				out[i].until = now
			}
			out[i].released = true
		}
	}
	return out, wrong
}

// visit is what the site saw of one claim.
type visit struct {
	claim       claim // none where the site never learnt who it was
	first, last time.Time
}

// onItsWay bounds how long after its runner sent it a request is written down.
// A runner that slept and goes on does so seconds after the other one's claim.
const onItsWay = 500 * time.Millisecond

// visits puts a site's calls beside the claims they were made under, and names
// those that were made under a claim that was over.
func visits(calls []*call, all []claim, taskOf func(name string) string) (out []visit, wrong []string) {
	byTask := map[string][]claim{}
	for _, c := range all {
		byTask[c.task] = append(byTask[c.task], c)
	}
	contexts := map[string][]*call{}
	var order []string
	for _, c := range calls {
		if !c.page {
			continue
		}
		if contexts[c.context] == nil {
			order = append(order, c.context)
		}
		contexts[c.context] = append(contexts[c.context], c)
	}
	at := map[string]int{} // task and epoch → index
	for _, cookie := range order {
		made := contexts[cookie]
		slices.SortFunc(made, func(a, b *call) int { return a.at.Compare(b.at) })
		v := visit{first: made[0].at, last: made[len(made)-1].at}
		task := ""
		for _, c := range made {
			for _, name := range c.names {
				task = cmp.Or(task, taskOf(name))
			}
		}
		mine := byTask[task]
		i, _ := slices.BinarySearchFunc(mine, v.first, func(c claim, t time.Time) int { return c.begun.Compare(t) })
		if i == 0 {
			if task != "" {
				wrong = append(wrong, fmt.Sprintf("the site was called for task %s at %s, before any claim", task, v.first.Format("15:04:05.000")))
			}
			out = append(out, v)
			continue
		}
		v.claim = mine[i-1]
		for _, c := range made {
			if over := c.at.Sub(v.claim.until); over > 0 {
				v.last = v.claim.until
				if over > onItsWay {
					wrong = append(wrong, fmt.Sprintf("%s %s %s after the end of %s", c.method, c.path, over, v.claim))
				}
			}
		}
		key := fmt.Sprint(task, " ", v.claim.epoch)
		if j, ok := at[key]; ok {
			out[j].last = maxTime(out[j].last, v.last)
			continue
		}
		at[key] = len(out)
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b visit) int { return a.first.Compare(b.first) })
	return out, wrong
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// inTheAir is the most visits that the site had at once.
func inTheAir(all []visit) (most int) {
	for i, v := range all {
		n := 0
		for _, o := range all[:i+1] {
			if !o.last.Before(v.first) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// crowds names the stretches in which more visits began than the pace allows: as
// many as fit in, and those that were claimed before and had not come yet.
func crowds(all []visit, l limits) (wrong []string) {
	const stretch = 10
	for i := range all {
		end := all[i].first.Add(stretch * l.every)
		n := 0
		for _, v := range all[i:] {
			if !v.first.After(end) {
				n++
			}
		}
		if n > stretch+1+l.concurrency {
			wrong = append(wrong, fmt.Sprintf("%d visits began within %s of %s", n, stretch*l.every, all[i].first.Format("15:04:05.000")))
		}
	}
	return wrong
}

// kill is the end of a runner.
type kill struct {
	pid int
	at  time.Time
}

// takeover is what became of a task whose runner was killed.
type takeover struct {
	of, by claim
	at     time.Time // of the kill
}

func (o takeover) after() time.Duration { return o.by.begun.Sub(o.at) }

// takeovers finds for each lease that a killed runner held the claim after it.
func takeovers(kills []kill, all []claim) (out []takeover, lost []claim) {
	for _, k := range kills {
		for i, c := range all {
			if !strings.Contains(c.owner, fmt.Sprintf("/%d/", k.pid)) || c.released || c.begun.After(k.at) || !c.until.After(k.at) {
				continue
			}
			next := slices.IndexFunc(all[i+1:], func(o claim) bool { return o.task == c.task })
			if next < 0 {
				lost = append(lost, c)
				continue
			}
			out = append(out, takeover{of: c, by: all[i+1+next], at: k.at})
		}
	}
	return out, lost
}
