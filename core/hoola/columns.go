package hoola

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-run/rollcall/core"
)

// headers are the names under which files have a field, plain: lower case,
// without accents, spaces and signs.
var headers = map[string][]string{
	FieldName:     {"name", "fullname", "displayname", "hoten", "hovaten", "ten", "tenday", "tendaydu", "hotenday", "tennguoidung", "hotentaikhoan"},
	FieldUsername: {"username", "user", "login", "loginname", "account", "tendangnhap", "taikhoan", "tentaikhoan", "nick", "nickname"},
	FieldEmail:    {"email", "mail", "emailaddress", "thudientu", "diachiemail", "hopthu"},
	FieldPassword: {"password", "pass", "pwd", "matkhau", "mk"},
	FieldPhone:    {"phone", "phonenumber", "tel", "telephone", "mobile", "sdt", "sodienthoai", "dienthoai", "dt", "sodt", "didong"},
	FieldCity:     {"city", "province", "tinh", "thanhpho", "tinhthanhpho", "tinhthanh", "tp", "location"},
	FieldDistrict: {"district", "quan", "huyen", "quanhuyen"},
	FieldStreet:   {"street", "address", "duong", "pho", "duongpho", "diachi", "sonha"},
	FieldGender:   {"gender", "sex", "gioitinh", "phai"},
	FieldJob:      {"job", "occupation", "profession", "work", "nghenghiep", "nghe", "congviec"},
}

// plainHeader makes "Họ và tên *" "hovaten".
func plainHeader(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(s)) {
		switch {
		case r == 'đ':
			b.WriteByte('d')
		case unicode.Is(unicode.Mn, r):
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Columns says which column of a header has which field. named are the
// operator's own words, field by column name, and settle every doubt.
func Columns(header []string, named map[string]string) (map[string]int, error) {
	out := map[string]int{}
	for _, f := range slices.Sorted(maps.Keys(named)) {
		if !slices.Contains(Fields, f) {
			return nil, fmt.Errorf("--map %s: the fields are %s", f, strings.Join(Fields, ", "))
		}
		i := slices.IndexFunc(header, func(h string) bool { return norm.NFC.String(strings.TrimSpace(h)) == norm.NFC.String(named[f]) })
		if i < 0 {
			return nil, fmt.Errorf("--map %s=%s: there is no such column; the columns are %s", f, short(named[f]), show(header))
		}
		out[f] = i
	}
	taken := map[int]bool{}
	for _, i := range out {
		taken[i] = true
	}
	for _, f := range Fields {
		if _, ok := named[f]; ok {
			continue
		}
		for i, h := range header {
			if taken[i] || !slices.Contains(headers[f], plainHeader(h)) {
				continue
			}
			if other, twice := out[f]; twice {
				return nil, fmt.Errorf("the columns %q and %q may both be the %s; say which with --map %s=COLUMN", short(header[other]), short(h), f, f)
			}
			out[f] = i
		}
		if i, ok := out[f]; ok {
			taken[i] = true
		}
	}
	return out, nil
}

func show(header []string) string {
	var out []string
	for _, h := range header {
		out = append(out, fmt.Sprintf("%q", short(h)))
	}
	return strings.Join(out, ", ")
}

// List is a file of users, checked.
type List struct {
	Header  []string
	Rows    []core.BulkRow // waiting, or invalid with the first rule in Message
	Errors  []RowError
	Notes   []string
	Valid   int
	Unread  []string // columns that no field has
	Columns map[string]int
}

// RowError is a rule that a row breaks.
type RowError struct {
	Row, Line int
	Column    string
	Value     string // masked when it is a secret
	Rule      string
}

func (e RowError) String() string {
	return fmt.Sprintf("row %d (line %d), %s %q: %s", e.Row, e.Line, e.Column, e.Value, e.Rule)
}

// ListOptions settle what a file leaves open.
type ListOptions struct {
	Map      map[string]string // field → column name
	Generate bool              // a user without a password gets one
}

// maxNotes is how many notes about single rows are kept.
const maxNotes = 20

// Users checks every row of a table.
func Users(t *Table, o ListOptions) (*List, error) {
	columns, err := Columns(t.Header, o.Map)
	if err != nil {
		return nil, err
	}
	for _, f := range Fields[:required] {
		if _, ok := columns[f]; !ok && !(f == FieldPassword && o.Generate) {
			hint := "--map " + f + "=COLUMN names it"
			if f == FieldPassword {
				hint += ", --generate-password makes passwords"
			}
			return nil, fmt.Errorf("no column is the %s; the columns are %s; %s", f, show(t.Header), hint)
		}
	}
	l := &List{Header: slices.Clone(t.Header), Notes: slices.Clone(t.Notes), Columns: columns}
	if _, ok := columns[FieldPassword]; !ok {
		columns[FieldPassword], l.Header = len(l.Header), append(l.Header, FieldPassword)
	}
	for i, h := range l.Header {
		if !slices.Contains(slices.Collect(maps.Values(columns)), i) && !strings.HasPrefix(h, "rollcall_") {
			l.Unread = append(l.Unread, h)
		}
	}
	names := map[string]map[string]int{FieldUsername: {}, FieldEmail: {}}
	dropped := 0
	for n, tr := range t.Rows {
		row, broken, notes := l.row(n+1, tr, o, names)
		for _, note := range notes {
			if len(l.Notes) >= maxNotes {
				dropped++
				continue
			}
			l.Notes = append(l.Notes, fmt.Sprintf("row %d: %s", row.Num, note))
		}
		if row.State = core.BulkWaiting; len(broken) > 0 {
			row.State, row.Message = core.BulkInvalid, fmt.Sprintf("%s: %s", broken[0].Column, broken[0].Rule)
		} else {
			l.Valid++
		}
		l.Errors, l.Rows = append(l.Errors, broken...), append(l.Rows, row)
	}
	if dropped > 0 {
		l.Notes = append(l.Notes, fmt.Sprintf("%d more notes of this kind", dropped))
	}
	return l, nil
}

func (l *List) row(num int, tr TableRow, o ListOptions, names map[string]map[string]int) (row core.BulkRow, broken []RowError, notes []string) {
	row = core.BulkRow{Num: num, Line: tr.Line, Fields: map[string]core.Value{}}
	cells := slices.Clone(tr.Cells)
	for len(cells) < len(l.Header) {
		cells = append(cells, "")
	}
	if slices.Contains(l.Header, resultColumns[0]) {
		for i, c := range cells { // a result of ours that comes back: its formulas were quoted
			if c != "" && Quote(c[1:]) != c[1:] && c[0] == '\'' {
				cells[i] = c[1:]
			}
		}
	}
	for f, i := range l.Columns {
		row.Fields[f] = core.Text(cells[i])
		if f == FieldPassword {
			row.Fields[f] = core.Secret(cells[i])
		}
	}
	if tr.Bad != "" {
		broken = append(broken, RowError{num, tr.Line, "the row", "", tr.Bad})
	} else {
		notes = Clean(row.Fields)
		if o.Generate && row.Fields[FieldPassword].Empty() {
			made := Password()
			row.Fields[FieldPassword], cells[l.Columns[FieldPassword]] = core.Secret(made), made
		}
		for _, e := range Check(row.Fields) {
			broken = append(broken, RowError{num, tr.Line, l.column(e.Field), e.Value, e.Rule})
		}
		for _, f := range []string{FieldUsername, FieldEmail} {
			key := name(row.Fields[f].Reveal())
			if first, twice := names[f][key]; twice && key != "" {
				broken = append(broken, RowError{num, tr.Line, l.column(f), short(row.Fields[f].String()), fmt.Sprintf("row %d has it already", first)})
			} else if key != "" && len(broken) == 0 {
				names[f][key] = num
			}
		}
	}
	for i, c := range cells {
		if i == l.Columns[FieldPassword] {
			row.Cells = append(row.Cells, core.Secret(c))
		} else {
			row.Cells = append(row.Cells, core.Text(strings.ToValidUTF8(c, "�")))
		}
	}
	return row, broken, notes
}

// column is the file's name of a field's column.
func (l *List) column(field string) string {
	if i, ok := l.Columns[field]; ok && i < len(l.Header) {
		return l.Header[i]
	}
	return field
}

// Password returns a new password of 16 characters: every kind of them, none
// that is mistaken for another.
func Password() string {
	const kinds = "abcdefghijkmnpqrstuvwxyz|ABCDEFGHJKLMNPQRSTUVWXYZ|23456789"
	sets := strings.Split(kinds, "|")
	sets = append(sets, strings.Join(sets, ""))
	for {
		random := make([]byte, 16)
		_, _ = rand.Read(random) // never fails
		var b strings.Builder
		for i, r := range random {
			set := sets[min(i, len(sets)-1)]
			if int(r) >= 256-256%len(set) {
				break // every sign of a set is as likely as the others
			}
			b.WriteByte(set[int(r)%len(set)])
		}
		if b.Len() == len(random) {
			return b.String()
		}
	}
}
