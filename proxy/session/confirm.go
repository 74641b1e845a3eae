package session

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sqlveil/rewrite"
)

// errRedefined says that what a statement returns may not be what was planned.
var errRedefined = errors.New("definitions were changed while the statement ran, try again")

// A basis is the statement whose names the server looked up for another one: the
// cursor's query of a FETCH, the prepared statement of an EXECUTE.
type basis struct {
	prepared *Prepared
	index    int
}

// A layered catalog is that of one session, which lies over what everybody sees.
type layered interface {
	// Over returns the session's part over another catalog of the rest; ok is false
	// where it does not lie over the catalog with the version was.
	Over(was uint64, now rewrite.Catalog) (c rewrite.Catalog, ok bool)
}

// Confirm makes sure, before the first row of a statement is released, that the
// server knew the names in it for what they were planned as. It was sent under
// definitions that may have been changed by somebody else since they were last
// looked at, and it may have waited for a lock or behind another statement of its
// text before the server looked at them. Where the server vouches for the origin of
// what is released, that is of no importance: see [Prepared.Vouched]. It is called
// on the down side.
func (s *Session) Confirm(ctx context.Context, p *Prepared, i int) error {
	if p.Open() || i >= len(p.plans) {
		return nil
	}
	now, err := s.options.Catalogs.Verified(ctx, s.caller.Database)
	if err != nil {
		return s.noCatalog(err)
	}
	b := p.basis(i)
	if now.Version() == b.prepared.common || sameRelease(p.plans[i], b.under(s, now)) {
		return nil
	}
	s.mu.Lock()
	s.state.catalogDirty, s.state.pathDirty = true, true
	s.mu.Unlock()
	return errRedefined
}

// Vouched says whether the server tells of each column of the result that is
// released where it comes from, and that it is the column which was planned, or
// the column is made of nothing that can be redefined.
func (p *Prepared) Vouched(i int, origins []Origin) bool {
	if i >= len(p.plans) || p.plans[i].Routines {
		return i >= len(p.plans)
	}
	for j, o := range p.plans[i].Outputs {
		if o.Mask == nil && j < len(origins) && !vouched(o.Sources, origins[j]) {
			return false
		}
	}
	return true
}

// vouched does so for one column. MySQL names a view where MariaDB names the table
// behind it: that says nothing of what the view means by now.
func vouched(sources []*rewrite.TableColumn, origin Origin) bool {
	named := func(c *rewrite.TableColumn) bool { return !c.View && c.Rel == origin.Rel && c.Att == origin.Att }
	switch {
	case slices.ContainsFunc(sources, named):
		return true
	case origin.Rel != 0 && len(sources) == 0: // a view's, or a table's that was not planned
		return false
	}
	return !slices.ContainsFunc(sources, func(c *rewrite.TableColumn) bool { return !c.System })
}

// basis is the statement that was looked up for the one with this index.
func (p *Prepared) basis(i int) basis {
	b, ok := p.taken[i]
	if !ok {
		return basis{p, i}
	}
	return b.prepared.basis(b.index)
}

// take notes that a statement takes its result over from another one.
func (p *Prepared) take(i int, from basis) {
	if p.taken == nil {
		p.taken = map[int]basis{}
	}
	p.taken[i] = from
}

// under is the plan of the statement over another common catalog, nil where that
// cannot be told.
func (b basis) under(s *Session, common rewrite.Catalog) *rewrite.Plan {
	scope := *b.prepared.scope
	if scope.Catalog.Version() == b.prepared.common {
		scope.Catalog = common
	} else {
		own, ok := scope.Catalog.(layered)
		if !ok {
			return nil
		}
		if scope.Catalog, ok = own.Over(b.prepared.common, common); !ok {
			return nil
		}
	}
	plans := s.options.Planner.Plan(scope, strings.Clone(b.prepared.Text)) // which may be of one time only
	if b.index >= len(plans) {
		return nil
	}
	if cursor := plans[b.index].Effect.Cursor; cursor != nil && plans[b.index].Refuse == nil {
		return cursor
	}
	return plans[b.index]
}

// sameRelease says whether two plans release the same columns under the same masks.
func sameRelease(a, b *rewrite.Plan) bool {
	return b != nil && b.Refuse == nil && slices.Equal(a.Results, b.Results) && slices.EqualFunc(a.Outputs, b.Outputs, func(x, y rewrite.Output) bool { return x.Mask == y.Mask })
}
