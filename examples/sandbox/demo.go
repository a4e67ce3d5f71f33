package sandbox

import (
	"encoding/json"
	"fmt"
)

// DemoTasks is a day's work in small: sign-ups on the four sites and through the
// bulk API, two connect tasks for accounts that LoadDemo makes, and what a real
// list brings along: a domain nobody allowed, one without a driver, a task that
// another worker got first, names that are taken, a site that asks for a person.
func (sb *Sandbox) DemoTasks() []Task {
	task := func(n int, domain, first, last, user string) Task {
		return Task{
			ID: fmt.Sprintf("5a9d0b00-0000-4000-8000-%012d", n), RequestID: "5a9d0b00-0000-4000-9000-000000000001", Domain: domain,
			Website: "https://example.com/" + user, Email: user + "@mail.sandbox.test", Username: user,
			AppPassword: sb.Mail.Password, PassMail: sb.Mail.Password, Password: "Abc123!@" + user, FirstName: first, LastName: last,
			Phone: fmt.Sprintf("09%08d", 12345670+n), Address: "12 Lý Thường Kiệt", Location: "Hà Nội",
			About:     "<p>" + first + " " + last + " writes about {kites|gardens|old radios}.</p><p>See <a href=\"https://example.com/" + user + "\">the workshop</a> &amp; say hello.</p>",
			AvatarURL: sb.Images.Avatar(user), CoverURL: sb.Images.Cover(user),
			SocialConnect: []string{"https://social.example/" + user, "https://video.example/@" + user},
		}
	}
	tasks := []Task{
		task(1, BoardDomain, "Minh", "Ngọc", "minhngoc01"),
		task(2, BoardDomain, "Thu", "Hà", "thuha02"),
		task(3, BoardDomain, "Ada", "Kowalska", "adakow03"),
		task(4, CommunityDomain, "Văn", "Nguyễn", "vannguyen04"),
		task(5, CommunityDomain, "Lan", "Phạm", "lanpham05"),
		task(6, WizardDomain, "Quang", "Trần", "quangtran06"),
		task(7, WizardDomain, "Zoë", "Müller", "zoemuller07"),
		task(8, GuardedDomain, "Bình", "Lê", "binhle08"),
		task(9, StrangerDomain, "An", "Đỗ", "ando09"),
		task(10, OrphanDomain, "Mai", "Vũ", "maivu10"),
		task(11, BoardDomain, "Sơn", "Bùi", "sonbui11"),
		task(12, BoardDomain, "Taken", "Name", "takenname12"),
		task(13, BoardDomain, "Hoa", "Đặng", "hoadang13"),
		task(14, CommunityDomain, "Khoa", "Hồ", "khoaho14"),
		task(15, HoolaDomain, "Hương", "Lan", "lanhuong15"),
		task(16, HoolaDomain, "Tuấn", "Đinh", "tuandinh16"),
		task(17, HoolaDomain, "Taken", "Mail", "takenmail17"),
	}
	tasks[1].HideStatus = true
	tasks[2].AvatarURL = ""
	tasks[2].Images, _ = json.Marshal([]map[string]any{{"type": "avatar", "urls": []string{sb.Images.Avatar("ada")}}})
	tasks[10].Taken = true
	for _, i := range []int{12, 13} {
		tasks[i].Status = StateConnect
		tasks[i].EntityConnect = []string{"https://board.example/u/" + tasks[i].Username, "https://wiki.example/User:" + tasks[i].Username}
	}
	return tasks
}

// LoadDemo adds DemoTasks, and the accounts that were there before.
func (sb *Sandbox) LoadDemo() {
	tasks := sb.DemoTasks()
	sb.Board.AddAccount(Account{Username: "takenname12", Email: "someone.else@mail.sandbox.test", Password: "not yours 1", Confirmed: true})
	sb.Hoola.Add(HoolaUser{Name: "Someone Else", Username: "someoneelse", Email: "takenmail17@mail.sandbox.test", Password: "not yours 1"})
	for _, t := range tasks {
		if t.Status != StateConnect {
			continue
		}
		for _, s := range sb.Sites() {
			if s.Domain == t.Domain {
				s.AddAccount(Account{Username: t.Username, Email: t.Email, Password: t.Password, Name: t.LastName + " " + t.FirstName, Confirmed: true})
			}
		}
	}
	sb.Manager.Add(tasks...)
}

// DemoWant is the state in which the task manager should have a demo task at the
// end of a run, the guarded site's one before its person came.
func (sb *Sandbox) DemoWant(id string) string {
	for _, t := range sb.DemoTasks() {
		if t.ID != id {
			continue
		}
		switch {
		case t.Username == "takenname12", t.Username == "takenmail17":
			return StateRegisterFailed
		case t.Domain == StrangerDomain, t.Domain == OrphanDomain:
			return StateRegister
		case t.Domain == GuardedDomain, t.Taken:
			return StateRegistering
		case t.Status == StateConnect && sb.options.Connect == ConnectSupported:
			return StateCompleted
		case t.Status == StateConnect:
			return StateConnect
		}
		return StateProfiled
	}
	return ""
}
