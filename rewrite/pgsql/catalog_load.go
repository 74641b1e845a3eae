package pgsql

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	print, err := Fingerprint(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("read the catalog of %s: %w", database, err)
	}
	c, err := load(ctx, ask, database, nil, print)
	return c, err
}

// LoadTemporary reads the temporary objects of the session that ask talks to
// and lays them over base, which must be what that session sees otherwise.
func LoadTemporary(ctx context.Context, ask Ask, base *Catalog) (*Catalog, error) {
	print, err := Fingerprint(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("read the temporary objects in %s: %w", base.Database, err)
	}
	return load(ctx, ask, base.Database, base, print)
}

// load reads one layer: the temporary one when base is not nil. It starts anew
// until the definitions are the same after as they were before.
func load(ctx context.Context, ask Ask, database string, base *Catalog, before Print) (*Catalog, error) {
	for range loadAttempts {
		l := newLoader(database, base)
		if err := l.run(ctx, ask); err != nil {
			return nil, fmt.Errorf("read the catalog of %s: %w", database, err)
		}
		after, err := Fingerprint(ctx, ask)
		if err != nil {
			return nil, fmt.Errorf("read the catalog of %s: %w", database, err)
		}
		if before == after {
			l.catalog.print = after
			if base == nil {
				l.catalog.print.Temporary = ""
			}
			return l.catalog, nil
		}
		before = after
	}
	return nil, fmt.Errorf("read the catalog of %s: %w", database, errMoving)
}

// A loader fills a catalog from the answers to the queries.
type loader struct {
	catalog    *Catalog
	layer      layer
	namespaces map[uint32]string
	extensions map[object]string
	formats    map[typeRef]string
	generated  map[columnKey]bool
}

type typeRef struct {
	oid uint32
	mod int32
}

func newLoader(database string, base *Catalog) *loader {
	l := &loader{
		catalog: &Catalog{
			version:        catalogVersions.Add(1),
			base:           base,
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
	if base != nil {
		l.layer = temporary
	}
	return l
}

// steps are the queries with what takes their rows. The order matters: later
// ones build on earlier ones.
var steps = []struct {
	name, sql string
	columns   int
	layers    []layer
	each      func(*loader, *row)
}{
	{"server", serverSQL, 1, bothLayers, (*loader).server},
	{"search path", pathSQL, 1, bothLayers, (*loader).path},
	{"schemas", schemaSQL, 2, bothLayers, (*loader).schema},
	{"extensions", extensionSQL, 3, sharedLayer, (*loader).extension},
	{"types", typeSQL, 8, bothLayers, (*loader).typ},
	{"type names", formatSQL, 3, bothLayers, (*loader).format},
	{"relations", relationSQL, 5, bothLayers, (*loader).relation},
	{"columns", columnSQL, 8, bothLayers, (*loader).column},
	{"column expressions", expressionSQL, 3, bothLayers, (*loader).expression},
	{"inheritance", inheritSQL, 2, bothLayers, (*loader).inherit},
	{"rules", ruleSQL, 1, bothLayers, (*loader).rule},
	{"views", viewSQL, 2, bothLayers, (*loader).view},
	{"functions", functionSQL, 20, bothLayers, (*loader).function},
	{"function bodies", bodySQL, 2, bothLayers, (*loader).body},
	{"operators", operatorSQL, 6, sharedLayer, (*loader).operator},
	{"casts", castSQL, 6, sharedLayer, (*loader).cast},
}

var (
	bothLayers  = []layer{permanent, temporary}
	sharedLayer = []layer{permanent}
)

// run asks every query in turn.
func (l *loader) run(ctx context.Context, ask Ask) error {
	for _, step := range steps {
		if !slices.Contains(step.layers, l.layer) {
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
