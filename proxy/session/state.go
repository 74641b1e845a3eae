package session

import (
	"context"
	"errors"

	"sqlveil/rewrite"
)

// state is what statements do to the meaning of later ones.
type state struct {
	pathDirty    bool // the search path has to be asked for
	catalogDirty bool // the catalog has to be read again
	touched      bool // a statement of the open transaction changed one of them
	catalog      bool // it was the catalog: nobody else sees that before the commit
	redefined    bool // a statement of it said so, instead of merely being able to
	moving       int  // statements in flight that may change them
}

// changes says whether a statement may change what names mean.
func changes(e *rewrite.Effect) bool {
	return e.Path || e.Catalog || e.Opaque || e.ForgetAll
}

// moves says whether a statement in flight makes the meaning of names uncertain.
func (s *state) moves(e *rewrite.Effect) bool {
	return changes(e) || e.End && (s.touched || s.moving > 0)
}

// happened notes what a statement did that succeeded.
func (s *state) happened(e *rewrite.Effect) {
	if changes(e) {
		s.touched, s.pathDirty = true, true
		if e.Catalog || e.Opaque || e.ForgetAll {
			s.catalog, s.catalogDirty = true, true
		}
		s.redefined = s.redefined || e.Catalog
	}
	if e.End {
		s.undone()
	}
}

// undone notes that what a transaction did may not be there any more.
func (s *state) undone() {
	s.pathDirty = s.pathDirty || s.touched
	s.catalogDirty = s.catalogDirty || s.catalog
}

// over notes that no transaction is open.
func (s *state) over() {
	s.undone()
	s.touched, s.catalog, s.redefined = false, false, false
}

// unsettled says whether something has to be found out before names can be
// resolved.
func (s *state) unsettled() bool { return s.pathDirty || s.catalogDirty || s.moving > 0 }

// TransactionOver says that the server has no transaction open. It is called on
// the down side.
func (s *Session) TransactionOver() {
	s.mu.Lock()
	redefined := s.state.redefined
	s.state.over()
	s.names.transactionOver()
	s.mu.Unlock()
	if redefined {
		s.options.Catalogs.Changed(s.caller.Database)
	}
}

// BatchFailed says that a statement failed, and what its batch or transaction
// did before may be undone. It is called on the down side.
func (s *Session) BatchFailed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.undone()
}

// PathChanged says that the server told of a new search path or of another
// setting that the meaning of a text depends on. It is called on the down side.
func (s *Session) PathChanged() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.pathDirty = true
}

// unsettled is state's.
func (s *Session) unsettled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.unsettled()
}

// scopeNow returns the scope of the next statement, as far as it is known
// without asking the server.
func (s *Session) scopeNow(ctx context.Context) (*rewrite.Scope, error) {
	if p := s.options.Policy(); p != s.policy && !s.matchRole(p) {
		return nil, roleRefusal()
	}
	current := s.options.Catalogs.Current
	if s.role.SeesAll() {
		current = s.options.Catalogs.Known
	}
	catalog, err := current(ctx, s.caller.Database)
	if err != nil {
		return nil, s.noCatalog(err)
	}
	return s.scopeWith(catalog), nil
}

// scopeWith returns the scope with the common catalog, or with the session's own
// where that has to do.
func (s *Session) scopeWith(common rewrite.Catalog) *rewrite.Scope {
	if s.catalog != nil && common.Version() != s.catalog.Version() {
		// Schemas or the right to use them may have changed as well.
		s.mu.Lock()
		s.state.pathDirty = true
		s.state.catalogDirty = s.state.catalogDirty || s.own != nil
		s.mu.Unlock()
		s.scope = nil
	}
	s.catalog = common
	if s.scope == nil {
		scope := rewrite.Scope{
			Role: s.role, Policy: s.policy, Database: s.caller.Database, User: s.caller.User,
			SearchPath: s.around.Path, Mode: s.around.Mode, Catalog: common,
		}.Seal()
		if s.own != nil {
			scope.Catalog = s.own
		}
		s.scope, s.reading = &scope, nil
		if s.around.Kept {
			s.reading = &reading{s.around.Path, s.around.Mode}
		}
	}
	return s.scope
}

func (s *Session) noCatalog(err error) error {
	if s.role.SeesAll() { // who is none the worse for it
		s.Log.Debug().Err(err).Str("database", s.caller.Database).Msg("the catalog is not available")
		return catalogRefusal()
	}
	s.Log.Error().Err(err).Str("database", s.caller.Database).Msg("the catalog is not available")
	return catalogRefusal()
}

// settle finds out what the names of the next statement mean: it waits for what
// is in flight and asks the server.
func (s *Session) settle(ctx context.Context) (Standing, error) {
	s.options.Metrics.Drains.Add(1)
	standing, err := s.wire.Drain(ctx)
	if err != nil || standing != Ready {
		return standing, err
	}
	s.mu.Lock()
	was := s.state
	s.state.pathDirty, s.state.catalogDirty = false, false
	s.mu.Unlock()
	if err := s.ask(ctx, was); err != nil {
		s.mu.Lock()
		s.state.pathDirty = s.state.pathDirty || was.pathDirty
		s.state.catalogDirty = s.state.catalogDirty || was.catalogDirty
		s.mu.Unlock()
		return standing, asRefusal(err)
	}
	return Ready, nil
}

// asRefusal makes an answer to the client of an error that the server answered a
// question with.
func asRefusal(err error) error {
	var server *ServerError
	if errors.As(err, &server) {
		return serverRefusal(server)
	}
	return err
}

// ask finds out what is dirty.
func (s *Session) ask(ctx context.Context, was state) error {
	if was.pathDirty {
		around, err := s.wire.Surroundings(ctx)
		if err != nil {
			return err
		}
		s.around, s.scope = around, nil
	}
	made := s.temporaries()
	if !s.around.Own && !was.catalog && len(made) == 0 {
		return s.askCommon(ctx, was)
	}
	if s.own == nil || was.catalogDirty {
		return s.askOwn(ctx, made)
	}
	return nil
}

// askCommon goes by what everybody sees.
func (s *Session) askCommon(ctx context.Context, was state) error {
	if s.own != nil {
		s.own, s.scope = nil, nil
	}
	if !was.catalogDirty {
		return nil
	}
	s.aside()
	fresh, err := s.options.Catalogs.Fresh(ctx, s.caller.Database)
	if err != nil {
		return s.noCatalog(err)
	}
	s.catalog, s.scope = fresh, nil
	return nil
}

// askOwn goes by what this session sees, with what it has made for itself.
func (s *Session) askOwn(ctx context.Context, made []rewrite.TemporaryTable) error {
	s.aside()
	own, err := s.options.Catalogs.Local(ctx, s.caller.Database, made, s.wire.Ask)
	if err != nil {
		var server *ServerError
		if errors.As(err, &server) || errors.Is(err, ErrSkipped) {
			return err
		}
		return s.noCatalog(err)
	}
	common, err := s.options.Catalogs.Current(ctx, s.caller.Database)
	if err != nil {
		return s.noCatalog(err)
	}
	s.own, s.catalog, s.scope = own, common, nil
	return nil
}

// Statement returns what the name of a prepared statement stands for.
func (s *Session) Statement(name []byte) (*Prepared, Lookup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names.statement(name)
}

// Portal returns what the name of a cursor stands for.
func (s *Session) Portal(name []byte) (*Portal, Lookup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.portalLocked(name)
}

// portalLocked knows no cursor whose statement was not planned, unless the role
// sees everything.
func (s *Session) portalLocked(name []byte) (*Portal, Lookup) {
	p, lookup := s.names.portal(name)
	if p != nil && p.Prepared.scope == nil && s.Masked() {
		return nil, Unknown
	}
	return p, lookup
}

// Forgotten says whether no name stands for a portal any more, nor will when what
// is in flight succeeds.
func (s *Session) Forgotten(p *Portal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.names.speakOf(p)
}

// Will notes a change that a message makes if it succeeds, and returns the
// ticket to settle it with. It is called on the up side, in the order in which
// the messages are sent.
func (s *Session) Will(c Change) (ticket uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ticket++
	s.names.will(s.ticket, c)
	return s.ticket
}

// Settle makes the change of a message that succeeded, or drops it. It is called
// on the down side, in the order in which the messages were sent.
func (s *Session) Settle(ticket uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names.settle(ticket, ok)
}

// NextBatch says that what is sent from now on is carried out even when
// something fails that was sent before. It is called on the up side.
func (s *Session) NextBatch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names.batch++
}

// Renewed lets a name stand for what Renew returned for it.
func (s *Session) Renewed(name []byte, old, renewed *Prepared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names.statements[string(name)] == old {
		s.names.statements[string(name)] = renewed
	}
}
