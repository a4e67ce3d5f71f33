package hoola

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-run/rollcall/core"
)

// answer is what the call gives back.
type answer struct {
	Code  string
	Msg   string
	Users []answerUser
}

type answerUser struct {
	Username string          `json:"username"`
	Email    string          `json:"email"`
	UserID   json.RawMessage `json:"userId"`
	Success  *bool           `json:"success"`
	Status   string          `json:"status"`
}

// readAnswer reads an answer; an error means that nothing is known.
func readAnswer(data []byte) (answer, error) {
	var raw struct {
		Code  *string           `json:"respCode"`
		Users []json.RawMessage `json:"users"`
		Msg   json.RawMessage   `json:"msg"`
	}
	trimmed := bytes.TrimSpace(data)
	switch {
	case len(trimmed) == 0:
		return answer{}, errors.New("the answer is empty")
	case trimmed[0] == '<':
		return answer{}, errors.New("the answer is a web page")
	case !utf8.Valid(data):
		return answer{}, errors.New("the answer is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&raw); err != nil {
		return answer{}, fmt.Errorf("the answer can't be read: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return answer{}, errors.New("something follows the answer's JSON")
	}
	if raw.Code == nil {
		return answer{}, errors.New("the answer has no respCode")
	}
	a := answer{Code: *raw.Code}
	if json.Unmarshal(raw.Msg, &a.Msg) != nil {
		a.Msg = string(raw.Msg)
	}
	for _, u := range raw.Users {
		var one answerUser
		if json.Unmarshal(u, &one) == nil { // a row that can't be read is a row that is missing
			a.Users = append(a.Users, one)
		}
	}
	return a, nil
}

func (u answerUser) id() string {
	var s string
	if json.Unmarshal(u.UserID, &s) == nil {
		return strings.TrimSpace(s)
	}
	var n json.Number
	if json.Unmarshal(u.UserID, &n) == nil {
		return n.String()
	}
	return ""
}

// result is the word on one user. ok is false when the row says nothing.
func (u answerUser) result() (res core.BulkResult, ok bool) {
	res.Message = u.Status
	switch status := strings.ToLower(u.Status); {
	case u.Success == nil:
		return res, false
	case *u.Success:
		res.Answer, res.UserID = core.BulkMade, u.id()
	case strings.Contains(status, "already in use"), strings.Contains(status, "already exist"):
		res.Answer = core.BulkExists
	default:
		res.Answer = core.BulkDenied
	}
	return res, true
}

// match gives each row of the call its row of the answer, by username and
// e-mail. foreign counts the rows that were not asked for and those that
// contradict another one; a row that an answer contradicts has no result.
func match(users []answerUser, rows []core.BulkRow) (out []core.BulkResult, foreign int) {
	type key struct{ username, email string }
	asked := make(map[key]string, len(rows))
	for _, r := range rows {
		asked[key{name(r.Fields[FieldUsername].Reveal()), name(r.Fields[FieldEmail].Reveal())}] = r.ID
	}
	found := map[string]core.BulkResult{}
	contradicted := map[string]bool{}
	for _, u := range users {
		id, ok := asked[key{name(u.Username), name(u.Email)}]
		if !ok {
			foreign++
			continue
		}
		res, ok := u.result()
		if !ok {
			continue
		}
		res.Row = id
		old, twice := found[id]
		switch {
		case !twice:
			found[id] = res
		case old.Answer == res.Answer && old.UserID == res.UserID:
		case old.Answer == core.BulkMade && res.Answer == core.BulkExists:
			foreign++ // it made the user, and met it again
		case old.Answer == core.BulkExists && res.Answer == core.BulkMade:
			found[id] = res
			foreign++
		default:
			contradicted[id] = true
			foreign++
		}
	}
	for _, r := range rows {
		if res, ok := found[r.ID]; ok && !contradicted[r.ID] {
			out = append(out, res)
		}
	}
	return out, foreign
}

// said is what a server said beside its status, as far as it is a text.
func said(data []byte) string {
	text := bytes.TrimSpace(data)
	switch {
	case len(text) == 0:
		return ""
	case text[0] == '<':
		return ", with a web page"
	}
	if a, err := readAnswer(data); err == nil && a.Msg != "" {
		return ": " + a.Msg
	}
	return ": " + strings.ToValidUTF8(string(text[:min(len(text), 2000)]), "�")
}
