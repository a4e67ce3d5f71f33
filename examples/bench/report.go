package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

func (r run) String() string {
	return fmt.Sprintf("round %d, concurrency %d, %-10s %3d tasks: %5.0f tasks/min (%5.0f steady), %.3f CPU s a task, %4.0f MB PSS, p50 %4.0f ms",
		r.Round, r.Concurrency, r.Program, r.Tasks, r.PerMinute, r.Steady, r.CPU, r.PSS, ms(r.P50))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// report is the outcome as Markdown: what was measured where, the medians, and
// the first program's ratio to each of the others in the same round.
func (b *bench) report(m machine, runs []run) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s, %d cores (%s), %.0f GB, %s, kernel %s. Browser: %s.\n%s.\n", m.Date, m.Cores, m.CPU, m.MemoryGB, m.System, m.Kernel, m.Browser, strings.Join(m.Versions, ", "))
	fmt.Fprintf(&w, "%d rounds, interleaved; medians of the rounds; processor time by %s.\n", b.rounds, m.Meter)
	for _, p := range b.programs {
		if slices.ContainsFunc(runs, func(r run) bool { return r.Program == p.name && r.Closed }) {
			fmt.Fprintf(&w, "PSS of %s lacks processes that let nobody but root look at them: as root it is whole.\n", p.title)
		}
	}
	for _, c := range b.concurrency {
		fmt.Fprintf(&w, "\n**%d at a time**, %d tasks a run\n\n", c, b.count(c))
		fmt.Fprintf(&w, "| | tasks/min | once started | CPU s per task | peak PSS MB | p50 ms |\n|---|---|---|---|---|---|\n")
		for _, p := range b.programs {
			fmt.Fprintf(&w, "| %s | %.0f | %.0f | %.3f | %.0f | %.0f |\n", p.title,
				median(of(runs, p, c, perMinute)), median(of(runs, p, c, steady)), median(of(runs, p, c, cpu)), median(of(runs, p, c, memory)), median(of(runs, p, c, latency)))
		}
	}
	if len(b.programs) < 2 {
		return w.String()
	}
	first := b.programs[0]
	fmt.Fprintf(&w, "\n**The figure of %s divided by the other's, round by round**: geometric mean (least to most)\n\n", first.title)
	fmt.Fprintf(&w, "| | at a time | tasks/min | once started | CPU per task | peak PSS | p50 |\n|---|---|---|---|---|---|---|\n")
	for _, p := range b.programs[1:] {
		for _, c := range append(slices.Clone(b.concurrency), 0) {
			at := fmt.Sprint(c)
			if c == 0 {
				at = "all"
			}
			fmt.Fprintf(&w, "| %s | %s |", p.title, at)
			for _, get := range []func(run) float64{perMinute, steady, cpu, memory, latency} {
				s := spreadOf(ratios(of(runs, first, c, get), of(runs, p, c, get)))
				fmt.Fprintf(&w, " %.2f (%.2f to %.2f) |", s.Mean, s.Least, s.Most)
			}
			fmt.Fprintln(&w)
		}
	}
	return w.String()
}

func perMinute(r run) float64 { return r.PerMinute }
func steady(r run) float64    { return r.Steady }
func cpu(r run) float64       { return r.CPU }
func memory(r run) float64    { return r.PSS }
func latency(r run) float64   { return ms(r.P50) }

// parts is where the processor time and the memory of each program go, by kind
// of process: medians of the runs at a concurrency.
func (b *bench) parts(runs []run) string {
	var w strings.Builder
	fmt.Fprintf(&w, "\n**By kind of process**: CPU ms per task, how many there were in a run, PSS of the largest\n\n| | at a time | process | CPU ms per task | processes | PSS MB |\n|---|---|---|---|---|---|\n")
	for _, p := range b.programs {
		for _, c := range b.concurrency {
			var kinds []string
			cpu, count, pss := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
			for _, r := range runs {
				if r.Program != p.name || r.Concurrency != c {
					continue
				}
				for _, k := range r.Parts {
					if !slices.Contains(kinds, k.Kind) {
						kinds = append(kinds, k.Kind)
					}
					cpu[k.Kind] = append(cpu[k.Kind], ms(k.CPU)/float64(r.Tasks))
					count[k.Kind] = append(count[k.Kind], float64(k.Count))
					pss[k.Kind] = append(pss[k.Kind], float64(k.PSS)/1e6)
				}
			}
			for _, kind := range kinds {
				fmt.Fprintf(&w, "| %s | %d | %s | %.0f | %.0f | %.0f |\n", p.title, c, kind, median(cpu[kind]), median(count[kind]), median(pss[kind]))
			}
		}
	}
	return w.String()
}

// of lists a figure of a program at a concurrency, 0 for all of them, in the order of its runs.
func of(runs []run, p program, concurrency int, get func(run) float64) []float64 {
	var out []float64
	for _, r := range runs {
		if r.Program == p.name && (concurrency == 0 || r.Concurrency == concurrency) {
			out = append(out, get(r))
		}
	}
	return out
}

// ratios divides what belongs to the same round and concurrency.
func ratios(ours, theirs []float64) []float64 {
	var out []float64
	for i := range min(len(ours), len(theirs)) {
		out = append(out, ours[i]/theirs[i])
	}
	return out
}
