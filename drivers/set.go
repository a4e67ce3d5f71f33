package drivers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
)

// Options are the settings of a Set.
type Options struct {
	Sites    map[string]config.Site // by domain
	Pace     config.DefaultPace     // of sites and drivers that say nothing; zero is 10s, one at a time
	Scripts  []string               // folders of the operator's own scripts; the first wins
	Bundled  fs.FS                  // scripts in the binary; may be nil
	Programs []Script               // plugin drivers, with Path, Digest and Manifest
	Load     Loader                 // required
	Cache    string                 // file that keeps manifests between starts; "" for none
	Logger   *slog.Logger           // required
	Now      func() time.Time       // defaults to time.Now
}

// Problem is a script that can't be used, or a version of it that was not taken over.
type Problem struct {
	Path string
	Err  error
	Kept bool // an earlier version goes on
}

// maxVersions is how many versions of a script are kept for tasks under way.
const maxVersions = 8

// Set is the catalog of the scripts and sites. It is safe for concurrent use.
type Set struct {
	opt     Options
	sources []source

	answers atomic.Pointer[answers]

	mu       sync.Mutex // held to change
	sites    map[string]config.Site
	pace     config.DefaultPace
	libs     libraries
	files    map[string]*file // by path
	versions map[string][]*Script
	byDigest sync.Map // digest → *Script
	changed  atomic.Pointer[chan struct{}]
}

// file is a script file and the last version of it that could be loaded.
type file struct {
	src     source
	at      int    // position of src
	name    string // x.lua
	stamp   stamp
	libs    string // digest of the lib files it was last tried with
	good    *Script
	kept    string // key of the good one in the cache
	room    []byte // for the text, while it is loaded
	problem error
}

// size is how much of the file is read, in bytes.
func (f *file) size() int { return int(min(f.stamp.size, maxScript)) }

var _ core.Catalog = (*Set)(nil)

// NewSet loads every script. A script that can't be loaded is a Problem, not an
// error: the others work. It is an error when a folder can't be read.
func NewSet(o Options) (*Set, error) {
	if o.Load == nil || o.Logger == nil {
		return nil, errors.New("drivers.NewSet: Load and Logger are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Pace = config.DefaultPace{
		Every: cmp.Or(o.Pace.Every, 10*time.Second), Concurrency: cmp.Or(o.Pace.Concurrency, 1), MaxPerDay: o.Pace.MaxPerDay,
	}
	s := &Set{
		opt: o, sources: sources(o.Scripts, o.Bundled), sites: o.Sites, pace: o.Pace,
		files: map[string]*file{}, versions: map[string][]*Script{},
	}
	c := make(chan struct{})
	s.changed.Store(&c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.scan(); err != nil {
		return nil, err
	}
	s.build()
	return s, nil
}

// Rescan reads what changed in the folders, and closes Changed. Broken scripts
// keep their old version and are logged.
func (s *Set) Rescan() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed, err := s.scan()
	if err != nil {
		return err
	}
	if changed {
		s.build()
	}
	s.announce()
	return nil
}

// SetSites replaces the configured sites and the default pace.
func (s *Set) SetSites(sites map[string]config.Site, pace config.DefaultPace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sites = sites
	s.pace = config.DefaultPace{
		Every: cmp.Or(pace.Every, 10*time.Second), Concurrency: cmp.Or(pace.Concurrency, 1), MaxPerDay: pace.MaxPerDay,
	}
	s.build()
	s.announce()
}

// Changed is closed when the answers may have changed.
func (s *Set) Changed() <-chan struct{} { return *s.changed.Load() }

func (s *Set) announce() {
	c := make(chan struct{})
	close(*s.changed.Swap(&c))
}

// scan loads new and changed files, in parallel. It reports whether a file came,
// went or changed.
func (s *Set) scan() (changed bool, err error) {
	libs, err := readLibraries(s.sources)
	if err != nil {
		return false, fmt.Errorf("read the lib files: %w", err)
	}
	s.libs = libs
	seen := map[string]bool{}
	var todo []*file
	for i, src := range s.sources {
		list, err := src.list()
		if err != nil {
			return false, fmt.Errorf("read the scripts in %s: %w", cmp.Or(src.dir, "the binary"), err)
		}
		if list == nil && !src.bundled {
			s.opt.Logger.Debug("no such folder of scripts", "dir", src.dir)
		}
		for name, st := range list {
			p := src.path(name)
			seen[p] = true
			f := s.files[p]
			if f == nil {
				f = &file{src: src, at: i, name: name}
				s.files[p] = f
			} else if f.stamp == st && f.libs == libs.digest {
				continue
			}
			f.stamp, f.libs = st, libs.digest
			todo = append(todo, f)
		}
	}
	for p := range s.files {
		if !seen[p] {
			delete(s.files, p)
			changed = true
		}
	}
	if len(todo) == 0 {
		return changed, nil
	}
	var wg sync.WaitGroup
	cache := openCache(s.opt.Cache)
	// One piece of memory for all texts: thousands of small ones would take a sixth more.
	total := 0
	for _, f := range todo {
		total += f.size()
	}
	texts := make([]byte, total)
	for _, f := range todo {
		f.room, texts = texts[:f.size()], texts[f.size():]
	}
	work := make(chan *file)
	for range min(runtime.GOMAXPROCS(0), max(len(todo), 1)) {
		wg.Go(func() {
			for f := range work {
				s.load(f, cache)
			}
		})
	}
	for _, f := range todo {
		work <- f
	}
	close(work)
	wg.Wait()
	slices.SortFunc(todo, func(a, b *file) int { return strings.Compare(a.src.path(a.name), b.src.path(b.name)) })
	for _, f := range todo {
		s.took(f)
	}
	kept := make(map[string]*Script, len(s.files))
	for _, f := range s.files {
		if f.good != nil {
			kept[f.kept] = f.good
		}
	}
	if err := cache.save(s.opt.Cache, kept); err != nil {
		s.opt.Logger.Warn("the cache of manifests can't be written; starts stay slow", "file", s.opt.Cache, "err", err)
	}
	return true, nil
}

// load reads one file; on failure its last good version stays.
func (s *Set) load(f *file, cache *cache) {
	sc := Script{Name: strings.TrimSuffix(f.name, ".lua"), Path: f.src.path(f.name), Bundled: f.src.bundled, Lib: s.libs.fs}
	var key string
	text, err := f.src.read(f.name, f.room)
	f.room = nil
	if err == nil {
		sc.Text = text
		sc.Manifest, sc.Digest, key, err = cache.load(sc, s.libs.digest, s.opt.Load)
	}
	if err == nil && sc.Manifest.Name != sc.Name {
		err = fmt.Errorf("%s: the driver's name is %q: the file must be %s.lua, or the name %q", sc.Path, sc.Manifest.Name, sc.Manifest.Name, sc.Name)
	}
	if f.problem = err; err == nil {
		f.good, f.kept = &sc, key
	}
}

// took logs what became of a file and remembers its version.
func (s *Set) took(f *file) {
	path := f.src.path(f.name)
	if f.problem != nil {
		if f.good != nil {
			s.opt.Logger.Error("a changed driver script is broken; its old version goes on", "script", path, "err", f.problem)
		} else {
			s.opt.Logger.Error("a driver script can't be loaded", "script", path, "err", f.problem)
		}
		return
	}
	sc := f.good
	if old, ok := s.byDigest.Load(sc.Digest); ok && old.(*Script).Path == sc.Path {
		return
	}
	s.byDigest.Store(sc.Digest, sc)
	list := append(s.versions[path], sc)
	if len(list) > 1 {
		s.opt.Logger.Info("a driver script changed", "script", path, "driver", sc.Name, "version", sc.Manifest.Version)
	}
	for len(list) > maxVersions {
		if cur, ok := s.byDigest.Load(list[0].Digest); ok && cur.(*Script).Path == list[0].Path {
			s.byDigest.Delete(list[0].Digest)
		}
		list = list[1:]
	}
	s.versions[path] = list
}

// Source is the script of a binding by its digest, also when the file has
// changed since. A plugin's has no text.
func (s *Set) Source(b core.Binding) (Script, error) {
	if v, ok := s.byDigest.Load(b.Digest); ok {
		return *v.(*Script), nil
	}
	return Script{}, fmt.Errorf("the driver %s with digest %.12s is not here: it has changed too often since, or another runner has it", b.Driver, b.Digest)
}

// Problems are the scripts that can't be used or whose change was refused, by path.
func (s *Set) Problems() []Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Problem
	for p, f := range s.files {
		if f.problem != nil {
			out = append(out, Problem{p, f.problem, f.good != nil})
		}
	}
	slices.SortFunc(out, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// Scripts are the drivers in use, by name: an own script where one hides a bundled one.
func (s *Set) Scripts() []Script {
	a := s.answers.Load()
	out := make([]Script, 0, len(a.drivers))
	for _, d := range a.drivers {
		if d.script != nil {
			out = append(out, *d.script)
		}
	}
	slices.SortFunc(out, func(a, b Script) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// dirs are the folders to watch.
func (s *Set) dirs() []string {
	var out []string
	for _, d := range s.opt.Scripts {
		out = append(out, d, filepath.Join(d, "lib"))
	}
	return out
}

// Run watches the folders until ctx ends.
func (s *Set) Run(ctx context.Context) error { return s.watch(ctx) }
