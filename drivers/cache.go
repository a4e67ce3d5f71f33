package drivers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/rollcall-run/rollcall/core"
)

// cache keeps manifests by the SHA-256 of what they were read from. A cache that
// can't be read is an empty one.
type cache struct {
	file string // "" keeps it in memory only
	tag  string
	mu   sync.Mutex
	have map[string]cached
	used map[string]bool
	new  bool
}

type cached struct {
	Manifest core.Manifest `json:"m"`
	Digest   string        `json:"d"`
}

type cacheFile struct {
	Tag     string            `json:"tag"`
	Entries map[string]cached `json:"entries"`
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

func openCache(file string) *cache {
	c := &cache{file: file, tag: buildTag(), have: map[string]cached{}, used: map[string]bool{}}
	if file == "" {
		return c
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return c
	}
	var f cacheFile
	if json.Unmarshal(data, &f) == nil && f.Tag == c.tag && f.Entries != nil {
		c.have = f.Entries
	}
	return c
}

func cacheKey(name string, text []byte, libs string) string {
	h := sha256.New()
	h.Write([]byte(name + "\n" + libs + "\n"))
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
}

// load gives the manifest, from the cache or from load.
func (c *cache) load(s Script, libs string, load Loader) (core.Manifest, string, error) {
	key := cacheKey(s.Name, s.Text, libs)
	c.mu.Lock()
	e, ok := c.have[key]
	c.used[key] = true
	c.mu.Unlock()
	if ok {
		return e.Manifest, e.Digest, nil
	}
	m, digest, err := load(s)
	if err != nil {
		return m, "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.have[key], c.new = cached{m, digest}, true
	return m, digest, nil
}

// save writes what was used since the last save, when it has news.
func (c *cache) save() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.have {
		if !c.used[key] {
			delete(c.have, key)
			c.new = true
		}
	}
	c.used = map[string]bool{}
	if !c.new || c.file == "" {
		return nil
	}
	data, err := json.Marshal(cacheFile{c.tag, c.have})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.file), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(c.file), ".drivers-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), c.file)
	}
	if err == nil {
		c.new = false
	}
	return err
}
