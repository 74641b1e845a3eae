package pgsql_test

import (
	"fmt"
	"slices"

	"sqlveil/rewrite"
)

// A judgement is what the server's own analysis says of one statement.
type judgement struct {
	names   []string
	columns []lineage
	uses    map[judgedUse]bool
	writes  []judgedWrite
	opaque  bool // a user's function was called that the judge cannot look into
}

// A judgedUse is a column, or a part of a document in one, that stands anywhere
// but in the output; with are the columns that it is compared to.
type judgedUse struct {
	part
	form rewrite.Form
	with origin
}

// A judgedWrite is a value that is written to a column.
type judgedWrite struct {
	target origin
	view   bool // the target is a view's column
	value  lineage
}

// judge works a judgement out of the server's trees.
func judge(server *judgeServer, query *tree) *judgement {
	j := &judge1{server: server, out: &judgement{uses: map[judgedUse]bool{}}}
	f := j.open(query, nil)
	j.out.columns = j.columns(f)
	for _, t := range f.outputs() {
		j.out.names = append(j.out.names, t.text("resname"))
	}
	return j.out
}

// A judge1 is the work on one judgement.
type judge1 struct {
	server *judgeServer
	out    *judgement
	depth  int // of views and functions
}

// A frame is one query of the tree: what Vars of level zero in it refer to.
type frame struct {
	query  *tree
	outer  *frame
	ctes   []*judgedCTE
	tables map[int][]lineage // by range table index, once they were asked for
	args   []lineage         // of the function whose body this is
	cases  []*tree           // the arguments of the CASEs around an expression
	asked  map[int]bool
}

// A judgedCTE is one WITH query; while it is being judged its columns are
// those of the round before.
type judgedCTE struct {
	query   *tree
	columns []lineage
	state   int // 0 unknown, 1 under way, 2 known
}

func (f *frame) up(levels int) *frame {
	for ; levels > 0 && f != nil; levels-- {
		f = f.outer
	}
	return f
}

// outputs are the entries of the result columns.
func (f *frame) outputs() []*tree {
	list := f.query.list("returningList")
	if f.query.number("commandType") == commandSelect {
		list = f.query.list("targetList")
	}
	return slices.DeleteFunc(slices.Clone(list), func(t *tree) bool { return t.flag("resjunk") })
}

// CmdType of nodes/nodes.h.
const (
	commandSelect = 1
	commandUpdate = 2
	commandInsert = 3
)

// open enters a query and records everything in it but what its output is made of.
func (j *judge1) open(query *tree, outer *frame) *frame {
	f := &frame{query: query, outer: outer, tables: map[int][]lineage{}, asked: map[int]bool{}}
	if outer != nil {
		f.args = outer.args
	}
	for _, c := range query.list("cteList") {
		f.ctes = append(f.ctes, &judgedCTE{query: c})
	}
	j.clauses(f)
	return f
}

func (j *judge1) clauses(f *frame) {
	q := f.query
	for _, c := range f.ctes {
		j.cte(c, f)
	}
	for i := range q.list("rtable") {
		if t := f.table(i + 1); t.number("rtekind") != tableRelation {
			j.table(f, i+1)
		}
	}
	j.conditions(q.at("jointree"), f)
	j.condition(q.at("mergeJoinCondition"), f)
	j.condition(q.at("havingQual"), f)
	j.grouped(q.list("groupClause"), f)
	j.sorted(q.list("sortClause"), f)
	j.distinct(q.list("distinctClause"), f)
	for _, w := range q.list("windowClause") {
		j.sorted(slices.Concat(w.list("partitionClause"), w.list("orderClause")), f)
		j.use(j.expr(w.at("startOffset"), f))
		j.use(j.expr(w.at("endOffset"), f))
	}
	j.use(j.expr(q.at("limitOffset"), f))
	j.use(j.expr(q.at("limitCount"), f))
	j.modifications(f)
	if q.at("setOperations") != nil {
		j.columns(f) // compares rows
	}
}

// columns are what a query returns.
func (j *judge1) columns(f *frame) []lineage {
	if set := f.query.at("setOperations"); set != nil {
		return j.setOperation(set, f)
	}
	outputs := f.outputs()
	columns := make([]lineage, len(outputs))
	for i, t := range outputs {
		columns[i] = j.expr(t.at("expr"), f)
	}
	return columns
}

// setOperation is UNION, INTERSECT or EXCEPT, or one arm of it.
func (j *judge1) setOperation(t *tree, f *frame) []lineage {
	if t.name() == "RANGETBLREF" {
		return j.table(f, t.number("rtindex"))
	}
	left, right := j.setOperation(t.at("larg"), f), j.setOperation(t.at("rarg"), f)
	const union, except = 1, 3 // SetOperation of nodes/parsenodes.h
	out := make([]lineage, len(left))
	for i := range left {
		both := eitherOf(left[i], right[i])
		if !t.flag("all") || t.number("op") != union {
			j.use(both)
		}
		if out[i] = both; t.number("op") == except {
			out[i] = eitherOf(left[i])
		}
	}
	return out
}

// conditions walks FROM for what joins and filters by.
func (j *judge1) conditions(t *tree, f *frame) {
	switch t.name() {
	case "FROMEXPR":
		for _, item := range t.list("fromlist") {
			j.conditions(item, f)
		}
		j.condition(t.at("quals"), f)
	case "RANGETBLREF":
		j.table(f, t.number("rtindex"))
	case "JOINEXPR":
		j.conditions(t.at("larg"), f)
		j.conditions(t.at("rarg"), f)
		j.condition(t.at("quals"), f)
	}
}

// grouped records what GROUP BY refers to, but for what a primary key among it
// decides.
func (j *judge1) grouped(clauses []*tree, f *frame) {
	items := f.referred(clauses)
	for _, item := range items {
		if len(f.query.list("groupingSets")) > 0 || !j.decided(item, items, f) {
			j.useItem(item, f)
		}
	}
}

// sorted records what rows are sorted by, but for what a primary key before it
// decides.
func (j *judge1) sorted(clauses []*tree, f *frame) {
	items := f.referred(clauses)
	for i, item := range items {
		if !j.decided(item, items[:i], f) {
			j.useItem(item, f)
		}
	}
}

// distinct records what DISTINCT compares.
func (j *judge1) distinct(clauses []*tree, f *frame) {
	for _, item := range f.referred(clauses) {
		j.useItem(item, f)
	}
}

// referred are the places in the target list that sort or group clauses refer to.
func (f *frame) referred(clauses []*tree) []int {
	var items []int
	for _, c := range clauses {
		for i, t := range f.query.list("targetList") {
			if t.number("ressortgroupref") == c.number("tleSortGroupRef") {
				items = append(items, i)
			}
		}
	}
	return items
}

func (j *judge1) useItem(item int, f *frame) {
	if f.query.at("setOperations") != nil {
		j.use(j.columns(f)[item])
		return
	}
	j.use(j.expr(f.query.list("targetList")[item].at("expr"), f))
}

// item is an expression of the target list. From PostgreSQL 18 on, one that
// stands in GROUP BY too refers to that.
func (f *frame) item(i int) *tree {
	e := f.query.list("targetList")[i].at("expr")
	if e.name() != "VAR" || e.number("varlevelsup") > 0 || e.number("varno") <= 0 {
		return e
	}
	if rte := f.table(e.number("varno")); rte.number("rtekind") == tableGroup {
		return rte.list("groupexprs")[e.number("varattno")-1]
	}
	return e
}

// decided reports whether an item is a column of a table whose whole primary key
// is among others.
func (j *judge1) decided(item int, others []int, f *frame) bool {
	v := f.item(item)
	if v.name() != "VAR" || f.query.at("setOperations") != nil {
		return false
	}
	rte := f.up(v.number("varlevelsup")).table(v.number("varno"))
	if rte.number("rtekind") != tableRelation || v.number("varattno") <= 0 {
		return false
	}
	key := j.server.primaryKey(rte.oid("relid"))
	for _, att := range key {
		found := slices.ContainsFunc(others, func(other int) bool {
			k := f.item(other)
			return k.name() == "VAR" && k.number("varno") == v.number("varno") && k.number("varlevelsup") == v.number("varlevelsup") && k.number("varattno") == att
		})
		if !found || att == v.number("varattno") {
			return false
		}
	}
	return len(key) > 0
}

// modifications records what INSERT, UPDATE and MERGE write.
func (j *judge1) modifications(f *frame) {
	q := f.query
	switch q.number("commandType") {
	case commandInsert, commandUpdate:
		j.assignments(q.list("targetList"), f)
	}
	if c := q.at("onConflict"); c != nil {
		for _, e := range c.list("arbiterElems") {
			// A bare column only names the constraint.
			if e.at("expr").name() != "VAR" {
				j.use(j.expr(e.at("expr"), f))
			}
		}
		j.condition(c.at("arbiterWhere"), f)
		j.condition(c.at("onConflictWhere"), f)
		j.assignments(c.list("onConflictSet"), f)
	}
	for _, a := range q.list("mergeActionList") {
		j.condition(a.at("qual"), f)
		j.assignments(a.list("targetList"), f)
	}
}

func (j *judge1) assignments(list []*tree, f *frame) {
	t := f.table(f.query.number("resultRelation"))
	before := j.table(f, f.query.number("resultRelation"))
	for _, e := range list {
		if e.flag("resjunk") {
			continue
		}
		target := origin{t.oid("relid"), e.number("resno")}
		v := eitherOf(j.expr(e.at("expr"), f))
		for p := range before[e.number("resno")-1].parts { // where a part of it is replaced
			delete(v.parts, p)
		}
		j.out.writes = append(j.out.writes, judgedWrite{target, t.text("relkind") == "v", v})
	}
}

func (f *frame) table(index int) *tree {
	list := f.query.list("rtable")
	if index < 1 || index > len(list) {
		panic(fmt.Sprintf("range table index %d of %d", index, len(list)))
	}
	return list[index-1]
}

// RTEKind of nodes/parsenodes.h.
const (
	tableRelation = 0
	tableSubquery = 1
	tableJoin     = 2
	tableFunction = 3
	tableFunc     = 4
	tableValues   = 5
	tableCTE      = 6
	tableGroup    = 9
)

// table is the columns of one range table entry, dropped ones included.
func (j *judge1) table(f *frame, index int) []lineage {
	if columns, known := f.tables[index]; known {
		return columns
	}
	if f.asked[index] {
		panic("a range table entry refers to itself")
	}
	f.asked[index] = true
	t := f.table(index)
	if s := t.at("tablesample"); s != nil {
		j.use(from(j.exprs(s.list("args"), f)...))
		j.use(j.expr(s.at("repeatable"), f))
	}
	columns := j.tableColumns(t, f)
	delete(f.asked, index)
	if t.number("rtekind") != tableCTE {
		f.tables[index] = columns
	}
	return columns
}

func (j *judge1) tableColumns(t *tree, f *frame) []lineage {
	switch t.number("rtekind") {
	case tableRelation:
		return j.relation(t)
	case tableSubquery:
		if v := t.at("subquery"); t.oid("relid") == 0 {
			return j.columns(j.open(v, f))
		}
		return j.relation(t) // PostgreSQL 16 keeps the view's OID here
	case tableJoin:
		return j.exprs(t.list("joinaliasvars"), f)
	case tableFunction:
		return j.functionColumns(t, f)
	case tableFunc:
		f1 := t.at("tablefunc")
		j.use(from(j.expr(f1.at("docexpr"), f), j.expr(f1.at("rowexpr"), f)))
		v := j.inner(f1, f)
		return repeated(v, len(t.at("eref").list("colnames")))
	case tableValues:
		var columns []lineage
		for i, row := range t.list("values_lists") {
			for n, v := range j.exprs(row.elements(), f) {
				if i == 0 {
					columns = append(columns, v)
				} else {
					columns[n] = eitherOf(columns[n], v)
				}
			}
		}
		return columns
	case tableCTE:
		at := f.up(t.number("ctelevelsup"))
		for _, c := range at.ctes {
			if c.query.text("ctename") == t.text("ctename") {
				return j.cte(c, at)
			}
		}
	case tableGroup:
		return j.exprs(t.list("groupexprs"), f)
	}
	return nil
}

func repeated(v lineage, n int) []lineage {
	out := make([]lineage, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// relation is a table's own columns; a view's are its query's too, and a
// generated column is what it is computed from too.
func (j *judge1) relation(t *tree) []lineage {
	rel := t.oid("relid")
	names := t.at("eref").list("colnames")
	columns := make([]lineage, len(names))
	for i := range names {
		columns[i] = ofColumn(rel, i+1)
	}
	if rel < 16384 || j.depth > 20 {
		return columns
	}
	switch t.text("relkind") {
	case "v", "m":
		j.depth++
		for i, v := range j.columns(j.open(j.server.view(rel), nil)) {
			if i >= len(columns) { // added after this view was read into another
				break
			}
			own := v.own
			columns[i] = eitherOf(columns[i], v)
			columns[i].own = own
			for _, f := range v.row {
				columns[i].row = append(columns[i].row, eitherOf(f, ofColumn(rel, i+1).become(derivedly)))
			}
		}
		j.depth--
	default:
		j.generated(t, columns)
	}
	return columns
}

func (j *judge1) generated(t *tree, columns []lineage) {
	for i := range columns {
		if e := j.server.generatedAs(origin{t.oid("relid"), i + 1}); e != nil {
			alone := &judge1{server: j.server, out: &judgement{uses: map[judgedUse]bool{}}}
			f := &frame{query: &tree{fields: []treeField{{"rtable", &tree{items: []*tree{t}}}}}, tables: map[int][]lineage{1: plainColumns(t)}}
			columns[i] = eitherOf(columns[i], alone.expr(e, f).become(derivedly))
		}
	}
}

func plainColumns(t *tree) []lineage {
	columns := make([]lineage, len(t.at("eref").list("colnames")))
	for i := range columns {
		columns[i] = ofColumn(t.oid("relid"), i+1)
	}
	return columns
}

// cte judges a WITH query; one that refers to itself again and again until
// its columns stand still.
func (j *judge1) cte(c *judgedCTE, f *frame) []lineage {
	if c.state > 0 {
		return c.columns
	}
	c.state = 1
	c.columns = make([]lineage, len(c.query.list("ctecolnames")))
	for {
		columns := j.searched(c, j.columns(j.open(c.query.at("ctequery"), f)))
		still := sameLineages(columns, c.columns)
		c.columns = columns
		if still {
			break
		}
	}
	c.state = 2
	return c.columns
}

// searched adds the columns that SEARCH and CYCLE make.
func (j *judge1) searched(c *judgedCTE, columns []lineage) []lineage {
	names := c.query.list("ctecolnames")
	listed := func(clause, field string) lineage {
		var out []lineage
		for _, word := range c.query.at(clause).list(field) {
			for i, name := range names {
				if name.word == word.word && i < len(columns) {
					out = append(out, columns[i])
				}
			}
		}
		v := from(out...)
		j.use(v)
		return v
	}
	out := slices.Clone(columns)
	if c.query.at("search_clause") != nil {
		out = append(out, listed("search_clause", "search_col_list"))
	}
	if c.query.at("cycle_clause") != nil {
		v := listed("cycle_clause", "cycle_col_list")
		out = append(out, v, v)
	}
	return out
}

// functionColumns are the columns of functions in FROM.
func (j *judge1) functionColumns(t *tree, f *frame) []lineage {
	var out []lineage
	for _, item := range t.list("functions") {
		v := j.expr(item.at("funcexpr"), f)
		n := item.number("funccolcount")
		switch {
		case len(v.row) == n && n > 0:
			out = append(out, v.row...)
		case n == 1:
			out = append(out, v)
		default:
			out = append(out, repeated(v.become(derivedly), n)...)
		}
	}
	if t.flag("funcordinality") {
		out = append(out, lineage{})
	}
	return out
}

// use records that a value stands somewhere but in the output.
func (j *judge1) use(v lineage) {
	for p, m := range v.parts {
		if m == loosely {
			continue
		}
		j.out.uses[judgedUse{part: p}] = true
	}
}
