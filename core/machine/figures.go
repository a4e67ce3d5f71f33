package machine

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// Figures are what a machine, or the container that holds us, has.
type Figures struct {
	Cores  float64 // that we may use; part of one where a quota says so
	Memory int64   // bytes that we may use in all, 0 where it is not known
	Free   int64   // bytes of it that can be had without swapping, 0 where it is not known
	Stall  float64 // percent of the last ten seconds in which something waited for memory; 0 where it is not known
	Group  bool    // a cgroup's limit is what bounds memory
}

// Reader reads the figures of this machine. Its zero value is ready for use.
type Reader struct {
	// Root is the file system with proc and sys. Defaults to the machine's.
	Root fs.FS
	// Cores is the number of cores that the process may use before quotas. Defaults
	// to runtime.NumCPU.
	Cores int
}

// Figures reads them now. What the system does not tell stays zero.
func (r Reader) Figures() Figures {
	if r.Root == nil {
		r.Root = os.DirFS("/")
	}
	if r.Cores <= 0 {
		r.Cores = runtime.NumCPU()
	}
	f := Figures{Cores: float64(r.Cores)}
	info := r.fields("proc/meminfo")
	f.Memory, f.Free = info["MemTotal:"]<<10, info["MemAvailable:"]<<10
	f.Stall = r.stall("proc/pressure/memory")
	for line := range strings.Lines(r.text("proc/self/cgroup")) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		for _, controller := range strings.Split(part[1], ",") {
			switch controller {
			case "": // the unified hierarchy
				r.above("sys/fs/cgroup", part[2], func(dir string) { r.unified(dir, &f) })
			case "memory":
				r.above("sys/fs/cgroup/memory", part[2], func(dir string) { r.memoryOne(dir, &f) })
			case "cpu":
				r.above("sys/fs/cgroup/"+part[1], part[2], func(dir string) { r.cpuOne(dir, &f) })
			}
		}
	}
	return f
}

// above calls look for the group and for every group that holds it: the limit of
// each counts. In a container the path may be one of the host's; then the mount is
// our group.
func (r Reader) above(mount, group string, look func(dir string)) {
	for at := path.Clean("/" + group); ; at = path.Dir(at) {
		look(path.Join(mount, at))
		if at == "/" {
			return
		}
	}
}

// unified takes the limits of a group of the unified hierarchy.
func (r Reader) unified(dir string, f *Figures) {
	if quota, period, ok := strings.Cut(strings.TrimSpace(r.text(dir+"/cpu.max")), " "); ok {
		f.quota(number(quota), number(period))
	}
	limit := number(r.text(dir + "/memory.max"))
	if high := number(r.text(dir + "/memory.high")); high > 0 && (limit <= 0 || high < limit) {
		limit = high
	}
	f.limit(limit, number(r.text(dir+"/memory.current")), r.fields(dir + "/memory.stat")["inactive_file"])
	f.Stall = max(f.Stall, r.stall(dir+"/memory.pressure"))
}

// memoryOne and cpuOne take those of a group of a version 1 hierarchy.
func (r Reader) memoryOne(dir string, f *Figures) {
	f.limit(number(r.text(dir+"/memory.limit_in_bytes")), number(r.text(dir+"/memory.usage_in_bytes")), r.fields(dir + "/memory.stat")["total_inactive_file"])
}

func (r Reader) cpuOne(dir string, f *Figures) {
	f.quota(number(r.text(dir+"/cpu.cfs_quota_us")), number(r.text(dir+"/cpu.cfs_period_us")))
}

func (f *Figures) quota(quota, period int64) {
	if quota > 0 && period > 0 {
		f.Cores = min(f.Cores, float64(quota)/float64(period))
	}
}

// limit takes a group's limit of memory. Files that were read and lie idle are given
// back before anything is short.
func (f *Figures) limit(limit, used, idle int64) {
	if limit <= 0 || f.Memory > 0 && limit >= f.Memory {
		return
	}
	f.Memory, f.Group = limit, true
	free := max(limit-max(used-idle, 0), 0)
	if f.Free == 0 || free < f.Free {
		f.Free = free
	}
}

// stall is the share of time in which some task waited for memory, of a pressure file.
func (r Reader) stall(name string) float64 {
	for line := range strings.Lines(r.text(name)) {
		var share float64
		if _, err := fmt.Sscanf(line, "some avg10=%f", &share); err == nil && !math.IsNaN(share) {
			return share
		}
	}
	return 0
}

func (r Reader) text(name string) string {
	data, err := fs.ReadFile(r.Root, name)
	if err != nil {
		return "" // the system does not tell
	}
	return string(data)
}

// fields are the numbers of a file of lines of a name and a number.
func (r Reader) fields(name string) map[string]int64 {
	out := map[string]int64{}
	for line := range strings.Lines(r.text(name)) {
		if f := strings.Fields(line); len(f) >= 2 {
			out[f[0]] = number(f[1])
		}
	}
	return out
}

// number is 0 for what is none, "max" for one.
func number(s string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
