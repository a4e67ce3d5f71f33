package ledger

import (
	"sync"

	"github.com/rollcall-run/rollcall/core"
)

// mostEntities bounds the entities that are kept open.
const mostEntities = 256

// entities keeps what is opened of tasks that are under way: a task's entity is
// written once for each round, so that one of the same round is the same.
type entities struct {
	mu   sync.Mutex
	byID map[string]opened
}

// opened is the part of a task that its entity's row holds.
type opened struct {
	round, created int64
	entity         core.Entity
	options        map[string]any
	language       string
}

// into fills the task from what is kept for it, false when nothing is.
func (e *entities) into(t *task, created int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	o, ok := e.byID[t.rec.ID]
	if !ok || o.round != int64(t.rec.Round) || o.created != created {
		return false
	}
	t.rec.Entity, t.rec.Options, t.rec.Language = o.entity, o.options, o.language
	return true
}

// has reports whether something is kept for a task, which may be of another round.
func (e *entities) has(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.byID[id]
	return ok
}

// keep keeps a task's entity. Whoever is kept already makes room when there is none.
func (e *entities) keep(t *task, created int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byID == nil {
		e.byID = map[string]opened{}
	}
	for id := range e.byID {
		if len(e.byID) < mostEntities {
			break
		}
		delete(e.byID, id)
	}
	e.byID[t.rec.ID] = opened{int64(t.rec.Round), created, t.rec.Entity, t.rec.Options, t.rec.Language}
}

// drop forgets a task's entity: nobody works on it now.
func (e *entities) drop(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.byID, id)
}
