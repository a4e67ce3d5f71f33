package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/core/secret"
)

// display shows a run: on a terminal a live table that is drawn over itself,
// elsewhere one structured line an event.
type display struct {
	out     io.Writer
	live    bool
	begin   time.Time
	handler func(*secret.Redactor) slog.Handler

	mu     sync.Mutex
	state  map[string]core.State
	domain map[string]string
	failed map[string]bool
	text   string // the last notice about the runner itself
	drawn  int    // lines of the table on the screen
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once
}

// display chooses by the log format and by what errors are printed to.
func (c *cli) display(cfg *config.Config) *display {
	d := &display{out: c.err, begin: time.Now(), state: map[string]core.State{}, domain: map[string]string{}, failed: map[string]bool{}}
	terminal := false
	if f, ok := c.err.(*os.File); ok {
		terminal = term.IsTerminal(int(f.Fd()))
	}
	d.live = terminal && cfg.Log.Format == "auto"
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		level = slog.LevelInfo // config.Load accepts the names of levels only
	}
	if d.live {
		level = max(level, slog.LevelWarn)
		d.stop, d.done = make(chan struct{}), make(chan struct{})
		go d.redraw()
	}
	d.handler = func(r *secret.Redactor) slog.Handler {
		o := &slog.HandlerOptions{Level: level}
		var h slog.Handler = slog.NewJSONHandler(d, o)
		if cfg.Log.Format == "text" || d.live {
			h = slog.NewTextHandler(d, o)
		}
		return secret.Handler(h, r)
	}
	return d
}

// Write prints a log line above the table.
func (d *display) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.erase()
	n, err := d.out.Write(p)
	d.draw()
	return n, err
}

// observe takes one notice of the runner.
func (d *display) observe(n runner.Notice) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n.Task == "" {
		d.text = n.Text
		return
	}
	if n.Domain != "" {
		d.domain[n.Task] = n.Domain
	}
	if n.State != "" {
		d.state[n.Task] = n.State
		switch n.State {
		case core.Failed:
			d.failed[n.Task] = true
		case core.Ready:
			delete(d.failed, n.Task)
		}
	}
}

// redraw draws a few times a second: a table that moves faster can't be read.
func (d *display) redraw() {
	defer close(d.done)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-d.stop:
			return
		}
		d.mu.Lock()
		d.erase()
		d.draw()
		d.mu.Unlock()
	}
}

// close takes the table off the screen. Later log lines still print.
func (d *display) close() {
	if !d.live {
		return
	}
	d.once.Do(func() {
		close(d.stop)
		<-d.done
		d.mu.Lock()
		defer d.mu.Unlock()
		d.erase()
		d.live = false
	})
}

func (d *display) erase() {
	if d.drawn > 0 {
		fmt.Fprintf(d.out, "\x1b[%dA\x1b[J", d.drawn)
		d.drawn = 0
	}
}

// columns of the live table.
type progress struct{ waiting, running, done, failed, parked int }

func (d *display) draw() {
	if !d.live {
		return
	}
	sites := map[string]*progress{}
	total := &progress{}
	for id, s := range d.state {
		site := sites[d.domain[id]]
		if site == nil {
			site = &progress{}
			sites[d.domain[id]] = site
		}
		for _, p := range []*progress{site, total} {
			switch s {
			case core.Ready, core.Delayed:
				p.waiting++
			case core.Failed, core.Reporting, core.Reported:
				if d.failed[id] {
					p.failed++
				} else {
					p.done++
				}
			case core.Parked, core.Held, core.Unknown:
				p.parked++
			case core.Dropped, core.Overtaken:
			default:
				p.running++
			}
		}
	}
	var b strings.Builder
	line := func(name string, p *progress) {
		fmt.Fprintf(&b, "%-32.32s %7d %7d %7d %7d %7d\n", name, p.waiting, p.running, p.done, p.failed, p.parked)
	}
	fmt.Fprintf(&b, "%-32s %7s %7s %7s %7s %7s\n", "site", "waiting", "running", "done", "failed", "person")
	names := slices.SortedFunc(maps.Keys(sites), func(a, b string) int {
		return cmp.Or(cmp.Compare(sites[b].running, sites[a].running), strings.Compare(a, b))
	})
	const most = 12
	for i, name := range names {
		if i == most {
			fmt.Fprintf(&b, "… and %d more sites\n", len(names)-most)
			break
		}
		line(name, sites[name])
	}
	line("total", total)
	fmt.Fprintln(&b, d.rate(total))
	if d.text != "" {
		fmt.Fprintf(&b, "%.100s\n", secret.Clean(d.text))
	}
	text := b.String()
	d.drawn = strings.Count(text, "\n")
	fmt.Fprint(d.out, text)
}

// rate is how fast tasks end and when the ones that are known will have ended.
func (d *display) rate(p *progress) string {
	ended, took := p.done+p.failed, time.Since(d.begin)
	if ended == 0 {
		return took.Round(time.Second).String()
	}
	perMinute := float64(ended) / took.Minutes()
	left := p.waiting + p.running
	eta := "0s"
	if left > 0 {
		eta = time.Duration(float64(left) / perMinute * float64(time.Minute)).Round(time.Second).String()
	}
	return fmt.Sprintf("%s, %.1f tasks/min, %s left", took.Round(time.Second), perMinute, eta)
}
