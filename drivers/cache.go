package drivers

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/rollcall-run/rollcall/core"
)

// cache is the manifests that are kept in a file, by the SHA-256 of what they were
// read from. One that can't be read is empty. It is there while scripts are loaded.
//
// The file has the build's tag on the first line, and then a line for each script:
// its key, a blank and a cached as JSON. A line is parsed when its script is loaded.
type cache struct {
	tag  string
	have map[string][]byte // lines without their keys
	news atomic.Bool       // the file lacks a script
}

type cached struct {
	Manifest core.Manifest `json:"m"`
	Digest   string        `json:"d"`
}

// buildTag changes with every build, because a build may read manifests otherwise.
func buildTag() string {
	tag := "api " + strconv.Itoa(core.ManifestAPI)
	if info, ok := debug.ReadBuildInfo(); ok {
		tag += " " + info.Main.Version + " " + info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" || s.Key == "vcs.modified" || s.Key == "vcs.time" {
				tag += " " + s.Value
			}
		}
	}
	if exe, err := os.Executable(); err == nil {
		if st, err := os.Stat(exe); err == nil {
			tag += " " + strconv.FormatInt(st.Size(), 10) + " " + st.ModTime().UTC().String()
		}
	}
	return tag
}

// openCache reads the file; "" is for none.
func openCache(file string) *cache {
	c := &cache{tag: buildTag(), have: map[string][]byte{}}
	if file == "" {
		return c
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return c
	}
	tag, rest, _ := bytes.Cut(data, []byte{'\n'})
	if string(tag) != c.tag {
		return c
	}
	for len(rest) > 0 {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		if key, entry, ok := bytes.Cut(line, []byte{' '}); ok {
			c.have[string(key)] = entry
		}
	}
	return c
}

func cacheKey(name string, text []byte, libs string) string {
	h := sha256.New()
	h.Write([]byte(name + "\n" + libs + "\n"))
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
}

// load gives the manifest, kept or from load, and the key under which it is kept.
func (c *cache) load(s Script, libs string, load Loader) (m core.Manifest, digest, key string, err error) {
	key = cacheKey(s.Name, s.Text, libs)
	var e cached
	if line, ok := c.have[key]; ok && json.Unmarshal(line, &e) == nil {
		return e.Manifest, e.Digest, key, nil
	}
	c.news.Store(true)
	m, digest, err = load(s)
	return m, digest, key, err
}

// save writes the scripts by their keys, unless the file has just those.
func (c *cache) save(file string, scripts map[string]*Script) error {
	if file == "" || !c.news.Load() && len(scripts) == len(c.have) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".drivers-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	w := bufio.NewWriter(tmp)
	w.WriteString(c.tag + "\n")
	for _, key := range slices.Sorted(maps.Keys(scripts)) {
		line, err := json.Marshal(cached{scripts[key].Manifest, scripts[key].Digest})
		if err != nil {
			continue // it is loaded again at the next start
		}
		w.WriteString(key + " ")
		w.Write(line)
		w.WriteByte('\n')
	}
	err = w.Flush() // the first error of all writes
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	return err
}
