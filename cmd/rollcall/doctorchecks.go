package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/browser"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/entity"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/machine"
	"github.com/rollcall-run/rollcall/core/secret"
)

// reachTime bounds the doctor's wait for one server.
const reachTime = 10 * time.Second

// configuration reports whether there is one that can be read.
func (e *examination) configuration(path string) bool {
	cfg, err := config.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		e.fail("configuration", "rollcall init", "there is no %s", path)
		return false
	}
	if err != nil {
		for _, p := range config.Problems(err) {
			e.fail("configuration", "mend that line; `rollcall config check` names every problem", "%s", p.Error())
		}
		return false
	}
	e.cfg = cfg
	wrong := config.Problems(cfg.Check())
	for _, p := range wrong {
		e.fail("configuration", "", "%s", p.Error())
	}
	for _, w := range cfg.Warnings(time.Now()) {
		e.warn("configuration", "", "%s", w)
	}
	if len(wrong) == 0 {
		e.ok("configuration", "%s, %s", path, plural(len(cfg.Sites), "site"))
	}
	return true
}

func (e *examination) key() {
	source := e.cfg.Store.Key
	_, err := secret.Load(source)
	path, isFile := strings.CutPrefix(source, "file:")
	switch {
	case err == nil:
		e.ok("master key", "%s", source)
	case isFile && errors.Is(err, fs.ErrNotExist):
		e.fail("master key", "rollcall init makes one in a new directory; for a ledger that exists, put its key back at "+path, "there is no key at %s", path)
	default:
		e.fail("master key", "", "%v", err) // the error says what to change
	}
}

// ledger opens the database, and makes none.
func (e *examination) ledger(ctx context.Context) {
	if path, isFile := strings.CutPrefix(e.cfg.Store.URL, "sqlite:"); isFile {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			e.room(path)
			return
		}
	}
	keys, err := secret.Load(e.cfg.Store.Key)
	if err != nil {
		return // reported as the key's
	}
	address, err := e.cfg.Store.Address()
	if err != nil {
		return // reported as the configuration's
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	store, err := ledger.Open(ctx, ledger.Options{URL: address.Reveal(), Keys: keys, Logger: slog.New(slog.DiscardHandler)})
	var busy *ledger.InUseError
	switch {
	case errors.As(err, &busy):
		e.ok("ledger", "%s is open in process %d", busy.Path, busy.PID)
	case err != nil:
		e.fail("ledger", "check [store] url, and that its key is the one that the ledger was made with", "%v", err)
	default:
		if err := store.Close(); err != nil {
			e.warn("ledger", "", "it did not close cleanly: %v", err)
			return
		}
		kind, _, _ := strings.Cut(address.Reveal(), ":") // the rest may hold a password
		e.ok("ledger", "the %s database opens", kind)
	}
}

// room looks for the nearest directory above path and whether it can be written to.
func (e *examination) room(path string) {
	dir := filepath.Dir(path)
	for {
		_, err := os.Stat(dir)
		if err == nil {
			break
		}
		if up := filepath.Dir(dir); up != dir && errors.Is(err, fs.ErrNotExist) {
			dir = up
			continue
		}
		e.fail("ledger", "check [store] url", "%s can't be made: %v", path, err)
		return
	}
	probe, err := os.CreateTemp(dir, ".rollcall-*")
	if err != nil {
		e.fail("ledger", "make "+dir+" writable, or change [store] url and [state] dir", "%s can't be made: %v", path, err)
		return
	}
	_, _ = probe.Close(), os.Remove(probe.Name())
	e.ok("ledger", "none yet, %s is made by the first run", relative(path))
}

// dated remembers the Date header of answers.
type dated struct {
	http.RoundTripper
	mu sync.Mutex
	at time.Time // the server's clock
	by time.Time // ours, half way through the call
}

func (d *dated) RoundTrip(r *http.Request) (*http.Response, error) {
	begin := time.Now()
	resp, err := d.RoundTripper.RoundTrip(r)
	if err == nil {
		if at, perr := http.ParseTime(resp.Header.Get("Date")); perr == nil {
			d.mu.Lock()
			d.at, d.by = at, begin.Add(time.Since(begin)/2)
			d.mu.Unlock()
		}
	}
	return resp, err
}

// taskManager lists one task, which changes nothing, and compares the clocks.
func (e *examination) taskManager(ctx context.Context) {
	key, err := e.cfg.Entity.APIKey.Resolve()
	if errors.Is(err, config.ErrUnset) {
		e.fail("task manager", "set [entity] api_key = \"env:ROLLCALL_API_KEY\" and that variable", "there is no API key")
		return
	}
	if err != nil {
		return // reported as the configuration's
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	clock := &dated{RoundTripper: transport}
	client, err := entity.New(entity.Options{
		BaseURL: e.cfg.Entity.BaseURL, Key: key, States: states(e.cfg.Entity.States), Timeout: reachTime,
		Transport: clock, UserAgent: userAgent(), ListLimitBytes: int64(e.cfg.Limits.ListMB) << 20,
	})
	if err != nil {
		e.fail("task manager", "check [entity]", "%v", err)
		return
	}
	list, err := client.List(ctx, 1)
	var auth *core.AuthError
	switch {
	case errors.As(err, &auth):
		e.fail("task manager", "ask its operator for a key, and put it where [entity] api_key says", "%v", err)
		return
	case err != nil:
		e.fail("task manager", "check [entity] base_url, and that this machine reaches it", "%v", err)
		return
	}
	waiting := "no task is waiting"
	if len(list.Tasks)+len(list.Unread) > 0 {
		waiting = "tasks are waiting"
	}
	e.ok("task manager", "%s takes the key, %s", e.cfg.Entity.BaseURL, waiting)
	for _, u := range list.Unread {
		e.warn("task manager", "ask its operator to mend the task", "task %s can't be read: %s", u.ID, u.Why)
	}
	e.clock(clock)
}

// clockSlack is how far two clocks may differ: one-time codes change every 30s.
const clockSlack = 15 * time.Second

func (e *examination) clock(d *dated) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at.IsZero() {
		e.ok("clock", "the task manager does not tell its time, so there is nothing to compare with")
		return
	}
	// The header has whole seconds.
	if off := d.by.Sub(d.at.Add(500 * time.Millisecond)).Round(time.Second); off > clockSlack || off < -clockSlack {
		e.warn("clock", "timedatectl set-ntp true", "this machine's clock is %s off the task manager's: one-time codes and quotas per day need the right time", off)
		return
	}
	e.ok("clock", "agrees with the task manager's")
}

// mailboxes reaches each server, and signs in nowhere.
func (e *examination) mailboxes(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(e.cfg.Mail.Boxes)) {
		check := "mail " + name
		box := e.cfg.Mail.Boxes[name]
		if err := reach(ctx, box.IMAP); err != nil {
			e.fail(check, fmt.Sprintf("check [mail.%q] imap, and that this machine may connect there", name), "%v", err)
			continue
		}
		e.ok(check, "%s answers", box.IMAP)
	}
}

// reach connects to an IMAP server, with TLS where it is spoken from the first byte.
func reach(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("%q is not an address", address)
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	port := u.Port()
	if port == "" {
		port = map[string]string{"imap": "143", "imaps": "993"}[u.Scheme]
	}
	at := net.JoinHostPort(u.Hostname(), port)
	var conn net.Conn
	if u.Scheme == "imaps" {
		conn, err = (&tls.Dialer{Config: &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}}).DialContext(ctx, "tcp", at)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", at)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return conn.Close()
}

// drivers loads every script and looks up every allowed site.
func (e *examination) drivers(ctx context.Context) {
	set, closeSet, err := authorSet(ctx, e.cfg)
	if err != nil {
		e.fail("drivers", "check [drivers] scripts and [[plugin]]", "%v", err)
		return
	}
	defer closeSet()
	problems := set.Problems()
	for _, p := range problems {
		e.fail("drivers", "rollcall driver check "+relative(p.Path), "%v", p.Err)
	}
	served := 0
	for _, domain := range slices.Sorted(maps.Keys(e.cfg.Sites)) {
		_, err := set.Lookup(domain)
		var none *core.NoBinding
		switch {
		case err == nil:
			served++
		case errors.As(err, &none) && none.Allowed && !e.cfg.Sites[domain].Expired(time.Now()):
			e.warn("sites", none.Command, "%s is allowed and does not run: %s", domain, none.Reason)
		}
	}
	if len(problems) == 0 {
		e.ok("drivers", "%s, %s can run", plural(len(set.Scripts()), "driver"), plural(served, "site"))
	}
	if served == 0 {
		e.warn("sites", "allow one: [sites.\"DOMAIN\"] allowed = \"owner\", \"contract\" or \"terms\"", "no site can run, so no task will be started")
	}
}

// browser starts Chromium as a run would and opens a blank page.
func (e *examination) browser(ctx context.Context) {
	b, err := openBench(ctx, e.cfg, e.cfg.Browser.Headless)
	switch {
	case errors.Is(err, browser.ErrNoChromium), errors.Is(err, browser.ErrNoSandbox):
		e.fail("browser", "", "%v", err) // the error says what to do
		return
	case err != nil:
		e.fail("browser", "run the program by hand to see why, or name another in [browser] path", "%v", err)
		return
	}
	defer func() {
		if err := b.close(); err != nil {
			e.warn("browser", "", "it did not end cleanly: %v", err)
		}
	}()
	_, release, err := b.session(core.Manifest{})(ctx, "http://127.0.0.1:9")
	if err != nil {
		e.fail("browser", "free memory, or name another program in [browser] path", "%v", err)
		return
	}
	release()
	program, shell := b.chromium.Program()
	sandbox := "in its sandbox"
	if !e.cfg.Browser.Sandbox {
		sandbox = "WITHOUT its sandbox"
		e.warn("browser", "set [browser] sandbox = true", "sites' code runs without Chromium's sandbox")
	}
	e.ok("browser", "%s starts %s", program, sandbox)
	if e.cfg.Browser.Headless && !shell && e.cfg.Browser.Path == "" {
		e.warn("headless", installShell, "%s", noShell)
	} else if shell {
		e.ok("headless", "the headless shell is used")
	}
}

// machine looks at memory, shared memory, fonts and other users.
func (e *examination) machine() {
	f := machine.Reader{}.Figures()
	chosen := chooseSlots(e.cfg.Browser.Slots, f)
	switch need := int64(chosen.N) * machine.PerSlot; {
	case f.Free == 0:
		e.warn("memory", "", "this system does not say how much memory is free")
	case !chosen.fixed:
		e.ok("memory", "%s: %s", plural(chosen.N, "slot"), chosen.Why)
	case need > f.Free:
		e.warn("memory", fmt.Sprintf("set [browser] slots = %d, or 0", max(f.Free/machine.PerSlot, 1)), "%d slots need about %d MB, %d MB are free", chosen.N, need>>20, f.Free>>20)
	default:
		e.ok("memory", "%d MB free for %s", f.Free>>20, plural(chosen.N, "slot"))
	}
	if size, known := sharedMemory(); known {
		if size < 256<<20 {
			e.warn("/dev/shm", "mount -o remount,size=512M /dev/shm; in a container: --shm-size=512m", "has %d MB; heavy pages need more and use the disk instead", size>>20)
		} else {
			e.ok("/dev/shm", "%d MB", size>>20)
		}
	}
	if n := fonts(); n == 0 {
		e.warn("fonts", "Debian: apt install fonts-dejavu-core, and fonts-noto-cjk for Chinese, Japanese and Korean", "no font is installed: text in pictures of pages is empty boxes")
	} else {
		e.ok("fonts", "%s", plural(n, "font file"))
	}
	if others := people(os.Geteuid()); len(others) > 0 {
		e.warn("other users", "run rollcall on a machine, or in a container, of its own", "%s can log in here: whoever connects to Chromium's DevTools port on this machine sees the pages", strings.Join(others, ", "))
	} else {
		e.ok("other users", "nobody else logs in here")
	}
}

// fonts counts font files, up to a hundred.
func fonts() int {
	dirs := []string{"/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts", "/Library/Fonts"}
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, filepath.Join(home, ".fonts"), filepath.Join(home, ".local/share/fonts"))
	}
	n := 0
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return fs.SkipDir // what can't be read holds no font for us
			case n >= 100:
				return fs.SkipAll
			case !d.IsDir() && slices.Contains([]string{".ttf", ".otf", ".ttc", ".pfb"}, strings.ToLower(filepath.Ext(path))):
				n++
			}
			return nil
		})
	}
	return n
}

// people are the users besides uid who can log in, by /etc/passwd.
func people(uid int) []string {
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	var out []string
	for scan := bufio.NewScanner(f); scan.Scan(); {
		part := strings.Split(scan.Text(), ":")
		if len(part) < 7 {
			continue
		}
		id, err := strconv.Atoi(part[2])
		shell := filepath.Base(part[6])
		if err == nil && id >= 1000 && id < 60000 && id != uid && shell != "nologin" && shell != "false" && shell != "" {
			out = append(out, part[0])
		}
	}
	return out
}
