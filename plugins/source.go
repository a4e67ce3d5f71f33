package plugins

import (
	"archive/zip"
	"bytes"
	"container/list"
	"context"
	"fmt"
	"io/fs"
	"sync"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins/proto"
)

// DriverRef names a driver of a worker, and carries its source. The zero
// DriverRef is the one driver of a plugin.
type DriverRef struct {
	Name   string
	Path   string // where it came from, for messages
	Digest string // of the source and all it requires; an equal digest is an equal driver
	Text   []byte // the source
	Lib    fs.FS  // the files it may require; nil for none. A Zipped is not packed again
}

// Zipped is a file system that is at hand as a zip archive.
type Zipped interface {
	fs.FS
	Zip() []byte
}

// pack makes the wire form, with the source or without it.
func (r DriverRef) pack(source bool) (*proto.DriverRef, error) {
	if r.Digest == "" && r.Text == nil {
		return nil, nil
	}
	ref := &proto.DriverRef{Name: r.Name, Digest: r.Digest, Path: r.Path}
	if !source {
		return ref, nil
	}
	ref.Source = &proto.Source{Text: r.Text}
	if z, ok := r.Lib.(Zipped); ok {
		ref.Source.Lib = z.Zip()
	} else if r.Lib != nil {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		err := w.AddFS(r.Lib)
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			return nil, fmt.Errorf("driver %s: reading its shared files: %w", r.Name, err)
		}
		ref.Source.Lib = b.Bytes()
	}
	return ref, nil
}

func unpack(ref *proto.DriverRef) (DriverRef, error) {
	r := DriverRef{Name: ref.GetName(), Path: ref.GetPath(), Digest: ref.GetDigest(), Text: ref.GetSource().GetText()}
	if ref.GetSource() != nil && r.Text == nil {
		r.Text = []byte{}
	}
	if b := ref.GetSource().GetLib(); len(b) > 0 {
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return r, fmt.Errorf("driver %s: its shared files: %w", r.Name, err)
		}
		r.Lib = z
	}
	return r, nil
}

// shelfSize is how many loaded drivers a worker keeps.
const shelfSize = 32

// shelf is the Host of a worker: it keeps the drivers it loaded, the least
// recently used one goes first.
type shelf struct {
	load  func(DriverRef) (core.Driver, error)
	mu    sync.Mutex
	items map[string]*list.Element
	order list.List // of *kept, the most recent in front
}

type kept struct {
	key    string
	driver core.Driver
}

// driver returns the loaded driver, ErrNeedSource when it has to be sent.
func (s *shelf) driver(ref DriverRef) (core.Driver, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := ref.Name + "\x00" + ref.Digest
	if e, ok := s.items[key]; ok {
		s.order.MoveToFront(e)
		return e.Value.(*kept).driver, nil
	}
	if ref.Text == nil {
		return nil, proto.ErrNeedSource
	}
	d, err := s.load(ref)
	if err != nil {
		return nil, err
	}
	if s.items == nil {
		s.items = map[string]*list.Element{}
	}
	s.items[key] = s.order.PushFront(&kept{key, d})
	if s.order.Len() > shelfSize {
		last := s.order.Back()
		s.order.Remove(last)
		delete(s.items, last.Value.(*kept).key)
	}
	return d, nil
}

func (s *shelf) Manifest(_ context.Context, ref DriverRef) (core.Manifest, error) {
	d, err := s.driver(ref)
	if err != nil {
		return core.Manifest{}, err
	}
	return d.Manifest(), nil
}

func (s *shelf) Run(ctx context.Context, ref DriverRef, phase core.Phase, task core.Task, session core.Session) (core.Outcome, error) {
	d, err := s.driver(ref)
	if err != nil {
		return core.Outcome{}, err
	}
	return d.Run(ctx, phase, task, session)
}
