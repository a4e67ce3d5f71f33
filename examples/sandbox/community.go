package sandbox

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// community is the mail-confirmed site, in Vietnamese: sign-up, a link by mail,
// sign-in, a profile in Markdown and a list of links.
func (s *Site) community() http.Handler {
	mux := http.NewServeMux()
	show := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { s.boardPage(w, r, 200, name, nil) }
	}
	mux.HandleFunc("GET /{$}", show("community-home"))
	mux.HandleFunc("GET /dang-ky", show("community-join"))
	mux.HandleFunc("POST /dang-ky", s.communityJoin)
	mux.HandleFunc("GET /dang-ky/kiem-tra-hop-thu", show("community-sent"))
	mux.HandleFunc("GET /xac-nhan", s.communityConfirm)
	mux.HandleFunc("GET /dang-nhap", show("community-login"))
	mux.HandleFunc("POST /dang-nhap", s.communityLogin)
	mux.HandleFunc("POST /dang-xuat", s.logout("/"))
	mux.HandleFunc("GET /tai-khoan/ho-so", s.communityProfile)
	mux.HandleFunc("POST /tai-khoan/ho-so", s.communitySave)
	mux.HandleFunc("POST /tai-khoan/lien-ket", s.communityLink)
	mux.HandleFunc("GET /thanh-vien/{name}", func(w http.ResponseWriter, r *http.Request) {
		ss := s.session(w, r)
		if who, ok := s.Account(r.PathValue("name")); ok && who.Confirmed {
			s.boardRender(w, ss, 200, "community-member", nil, &who)
			return
		}
		s.boardRender(w, ss, http.StatusNotFound, "community-nobody", nil, nil)
	})
	mux.HandleFunc("GET /static/{file}", s.static)
	return mux
}

func (s *Site) communityJoin(w http.ResponseWriter, r *http.Request) {
	index, fault := s.arrive(w, r)
	ss := s.session(w, r)
	if err := r.ParseForm(); err != nil || r.PostForm.Get("ma_bao_ve") != ss.csrf {
		forged(w)
		return
	}
	f := &form{Values: r.PostForm}
	name, email := strings.TrimSpace(f.Value("ho_ten")), strings.TrimSpace(f.Value("email"))
	if utf8.RuneCountInString(name) < 2 {
		f.Errors = append(f.Errors, "Hãy nhập họ và tên.")
	}
	if !looksLikeMail(email) {
		f.Errors = append(f.Errors, s.wording(RefuseInvalid))
	}
	if !strong(f.Value("mat_khau")) {
		f.Errors = append(f.Errors, "Mật khẩu quá yếu: cần ít nhất 8 ký tự, có chữ và số.")
	}
	if len(f.Errors) == 0 {
		a, why, answer := s.commit(w, r, index, fault, func() (*Account, string) {
			if s.findLocked(email) != nil {
				return nil, s.wording(RefuseTaken)
			}
			handle := slug(name)
			for n := 2; s.findLocked(handle) != nil; n++ {
				handle = fmt.Sprintf("%s-%d", slug(name), n)
			}
			return s.createLocked(Account{Username: handle, Name: name, Email: email, Password: f.Value("mat_khau")}), ""
		})
		if !answer {
			return
		}
		if a != nil {
			http.Redirect(w, r, "/dang-ky/kiem-tra-hop-thu", http.StatusSeeOther)
			return
		}
		f.Errors = append(f.Errors, why)
	}
	s.boardRender(w, ss, http.StatusUnprocessableEntity, "community-join", f, nil)
}

// slug is a name as it stands in an address: ASCII, lower case, hyphens.
func slug(name string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(name)) {
		switch {
		case r == 'đ':
			b.WriteByte('d')
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case !unicode.Is(unicode.Mn, r) && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	if out := strings.Trim(b.String(), "-"); out != "" {
		return out
	}
	return "thanh-vien"
}

// sendConfirmation sends the mail with the link, late or twice where asked to.
func (sb *Sandbox) sendConfirmation(a Account, base string) {
	s := sb.Community
	send := func() {
		times := 1
		if sb.options.MailTwice {
			times = 2
		}
		for range times {
			token := s.tokens.next()
			s.change(func() { s.words[token] = a.Email })
			link := base + "/xac-nhan?" + url.Values{"ma": {token}, "email": {a.Email}}.Encode()
			text := "Chào " + a.Name + ",\n\nHãy mở liên kết sau để xác nhận tài khoản của bạn:\n" + link + "\n\nNếu bạn không đăng ký, hãy bỏ qua thư này.\n"
			html := `<!doctype html><html lang="vi"><body style="font-family:sans-serif"><p>Chào ` + template.HTMLEscapeString(a.Name) +
				`,</p><p>Cảm ơn bạn đã tham gia. Hãy bấm vào nút dưới đây để xác nhận tài khoản.</p><p><a href="` + template.HTMLEscapeString(link) +
				`" style="background:#8a3b12;color:#fff;padding:8px 16px">Xác nhận tài khoản</a></p><p><a href="` + template.HTMLEscapeString(base) + `/">Cộng đồng</a></p></body></html>`
			if sb.options.MailHTMLOnly {
				text = ""
			}
			if err := sb.Mail.Deliver(a.Email, "Cộng đồng <khong-tra-loi@community.sandbox.test>", "Xác nhận tài khoản của bạn", html, text); err != nil {
				sb.options.Logger.Error("the confirmation was not delivered", "err", err)
			}
		}
	}
	if sb.options.MailDelay <= 0 {
		send()
		return
	}
	stop := sb.options.Clock.AfterFunc(sb.options.MailDelay, send)
	s.mu.Lock()
	s.stops = append(s.stops, stop)
	s.mu.Unlock()
}

// communityConfirm follows the link of the mail. A link works once.
func (s *Site) communityConfirm(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	s.mu.Lock()
	email, fresh := s.words[r.URL.Query().Get("ma")]
	a := s.findLocked(email)
	fresh = fresh && a != nil && !a.Confirmed
	if fresh {
		a.Confirmed = true
	}
	s.mu.Unlock()
	if !fresh {
		s.boardRender(w, ss, http.StatusGone, "community-used", nil, nil)
		return
	}
	s.sig.changed()
	s.boardRender(w, ss, 200, "community-confirmed", nil, nil)
}

func (s *Site) communityLogin(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	if err := r.ParseForm(); err != nil || r.PostForm.Get("ma_bao_ve") != ss.csrf {
		forged(w)
		return
	}
	f := &form{Values: r.PostForm}
	a := s.authenticate(f.Value("email"), f.Value("mat_khau"))
	switch {
	case a == nil:
		f.Errors = []string{"Email hoặc mật khẩu không đúng."}
	case !s.confirmed(a):
		f.Errors = []string{"Tài khoản chưa được xác nhận. Hãy bấm vào liên kết trong thư chúng tôi đã gửi."}
	default:
		s.signIn(w, r, a)
		http.Redirect(w, r, "/tai-khoan/ho-so", http.StatusSeeOther)
		return
	}
	s.boardRender(w, ss, http.StatusUnauthorized, "community-login", f, nil)
}

func (s *Site) confirmed(a *Account) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.Confirmed
}

func (s *Site) communityProfile(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	a := s.member(ss)
	if a == nil {
		http.Redirect(w, r, "/dang-nhap", http.StatusSeeOther)
		return
	}
	s.mu.Lock()
	f := &form{Values: url.Values{"gioi_thieu": {a.Profile["about"]}, "website": {a.Profile["website"]}}}
	s.mu.Unlock()
	if r.URL.Query().Get("da-luu") != "" {
		f.Notice = "Đã lưu hồ sơ."
	}
	s.boardRender(w, ss, 200, "community-profile", f, nil)
}

func (s *Site) communitySave(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	a := s.member(ss)
	if err := r.ParseForm(); err != nil || a == nil || r.PostForm.Get("ma_bao_ve") != ss.csrf {
		forged(w)
		return
	}
	f := &form{Values: r.PostForm}
	about := strings.ReplaceAll(f.Value("gioi_thieu"), "\r\n", "\n")
	if utf8.RuneCountInString(about) > 1000 {
		f.Errors = append(f.Errors, "Phần giới thiệu tối đa 1000 ký tự.")
	}
	if v := f.Value("website"); v != "" && !webAddress(v) {
		f.Errors = append(f.Errors, "Địa chỉ trang web phải bắt đầu bằng http:// hoặc https://.")
	}
	if len(f.Errors) > 0 {
		s.boardRender(w, ss, http.StatusUnprocessableEntity, "community-profile", f, nil)
		return
	}
	s.change(func() {
		a.Profile["about"], a.Profile["website"] = about, f.Value("website")
		a.Saves++
	})
	http.Redirect(w, r, "/tai-khoan/ho-so?da-luu=1", http.StatusSeeOther)
}

// communityLink adds one link to the member's list, or removes one.
func (s *Site) communityLink(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	a := s.member(ss)
	if err := r.ParseForm(); err != nil || a == nil || r.PostForm.Get("ma_bao_ve") != ss.csrf {
		forged(w)
		return
	}
	f := &form{Values: r.PostForm}
	link := strings.TrimSpace(f.Value("dia_chi"))
	s.mu.Lock()
	switch {
	case f.Value("xoa") != "":
		a.Links = slices.DeleteFunc(a.Links, func(l string) bool { return l == f.Value("xoa") })
	case !webAddress(link):
		f.Errors = []string{"Địa chỉ liên kết không hợp lệ."}
	case slices.Contains(a.Links, link):
		f.Errors = []string{"Liên kết này đã có trong danh sách."}
	case len(a.Links) >= 150:
		f.Errors = []string{"Tối đa 150 liên kết."}
	default:
		a.Links = append(a.Links, link)
		a.Saves++
	}
	f.Values.Set("gioi_thieu", a.Profile["about"])
	f.Values.Set("website", a.Profile["website"])
	s.mu.Unlock()
	s.sig.changed()
	if len(f.Errors) > 0 {
		s.boardRender(w, ss, http.StatusUnprocessableEntity, "community-profile", f, nil)
		return
	}
	http.Redirect(w, r, "/tai-khoan/ho-so", http.StatusSeeOther)
}
