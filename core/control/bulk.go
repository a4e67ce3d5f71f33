package control

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// The requests about bulk calls. The texts of an import's users cross in both
// directions: who may talk on the socket may read the ledger's key as well.
type (
	importRequest struct {
		Import core.BulkImport
		Rows   []bulkRowDoc
	}
	importsRequest struct{ Domain string }
	rowsRequest    struct{ ID string }
	windowRequest  struct {
		Site core.BulkSite
		Now  core.Moment
	}
)

type textDoc struct {
	Text   string `json:"t"`
	Secret bool   `json:"s,omitempty"`
}

func textOf(v core.Value) textDoc { return textDoc{v.Reveal(), v.IsSecret()} }

func (d textDoc) value() core.Value {
	if d.Secret {
		return core.Secret(d.Text)
	}
	return core.Text(d.Text)
}

// bulkRowDoc carries a core.BulkRow with its texts.
type bulkRowDoc struct {
	ID, Import, TaskID string
	Num, Line          int
	Fields             map[string]textDoc
	Cells              []textDoc
	State              core.BulkState
	Batch              string
	BatchSize, Sends   int
	Uncertain          bool
	UserID, Message    string
	Updated            time.Time
}

func bulkRowOf(r core.BulkRow) bulkRowDoc {
	d := bulkRowDoc{ID: r.ID, Import: r.Import, TaskID: r.TaskID, Num: r.Num, Line: r.Line, Fields: map[string]textDoc{}, State: r.State,
		Batch: r.Batch, BatchSize: r.BatchSize, Sends: r.Sends, Uncertain: r.Uncertain, UserID: r.UserID, Message: r.Message, Updated: r.Updated}
	for k, v := range r.Fields {
		d.Fields[k] = textOf(v)
	}
	for _, c := range r.Cells {
		d.Cells = append(d.Cells, textOf(c))
	}
	return d
}

func (d bulkRowDoc) row() core.BulkRow {
	r := core.BulkRow{ID: d.ID, Import: d.Import, TaskID: d.TaskID, Num: d.Num, Line: d.Line, Fields: map[string]core.Value{}, State: d.State,
		Batch: d.Batch, BatchSize: d.BatchSize, Sends: d.Sends, Uncertain: d.Uncertain, UserID: d.UserID, Message: d.Message, Updated: d.Updated}
	for k, v := range d.Fields {
		r.Fields[k] = v.value()
	}
	for _, c := range d.Cells {
		r.Cells = append(r.Cells, c.value())
	}
	return r
}

var errNoBulk = errors.New("this runner serves no bulk calls")

// withBulk decodes a request about bulk calls.
func withBulk[Q any](f func(context.Context, core.BulkAdmin, Q, func(any) error) error) caller {
	return with(func(ctx context.Context, s *server, q Q, send func(any) error) error {
		if s.bulk == nil {
			return errNoBulk
		}
		return f(ctx, s.bulk, q, send)
	})
}

// bulkCalls are the methods of core.BulkAdmin.
var bulkCalls = map[string]caller{
	"AddImport": withBulk(func(ctx context.Context, a core.BulkAdmin, q importRequest, send func(any) error) error {
		rows := make([]core.BulkRow, 0, len(q.Rows))
		for _, r := range q.Rows {
			rows = append(rows, r.row())
		}
		imp, err := a.AddImport(ctx, q.Import, rows)
		if err != nil {
			return err
		}
		return send(imp)
	}),
	"Imports": withBulk(func(ctx context.Context, a core.BulkAdmin, q importsRequest, send func(any) error) error {
		all, err := a.Imports(ctx, q.Domain)
		return each(all, err, func(i core.BulkImport) error { return send(i) })
	}),
	"ImportRows": withBulk(func(ctx context.Context, a core.BulkAdmin, q rowsRequest, send func(any) error) error {
		return a.ImportRows(ctx, q.ID, func(r core.BulkRow) error { return send(bulkRowOf(r)) })
	}),
	"BulkWindow": withBulk(func(ctx context.Context, a core.BulkAdmin, q windowRequest, send func(any) error) error {
		w, err := a.BulkWindow(ctx, q.Site, q.Now)
		if err != nil {
			return err
		}
		return send(w)
	}),
}

var _ core.BulkAdmin = (*Client)(nil)

// AddImport implements core.BulkAdmin.
func (c *Client) AddImport(ctx context.Context, imp core.BulkImport, rows []core.BulkRow) (core.BulkImport, error) {
	q := importRequest{Import: imp}
	for _, r := range rows {
		q.Rows = append(q.Rows, bulkRowOf(r))
	}
	return one[core.BulkImport](ctx, c, "AddImport", q)
}

// Imports implements core.BulkAdmin.
func (c *Client) Imports(ctx context.Context, domain string) ([]core.BulkImport, error) {
	return list[core.BulkImport](ctx, c, "Imports", importsRequest{Domain: domain})
}

// ImportRows implements core.BulkAdmin. The users' texts are not masked.
func (c *Client) ImportRows(ctx context.Context, id string, f func(core.BulkRow) error) error {
	return c.call(ctx, "ImportRows", rowsRequest{ID: id}, func(item json.RawMessage) error {
		var d bulkRowDoc
		if err := decode(item, &d); err != nil {
			return err
		}
		return f(d.row())
	})
}

// BulkWindow implements core.BulkAdmin.
func (c *Client) BulkWindow(ctx context.Context, site core.BulkSite, now core.Moment) (core.BulkWindow, error) {
	return one[core.BulkWindow](ctx, c, "BulkWindow", windowRequest{Site: site, Now: now})
}
