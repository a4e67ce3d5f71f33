package main_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"
)

// TestTheFleetsJudgesSeeWhatIsWrong hands the judges of a fleet's diary and of a
// site's calls a good life, and then one fault at a time.
func TestTheFleetsJudgesSeeWhatIsWrong(t *testing.T) {
	const site = "a.test"
	start := time.UnixMicro(1_800_000_000_000_000)
	at := func(ms int64) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	some := func(ms int64) sql.NullInt64 { return sql.NullInt64{Int64: at(ms).UnixMicro(), Valid: true} }
	taken := func(task, pid string, epoch, ms int64) line {
		return line{task: task, domain: site, owner: "vm/" + pid + "/now", epoch: epoch, expires: some(ms + 2000), due: some(ms), at: some(ms + 1).Int64}
	}
	kept := func(l line, ms int64) line { l.expires, l.at = some(ms+2000), some(ms).Int64; return l }
	given := func(l line, ms int64) line {
		l.owner, l.expires, l.at = "", sql.NullInt64{}, some(ms).Int64
		return l
	}
	seen := func(ms int64, context string, names ...string) *call {
		return &call{at: at(ms), method: "GET", path: "/", page: true, context: context, names: names}
	}
	one, two, three := taken("1", "10", 1, 0), taken("2", "20", 1, 100), taken("3", "20", 1, 1500)
	again := taken("1", "20", 2, 3100) // its first runner was killed at 1000
	diary := []line{one, two, kept(one, 500), kept(two, 600), given(two, 1400), three, given(three, 2400), again, given(again, 3500)}
	calls := []*call{seen(50, "a", "1"), seen(900, "a"), seen(150, "b", "2"), seen(1390, "b"), seen(1600, "c", "3"), seen(2300, "c"), seen(3200, "d", "1"), seen(3400, "d")}
	limit := limits{concurrency: 2, every: 100 * time.Millisecond}

	judge := func(diary []line, calls []*call, l limits) (wrong []string) {
		all, wrong := claims(diary, map[string]limits{site: l})
		came, stale := visits(calls, all, func(name string) string { return name })
		wrong = append(append(wrong, stale...), crowds(came, l)...)
		if most := inTheAir(came); most > l.concurrency {
			wrong = append(wrong, "too many in the air")
		}
		over, lost := takeovers([]kill{{pid: 10, at: at(1000)}}, all)
		for range lost {
			wrong = append(wrong, "lost")
		}
		for _, o := range over {
			if o.after() > 2500*time.Millisecond {
				wrong = append(wrong, "taken over late")
			}
		}
		return wrong
	}
	if wrong := judge(diary, calls, limit); len(wrong) > 0 {
		t.Fatalf("a good life has faults: %q", wrong)
	}
	for name, c := range map[string]struct {
		diary []line
		calls []*call
		limit limits
		want  string
	}{
		"two leases of one task":     {diary: append(diary[:2:2], taken("1", "20", 2, 300)), want: "while claim 1 of 1"},
		"a third lease at a time":    {diary: append(diary[:2:2], taken("3", "20", 1, 300)), want: "3 leases on a site"},
		"claims too close":           {limit: limits{concurrency: 2, every: 101 * time.Millisecond}, want: "100ms after the claim before"},
		"nobody goes on":             {diary: diary[:7], calls: calls[:6], want: "lost"},
		"somebody goes on too late":  {diary: append(diary[:7:7], taken("1", "20", 2, 3501)), calls: calls[:6], want: "taken over late"},
		"a sleeper goes on":          {calls: append(calls, seen(3300, "a")), want: "after the end of claim 1 of 1"},
		"a sleeper goes on, unknown": {calls: append(calls, seen(3300, "e", "3")), want: "after the end of claim 1 of 3"},
		"a visit without a claim":    {calls: append(calls, seen(100, "e", "4")), want: "before any claim"},
		"too many at once":           {calls: append(calls, seen(200, "e"), seen(800, "e")), want: "too many in the air"},
		"too many begin": {calls: append(calls, func() (all []*call) {
			for i := range 14 {
				all = append(all, seen(5000+int64(i)*70, "x"+string(rune('a'+i))))
			}
			return all
		}()...), want: "14 visits began"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.diary == nil {
				c.diary = diary
			}
			if c.calls == nil {
				c.calls = calls
			}
			if c.limit.concurrency == 0 {
				c.limit = limit
			}
			if wrong := strings.Join(judge(c.diary, c.calls, c.limit), "\n"); !strings.Contains(wrong, c.want) {
				t.Errorf("found %q, want %q", wrong, c.want)
			}
		})
	}
}
