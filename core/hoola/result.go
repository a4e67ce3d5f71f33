package hoola

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/rollcall-run/rollcall/core"
)

// resultColumns follow the columns of the file.
var resultColumns = []string{"rollcall_status", "rollcall_user_id", "rollcall_message", "rollcall_batch", "rollcall_time"}

// Results writes a row for each user: the columns of the file, then what became
// of the user.
type Results struct {
	csv   *csv.Writer
	sheet *excelize.StreamWriter
	file  *excelize.File
	out   io.Writer
	width int
	line  int
}

// NewResults writes the header. xlsx says which of the two formats it is.
func NewResults(w io.Writer, header []string, xlsx bool) (*Results, error) {
	kept := withoutResults(header)
	r := &Results{out: w, width: len(kept)}
	if xlsx {
		r.file = excelize.NewFile()
		var err error
		if r.sheet, err = r.file.NewStreamWriter("Sheet1"); err != nil {
			return nil, err
		}
	} else {
		if _, err := io.WriteString(w, "\ufeff"); err != nil { // spreadsheets read UTF-8 by it
			return nil, err
		}
		r.csv = csv.NewWriter(w)
	}
	return r, r.put(append(kept, resultColumns...))
}

// withoutResults is a header without the columns of an earlier result.
func withoutResults(header []string) []string {
	var out []string
	for _, h := range header {
		if !strings.HasPrefix(h, "rollcall_") {
			out = append(out, h)
		}
	}
	return out
}

// Row writes one user. header is the import's.
func (r *Results) Row(header []string, row core.BulkRow) error {
	var cells []string
	for i, h := range header {
		if strings.HasPrefix(h, "rollcall_") {
			continue
		}
		text := ""
		if i < len(row.Cells) {
			text = row.Cells[i].Reveal()
		}
		cells = append(cells, text)
	}
	when := ""
	if !row.Updated.IsZero() {
		when = row.Updated.UTC().Format(time.RFC3339)
	}
	return r.put(append(cells, string(row.State), row.UserID, row.Message, row.Batch, when))
}

// Quote keeps a spreadsheet from running a text as a formula.
func Quote(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

func (r *Results) put(cells []string) error {
	r.line++
	if r.csv != nil {
		for i := range cells {
			cells[i] = Quote(cells[i])
		}
		return r.csv.Write(cells)
	}
	values := make([]any, len(cells))
	for i, c := range cells {
		values[i] = c // a text cell: XLSX never runs it
	}
	return r.sheet.SetRow(fmt.Sprintf("A%d", r.line), values)
}

// Close writes what is left.
func (r *Results) Close() error {
	if r.csv != nil {
		r.csv.Flush()
		return r.csv.Error()
	}
	if err := r.sheet.Flush(); err != nil {
		return err
	}
	if _, err := r.file.WriteTo(r.out); err != nil {
		return err
	}
	return r.file.Close()
}

// Correctable reports whether a row belongs into a file that is corrected and
// fed back: one that did not become an account and does not wait for one.
func Correctable(s core.BulkState) bool {
	return s == core.BulkFailed || s == core.BulkRefused || s == core.BulkInvalid
}
