package machine

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func files(pairs ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return out
}

const (
	mb   = int64(1) << 20
	info = "MemTotal:        8192000 kB\nMemFree:          100 kB\nMemAvailable:    4096000 kB\n"
)

func TestFigures(t *testing.T) {
	all := Figures{Cores: 4, Memory: 8000 * mb, Free: 4000 * mb}
	for _, c := range []struct {
		what string
		root fstest.MapFS
		want Figures
	}{
		{"a machine without limits", files("proc/meminfo", info, "proc/self/cgroup", "0::/\n", "sys/fs/cgroup/cpu.max", "max 100000\n", "sys/fs/cgroup/memory.max", "max\n"), all},
		{"a system that tells nothing", files(), Figures{Cores: 4}},
		{"pressure of the machine", files("proc/meminfo", info, "proc/pressure/memory", "some avg10=12.50 avg60=3.00 avg300=0.10 total=1\nfull avg10=1.00 avg60=0 avg300=0 total=0\n"),
			Figures{Cores: 4, Memory: 8000 * mb, Free: 4000 * mb, Stall: 12.5}},
		{"a group's limits, idle files given back", files("proc/meminfo", info, "proc/self/cgroup", "0::/app.slice/rollcall\n",
			"sys/fs/cgroup/app.slice/rollcall/cpu.max", "150000 100000\n", "sys/fs/cgroup/app.slice/rollcall/memory.max", "2097152000\n",
			"sys/fs/cgroup/app.slice/rollcall/memory.current", "1048576000\n", "sys/fs/cgroup/app.slice/rollcall/memory.stat", "anon 1\ninactive_file 104857600\n",
			"sys/fs/cgroup/app.slice/rollcall/memory.pressure", "some avg10=3.00 avg60=0.00 avg300=0.00 total=1\n"),
			Figures{Cores: 1.5, Memory: 2000 * mb, Free: 1100 * mb, Stall: 3, Group: true}},
		{"the limit of the group above", files("proc/meminfo", info, "proc/self/cgroup", "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max", "1048576000\n", "sys/fs/cgroup/a/memory.current", "943718400\n", "sys/fs/cgroup/a/b/memory.max", "max\n", "sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
			Figures{Cores: 4, Memory: 1000 * mb, Free: 100 * mb, Group: true}},
		{"memory.high before memory.max", files("proc/meminfo", info, "proc/self/cgroup", "0::/\n",
			"sys/fs/cgroup/memory.high", "1048576000\n", "sys/fs/cgroup/memory.max", "2097152000\n", "sys/fs/cgroup/memory.current", "0\n"),
			Figures{Cores: 4, Memory: 1000 * mb, Free: 1000 * mb, Group: true}},
		{"a limit beyond the machine", files("proc/meminfo", info, "proc/self/cgroup", "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"), all},
		{"version 1", files("proc/meminfo", info, "proc/self/cgroup", "7:cpu,cpuacct:/x\n4:memory:/x\n0::/\n",
			"sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "50000\n", "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes", "524288000\n", "sys/fs/cgroup/memory/x/memory.usage_in_bytes", "419430400\n", "sys/fs/cgroup/memory/x/memory.stat", "total_inactive_file 10485760\n"),
			Figures{Cores: 0.5, Memory: 500 * mb, Free: 110 * mb, Group: true}},
		{"a container that sees its own group at the mount", files("proc/meminfo", info, "proc/self/cgroup", "0::/docker/0123\n",
			"sys/fs/cgroup/memory.max", "1048576000\n", "sys/fs/cgroup/memory.current", "0\n", "sys/fs/cgroup/cpu.max", "200000 100000\n"),
			Figures{Cores: 2, Memory: 1000 * mb, Free: 1000 * mb, Group: true}},
		{"files that are not what they should be", files("proc/meminfo", "MemAvailable\nMemTotal: x kB\n", "proc/self/cgroup", "nonsense\n", "proc/pressure/memory", "some avg10=NaN\n"), Figures{Cores: 4}},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := (Reader{Root: c.root, Cores: 4}).Figures(); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestThisMachineHasFigures(t *testing.T) {
	f := Reader{}.Figures()
	if f.Cores <= 0 || f.Cores > float64(runtime.NumCPU()) {
		t.Errorf("%v cores of %d", f.Cores, runtime.NumCPU())
	}
	if runtime.GOOS == "linux" && (f.Memory <= 0 || f.Free <= 0 || f.Free > f.Memory) {
		t.Errorf("%d bytes free of %d", f.Free, f.Memory)
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		f    Figures
		want int
		why  string
	}{
		{Figures{Cores: 2, Memory: 24000 * mb, Free: 22000 * mb}, 4, "2 cores, two tasks a core, and 22000 MB of 24000 MB free"},
		{Figures{Cores: 1, Memory: 2000 * mb, Free: 1500 * mb}, 2, "1 core, two tasks a core, and 1500 MB of 2000 MB free"},
		{Figures{Cores: 64, Memory: 8000 * mb, Free: 4000 * mb}, 13, "4000 MB of 8000 MB free at 300 MB a task; the 64 cores would take 128"},
		{Figures{Cores: 8, Memory: 1000 * mb, Free: 700 * mb, Group: true}, 2, "700 MB of 1000 MB free within the cgroup's limit at 300 MB a task; the 8 cores would take 16"},
		{Figures{Cores: 4, Memory: 500 * mb, Free: 100 * mb}, 1, "100 MB of 500 MB free at 300 MB a task; the 4 cores would take 8"},
		{Figures{Cores: 0.25, Memory: 4000 * mb, Free: 3000 * mb}, 1, "0.25 cores, two tasks a core, and 3000 MB of 4000 MB free"},
		{Figures{Cores: 2}, 4, "2 cores, two tasks a core"},
	} {
		if got := Choose(c.f); got.N != c.want || got.Why != c.why {
			t.Errorf("%+v: %d slots, %q; want %d, %q", c.f, got.N, got.Why, c.want, c.why)
		}
	}
}

// A machine of 8,000 MB: short below 300 MB, calm from 900 MB on.
func at(freeMB int64, stall float64) Figures {
	return Figures{Cores: 4, Memory: 8000 * mb, Free: freeMB * mb, Stall: stall}
}

func TestWatch(t *testing.T) {
	for _, c := range []struct {
		what  string
		begin int
		looks []Figures
		want  []int
	}{
		{"no pressure, nothing to add", 8, []Figures{at(5000, 0), at(5000, 0), at(5000, 0), at(5000, 0)}, []int{8, 8, 8, 8}},
		{"short of memory: half at each look, never none", 8, []Figures{at(200, 0), at(200, 0), at(200, 0), at(200, 0)}, []int{4, 2, 1, 1}},
		{"stalls count although memory is free", 8, []Figures{at(5000, 10), at(5000, 9.9)}, []int{4, 4}},
		{"between the bounds nothing changes, however long", 4, []Figures{at(500, 0), at(899, 0), at(5000, 2), at(500, 0), at(899, 0), at(5000, 2)}, []int{4, 4, 4, 4, 4, 4}},
		{"one comes back after three calm looks, then the next", 2, []Figures{at(5000, 0), at(5000, 0), at(5000, 0), at(5000, 0), at(5000, 0), at(5000, 0)}, []int{2, 2, 3, 3, 3, 4}},
		{"a look in between begins the calm anew", 2, []Figures{at(5000, 0), at(5000, 0), at(5000, 1), at(5000, 0), at(5000, 0), at(5000, 0)}, []int{2, 2, 2, 2, 2, 3}},
		{"what the start had no memory for comes when it is free", 1, []Figures{at(900, 0), at(900, 0), at(900, 0)}, []int{1, 1, 2}},
		{"never more than the cores can use", 7, []Figures{at(5000, 0), at(5000, 0), at(5000, 0), at(5000, 0), at(5000, 0), at(5000, 0)}, []int{7, 7, 8, 8, 8, 8}},
		{"a system that tells nothing stays as it is", 8, []Figures{{Cores: 4}, {Cores: 4}, {Cores: 4}, {Cores: 4}}, []int{8, 8, 8, 8}},
		{"no memory at all is short", 2, []Figures{{Cores: 4, Memory: 8000 * mb}}, []int{1}},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := NewWatch(Slots{N: c.begin})
			before := c.begin
			for i, f := range c.looks {
				s, changed := w.Look(f)
				if s.N != c.want[i] || changed != (s.N != before) || changed && s.Why == "" {
					t.Fatalf("look %d: %+v, changed %v; want %d", i, s, changed, c.want[i])
				}
				before = s.N
			}
		})
	}
}

func TestFollowSaysEveryChangeInOneLine(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	tick, done := make(chan time.Time), make(chan struct{})
	looks := []Figures{at(5000, 0), at(200, 0), at(5000, 0), at(5000, 0), at(5000, 0)}
	var set []int
	go func() {
		defer close(done)
		Follow(ctx, Slots{N: 8}, tick, func() Figures {
			f := looks[0]
			looks = looks[1:]
			return f
		}, func(n int) { set = append(set, n) }, slog.New(slog.NewTextHandler(&out, nil)))
	}()
	for range looks {
		tick <- time.Time{}
	}
	cancel()
	<-done
	if len(set) != 2 || set[0] != 4 || set[1] != 5 {
		t.Errorf("set %v, want 4 and 5", set)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, want := range []string{
		`level=WARN msg="slots changed" slots=4 before=8 why="memory is short: 200 MB of 8000 MB free"`,
		`level=INFO msg="slots changed" slots=5 before=4 why="memory is free again: 5000 MB of 8000 MB free"`,
	} {
		if i >= len(lines) || !strings.HasSuffix(lines[i], want) {
			t.Errorf("line %d of\n%s\nis not %s", i, out.String(), want)
		}
	}
	if len(lines) != 2 {
		t.Errorf("%d lines:\n%s", len(lines), out.String())
	}
}
