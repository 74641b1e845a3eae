package pgsql_test

import (
	"slices"

	"sqlveil/rewrite"
)

func (j *judge1) exprs(list []*tree, f *frame) []lineage {
	out := make([]lineage, len(list))
	for i, t := range list {
		out[i] = j.expr(t, f)
	}
	return out
}

// inner is derived from everything below a node: right for all nodes whose
// parts are all evaluated and none of which only steers.
func (j *judge1) inner(t *tree, f *frame) lineage {
	return from(j.exprs(t.children(), f)...)
}

// expr is what an expression is made of. What steers it is recorded as a use.
func (j *judge1) expr(t *tree, f *frame) lineage {
	switch t.name() {
	case "VAR":
		return j.variable(t, f)
	case "CONST":
		return lineage{fixed: true}
	case "PARAM":
		return j.parameter(t, f)
	case "AGGREF":
		return j.aggregate(t, f)
	case "WINDOWFUNC":
		return j.windowFunction(t, f)
	case "FUNCEXPR":
		return j.call(t, f)
	case "OPEXPR":
		return j.operator(t, f)
	case "NULLIFEXPR":
		args := t.list("args")
		j.compare(args[0], args[1], t, f)
		return eitherOf(j.expr(args[0], f))
	case "RELABELTYPE":
		return j.relabelled(t, f)
	case "COLLATEEXPR":
		return eitherOf(j.expr(t.at("arg"), f))
	case "COERCEVIAIO", "COERCETODOMAIN", "ARRAYCOERCEEXPR", "CONVERTROWTYPEEXPR":
		return j.expr(t.at("arg"), f).cast()
	case "NAMEDARGEXPR":
		return j.expr(t.at("arg"), f)
	case "CASEEXPR":
		return j.caseExpr(t, f)
	case "CASETESTEXPR":
		if len(f.cases) == 0 { // the place that an assignment to a part fills
			return lineage{}
		}
		return j.expr(f.cases[len(f.cases)-1], f)
	case "COALESCEEXPR":
		if args := t.list("args"); len(args) == 1 {
			return j.expr(args[0], f)
		}
		return eitherOf(j.exprs(t.list("args"), f)...)
	case "ROWEXPR":
		return whole(j.exprs(t.list("args"), f))
	case "SUBLINK":
		return j.subLink(t, f)
	case "FIELDSELECT":
		return j.field(t, f)
	case "SUBSCRIPTINGREF":
		return j.subscript(t, f)
	case "GROUPINGFUNC", "SQLVALUEFUNCTION", "SETTODEFAULT", "CURRENTOFEXPR", "NEXTVALUEEXPR", "MERGESUPPORTFUNC":
		return lineage{}
	}
	if t.oid("opfuncid") >= 16384 {
		j.out.opaque = true
	}
	return j.inner(t, f)
}

// relabelled is a value of another type whose bytes are the same; so is its
// text, if both are strings.
func (j *judge1) relabelled(t *tree, f *frame) lineage {
	v := j.expr(t.at("arg"), f)
	out := lineage{parts: v.parts, own: v.own, fixed: v.fixed}
	switch j.server.typeName(t.oid("resulttype")) {
	case "text", "varchar", "bpchar":
	default:
		out.parts = v.cast().parts
	}
	return out
}

// variable is a Var: a column, a whole row, or a system column.
func (j *judge1) variable(t *tree, f *frame) lineage {
	at := f.up(t.number("varlevelsup"))
	columns := j.table(at, t.number("varno"))
	switch att := t.number("varattno"); {
	case att < 0:
		return lineage{}
	case att > len(columns): // CYCLE's, in the recursive query itself
		return from(columns...)
	case att > 0:
		return columns[att-1]
	}
	live := make([]lineage, 0, len(columns))
	for i, name := range at.table(t.number("varno")).at("eref").list("colnames") {
		if name != nil && name.word != "" && i < len(columns) {
			live = append(live, columns[i])
		}
	}
	out := whole(live)
	out.row = columns
	return out
}

// ParamKind of nodes/primnodes.h.
const (
	paramSublink   = 2
	paramMultiexpr = 3
)

// parameter is $n, or one column of the query in SET (a, b) = (SELECT ...).
func (j *judge1) parameter(t *tree, f *frame) lineage {
	id := t.number("paramid")
	switch t.number("paramkind") {
	case paramSublink:
		return lineage{}
	case paramMultiexpr:
		lists := [][]*tree{f.query.list("targetList"), f.query.at("onConflict").list("onConflictSet")}
		for _, a := range f.query.list("mergeActionList") {
			lists = append(lists, a.list("targetList"))
		}
		for _, e := range slices.Concat(lists...) {
			if s := e.at("expr"); s.name() == "SUBLINK" && s.number("subLinkId") == id>>16 {
				return j.columns(j.open(s.at("subselect"), f))[id&0xffff-1]
			}
		}
		return lineage{}
	}
	if f.args != nil && id >= 1 && id <= len(f.args) {
		return f.args[id-1]
	}
	return lineage{fixed: f.args == nil}
}

// aggregate is an aggregate call: FILTER and ORDER BY steer.
func (j *judge1) aggregate(t *tree, f *frame) lineage {
	j.condition(t.at("aggfilter"), f)
	var args []lineage
	for _, e := range t.list("args") {
		v := j.expr(e.at("expr"), f)
		if slices.ContainsFunc(t.list("aggorder"), func(s *tree) bool {
			return s.number("tleSortGroupRef") == e.number("ressortgroupref")
		}) {
			j.use(v)
		}
		if !e.flag("resjunk") {
			args = append(args, v)
		}
	}
	args = append(args, j.exprs(t.list("aggdirectargs"), f)...)
	if len(args) == 1 && args[0].row != nil && len(t.list("aggdistinct")) == 0 && j.server.function(t.oid("aggfnoid")).name == "count" {
		return lineage{} // a row is null only where there is none
	}
	return j.chosen(t.oid("aggfnoid"), args)
}

func (j *judge1) windowFunction(t *tree, f *frame) lineage {
	j.condition(t.at("aggfilter"), f)
	return j.chosen(t.oid("winfnoid"), j.exprs(t.list("args"), f))
}

// chosen is what an aggregate or window function makes of its arguments.
func (j *judge1) chosen(oid uint32, args []lineage) lineage {
	fn := j.server.function(oid)
	if !fn.system {
		j.out.opaque = true
		return from(args...).become(loosely)
	}
	switch fn.name {
	case "count":
		if len(args) == 0 || args[0].countable() {
			return lineage{}
		}
	case "min", "max":
		if !args[0].own { // which of several values it is tells their order: the resolver may withhold it
			return eitherOf(args[0]).cast()
		}
		return eitherOf(args[0])
	case "first_value", "last_value", "any_value":
		return eitherOf(args[0])
	case "mode", "percentile_disc": // WITHIN GROUP (ORDER BY ...): one of the values
		return eitherOf(args[0], from(args[1:]...)).cast()
	case "nth_value":
		j.use(args[1])
		return eitherOf(args[0])
	case "lag", "lead":
		if len(args) > 1 {
			j.use(args[1])
		}
		return eitherOf(append(args[min(2, len(args)):], args[0])...)
	}
	return from(args...)
}

// CoercionForm of nodes/primnodes.h.
const (
	callExplicitCast = 1
	callImplicitCast = 2
)

// call is a function call or a cast by function.
func (j *judge1) call(t *tree, f *frame) lineage {
	args := j.exprs(t.list("args"), f)
	fn := j.server.function(t.oid("funcid"))
	switch {
	case !fn.system:
		return j.userCall(fn, args)
	case t.flag("funcretset"):
		j.use(from(args...)) // how many rows come tells about them
	}
	switch form := t.number("funcformat"); {
	case form == callExplicitCast, form == callImplicitCast, len(args) == 1 && j.server.typeName(t.oid("funcresulttype")) == fn.name:
		out := args[0].cast()
		out.fixed, out.own = args[0].fixed, args[0].own && form == callImplicitCast
		return out
	}
	switch fn.name {
	case "jsonb_extract_path", "jsonb_extract_path_text", "json_extract_path", "json_extract_path_text":
		return j.path(args[0], from(args...), t.list("args")[1:])
	}
	return from(args...)
}

// userCall looks into a function whose body is standard SQL.
func (j *judge1) userCall(fn functionFacts, args []lineage) lineage {
	if fn.body == nil || j.depth > 20 {
		j.out.opaque = true
		out := lineage{parts: map[part]manner{}}
		for p := range eitherOf(args...).parts {
			out.parts[part{origin: p.origin}] = loosely
		}
		return out
	}
	j.depth++
	defer func() { j.depth-- }()
	for i := range args {
		args[i] = lineage{parts: args[i].parts, row: args[i].row}
	}
	var columns []lineage
	around := &frame{query: &tree{}, args: slices.Concat(args, []lineage{})}
	for _, q := range queriesOf(fn.body) {
		columns = j.columns(j.open(q, around))
	}
	for i := range columns {
		columns[i].own = false
	}
	if len(columns) == 1 {
		return lineage{parts: columns[0].parts, row: columns[0].row}
	}
	out := whole(columns)
	if len(fn.live) == len(columns) { // fields go by their numbers
		out.row = make([]lineage, fn.live[len(fn.live)-1])
		for i, number := range fn.live {
			out.row[number-1] = columns[i]
		}
	}
	return out
}

// queriesOf are the queries in the lists of a function's body.
func queriesOf(body *tree) []*tree {
	if body.name() == "QUERY" {
		return []*tree{body}
	}
	var out []*tree
	for _, t := range body.elements() {
		out = append(out, queriesOf(t)...)
	}
	return out
}

func (j *judge1) operator(t *tree, f *frame) lineage {
	args := j.exprs(t.list("args"), f)
	if len(args) == 2 {
		switch key := t.list("args")[1]; j.server.operator(t.oid("opno")) {
		case "->", "->>":
			if step, ok := arrowStep(key); ok {
				return args[0].at(step)
			}
		case "#>", "#>>":
			return j.path(args[0], from(args...), []*tree{key})
		}
	}
	if t.oid("opfuncid") >= 16384 {
		return j.userCall(j.server.function(t.oid("opfuncid")), args)
	}
	return from(args...)
}

// subscript is array[i] or document['key'], or an assignment to such a part.
func (j *judge1) subscript(t *tree, f *frame) lineage {
	container := j.expr(t.at("refexpr"), f)
	indexes := append(j.exprs(t.list("refupperindexpr"), f), j.exprs(t.list("reflowerindexpr"), f)...)
	assigned := j.expr(t.at("refassgnexpr"), f)
	all := from(append(indexes, container, assigned)...)
	if t.oid("refcontainertype") == typeJSONB && t.at("refassgnexpr") == nil {
		return j.path(container, all, t.list("refupperindexpr"))
	}
	return all
}

func (j *judge1) caseExpr(t *tree, f *frame) lineage {
	var out []lineage
	arg := t.at("arg")
	if arg != nil {
		f.cases = append(f.cases, arg)
		defer func() { f.cases = f.cases[:len(f.cases)-1] }()
	}
	for _, when := range t.list("args") {
		j.condition(when.at("expr"), f)
		out = append(out, j.expr(when.at("result"), f))
	}
	return eitherOf(append(out, j.expr(t.at("defresult"), f))...)
}

// field is one field of a row.
func (j *judge1) field(t *tree, f *frame) lineage {
	v := j.expr(t.at("arg"), f)
	if n := t.number("fieldnum"); n >= 1 && n <= len(v.row) {
		return v.row[n-1]
	}
	return from(v)
}

// SubLinkType of nodes/primnodes.h.
const (
	subLinkExists    = 0
	subLinkAny       = 2
	subLinkExpr      = 4
	subLinkMultiexpr = 5
)

func (j *judge1) subLink(t *tree, f *frame) lineage {
	columns := j.columns(j.open(t.at("subselect"), f))
	switch t.number("subLinkType") {
	case subLinkExists:
		return lineage{}
	case subLinkExpr, subLinkMultiexpr:
		if len(columns) == 1 {
			return lineage{parts: columns[0].parts, row: columns[0].row}
		}
		return whole(columns)
	}
	return from(append(columns, j.expr(t.at("testexpr"), f))...)
}

// condition records the columns of an expression that decides something, with
// the form in which each stands there.
func (j *judge1) condition(t *tree, f *frame) {
	args := t.list("args")
	switch t.name() {
	case "":
		for _, item := range t.elements() {
			j.condition(item, f)
		}
		return
	case "BOOLEXPR":
		for _, arg := range args {
			j.condition(arg, f)
		}
		return
	case "NULLTEST":
		if v := j.expr(t.at("arg"), f); v.itself() {
			for p := range v.parts {
				j.out.uses[judgedUse{part: p, form: rewrite.FormIsNull}] = true
			}
			return
		}
	case "OPEXPR", "SCALARARRAYOPEXPR":
		if len(args) == 2 && j.server.operator(t.oid("opno")) == "=" && (t.name() == "OPEXPR" || t.flag("useOr")) {
			j.compare(args[0], args[1], t, f)
			return
		}
	case "SUBLINK":
		if j.subLinkCondition(t, f) {
			return
		}
	}
	j.use(j.expr(t, f))
}

// compare records a = b, or a = ANY (ARRAY[...]).
func (j *judge1) compare(a, b, t *tree, f *frame) {
	left, right := j.compared(a, f), j.compared(b, f)
	if b.name() == "ARRAYEXPR" && t.name() == "SCALARARRAYOPEXPR" && len(b.list("elements")) <= 100 {
		right.fixed = true
		for _, e := range b.list("elements") {
			right.fixed = right.fixed && j.compared(e, f).fixed
		}
	}
	switch {
	case left.itself() && right.fixed:
		j.equal(left, lineage{})
	case right.itself() && left.fixed:
		j.equal(right, lineage{})
	case left.column() && right.column() && t.name() != "SCALARARRAYOPEXPR":
		j.equal(left, right)
		j.equal(right, left)
	default:
		j.use(left)
		j.use(right)
	}
}

func (j *judge1) equal(v, with lineage) {
	for p := range v.parts {
		u := judgedUse{part: p, form: rewrite.FormEqualConstant}
		if !with.none() {
			u.form, u.with = rewrite.FormEqualColumn, with.origins()[0]
		}
		j.out.uses[u] = true
	}
}

// compared is one side of a comparison; a cast that the server put there by
// itself is no part of it.
func (j *judge1) compared(t *tree, f *frame) lineage {
	for {
		switch {
		case t.name() == "RELABELTYPE":
			t = t.at("arg")
		case t.name() == "FUNCEXPR" && t.number("funcformat") == callImplicitCast:
			t = t.list("args")[0]
		case t.name() == "COERCEVIAIO" && t.number("coerceformat") == callImplicitCast:
			t = t.at("arg")
		default:
			return j.expr(t, f)
		}
	}
}

// subLinkCondition records EXISTS, which has no value, and col IN (SELECT col),
// an equality of two columns.
func (j *judge1) subLinkCondition(t *tree, f *frame) bool {
	switch t.number("subLinkType") {
	case subLinkExists:
		j.columns(j.open(t.at("subselect"), f)) // which may be evaluated
		return true
	case subLinkAny:
		test := t.at("testexpr")
		if test.name() != "OPEXPR" || j.server.operator(test.oid("opno")) != "=" {
			return false
		}
		columns := j.columns(j.open(t.at("subselect"), f))
		left := j.compared(test.list("args")[0], f)
		switch {
		case len(columns) != 1 || !left.column():
			return false
		case columns[0].fixed:
			j.equal(left, lineage{})
		case columns[0].column():
			j.equal(left, columns[0])
			j.equal(columns[0], left)
		default:
			return false
		}
		return true
	}
	return false
}
