package hoola

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
)

// Bounds of a file of users.
const (
	MaxFile = 64 << 20 // bytes
	maxRows = 200_000
	maxCell = 10_000 // bytes
)

// Table is a file of users as it stands: a header, and rows of texts.
type Table struct {
	Header []string
	Rows   []TableRow
	Format string // csv, xlsx or json
	Notes  []string
}

// TableRow is one row with its place.
type TableRow struct {
	Line  int // of the file; the element's number in JSON
	Cells []string
	Bad   string // what is wrong with the row as such
}

// ErrChanged is returned for a file that changes while it is read.
var ErrChanged = errors.New("it changed while it was read; try again when it is complete")

// Load reads a file whole. One that changes meanwhile is refused: half of two
// lists is no list. Of one that is larger than MaxFile no more than that is read.
func Load(fsys fs.FS, name string) (data []byte, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	before, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	if data, err = io.ReadAll(io.LimitReader(f, MaxFile+1)); err != nil {
		return nil, err
	}
	after, err := fs.Stat(fsys, name)
	if err != nil || !after.ModTime().Equal(before.ModTime()) || after.Size() != before.Size() || before.Size() != int64(len(data)) && len(data) <= MaxFile {
		return nil, fmt.Errorf("%s: %w", name, ErrChanged)
	}
	return data, nil
}

// Read reads a file of users. The name's ending, or what the bytes begin with,
// says what it is.
func Read(name string, data []byte) (*Table, error) {
	var (
		t   *Table
		err error
	)
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	lower := strings.ToLower(name)
	switch {
	case len(data) > MaxFile:
		return nil, fmt.Errorf("%s: it is larger than %d MB; divide it", name, MaxFile>>20)
	case len(trimmed) == 0:
		return nil, fmt.Errorf("%s: it is empty; the first line names the columns", name)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		t, err = readXLSX(data)
	case strings.HasSuffix(lower, ".xlsx"):
		return nil, fmt.Errorf("%s: it is not an XLSX file", name)
	case bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0")):
		return nil, fmt.Errorf("%s: it is an old .xls file; save it as .xlsx or CSV", name)
	case strings.HasSuffix(lower, ".json") || trimmed[0] == '[' || trimmed[0] == '{':
		t, err = readJSON(trimmed)
	default:
		t, err = readCSV(data)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(t.Rows) > maxRows {
		return nil, fmt.Errorf("%s: it has %d rows, at most %d can be imported; divide it", name, len(t.Rows), maxRows)
	}
	for i, r := range t.Rows {
		for j, c := range r.Cells {
			if len(c) > maxCell {
				t.Rows[i].Bad = fmt.Sprintf("column %d has %d bytes, at most %d are read", j+1, len(c), maxCell)
				t.Rows[i].Cells[j] = strings.ToValidUTF8(c[:60], "") + "…"
			}
		}
		if n := len(r.Cells); n > len(t.Header) && t.Rows[i].Bad == "" {
			t.Rows[i].Bad = fmt.Sprintf("it has %d cells, the header has %d", n, len(t.Header))
		}
	}
	return t, nil
}

// decodeText gives the UTF-8 of a text file.
func decodeText(data []byte) (string, string, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		order = binary.BigEndian
	default:
		data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
		if i := bytes.IndexByte(data, 0); i >= 0 {
			return "", "", fmt.Errorf("byte %d is zero; it is no text file", i)
		}
		if !utf8.Valid(data) {
			line := 1
			for len(data) > 0 {
				r, n := utf8.DecodeRune(data)
				if r == utf8.RuneError && n == 1 {
					break
				}
				if r == '\n' {
					line++
				}
				data = data[n:]
			}
			return "", "", fmt.Errorf("line %d is not valid UTF-8; save the file as \"CSV UTF-8\"", line)
		}
		return string(data), "", nil
	}
	if len(data)%2 != 0 {
		return "", "", errors.New("it is cut off in the middle of a UTF-16 character")
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i < len(data); i += 2 {
		units = append(units, order.Uint16(data[i:]))
	}
	return string(utf16.Decode(units)), "the file is UTF-16", nil
}

func readCSV(data []byte) (*Table, error) {
	text, note, err := decodeText(data)
	if err != nil {
		return nil, err
	}
	t := &Table{Format: "csv"}
	if note != "" {
		t.Notes = append(t.Notes, note)
	}
	if first, rest, ok := strings.Cut(text, "\n"); ok && strings.HasPrefix(strings.ToLower(first), "sep=") {
		text = "\n" + rest // Excel's own line about the separator
	}
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord, r.Comma = -1, separator(text)
	if r.Comma != ',' {
		t.Notes = append(t.Notes, fmt.Sprintf("the columns are parted by %q", r.Comma))
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			if errors.Is(bad.Err, csv.ErrQuote) && bad.StartLine != bad.Line {
				return nil, fmt.Errorf("a quote that opens on line %d is not closed", bad.StartLine)
			}
			return nil, fmt.Errorf("line %d, column %d: %w", bad.Line, bad.Column, bad.Err)
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		t.add(line, cells)
	}
	return t.checked()
}

// separator is the sign that parts the columns of the first line, quotes apart.
func separator(text string) rune {
	count, quoted := map[rune]int{}, false
	for _, r := range strings.TrimLeft(text, "\r\n") {
		if r == '"' {
			quoted = !quoted
		}
		if r == '\n' && !quoted {
			break
		}
		if !quoted {
			count[r]++
		}
	}
	best := ','
	for _, r := range []rune{';', '\t', '|'} {
		if count[r] > count[best] {
			best = r
		}
	}
	return best
}

// add takes one record: the header first, then rows; empty ones are dropped.
func (t *Table) add(line int, cells []string) {
	empty := true
	for _, c := range cells {
		empty = empty && strings.TrimSpace(c) == ""
	}
	switch {
	case empty:
	case t.Header == nil:
		for len(cells) > 1 && strings.TrimSpace(cells[len(cells)-1]) == "" {
			cells = cells[:len(cells)-1]
		}
		t.Header = cells
	default:
		for len(cells) > len(t.Header) && strings.TrimSpace(cells[len(cells)-1]) == "" {
			cells = cells[:len(cells)-1]
		}
		t.Rows = append(t.Rows, TableRow{Line: line, Cells: cells})
	}
}

func (t *Table) checked() (*Table, error) {
	if t.Header == nil {
		return nil, errors.New("it has no line with column names")
	}
	if len(t.Rows) == 0 {
		return nil, errors.New("it has a header and no users")
	}
	return t, nil
}

func readXLSX(data []byte) (t *Table, err error) {
	defer func() {
		if p := recover(); p != nil { // a library of a large format, fed a broken file
			t, err = nil, errors.New("the XLSX file is damaged")
		}
	}()
	f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{UnzipSizeLimit: 8 * MaxFile, UnzipXMLSizeLimit: 2 * MaxFile, RawCellValue: true})
	if err != nil {
		return nil, fmt.Errorf("the XLSX file can't be read: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sheets := f.GetSheetList()
	if len(sheets) == 0 {
		return nil, errors.New("the XLSX file has no sheet")
	}
	t = &Table{Format: "xlsx"}
	if len(sheets) > 1 {
		t.Notes = append(t.Notes, fmt.Sprintf("only the first of %d sheets is read: %s", len(sheets), sheets[0]))
	}
	rows, err := f.Rows(sheets[0])
	if err != nil {
		return nil, err
	}
	for line := 1; rows.Next(); line++ {
		cells, err := rows.Columns(excelize.Options{RawCellValue: true})
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", line, err)
		}
		t.add(line, cells)
		if len(t.Rows) > maxRows {
			break
		}
	}
	if err := errors.Join(rows.Error(), rows.Close()); err != nil {
		return nil, err
	}
	return t.checked()
}

func readJSON(data []byte) (*Table, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not valid UTF-8")
	}
	if data[0] == '{' {
		var doc struct {
			Users json.RawMessage `json:"users"`
		}
		if err := json.Unmarshal(data, &doc); err != nil {
			return nil, fmt.Errorf("the JSON can't be read: %w", err)
		}
		if data = bytes.TrimSpace(doc.Users); len(data) == 0 {
			return nil, errors.New(`the JSON object has no "users"`)
		}
	}
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return nil, fmt.Errorf("the JSON is no list of users: %w", err)
	}
	t := &Table{Format: "json", Header: []string{}}
	column := map[string]int{}
	for i, item := range items {
		row := TableRow{Line: i + 1}
		d := json.NewDecoder(bytes.NewReader(item))
		d.UseNumber()
		if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
			row.Bad = "it is not an object"
			t.Rows = append(t.Rows, row)
			continue
		}
		seen := map[string]bool{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, fmt.Errorf("user %d: %w", i+1, err)
			}
			var v any
			if err := d.Decode(&v); err != nil {
				return nil, fmt.Errorf("user %d: %w", i+1, err)
			}
			name := key.(string)
			if seen[name] {
				row.Bad = fmt.Sprintf("%q is given twice", short(name))
			}
			seen[name] = true
			at, ok := column[name]
			if !ok {
				at = len(t.Header)
				column[name], t.Header = at, append(t.Header, name)
			}
			for len(row.Cells) <= at {
				row.Cells = append(row.Cells, "")
			}
			switch v := v.(type) {
			case nil:
			case string:
				row.Cells[at] = v
			case json.Number:
				row.Cells[at] = v.String()
			default:
				row.Bad = fmt.Sprintf("%q is neither a text nor a number", short(name))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t.checked()
}
