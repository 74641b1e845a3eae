package pgsql

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"sqlveil/masking"
)

// An Ask runs one query on one connection and returns its rows as text; NULL is
// nil. The queries of this package return text columns only, name everything by
// its schema and need no privilege that PUBLIC lacks by default, so an Ask may
// run them on the catalog account's connection or, between two statements of a
// client, on that client's own.
type Ask func(ctx context.Context, sql string) ([][]*string, error)

// errMoving says that a database's definitions changed while they were read,
// again and again.
var errMoving = errors.New("definitions keep changing while they are read")

// loadAttempts bounds how often a load starts anew because definitions changed
// under it.
const loadAttempts = 8

var catalogVersions atomic.Uint64

// Load reads a snapshot of the database that ask talks to, named as the policy
// names it. Temporary objects are not in it.
func Load(ctx context.Context, ask Ask, database string) (*Catalog, error) {
	print, err := permanentPrint(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("read the catalog of %s: %w", database, err)
	}
	return loadPermanent(ctx, ask, database, print)
}

// loadPermanent is Load when the fingerprint is known. It starts anew until the
// definitions are the same after as they were before.
func loadPermanent(ctx context.Context, ask Ask, database, before string) (*Catalog, error) {
	for range loadAttempts {
		l := newLoader(database)
		if err := l.run(ctx, ask); err != nil {
			return nil, fmt.Errorf("read the catalog of %s: %w", database, err)
		}
		after, err := permanentPrint(ctx, ask)
		if err != nil {
			return nil, fmt.Errorf("read the catalog of %s: %w", database, err)
		}
		if before == after {
			l.catalog.print.Permanent = after
			return l.catalog, nil
		}
		before = after
	}
	return nil, fmt.Errorf("read the catalog of %s: %w", database, errMoving)
}

// loadTemporary reads the temporary objects of a session and lays them over
// base. Nobody but the session can change them, and it is waiting for us.
func loadTemporary(ctx context.Context, ask Ask, base *Catalog, own ownState) (*Catalog, error) {
	l := newLoader(base.Database)
	l.layer, l.own = temporary, own
	l.catalog.base, l.catalog.ServerVersion = base, base.ServerVersion
	if err := l.run(ctx, ask); err != nil {
		return nil, fmt.Errorf("read the temporary objects in %s: %w", base.Database, err)
	}
	l.catalog.print = Print{base.print.Permanent, joinHashes(own.hashes)}
	return l.catalog, nil
}

// A loader fills a catalog from the answers to the queries.
type loader struct {
	catalog    *Catalog
	layer      layer
	own        ownState // of the session whose temporary objects are read
	namespaces map[uint32]string
	extensions map[object]string
	formats    map[typeRef]string
	generated  map[columnKey]bool
}

type typeRef struct {
	oid uint32
	mod int32
}

func newLoader(database string) *loader {
	return &loader{
		catalog: &Catalog{
			version:        catalogVersions.Add(1),
			Database:       database,
			schemas:        map[string]bool{},
			relations:      map[uint32]*Relation{},
			relationNames:  map[qualified]*Relation{},
			types:          map[uint32]*TypeInfo{},
			typeNames:      map[qualified]*TypeInfo{},
			functions:      map[qualified][]*Function{},
			functionOIDs:   map[uint32]*Function{},
			functionsNamed: map[string][]*Function{},
			operators:      map[string][]*Operator{},
			former:         map[columnKey][]masking.Column{},
		},
		namespaces: map[uint32]string{},
		extensions: map[object]string{},
		formats:    map[typeRef]string{},
		generated:  map[columnKey]bool{},
	}
}

// Which layers a query is for, besides those that only the permanent one needs:
// the temporary one too, always or when the session has such objects.
const (
	permanentOnly = -2
	always        = -1
)

// steps are the queries with what takes their rows. The order matters: later
// ones build on earlier ones.
var steps = []struct {
	name, sql string
	columns   int
	own       int // permanentOnly, always, or a place in temporaryHashes
	each      func(*loader, *row)
}{
	{"server", serverSQL, 1, permanentOnly, (*loader).server},
	{"search path", pathSQL, 1, always, (*loader).path},
	{"schemas", schemaSQL, 2, always, (*loader).schema},
	{"extensions", extensionSQL, 3, permanentOnly, (*loader).extension},
	{"types", typeSQL, 8, ownTypes, (*loader).typ},
	{"type names", formatSQL, 3, ownColumns, (*loader).format},
	{"relations", relationSQL, 5, ownRelations, (*loader).relation},
	{"columns", columnSQL, 8, ownColumns, (*loader).column},
	{"column expressions", expressionSQL, 3, ownExpressions, (*loader).expression},
	{"inheritance", inheritSQL, 2, ownInheritance, (*loader).inherit},
	{"primary keys", keySQL, 2, permanentOnly, (*loader).key},
	{"rules", ruleSQL, 1, ownRules, (*loader).rule},
	{"views", viewSQL, 2, ownRules, (*loader).view},
	{"functions", functionSQL, 20, ownFunctions, (*loader).function},
	{"function bodies", bodySQL, 2, ownFunctions, (*loader).body},
	{"operators", operatorSQL, 6, permanentOnly, (*loader).operator},
	{"casts", castSQL, 6, permanentOnly, (*loader).cast},
}

// skips says whether a query of that own has nothing to tell in this layer.
func (l *loader) skips(own int) bool {
	switch {
	case l.layer == permanent || own == always:
		return false
	case own == permanentOnly:
		return true
	}
	return l.own.hashes[own] == nil
}

// run asks every query in turn.
func (l *loader) run(ctx context.Context, ask Ask) error {
	for _, step := range steps {
		if l.skips(step.own) {
			continue
		}
		rows, err := ask(ctx, l.layer.in(step.sql))
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		for _, cells := range rows {
			if len(cells) != step.columns {
				return fmt.Errorf("%s: %d columns instead of %d", step.name, len(cells), step.columns)
			}
			r := row{cells: cells}
			step.each(l, &r)
			if r.err != nil {
				return fmt.Errorf("%s: %w", step.name, r.err)
			}
		}
	}
	l.finish()
	return nil
}
