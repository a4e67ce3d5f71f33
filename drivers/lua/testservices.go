package lua

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/rollcall-run/rollcall/core"
)

// testServices plays the runner for one test.
type testServices struct {
	test   Test
	task   core.Task
	expand func(string) string
	files  fs.FS
	dir    string // of the test's files
	temp   string // for images

	mu       sync.Mutex
	commits  int
	answers  int // of people, given so far
	enrolled core.Value
	lines    []string
}

var _ core.Services = (*testServices)(nil)

func (s *testServices) Commit(_ context.Context, _ string, _ core.Facts) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.test.Phase != core.Register {
		return core.ErrNoCommit
	}
	if s.commits > 0 {
		return core.ErrCommitted
	}
	s.commits++
	return nil
}

func (s *testServices) Committed(context.Context, string) error { return nil }

var addresses = regexp.MustCompile(`https?://[^\s"'<>]+`)

// Mail finds the first message of the test that the query fits.
func (s *testServices) Mail(_ context.Context, q core.MailQuery) (core.MailMessage, error) {
	for _, m := range s.test.Mail {
		body := s.expand(m.Body)
		if !strings.Contains(m.From, q.From) || !strings.Contains(m.Subject, q.Subject) {
			continue
		}
		msg := core.MailMessage{Text: core.Secret(body), From: m.From, Subject: m.Subject}
		link, code := s.expand(m.Link), m.Code
		if link == "" {
			for _, a := range addresses.FindAllString(body, -1) {
				a = strings.TrimRight(a, ".,;)")
				ok := true
				for _, part := range q.Link {
					ok = ok && strings.Contains(a, part)
				}
				if ok {
					link = a
					break
				}
			}
		}
		if code == "" && q.Code != "" {
			pattern := q.Code
			if n, err := strconv.Atoi(q.Code); err == nil {
				pattern = fmt.Sprintf(`(?:^|\D)(\d{%d})(?:\D|$)`, n)
			}
			re, err := regexp.Compile(pattern)
			if err != nil {
				return core.MailMessage{}, fmt.Errorf("mail.wait: the code's pattern: %w", err)
			}
			if found := re.FindStringSubmatch(body); found != nil {
				code = found[len(found)-1]
			}
		}
		if (len(q.Link) > 0 || q.AnyLink) && link == "" || q.Code != "" && code == "" {
			continue
		}
		msg.Link, msg.Code = core.Secret(link), core.Secret(code)
		return msg, nil
	}
	return core.MailMessage{}, core.ErrNotYet
}

// testTOTP is the code of every enrolled secret.
const testTOTP = "123456"

func (s *testServices) TOTP(context.Context) (core.Value, error) { return core.Secret(testTOTP), nil }

func (s *testServices) EnrolTOTP(_ context.Context, secret core.Value) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enrolled = secret
	return nil
}

// Asset writes the test's image into a file; a test that names none gets a small one.
func (s *testServices) Asset(_ context.Context, name string, _ core.Fit) (string, error) {
	list := s.task.Entity.Avatars
	if name == FieldCover {
		list = s.task.Entity.Covers
	}
	if len(list) == 0 {
		return "", core.ErrNoAsset
	}
	var data []byte
	file := name + ".png"
	if s.files != nil && !strings.Contains(list[0], "://") {
		var err error
		if data, err = fs.ReadFile(s.files, path.Join(s.dir, list[0])); err != nil {
			return "", err
		}
		file = path.Base(list[0])
	} else {
		img := image.NewRGBA(image.Rect(0, 0, 64, 64))
		for i := range 64 * 64 {
			img.Set(i%64, i/64, color.RGBA{uint8(i), 90, 160, 255})
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			return "", err
		}
		data = b.Bytes()
	}
	to := filepath.Join(s.temp, file)
	return to, os.WriteFile(to, data, 0o644)
}

// Human gives the test's answers in turn; after the last one nobody is there.
func (s *testServices) Human(_ context.Context, ask core.Ask) (core.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answers >= len(s.test.Human) {
		return core.Answer{}, core.ErrAway
	}
	a := s.test.Human[s.answers]
	s.answers++
	if a == "skip" {
		return core.Answer{}, core.ErrAway
	}
	return core.Answer{Text: core.Secret(a), By: "test"}, nil
}

func (s *testServices) Log(_ context.Context, level slog.Level, msg string, args ...any) {
	if level < slog.LevelInfo {
		return
	}
	var b strings.Builder
	b.WriteString(msg)
	for i := 0; i+1 < len(args); i += 2 {
		fmt.Fprintf(&b, " %v=%v", args[i], args[i+1])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, b.String())
}

func (s *testServices) Shot(context.Context, string) error { return nil }
