package sandbox

import (
	"cmp"
	"html/template"
	"io"
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// board is the plain site: a sign-up form, a profile form, a public page.
func (s *Site) board() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.boardHome)
	mux.HandleFunc("GET /register", s.boardRegister)
	mux.HandleFunc("POST /register", s.boardRegisterPost)
	mux.HandleFunc("GET /terms", func(w http.ResponseWriter, r *http.Request) { s.boardPage(w, r, 200, "board-terms", nil) })
	mux.HandleFunc("GET /welcome", func(w http.ResponseWriter, r *http.Request) { s.boardPage(w, r, 200, "board-welcome", nil) })
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) { s.boardPage(w, r, 200, "board-login", &form{}) })
	mux.HandleFunc("POST /login", s.boardLogin)
	mux.HandleFunc("POST /logout", s.logout("/"))
	mux.HandleFunc("GET /settings/profile", s.boardSettings)
	mux.HandleFunc("POST /settings/profile", s.boardSave)
	mux.HandleFunc("GET /u/{name}", s.boardMember)
	mux.HandleFunc("GET /avatar/{name}", s.avatar)
	mux.HandleFunc("GET /static/{file}", s.static)
	return mux
}

// form is a form that came back: what was typed, and what was wrong with it.
type form struct {
	Values url.Values
	Errors []string
	Notice string
}

func (f *form) Value(name string) string { return f.Values.Get(name) }

type boardData struct {
	Site   *Site
	CSRF   string
	Member *Account
	Form   *form
	Who    *Account // whose public page it is
	Terms  bool
	Heavy  bool
	Count  int
}

func (s *Site) boardPage(w http.ResponseWriter, r *http.Request, status int, name string, f *form) {
	ss := s.session(w, r)
	s.boardRender(w, ss, status, name, f, nil)
}

func (s *Site) boardRender(w http.ResponseWriter, ss *session, status int, name string, f *form, who *Account) {
	s.mu.Lock()
	d := boardData{Site: s, CSRF: ss.csrf, Form: f, Who: who, Terms: s.options.Terms, Heavy: s.options.Weight > 0, Count: len(s.accounts)}
	if ss.member != nil {
		m := ss.member.clone()
		d.Member = &m
	}
	s.mu.Unlock()
	if d.Form == nil {
		d.Form = &form{}
	}
	s.page(w, status, name, d)
}

func (s *Site) boardHome(w http.ResponseWriter, r *http.Request) {
	s.boardPage(w, r, 200, "board-home", nil)
}

func (s *Site) boardRegister(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	if s.member(ss) != nil {
		http.Redirect(w, r, "/settings/profile", http.StatusSeeOther)
		return
	}
	s.boardRender(w, ss, 200, "board-register", nil, nil)
}

var (
	boardName   = regexp.MustCompile(`^[A-Za-z0-9_]{3,20}$`)
	guardedName = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
)

func (s *Site) boardRegisterPost(w http.ResponseWriter, r *http.Request) {
	index, fault := s.arrive(w, r)
	ss := s.session(w, r)
	if err := r.ParseForm(); err != nil || r.PostForm.Get("csrf_token") != ss.csrf {
		forged(w)
		return
	}
	f := &form{Values: r.PostForm}
	name, email, password := strings.TrimSpace(f.Value("username")), strings.TrimSpace(f.Value("email")), f.Value("password")
	if !boardName.MatchString(name) {
		f.Errors = append(f.Errors, "Usernames have 3 to 20 letters, digits or underscores.")
	}
	if !looksLikeMail(email) {
		f.Errors = append(f.Errors, s.wording(RefuseInvalid))
	}
	if !strong(password) {
		f.Errors = append(f.Errors, s.wording(RefuseWeak))
	} else if password != f.Value("password_repeat") {
		f.Errors = append(f.Errors, "The two passwords do not match.")
	}
	if s.options.Terms && f.Value("agree") == "" {
		f.Errors = append(f.Errors, "You must accept the terms of use.")
	}
	if len(f.Errors) == 0 {
		a, why, answer := s.commit(w, r, index, fault, func() (*Account, string) {
			if s.findLocked(name) != nil {
				return nil, s.wording(RefuseTaken)
			}
			if s.findLocked(email) != nil {
				return nil, "That email address is already in use."
			}
			return s.createLocked(Account{
				Username: name, Email: email, Password: password, Name: cmp.Or(strings.TrimSpace(f.Value("full_name")), name), Confirmed: true,
				Profile: map[string]string{"location": f.Value("location")},
			}), ""
		})
		if !answer {
			return
		}
		if a != nil {
			s.signIn(w, r, a)
			http.Redirect(w, r, "/welcome", http.StatusSeeOther)
			return
		}
		f.Errors = append(f.Errors, why)
	}
	s.boardRender(w, ss, http.StatusOK, "board-register", f, nil)
}

func (s *Site) boardLogin(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	if err := r.ParseForm(); err != nil || r.PostForm.Get("csrf_token") != ss.csrf {
		forged(w)
		return
	}
	f := &form{Values: r.PostForm}
	if a := s.authenticate(f.Value("login"), f.Value("password")); a != nil {
		s.signIn(w, r, a)
		http.Redirect(w, r, "/settings/profile", http.StatusSeeOther)
		return
	}
	f.Errors = []string{"Wrong username or password."}
	s.boardRender(w, ss, http.StatusOK, "board-login", f, nil)
}

// authenticate returns the member whose name or e-mail and password these are.
func (s *Site) authenticate(name, password string) *Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.findLocked(strings.TrimSpace(name)); a != nil && a.Password == password {
		return a
	}
	return nil
}

func (s *Site) logout(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ss := s.session(w, r)
		if err := r.ParseForm(); err != nil || r.PostForm.Get("csrf_token") != ss.csrf {
			forged(w)
			return
		}
		s.mu.Lock()
		delete(s.sessions, ss.id)
		s.mu.Unlock()
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
}

// boardSettings shows the profile form. Its "Saved" notice stays from the last
// save, as on pages that keep their last message.
func (s *Site) boardSettings(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	a := s.member(ss)
	if a == nil {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	s.mu.Lock()
	f := &form{Values: url.Values{}}
	for k, v := range a.Profile {
		f.Values.Set(k, v)
	}
	if a.Saves > 0 {
		f.Notice = "Your profile has been saved."
	}
	s.mu.Unlock()
	s.boardRender(w, ss, 200, "board-settings", f, nil)
}

func (s *Site) boardSave(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	a := s.member(ss)
	if a == nil {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 4<<20)
	if err := parseAnyForm(r); err != nil || r.PostForm.Get("csrf_token") != ss.csrf {
		forged(w)
		return
	}
	f := &form{Values: r.PostForm}
	if utf8.RuneCountInString(strings.ReplaceAll(f.Value("bio"), "\r\n", "\n")) > 500 {
		f.Errors = append(f.Errors, "The bio is limited to 500 characters.")
	}
	if utf8.RuneCountInString(f.Value("signature")) > 1000 {
		f.Errors = append(f.Errors, "The signature is limited to 1000 characters.")
	}
	if v := f.Value("website"); v != "" && !webAddress(v) {
		f.Errors = append(f.Errors, "The website must start with http:// or https://.")
	}
	avatar, why := uploaded(r, "avatar", 100_000)
	if why != "" {
		f.Errors = append(f.Errors, why)
	}
	if len(f.Errors) > 0 {
		s.boardRender(w, ss, http.StatusOK, "board-settings", f, nil)
		return
	}
	s.change(func() {
		for _, k := range []string{"bio", "website", "location", "signature"} {
			a.Profile[k] = strings.ReplaceAll(f.Value(k), "\r\n", "\n")
		}
		if avatar.data != nil {
			a.Avatar, a.AvatarType = avatar.data, avatar.kind
		}
		a.Saves++
	})
	http.Redirect(w, r, "/settings/profile", http.StatusSeeOther)
}

func (s *Site) boardMember(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	who, ok := s.Account(r.PathValue("name"))
	if !ok {
		s.boardRender(w, ss, http.StatusNotFound, "board-nobody", nil, nil)
		return
	}
	s.boardRender(w, ss, 200, "board-member", nil, &who)
}

func (s *Site) avatar(w http.ResponseWriter, r *http.Request) {
	a, ok := s.Account(r.PathValue("name"))
	if !ok || a.Avatar == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.AvatarType)
	w.Header().Set("Cache-Control", "no-store")
	w.Write(a.Avatar)
}

type image struct {
	kind string
	data []byte
}

// uploaded reads an optional picture; why says what is wrong with it.
func uploaded(r *http.Request, field string, most int64) (img image, why string) {
	if r.MultipartForm == nil {
		return image{}, ""
	}
	file, head, err := r.FormFile(field)
	if err != nil || head.Size == 0 {
		return image{}, ""
	}
	defer file.Close()
	if head.Size > most {
		return image{}, "The picture is too large: at most 100 kB."
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return image{}, "The picture did not arrive."
	}
	kind := http.DetectContentType(data)
	if kind != "image/png" && kind != "image/jpeg" && kind != "image/gif" {
		return image{}, "The picture must be a PNG, JPEG or GIF."
	}
	return image{kind: kind, data: data}, ""
}

func parseAnyForm(r *http.Request) error {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		return r.ParseMultipartForm(4 << 20)
	}
	return r.ParseForm()
}

func looksLikeMail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && strings.Contains(s[strings.LastIndex(s, "@"):], ".")
}

func strong(password string) bool {
	return utf8.RuneCountInString(password) >= 8 && strings.ContainsFunc(password, unicode.IsLetter) && strings.ContainsFunc(password, unicode.IsDigit)
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

var pageFuncs = template.FuncMap{
	"bbcode":     bbcode,
	"markdown":   markdown,
	"paragraphs": func(s string) []string { return strings.Split(strings.TrimSpace(s), "\n\n") },
}
