package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/examples/bench/job"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

const (
	pageWeight = 60_000 // bytes of script, style sheet and picture beside each page
	avatarSide = 81     // pixels; coloured noise of that size is a PNG of about 20 kB
)

// site is the sandbox's board for one run: its people, what it saw of them and
// whether it shows them rightly in the end.
type site struct {
	box     *sandbox.Sandbox
	avatars *http.Server
	people  []job.Task
	tasks   []sandbox.Task
	bytes   map[string][]byte // of the avatars, by username

	mu     sync.Mutex
	opened map[string]time.Time // first GET of the sign-up page, by its cookie
	visits map[string]visit     // by username
}

// visit is a task as the site sees it: from the first request for the sign-up
// page to the answer to the last one for the public profile.
type visit struct{ begin, end time.Time }

// open serves a fresh site for n people, whose avatars are kept in dir.
func open(ctx context.Context, dir string, n int) (*site, error) {
	s := &site{bytes: map[string][]byte{}, opened: map[string]time.Time{}, visits: map[string]visit{}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	for i := range n {
		user := fmt.Sprintf("bench%05d", i)
		s.bytes[user] = noise(uint64(i))
		file := filepath.Join(dir, user+".png")
		if err := os.WriteFile(file, s.bytes[user], 0o644); err != nil {
			return nil, errors.Join(err, ln.Close())
		}
		p := job.Task{
			Username: user, Email: user + "@mail.sandbox.test", Password: "Bench-word-" + user, FullName: "Ada Kowalska", Location: "Łódź",
			Bio:     user + " writes about kites, gardens and old radios, mends what others throw away, and shows it on Sundays.",
			Website: "https://example.com/" + user, Avatar: file,
		}
		p.Signature = "[url]" + p.Website + "[/url]"
		s.people = append(s.people, p)
		first, last, _ := strings.Cut(p.FullName, " ")
		s.tasks = append(s.tasks, sandbox.Task{
			ID: fmt.Sprintf("b%05d", i), Domain: sandbox.BoardDomain, Email: p.Email, Username: user, Password: p.Password,
			FirstName: first, LastName: last, Location: p.Location, About: "<p>" + p.Bio + "</p>", Website: p.Website,
			AvatarURL: "http://" + ln.Addr().String() + "/" + user + ".png",
		})
	}
	s.avatars = &http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: 30 * time.Second}
	go s.avatars.Serve(ln)
	if s.box, err = sandbox.Start(ctx, sandbox.Options{Weight: pageWeight, Around: s.watch}); err != nil {
		return nil, errors.Join(err, s.avatars.Close())
	}
	return s, nil
}

func (s *site) close() error { return errors.Join(s.box.Close(), s.avatars.Close()) }

// watch notes when whose sign-up page was asked for first, and whose public
// profile was answered last.
func (s *site) watch(board http.Handler) http.Handler {
	const cookie = "board_session"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came := time.Now()
		board.ServeHTTP(w, r)
		s.mu.Lock()
		defer s.mu.Unlock()
		name, profile := strings.CutPrefix(r.URL.Path, "/u/")
		switch {
		case r.URL.Path == "/register" && r.Method == http.MethodGet:
			id := ""
			if c, err := r.Cookie(cookie); err == nil {
				id = c.Value
			} else if set, err := http.ParseSetCookie(w.Header().Get("Set-Cookie")); err == nil {
				id = set.Value
			}
			if _, again := s.opened[id]; !again {
				s.opened[id] = came
			}
		case r.URL.Path == "/register" && w.Header().Get("Location") == "/welcome":
			if c, err := r.Cookie(cookie); err == nil {
				s.visits[r.PostForm.Get("username")] = visit{begin: s.opened[c.Value]}
			}
		case profile:
			v := s.visits[name]
			v.end = time.Now()
			s.visits[name] = v
		}
	})
}

// check says whose account is wrong, doubled or missing.
func (s *site) check() error {
	var errs []error
	if have := len(s.box.Board.Accounts()); have != len(s.people) {
		errs = append(errs, fmt.Errorf("the site has %d accounts, not %d", have, len(s.people)))
	}
	for _, p := range s.people {
		a, ok := s.box.Board.Account(p.Username)
		if !ok {
			errs = append(errs, fmt.Errorf("%s has no account", p.Username))
			continue
		}
		for _, f := range []struct{ name, have, want string }{
			{"e-mail", a.Email, p.Email}, {"password", a.Password, p.Password}, {"name", a.Name, p.FullName}, {"location", a.Profile["location"], p.Location},
			{"bio", a.Profile["bio"], p.Bio}, {"website", a.Profile["website"], p.Website}, {"signature", a.Profile["signature"], p.Signature},
		} {
			if f.have != f.want {
				errs = append(errs, fmt.Errorf("%s has the wrong %s: %.80q, not %.80q", p.Username, f.name, f.have, f.want))
			}
		}
		if !samePicture(a.Avatar, s.bytes[p.Username]) {
			errs = append(errs, fmt.Errorf("%s has the wrong avatar (%d bytes)", p.Username, len(a.Avatar)))
		}
		if v := s.visit(p.Username); v.begin.IsZero() || !v.end.After(v.begin) {
			errs = append(errs, fmt.Errorf("%s: the public profile was not read after the sign-up", p.Username))
		}
	}
	return errors.Join(errs...)
}

func (s *site) visit(username string) visit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.visits[username]
}

// span is the time from the first request of all to the last answer, and how
// long each visit took.
func (s *site) span() (first, last time.Time, each []time.Duration) {
	for _, p := range s.people {
		v := s.visit(p.Username)
		each = append(each, v.end.Sub(v.begin))
		if first.IsZero() || v.begin.Before(first) {
			first = v.begin
		}
		if v.end.After(last) {
			last = v.end
		}
	}
	return first, last, each
}

// noise is a PNG that does not compress, the same for the same seed.
func noise(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 20_000))
	img := image.NewNRGBA(image.Rect(0, 0, avatarSide, avatarSide))
	for i := range img.Pix {
		img.Pix[i] = uint8(r.IntN(256))
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic("encoding a picture in memory: " + err.Error())
	}
	return b.Bytes()
}

// samePicture compares what two PNGs show: rollcall writes pictures anew, so
// that nothing but their pixels reaches a site.
func samePicture(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, err := png.Decode(bytes.NewReader(a))
	if err != nil {
		return false
	}
	y, err := png.Decode(bytes.NewReader(b))
	if err != nil || x.Bounds() != y.Bounds() {
		return false
	}
	for row := x.Bounds().Min.Y; row < x.Bounds().Max.Y; row++ {
		for col := x.Bounds().Min.X; col < x.Bounds().Max.X; col++ {
			if x.At(col, row) != y.At(col, row) {
				return false
			}
		}
	}
	return true
}
