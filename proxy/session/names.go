package session

import "slices"

// A Portal is a cursor: one that SQL declared or, in PostgreSQL, one that a
// Bind made. Both live in one namespace.
type Portal struct {
	Prepared *Prepared
	Index    int  // of its statement in Prepared
	Bound    bool // made by a message, not by SQL: it ends with the transaction
	Wire     any  // the relay's own
}

// A Change is what becomes of a name when a message succeeds: it stands for
// something else, or for nothing any more.
type Change struct {
	Kind      NameKind
	Name      string
	All       bool // every name of this kind
	Statement *Prepared
	Portal    *Portal
}

// NameKind tells the namespaces of a session apart.
type NameKind uint8

// The namespaces.
const (
	StatementName NameKind = iota
	PortalName
)

// A pending change belongs to a message that the server has not answered yet.
type pending struct {
	Change
	ticket uint64 // of the message, ascending
	batch  uint64
}

// names knows what the prepared statements and cursors of a session stand for,
// and what messages in flight may make of them. A message is one of a batch:
// when one of a batch fails, the server skips the rest of it. So within the
// batch being sent a pending change may be counted upon, since what counts on it
// is skipped with it; one of an earlier batch may not.
type names struct {
	statements map[string]*Prepared
	portals    map[string]*Portal
	pending    [2]queue // of each kind
	batch      uint64   // the one being sent
}

// A queue is what is pending of one kind, in the order of the tickets. However
// many messages pass before it is empty, it is no longer than twice what is
// pending at a time.
type queue struct {
	changes []pending // changes[first:]
	first   int
}

func (q *queue) push(p pending) {
	if q.first > 0 && len(q.changes) == cap(q.changes) && q.first >= len(q.changes)/2 {
		rest := copy(q.changes, q.changes[q.first:])
		clear(q.changes[rest:])
		q.changes, q.first = q.changes[:rest], 0
	}
	q.changes = append(q.changes, p)
}

// head returns the change that is settled next, nil for none.
func (q *queue) head() *pending {
	if q.first == len(q.changes) {
		return nil
	}
	return &q.changes[q.first]
}

func (q *queue) pop() {
	q.changes[q.first] = pending{}
	if q.first++; q.first == len(q.changes) {
		q.changes, q.first = q.changes[:0], 0
	}
}

// A Lookup is what a name stands for.
type Lookup uint8

const (
	Known   Lookup = iota // for what is returned
	Unknown               // for nothing that we know of
	Unclear               // that depends on messages in flight; for what is returned if they succeed
)

// latest returns the pending change that a name will be settled by.
func (n *names) latest(kind NameKind, name []byte) *pending {
	q := &n.pending[kind]
	for i := len(q.changes) - 1; i >= q.first; i-- {
		if p := &q.changes[i]; p.All || p.Name == string(name) {
			return p
		}
	}
	return nil
}

func (n *names) statement(name []byte) (*Prepared, Lookup) {
	if p := n.latest(StatementName, name); p != nil {
		if p.batch != n.batch {
			return p.Statement, Unclear
		}
		return found(p.Statement)
	}
	return found(n.statements[string(name)])
}

func (n *names) portal(name []byte) (*Portal, Lookup) {
	if p := n.latest(PortalName, name); p != nil {
		if p.batch != n.batch {
			return p.Portal, Unclear
		}
		return found(p.Portal)
	}
	return found(n.portals[string(name)])
}

func found[T any](v *T) (*T, Lookup) {
	if v == nil {
		return nil, Unknown
	}
	return v, Known
}

// speakOf says whether a name stands for a portal, or will.
func (n *names) speakOf(portal *Portal) bool {
	for _, p := range n.portals {
		if p == portal {
			return true
		}
	}
	q := &n.pending[PortalName]
	return slices.ContainsFunc(q.changes[q.first:], func(p pending) bool { return p.Portal == portal })
}

// will notes a change that the message with this ticket makes if it succeeds.
func (n *names) will(ticket uint64, c Change) {
	n.pending[c.Kind].push(pending{c, ticket, n.batch})
}

// settle makes or drops the changes of the message with this ticket. Messages
// are settled in order.
func (n *names) settle(ticket uint64, ok bool) {
	for kind := range n.pending {
		q := &n.pending[kind]
		for p := q.head(); p != nil && p.ticket <= ticket; p = q.head() {
			if ok && p.ticket == ticket {
				n.apply(&p.Change)
			}
			q.pop()
		}
	}
}

func (n *names) apply(c *Change) {
	switch {
	case c.Kind == StatementName:
		n.statements = applied(n.statements, c, c.Statement)
	default:
		n.portals = applied(n.portals, c, c.Portal)
	}
}

func applied[T any](names map[string]*T, c *Change, to *T) map[string]*T {
	switch {
	case c.All:
		return nil
	case to == nil:
		delete(names, c.Name)
		return names
	case names == nil:
		names = make(map[string]*T)
	}
	names[c.Name] = to
	return names
}

// transactionOver forgets the portals that end with a transaction: those that no
// SQL declared, which cannot be held open.
func (n *names) transactionOver() {
	for name, p := range n.portals {
		if p.Bound {
			delete(n.portals, name)
		}
	}
}
