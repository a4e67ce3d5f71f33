package sandbox

import (
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-message/mail"
)

func TestMailIsReadOverIMAP(t *testing.T) {
	sb := start(t, Options{MailPassword: "secret words"})
	html := `<p>Chào bạn, <a href="http://x.test/c?a=1&amp;b=` + strings.Repeat("z", 200) + `">xác nhận</a></p>`
	if err := sb.Mail.Deliver("Lan@mail.sandbox.test", "Cộng đồng <no@x.test>", "Xác nhận tài khoản của bạn ngay hôm nay nhé", html, "chữ"); err != nil {
		t.Fatal(err)
	}
	if got, err := sb.Mail.Wait(within(t), "lan@mail.sandbox.test", 1); err != nil || got[0].HTML != html {
		t.Fatalf("%+v %v", got, err)
	}
	c, err := imapclient.DialInsecure(sb.Mail.Addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login("lan@mail.sandbox.test", "wrong").Wait(); err == nil {
		t.Error("a wrong password signed in")
	}
	if err := c.Login("lan@mail.sandbox.test", "secret words").Wait(); err != nil {
		t.Fatal(err)
	}
	box, err := c.Select("INBOX", nil).Wait()
	if err != nil || box.NumMessages != 1 || box.UIDNext != 2 || box.UIDValidity == 0 {
		t.Fatalf("%+v %v", box, err)
	}
	found, err := c.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "To", Value: "Lan@mail"}}}, nil).Wait()
	if err != nil || len(found.AllUIDs()) != 1 {
		t.Fatalf("%+v %v", found, err)
	}
	section := &imap.FetchItemBodySection{}
	msgs, err := c.Fetch(imap.UIDSetNum(found.AllUIDs()...), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil || len(msgs) != 1 {
		t.Fatalf("%v %v", msgs, err)
	}
	raw := string(msgs[0].FindBodySection(section))
	r, err := mail.CreateReader(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := r.Header.Subject(); err != nil || s != "Xác nhận tài khoản của bạn ngay hôm nay nhé" {
		t.Errorf("subject %q %v", s, err)
	}
	if from, err := r.Header.AddressList("From"); err != nil || from[0].Name != "Cộng đồng" || from[0].Address != "no@x.test" {
		t.Errorf("from %v %v", from, err)
	}
	var parts []string
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, string(b))
	}
	if len(parts) != 2 || parts[0] != "chữ" || parts[1] != html || strings.Contains(raw, strings.Repeat("z", 100)) {
		t.Errorf("parts %q in\n%s", parts, raw)
	}
	if err := c.Logout().Wait(); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsIMAPConnections(t *testing.T) {
	sb := start(t, Options{})
	c, err := imapclient.DialInsecure(sb.Mail.Addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login("a@b.test", sb.Mail.Password).Wait(); err != nil {
		t.Fatal(err)
	}
	sb.Close()
	if err := c.Noop().Wait(); err == nil {
		t.Error("a closed mailbox answers")
	}
}

func TestMailToNobodyIsRefused(t *testing.T) {
	sb := start(t, Options{})
	if err := sb.Mail.Deliver("no address", "a@b.test", "s", "", "t"); err == nil {
		t.Error("delivered")
	}
}
