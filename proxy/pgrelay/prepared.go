package pgrelay

import (
	"sync/atomic"

	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// A shape is what the server told of a result's columns.
type shape struct {
	fields  []pgwire.FieldDescription // their names are not kept
	formats bool                      // of a portal: the fields' formats are true
}

// A statement is what the relay keeps of a [session.Prepared].
//
// Two things to know. The format of each cell comes from the Bind that made the
// portal, not from the description of the statement, where it is always text. And
// a driver that executes without ever asking for a description leaves us without
// types: then the relay sends a Describe of its own and keeps the answer to itself.
type statement struct {
	sent  string                // what the server has prepared
	batch uint64                // in which the client asked for its description last; the up pump's
	shape atomic.Pointer[shape] // once told
	last  *shape                // told of a portal last; the down pump's
	made  atomic.Pointer[made]  // the columns made last: mostly the next portal wants the same
}

// made are columns that were prepared for one combination of formats, of a Bind or,
// where shape is not nil, of the description of a portal.
type made struct {
	formats []int16
	shape   *shape
	columns *columns
}

// statementOf returns what the relay keeps of p.
func statementOf(p *session.Prepared) *statement { return p.Wire.(*statement) }

// A portal is what the relay keeps of a cursor.
type portal struct {
	prepared   *session.Prepared // of its query
	formats    []int16           // of the result, from Bind; none is all text
	formatless bool              // only a description tells the formats
	persons    session.Persons   // whom its parameters name
	batch      uint64            // in which its description was asked for last; the up pump's
	named      session.Portal

	shape     atomic.Pointer[shape]
	columns   *columns       // prepared; the down pump's
	confirmed bool           // what is released is certain to be what was planned; the down pump's
	query     *session.Query // what has begun and is not complete; guarded by flight.mu
	begun     *session.Query // what has begun last; the up pump's
	inFlight  int            // entries that are not answered; guarded by flight.mu
}

// A nursery keeps the portals without a name that were made last, for the next
// ones to be made of: most statements are executed by such a portal, which is
// forgotten with the next Bind or at the end of its transaction. It is the up
// pump's.
type nursery struct{ portals [2]*portal }

// portal returns one to fill in. A portal of before is made new when nothing speaks
// of it any more: no name stands for it, or will, and no message in flight has to
// do with it. Only names refer to a portal from outside of messages, and SQL has no
// way to write the empty one.
func (n *nursery) portal(u *up) *portal {
	for i, b := range n.portals {
		if b == nil {
			n.portals[i] = new(portal)
			return n.portals[i]
		}
		if b.landed(u.flight) && u.session.Forgotten(&b.named) {
			if b.begun != nil && b.begun.Done() {
				u.session.Spare(b.begun)
			}
			*b = portal{formats: b.formats[:0], persons: b.persons[:0]}
			return b
		}
	}
	return new(portal)
}

// landed says whether every message that has to do with a portal was answered.
func (b *portal) landed(f *flight) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return b.inFlight == 0 && b.query == nil
}

// described says whether the columns are known by the time an Execute sent now is
// answered.
func (b *portal) described(f *flight, batch uint64) bool {
	if b.shape.Load() != nil || b.batch == batch {
		return true
	}
	if b.formatless {
		return false
	}
	st := statementOf(b.prepared)
	return st.shape.Load() != nil || st.batch == batch
}

// running returns the statement that is suspended or being executed.
func (b *portal) running(f *flight) *session.Query {
	f.mu.Lock()
	defer f.mu.Unlock()
	return b.query
}

// run notes that the portal is being executed.
func (b *portal) run(f *flight, q *session.Query) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b.query = q
}

// complete notes that q is complete.
func (b *portal) complete(f *flight, q *session.Query) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b.query == q {
		b.query = nil
	}
}

// judged replaces the plan of a portal that has not been executed, and with it
// whatever was prepared by the old one.
func (b *portal) judged(f *flight, p *session.Prepared) {
	st := &statement{}
	if old, ok := b.prepared.Wire.(*statement); ok {
		st.shape.Store(old.shape.Load())
		st.batch, st.sent = old.batch, old.sent
	}
	p.Wire = st
	f.mu.Lock()
	defer f.mu.Unlock()
	b.prepared = p
}
