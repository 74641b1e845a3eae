package pgrelay

import (
	"slices"

	"sqlveil/proxy/session"
)

// suspended are the portals that have released some rows of a statement and wait to
// be asked for more. Nobody need ask: such a statement ends with its portal, which
// lives no longer than the transaction, unless SQL declared it, or than the session.
type suspended struct{ portals []*portal }

// add notes a portal whose statement is not complete.
func (s *suspended) add(b *portal) {
	if !slices.Contains(s.portals, b) {
		s.portals = append(s.portals, b)
	}
}

// drop forgets a portal whose statement is complete.
func (s *suspended) drop(b *portal) {
	if i := slices.Index(s.portals, b); i >= 0 {
		s.portals = slices.Delete(s.portals, i, i+1)
	}
}

// bound returns the portals that end with a transaction.
func (s *suspended) bound() []*portal {
	if len(s.portals) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.portals), func(b *portal) bool { return !b.named.Bound })
}

// portalSuspended deals with a PortalSuspended.
func (d *down) portalSuspended(e *entry) error {
	if q := e.current(); q != nil && !q.Done() {
		d.suspended.add(e.portal)
	}
	return d.pass(false)
}

// endPortals ends the statements of portals that are suspended.
func (d *down) endPortals(portals []*portal, why string) {
	for _, b := range portals {
		d.endPortal(b, session.Outcome{Ended: why})
	}
}

// endPortal ends the statement of a portal that was suspended.
func (d *down) endPortal(b *portal, o session.Outcome) {
	d.suspended.drop(b)
	if q := b.running(d.flight); q != nil {
		b.complete(d.flight, q)
		if !q.Done() {
			d.session.End(q, o)
		}
	}
}
