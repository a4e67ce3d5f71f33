package realsites

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Options are the variants of a site. The zero value is the software with
// confirmation by mail where it has one, in English, without a captcha.
type Options struct {
	// Mail is the LMTP address, host:port, that takes the site's mail; without one
	// the site's mails fail to be sent.
	Mail string
	// Language is the software's own language code, "en" when empty. WordPress
	// from Debian's package speaks English only.
	Language string
	// Captcha asks a question at sign-up (MediaWiki). Its answer is CaptchaAnswer.
	Captcha bool
	// CaptchaLinks asks the question also when an edit adds a link (MediaWiki).
	CaptchaLinks bool
	// MailedPassword sends the first password by mail (DokuWiki).
	MailedPassword bool
	// Unconfirmed lets people edit without a confirmed e-mail address (MediaWiki).
	Unconfirmed bool
}

// The question that Captcha asks, and its answer.
const (
	CaptchaQuestion = "What is the last name of the person who wrote the first program?"
	CaptchaAnswer   = "lovelace"
)

// Site is a running site.
type Site struct {
	Name   string // dokuwiki, mediawiki or wordpress: also the name of its driver
	Domain string // the domain that tasks name
	URL    string // address of the site, no trailing slash
	Dir    string // its state; removed by Stop

	keeper  *keeper
	server  *process
	user    *account
	data    func(ctx context.Context, username string) (int, error)
	profile func(username string) string
	stop    func() error
}

// Stop ends the site's processes and removes its directory. Calling it again does nothing.
func (s *Site) Stop() error { return s.stop() }

// AccountCount is how many accounts the site's own data holds under the name.
func (s *Site) AccountCount(ctx context.Context, username string) (int, error) {
	n, err := s.data(ctx, username)
	if err != nil {
		return 0, fmt.Errorf("%s: count the accounts named %s: %w", s.Name, username, err)
	}
	return n, nil
}

// ProfileURL is the address of the account's public page.
func (s *Site) ProfileURL(username string) string { return s.profile(username) }

// PublicPage reads the account's public page as a stranger does: without cookies,
// and without following a redirect.
func (s *Site) PublicPage(ctx context.Context, username string) (Page, error) {
	return s.Get(ctx, s.ProfileURL(username))
}

// Page is an answer of a site.
type Page struct {
	URL    string
	Status int
	HTML   string
}

// Get reads an address of the site as a stranger does.
func (s *Site) Get(ctx context.Context, address string) (Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Page{}, err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return Page{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return Page{address, resp.StatusCode, string(body)}, err
}

// Posts are the paths, with their queries, of the POST requests that have reached
// the site's software, oldest first. A request is among them before it is answered.
func (s *Site) Posts() ([]string, error) {
	file, err := os.ReadFile(filepath.Join(s.Dir, "posts"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(file)), err
}

// Log is the last lines that the site's web server wrote.
func (s *Site) Log() string { return s.server.tail() }

// setup is what the three sites have in common while they start.
type setup struct {
	*Site
	opts Options
	ini  []string // settings of PHP, name=value
	env  []string
}

// begin makes the site's directory below dir, its watch, and its address.
func begin(name, domain, dir string, o Options, files ...string) (*setup, error) {
	if err := installed(files...); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	user, err := unprivileged()
	if err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp(dir, name+"-")
	if err != nil {
		return nil, err
	}
	k, err := watch(root)
	if err != nil {
		os.RemoveAll(root)
		return nil, err
	}
	s := &Site{Name: name, Domain: domain, Dir: root, keeper: k, user: user, stop: sync.OnceValue(k.close)}
	port, err := freePort()
	if err == nil {
		s.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
		err = user.own(root)
	}
	if err == nil {
		err = user.enters(root)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), s.stop())
	}
	b := &setup{Site: s, opts: o}
	b.env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + root, "TMPDIR=" + root, "LC_ALL=C.UTF-8", "PHP_CLI_SERVER_WORKERS=3"}
	if err := errors.Join(b.mail(), b.prepend("")); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), s.stop())
	}
	return b, nil
}

// mail has PHP hand the site's mails to msmtp, and msmtp to the LMTP server.
func (b *setup) mail() error {
	b.ini = append(b.ini, "opcache.enable_cli=1", "opcache.file_update_protection=0", "display_errors=0", "log_errors=1", "session.save_path="+b.Dir, "auto_prepend_file="+b.Dir+"/prepend.php", "sys_temp_dir="+b.Dir, "upload_tmp_dir="+b.Dir)
	if b.opts.Mail == "" {
		b.ini = append(b.ini, "sendmail_path=/bin/false")
		return nil
	}
	host, port, err := net.SplitHostPort(b.opts.Mail)
	if err != nil {
		return fmt.Errorf("Options.Mail: %w", err)
	}
	rc := filepath.Join(b.Dir, "msmtprc")
	b.ini = append(b.ini, "sendmail_path=msmtp -C "+rc+" -t")
	return b.write("msmtprc", fmt.Sprintf("defaults\naccount default\nhost %s\nport %s\nprotocol lmtp\nauth off\ntls off\nfrom site@%s\nallow_from_override off\n", host, port, b.Domain), 0o600)
}

// prepend has PHP run the code before every script, after what counts the posts.
func (b *setup) prepend(code string) error {
	return b.write("prepend.php", fmt.Sprintf(`<?php
if (($_SERVER['REQUEST_METHOD'] ?? '') === 'POST') file_put_contents(%s, $_SERVER['REQUEST_URI'] . "\n", FILE_APPEND | LOCK_EX);
%s`, quotePHP(b.Dir+"/posts"), code), 0o644)
}

// write makes a file of the site's directory, owned by the site's user.
func (b *setup) write(name, content string, mode os.FileMode) error {
	path := filepath.Join(b.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		return err
	}
	return b.user.own(path)
}

// mkdir makes directories of the site's directory, owned by the site's user.
func (b *setup) mkdir(names ...string) error {
	for _, n := range names {
		path := filepath.Join(b.Dir, n)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		if err := b.user.own(path); err != nil {
			return err
		}
	}
	return nil
}

// run runs a program to its end as the site's user and returns what it printed.
func (b *setup) run(ctx context.Context, name string, args ...string) (string, error) {
	return b.Site.run(ctx, b.env, name, args...)
}

func (s *Site) run(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = s.Dir, env, s.user.attr()
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	cmd.WaitDelay = time.Second
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		return "", err
	}
	s.keeper.add(cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		said := strings.TrimSpace(errs.String() + "\n" + out.String())
		if len(said) > 2000 {
			said = said[len(said)-2000:]
		}
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(name), cmp.Or(context.Cause(ctx), err), said)
	}
	return out.String(), nil
}

// php runs PHP with the site's settings.
func (b *setup) php(ctx context.Context, args ...string) (string, error) {
	return b.run(ctx, "php", append(b.settings(), args...)...)
}

func (b *setup) settings() []string {
	var out []string
	for _, i := range b.ini {
		out = append(out, "-d", i)
	}
	return out
}

// serve starts PHP's web server on the document root.
func (b *setup) serve(ctx context.Context, root string) error {
	args := append(b.settings(), "-S", strings.TrimPrefix(b.URL, "http://"), "-t", root)
	var err error
	b.server, err = b.start(ctx, ") started", "php", args...)
	return err
}

// script returns a function that runs PHP code with the argument and reads the
// number that it prints.
func (b *setup) count(code string) func(ctx context.Context, arg string) (int, error) {
	return func(ctx context.Context, arg string) (int, error) {
		out, err := b.php(ctx, "-r", code, "--", arg)
		if err != nil {
			return 0, err
		}
		var n int
		if _, err := fmt.Sscanf(out, "%d", &n); err != nil {
			return 0, fmt.Errorf("it printed %q", out)
		}
		return n, nil
	}
}

// done is the site, or the error after everything has been stopped.
func (b *setup) done(err error) (*Site, error) {
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", b.Name, err), b.stop())
	}
	return b.Site, nil
}

// installed reports what is missing of files and of the programs that every site needs.
func installed(files ...string) error {
	var missing []string
	for _, f := range files {
		if _, err := os.Stat(f); err != nil {
			missing = append(missing, f)
		}
	}
	for _, p := range []string{"php", "msmtp"} {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not installed: %s; run: .ci/setup sites mail", strings.Join(missing, ", "))
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
