package pgsql

import (
	"maps"
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"sqlveil/rewrite"
)

// An expression of a select list that can fail on a protected value need not be
// refused: nobody sees its value, so another expression may stand in for it,
//
//	CASE WHEN false THEN <the expression> WHEN NOT <it is NULL> THEN <a constant> END
//
// which has the same type, name and NULLs and never works out the first arm: the
// server drops it while planning, with the aggregates in it. The text with its
// stand-ins is resolved as any other is, so nothing rests on their being right.

// A place is one expression of a select list of the statement's own text.
type place struct {
	target *pg.ResTarget
	may    map[*rewrite.TableColumn]bool // columns on whose values it can fail
	bound  int                           // calls in it that have an effect, or return sets, which CASE may not hold
	stand  *pg.Node                      // what may stand in for the expression
	name   string                        // of the column
}

// selected resolves one expression of a select list, and keeps it as a place if
// it can fail.
func (r *resolver) selected(t *pg.ResTarget, l *queryLevel) value {
	if r.places == nil || r.depth > 0 || r.unreached > 0 {
		return r.expr(t.Val, l)
	}
	outer := r.place
	p := &place{target: t, may: map[*rewrite.TableColumn]bool{}}
	r.place = p
	v := r.expr(t.Val, l)
	r.place = outer
	if outer != nil {
		outer.bound += p.bound
	}
	if p.bound == 0 && !r.checked(v) && r.labelled(p.failures()) {
		p.name = t.Name
		if p.name == "" {
			p.name = r.columnName(t.Val)
		}
		p.stand = r.standIn(t.Val, v, l)
		*r.places = append(*r.places, p)
	}
	return v
}

// mayFail notes that the expression being resolved can fail depending on v.
func (p *place) mayFail(v value) {
	for s := range v.Sources {
		p.may[s.Column] = true
	}
}

// failures is a value that is made of what the expression can fail on.
func (p *place) failures() value {
	var v value
	for c := range p.may {
		v.Derived = append(v.Derived, rewrite.Source{Column: c})
	}
	return v
}

// checked reports whether v is of a domain, which takes neither any constant nor
// NULL.
func (r *resolver) checked(v value) bool { return v.declared != nil && v.declared.Kind == 'd' }

// bind notes a call that must stay where it is.
func (r *resolver) bind() {
	if r.place != nil {
		r.place.bound++
	}
}

// standIn is the expression that may take the place of n, whose value is v.
func (r *resolver) standIn(n *pg.Node, v value, l *queryLevel) *pg.Node {
	arms := []*pg.Node{caseWhen(falseNode(), n)}
	literal, known := standInLiteral(v.typ)
	if known {
		r.unreached++ // the server works out the tests alone
		null := r.nullTest(n, l, deepestTest)
		r.unreached--
		if null != nil {
			arms = append(arms, caseWhen(not(null), castLike(n, stringNode(literal))))
		}
	}
	otherwise := castLike(n, constantNode(&pg.A_Const{Isnull: true}))
	return &pg.Node{Node: &pg.Node_CaseExpr{CaseExpr: &pg.CaseExpr{Args: arms, Defresult: otherwise}}}
}

// moves says whether what some place makes may go to a table: that must be the
// value itself.
func moves(flows []rewrite.Flow, places []*place) bool {
	for _, f := range flows {
		for s := range f.Value.Sources {
			if slices.ContainsFunc(places, func(p *place) bool { return p.may[s.Column] }) {
				return true
			}
		}
	}
	return false
}

// instead is the statement in which stand-ins take the place of what can fail
// depending on a column that hides reports; nil when that cannot be. again
// resolves a text as the whole statement was resolved.
func instead(n *pg.Node, places []*place, again func(text string) *rewrite.Statement) func(func(*rewrite.TableColumn) bool) *rewrite.Statement {
	if len(places) == 0 {
		return nil
	}
	return func(hides func(*rewrite.TableColumn) bool) *rewrite.Statement {
		text, ok := replaced(n, slices.DeleteFunc(slices.Clone(places), func(p *place) bool {
			return !slices.ContainsFunc(slices.Collect(maps.Keys(p.may)), hides)
		}))
		if !ok {
			return nil
		}
		return again(text)
	}
}

// replaced is the text of a statement with the stand-ins of some places in it.
// What is written anew must read as it was meant.
func replaced(n *pg.Node, places []*place) (text string, ok bool) {
	for _, p := range places {
		name, val := p.target.Name, p.target.Val
		p.target.Name, p.target.Val = p.name, p.stand
		defer func() { p.target.Name, p.target.Val = name, val }()
	}
	text, err := write(n)
	if err != nil {
		return "", false
	}
	read, err := parse(text)
	if err != nil || len(read) != 1 {
		return "", false
	}
	meant := proto.Clone(n).(*pg.Node)
	forgetLocations(meant.ProtoReflect())
	forgetLocations(read[0].Stmt.ProtoReflect())
	return text, proto.Equal(meant, read[0].Stmt)
}
