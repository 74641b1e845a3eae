package pgsql

import (
	"math"
	"slices"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
)

// expr resolves an expression: which columns its value is made of. What steers
// the value without being in it (CASE conditions, FILTER, subquery predicates)
// is recorded as a use on the way.
func (r *resolver) expr(n *pg.Node, l *queryLevel) value {
	if n == nil || !r.step() {
		return value{}
	}
	if since := newerThan(n); r.catalog.ServerVersion < since {
		return r.unsupported("an expression that only a newer server takes for what it is")
	}
	switch e := n.Node.(type) {
	case *pg.Node_ColumnRef:
		return r.columnRef(e.ColumnRef, l)
	case *pg.Node_ParamRef:
		return l.param(int(e.ParamRef.Number))
	case *pg.Node_AConst:
		return constant(e.AConst)
	case *pg.Node_TypeCast:
		return r.typeCast(e.TypeCast, l)
	case *pg.Node_CollateClause:
		v := r.expr(e.CollateClause.Arg, l)
		v.exact, v.constant = false, false // to some collations different strings are equal
		return v
	case *pg.Node_FuncCall:
		return r.call(e.FuncCall, l)
	case *pg.Node_AExpr:
		return r.operator(e.AExpr, l)
	case *pg.Node_BoolExpr:
		return r.boolExpr(e.BoolExpr, l)
	case *pg.Node_NullTest:
		return known(derived(r.expr(e.NullTest.Arg, l)))
	case *pg.Node_BooleanTest:
		return known(derived(r.expr(e.BooleanTest.Arg, l)))
	case *pg.Node_SubLink:
		return r.subLink(e.SubLink, l)
	case *pg.Node_CaseExpr:
		return r.caseExpr(e.CaseExpr, l)
	case *pg.Node_CoalesceExpr:
		return r.coalesce(e.CoalesceExpr, l)
	case *pg.Node_MinMaxExpr: // which one is greatest tells their order, so none of them is released as it is
		return derived(r.exprs(e.MinMaxExpr.Args, l)...)
	case *pg.Node_RowExpr:
		return r.rowExpr(e.RowExpr, l)
	case *pg.Node_AArrayExpr:
		return arrayExpr(r.exprs(e.AArrayExpr.Elements, l))
	case *pg.Node_AIndirection:
		return r.indirection(e.AIndirection, l)
	case *pg.Node_NamedArgExpr:
		return r.expr(e.NamedArgExpr.Arg, l)
	case *pg.Node_GroupingFunc: // tells which grouping set a row is of, nothing of the columns
		return value{}
	case *pg.Node_SqlvalueFunction:
		return value{typ: valueFunctionTypes[e.SqlvalueFunction.Op]}
	case *pg.Node_SetToDefault, *pg.Node_CurrentOfExpr, *pg.Node_MergeSupportFunc:
		return value{}
	case *pg.Node_List:
		return derived(r.exprs(e.List.Items, l)...)
	}
	return r.documentExpr(n, l)
}

// valueFunctionTypes are the types of the functions that are called by a keyword.
var valueFunctionTypes = map[pg.SQLValueFunctionOp]string{
	pg.SQLValueFunctionOp_SVFOP_CURRENT_DATE:      "date",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME:      "timetz",
	pg.SQLValueFunctionOp_SVFOP_LOCALTIME:         "time",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP: "timestamptz",
	pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP:    "timestamp",
}

// boolExpr resolves AND, OR and NOT as values. The first two leave out what
// comes after an operand that decides, so that shows in its effects.
func (r *resolver) boolExpr(e *pg.BoolExpr, l *queryLevel) value {
	v := derived(r.exprs(e.Args, l)...)
	if e.Boolop != pg.BoolExprType_NOT_EXPR {
		r.use(v, "boolean expression")
	}
	return v
}

func (r *resolver) exprs(nodes []*pg.Node, l *queryLevel) []value {
	out := make([]value, len(nodes))
	for i, n := range nodes {
		out[i] = r.expr(n, l)
	}
	return out
}

// mostSmall is how large a small number is, and the inverse of how small.
const mostSmall = 10_000

func constant(c *pg.A_Const) value {
	switch k := c.GetVal().(type) {
	case *pg.A_Const_Sval:
		return value{constant: true, typ: "unknown", text: k.Sval.GetSval(), literal: true, written: k.Sval.GetSval()}
	case *pg.A_Const_Ival:
		i := k.Ival.GetIval()
		return value{constant: true, typ: "int4", written: strconv.Itoa(int(i)), small: i != 0 && -mostSmall <= i && i <= mostSmall}
	case *pg.A_Const_Fval:
		written := k.Fval.GetFval()
		switch i, err := strconv.ParseInt(written, 10, 64); {
		case err == nil && i == math.MinInt32: // a number and its sign are read one by one
			return value{constant: true, typ: "int4", written: written}
		case err == nil:
			return value{constant: true, typ: "int8", written: written}
		}
		f, err := strconv.ParseFloat(written, 64)
		return value{constant: true, typ: "numeric", written: written, small: err == nil && 1.0/mostSmall <= math.Abs(f) && math.Abs(f) <= mostSmall}
	case *pg.A_Const_Boolval:
		return value{constant: true, typ: "bool"}
	case *pg.A_Const_Bsval:
		return value{constant: true, typ: "bit"}
	}
	return value{constant: true, typ: "unknown"}
}

// columnRef resolves a, t.a, s.t.a, d.s.t.a, t.* and a table's name standing
// for its row.
func (r *resolver) columnRef(c *pg.ColumnRef, l *queryLevel) value {
	if len(c.Fields) > 0 && c.Fields[len(c.Fields)-1].GetAStar() != nil {
		t := r.starTable(c, l)
		if t == nil {
			return value{}
		}
		return t.whole()
	}
	parts := strs(c.Fields)
	switch len(parts) {
	case 1:
		return r.bareColumn(parts[0], c.Location, l)
	case 2, 3:
		schema := ""
		if len(parts) == 3 {
			schema = parts[0]
		}
		return r.tableColumn(l.table(schema, parts[len(parts)-2]), parts, c.Location, l)
	case 4:
		if parts[0] == r.scope.Database {
			return r.tableColumn(l.table(parts[1], parts[2]), parts, c.Location, l)
		}
	}
	return r.noColumn(strings.Join(parts, "."), c.Location)
}

func (r *resolver) bareColumn(name string, location int32, l *queryLevel) value {
	if v, ok := l.column(name); ok {
		return v
	}
	if t := l.table("", name); t != nil {
		return t.whole()
	}
	return r.noColumn(quoteMessage(name), location)
}

func quoteMessage(name string) string { return `"` + name + `"` }

// tableColumn resolves a column of one table; f(t) may be written t.f.
func (r *resolver) tableColumn(t *table, parts []string, location int32, l *queryLevel) value {
	name := parts[len(parts)-1]
	if t == nil {
		if v, ok := r.compositeField(parts, l); ok {
			return v
		}
		if len(parts) == 2 {
			return r.unknown(rewrite.Refusal{
				Code: rewrite.CodeUnknownName, SQLState: "42P01", Position: position(location),
				Message: "missing FROM-clause entry for table " + quoteMessage(parts[0]),
			})
		}
		return r.noColumn(strings.Join(parts, "."), location)
	}
	if v, ok := t.find(name); ok {
		return v
	}
	if functions := r.userFunctions("", name); len(functions) > 0 {
		return r.userCall(functions, []value{t.whole()}, nil)
	}
	if Judge(systemSchema, name, "").Known {
		return r.judged(systemSchema, name, "", []value{t.whole()})
	}
	return r.noColumn(strings.Join(parts, "."), location)
}

// compositeField resolves a.b where a is a function argument of a row type.
func (r *resolver) compositeField(parts []string, l *queryLevel) (value, bool) {
	if len(parts) != 2 {
		return value{}, false
	}
	for at := l; at != nil; at = at.outer {
		if at.args != nil {
			if v, ok := at.args.byName[parts[0]]; ok {
				return field(v, parts[1]), true
			}
			if v, ok := at.args.byName[parts[1]]; ok && parts[0] == at.args.function {
				return v, true
			}
		}
	}
	return value{}, false
}

// starTable is the table that t.* speaks of, nil (and on record) when there is none.
func (r *resolver) starTable(c *pg.ColumnRef, l *queryLevel) *table {
	parts := strs(c.Fields)
	if len(parts) == 0 {
		if len(l.from.parts) == 1 {
			return l.from.parts[0]
		}
		return &table{columns: visible(l.from.parts...)}
	}
	schema := ""
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	if t := l.table(schema, parts[len(parts)-1]); t != nil {
		return t
	}
	r.unknown(rewrite.Refusal{
		Code: rewrite.CodeUnknownName, SQLState: "42P01", Position: position(c.Location),
		Message: "missing FROM-clause entry for table " + quoteMessage(parts[len(parts)-1]),
	})
	return nil
}

// typeCast resolves arg::type.
func (r *resolver) typeCast(c *pg.TypeCast, l *queryLevel) value {
	return r.castType(r.cast(r.expr(c.Arg, l), c.TypeName), c.TypeName)
}

// cast is v cast to a type, but for the type itself.
func (r *resolver) cast(v value, to *pg.TypeName) value {
	if v.constant || v.None() {
		return value{constant: v.constant, text: v.text, literal: v.literal && r.keepsLiteral(v, to), written: v.written, param: v.param}
	}
	typ := r.builtinName(to)
	_, name := splitName(to.Names)
	switch {
	case r.isOf(v, to):
		return v // nothing is done
	case r.hasUserCast(name), len(to.ArrayBounds) > 0, v.row != nil && !isTextType(typ), v.row == nil && !CastTotal(v.typ, typ):
		r.fallible(v)
		if isJSON(v.typ) || r.hasUserCast(name) { // from PostgreSQL 18 on, null of JSON is NULL
			return tells(derived(v))
		}
		return derived(v)
	case v.row == nil && len(to.Typmods) == 0 && CastKeepsText(v.typ, typ):
		return value{Value: v.Value, exact: v.exact && isTextType(v.typ)}
	}
	return derived(v)
}

// keepsLiteral says whether a string stays as it is written when it is cast: a
// length cuts it, and other types write what they understand.
func (r *resolver) keepsLiteral(v value, to *pg.TypeName) bool {
	t := r.namedType(to)
	if t == nil || t.Schema != systemSchema || len(to.Typmods) > 0 || v.typ != "unknown" && v.typ != "text" && v.typ != "varchar" {
		return false
	}
	return slices.Contains([]string{"text", "varchar", "_text", "_varchar"}, t.Name)
}

// isOf reports whether v is of a type already.
func (r *resolver) isOf(v value, to *pg.TypeName) bool {
	if len(to.Typmods) > 0 || len(to.ArrayBounds) > 0 {
		return false
	}
	typ := r.builtinName(to)
	return typ != "" && typ == v.typ || v.declared != nil && v.declared == r.namedType(to)
}

// builtinName is the name of a built-in type, "" for any other and for arrays.
func (r *resolver) builtinName(n *pg.TypeName) string {
	if t := r.namedType(n); t != nil && t.Schema == systemSchema && len(n.ArrayBounds) == 0 {
		return t.Name
	}
	return ""
}

// hasUserCast reports whether a user-written cast to or from a type of that
// name exists: it runs a function of its own.
func (r *resolver) hasUserCast(name string) bool {
	for _, c := range r.catalog.UserCasts() {
		if c.Extension != "" || c.Function == 0 {
			continue // judged with its extension, or without a function of its own
		}
		for _, oid := range []uint32{c.Source, c.Target} {
			if t := r.catalog.TypeByOID(oid); t == nil || t.Name == name {
				return true
			}
		}
	}
	return false
}

func isTextType(name string) bool {
	switch name {
	case "text", "varchar", "bpchar", "name":
		return true
	}
	return false
}

func (r *resolver) caseExpr(c *pg.CaseExpr, l *queryLevel) value {
	var out value
	arg := r.expr(c.Arg, l)
	for i, n := range c.Args {
		when := n.GetCaseWhen()
		if c.Arg != nil {
			r.compare(arg, r.expr(when.Expr, l), "case")
		} else {
			r.condition(when.Expr, l, "case")
		}
		result := r.arm(c, when, l)
		if i == 0 {
			out = result.branch()
		} else {
			out = branch(out, result)
		}
	}
	if c.Defresult == nil {
		return out
	}
	return branch(out, r.expr(c.Defresult, l))
}

// arm is the result of one arm of CASE. The server drops an arm that is never
// taken before it looks into its result.
//
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/optimizer/util/clauses.c
func (r *resolver) arm(c *pg.CaseExpr, when *pg.CaseWhen, l *queryLevel) value {
	never, isBool := when.Expr.GetAConst().GetVal().(*pg.A_Const_Boolval)
	if c.Arg == nil && isBool && !never.Boolval.GetBoolval() {
		r.unreached++
		defer func() { r.unreached-- }()
	}
	return r.expr(when.Result, l)
}

// branch is either, but for the type: a constant takes the other's.
func branch(a, b value) value {
	out := either(a, b)
	switch {
	case b.untyped():
		out.typ = a.typ
	case a.untyped():
		out.typ = b.typ
	}
	return out
}

func (r *resolver) coalesce(c *pg.CoalesceExpr, l *queryLevel) value {
	args := r.exprs(c.Args, l)
	if len(args) == 1 {
		return args[0]
	}
	out := args[0].branch()
	for i, a := range args[1:] {
		if args[i].Nulls { // whether the next one is worked out shows in its effects
			r.use(args[i], "coalesce")
		}
		out = branch(out, a)
	}
	return out
}

func (r *resolver) rowExpr(e *pg.RowExpr, l *queryLevel) value {
	var out value
	cells := r.spread(e.Args, l)
	out.Value = made(cells)
	for _, v := range cells {
		out.row = append(out.row, column{name: "f" + itoa(len(out.row)+1), value: v})
	}
	return known(out)
}

// indirection resolves (row).field, array[i], document['key'] and (row).*.
func (r *resolver) indirection(e *pg.A_Indirection, l *queryLevel) value {
	v := r.expr(e.Arg, l)
	for i := 0; i < len(e.Indirection); i++ {
		switch step := e.Indirection[i].GetNode().(type) {
		case *pg.Node_String_:
			v = r.fieldOrCall(v, step.String_.Sval)
		case *pg.Node_AIndices:
			end := i + 1
			for end < len(e.Indirection) && e.Indirection[end].GetAIndices() != nil {
				end++
			}
			v = r.subscripts(v, e.Indirection[i:end], l)
			i = end - 1
		case *pg.Node_AStar:
			v = derived(v)
		default:
			return r.unsupported("this indirection")
		}
	}
	return v
}

// fieldOrCall is (v).name: a field of a row, or a function called on it.
func (r *resolver) fieldOrCall(v value, name string) value {
	for _, c := range v.row {
		if c.name == name {
			return c.value
		}
	}
	if functions := r.userFunctions("", name); len(functions) > 0 {
		return r.userCall(functions, []value{v}, nil)
	}
	if Judge(systemSchema, name, "").Known {
		out := either(derived(v), r.judged(systemSchema, name, "", []value{v}))
		out.typ = ""
		return out
	}
	return tells(derived(v))
}

// field is a field of a row, or of a composite whose fields are not known.
func field(v value, name string) value {
	for _, c := range v.row {
		if c.name == name {
			return c.value
		}
	}
	return tells(derived(v))
}

// subscripts is array[i][j], of which a slice makes the whole a slice, or
// document['key'][i].
func (r *resolver) subscripts(v value, nodes []*pg.Node, l *queryLevel) value {
	slice := false
	var indexes []value
	for _, n := range nodes {
		s := n.GetAIndices()
		slice = slice || s.IsSlice
		indexes = append(indexes, r.expr(s.Lidx, l), r.expr(s.Uidx, l))
	}
	if all := derived(indexes...); !all.None() {
		r.use(all, "subscript")
	}
	if isJSON(v.typ) && !slice {
		for i := 1; i < len(indexes); i += 2 {
			v = r.jsonSubscript(v, indexes[i])
		}
		return v
	}
	return element(v, slice, indexes...)
}

// arrayExpr is ARRAY[...].
func arrayExpr(items []value) value {
	out := known(derived(items...))
	typ := "unknown"
	for _, item := range items {
		switch item.typ {
		case typ, "unknown":
		default:
			if typ != "unknown" {
				item.typ = ""
			}
			typ = item.typ
		}
	}
	if typ == "unknown" {
		typ = "text"
	}
	out.typ = arrayOf(typ)
	if len(items) > 0 {
		out.elements = fieldsFrom(out, items[0])
	}
	return out
}

// element is array[i], or array[i:j].
func element(v value, slice bool, indexes ...value) value {
	out := tells(derived(append(indexes, v)...))
	switch {
	case slice:
		out.typ, out.elements = v.typ, v.elements
	case v.elements != nil:
		out.row = v.elements
	default:
		out.typ = elementOf(v.typ)
	}
	return out
}

// fieldsFrom are the fields of the rows in v, of which item is one: what v is
// made of goes into each.
func fieldsFrom(v, item value) []column {
	if item.row == nil {
		return item.elements
	}
	out := make([]column, len(item.row))
	for i, c := range item.row {
		part := tells(derived(value{Value: v.Value}))
		part.typ, part.rows = c.value.typ, c.value.mayBeRow()
		out[i] = column{name: c.name, value: part}
	}
	return out
}

// subLink resolves a subquery in an expression.
func (r *resolver) subLink(s *pg.SubLink, l *queryLevel) value {
	columns := r.query(s.Subselect, l)
	if s.SubLinkType == pg.SubLinkType_EXPR_SUBLINK && len(columns) > 0 {
		r.nameSubquery(s, columns[0].name)
	}
	test := r.expr(s.Testexpr, l)
	switch s.SubLinkType {
	case pg.SubLinkType_EXISTS_SUBLINK:
		return value{}
	case pg.SubLinkType_EXPR_SUBLINK, pg.SubLinkType_MULTIEXPR_SUBLINK:
		return single(columns)
	case pg.SubLinkType_ARRAY_SUBLINK:
		return arrayExpr([]value{single(columns)})
	}
	r.operatorFunctions(s.OperName, []value{test, rowOf(columns)})
	v := tells(derived(test, rowOf(columns)))
	r.use(v, "comparison with a subquery") // which ends with the row that decides
	return v
}

func (r *resolver) nameSubquery(s *pg.SubLink, name string) {
	if r.subqueryNames == nil {
		r.subqueryNames = map[*pg.SubLink]string{}
	}
	r.subqueryNames[s] = name
}

// single is the value of a subquery in an expression.
func single(columns []column) value {
	if len(columns) != 1 {
		return rowOf(columns)
	}
	v := columns[0].value
	v.exact, v.constant = false, false
	return v
}

// rowOf is the row that columns make.
func rowOf(columns []column) value {
	t := table{columns: columns}
	return t.whole()
}

// documentExpr resolves the SQL/XML and SQL/JSON constructs: what they make is
// derived from all that goes in.
func (r *resolver) documentExpr(n *pg.Node, l *queryLevel) value {
	switch e := n.Node.(type) {
	case *pg.Node_XmlExpr:
		return r.document(l, e.XmlExpr.Op != pg.XmlExprOp_IS_DOCUMENT && e.XmlExpr.Op != pg.XmlExprOp_IS_XMLFOREST,
			append(resTargets(e.XmlExpr.NamedArgs), e.XmlExpr.Args...)...)
	case *pg.Node_XmlSerialize:
		return r.document(l, true, e.XmlSerialize.Expr)
	case *pg.Node_JsonIsPredicate:
		return r.document(l, false, e.JsonIsPredicate.Expr)
	case *pg.Node_JsonValueExpr:
		return r.document(l, false, e.JsonValueExpr.RawExpr)
	case *pg.Node_JsonKeyValue:
		return r.document(l, false, e.JsonKeyValue.Key, e.JsonKeyValue.Value.GetRawExpr())
	case *pg.Node_JsonObjectConstructor:
		return r.document(l, true, e.JsonObjectConstructor.Exprs...)
	case *pg.Node_JsonArrayConstructor:
		return r.document(l, false, e.JsonArrayConstructor.Exprs...)
	case *pg.Node_JsonArrayQueryConstructor:
		return derived(rowOf(r.query(e.JsonArrayQueryConstructor.Query, l)))
	case *pg.Node_JsonParseExpr:
		return r.document(l, true, e.JsonParseExpr.Expr.GetRawExpr())
	case *pg.Node_JsonScalarExpr:
		return r.document(l, false, e.JsonScalarExpr.Expr)
	case *pg.Node_JsonSerializeExpr:
		return r.document(l, true, e.JsonSerializeExpr.Expr.GetRawExpr())
	case *pg.Node_JsonFuncExpr:
		passing := make([]*pg.Node, 0, len(e.JsonFuncExpr.Passing)+2)
		for _, p := range e.JsonFuncExpr.Passing {
			passing = append(passing, p.GetJsonArgument().GetVal().GetRawExpr())
		}
		passing = append(passing, e.JsonFuncExpr.OnEmpty.GetExpr(), e.JsonFuncExpr.OnError.GetExpr(), e.JsonFuncExpr.Pathspec)
		return tells(r.document(l, true, append(passing, e.JsonFuncExpr.ContextItem.GetRawExpr())...))
	case *pg.Node_JsonObjectAgg:
		r.aggregateSteering(e.JsonObjectAgg.Constructor, l)
		return r.document(l, true, e.JsonObjectAgg.Arg.GetKey(), e.JsonObjectAgg.Arg.GetValue().GetRawExpr())
	case *pg.Node_JsonArrayAgg:
		r.aggregateSteering(e.JsonArrayAgg.Constructor, l)
		return r.document(l, false, e.JsonArrayAgg.Arg.GetRawExpr())
	}
	return r.unsupported("this kind of expression")
}

// document is derived from its parts; where building it can fail depending on
// them, that is recorded.
func (r *resolver) document(l *queryLevel, canFail bool, parts ...*pg.Node) value {
	v := derived(r.exprs(parts, l)...)
	if canFail {
		r.fallible(v)
	}
	return v
}

func (r *resolver) aggregateSteering(c *pg.JsonAggConstructor, l *queryLevel) {
	if c.GetAggFilter() != nil {
		r.condition(c.AggFilter, l, "filter")
	}
	for _, n := range c.GetAggOrder() {
		r.use(r.expr(n.GetSortBy().GetNode(), l), "order by")
	}
	r.window(c.GetOver(), l)
}

func resTargets(nodes []*pg.Node) []*pg.Node {
	out := make([]*pg.Node, 0, len(nodes))
	for _, n := range nodes {
		if t := n.GetResTarget(); t != nil {
			n = t.Val
		}
		out = append(out, n)
	}
	return out
}
