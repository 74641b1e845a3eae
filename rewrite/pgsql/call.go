package pgsql

import (
	"slices"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
)

// call resolves a function call: an aggregate, a window function, a built-in
// function by its judgement, a user-written one by its body.
func (r *resolver) call(f *pg.FuncCall, l *queryLevel) value {
	r.callSteering(f, l)
	schema, name := splitName(f.Funcname)
	effects := r.effects
	args := r.exprs(f.Args, l)
	l.aggregates.note(f, name, args, r.effects > effects)
	if f.AggWithinGroup { // what is aggregated stands there
		for _, n := range f.AggOrder {
			args = append(args, r.expr(n.GetSortBy().GetNode(), l))
		}
	}
	return r.callNamed(schema, name, f, args)
}

// aggregates are what is known of the aggregates of one query.
type aggregates struct {
	distinct []value // the arguments under DISTINCT
	ordered  bool    // the order of the rows shows in the result of one
}

// note takes one more call, which may be an aggregate or not. effects says that
// its arguments are not the same each time.
func (a *aggregates) note(f *pg.FuncCall, name string, args []value, effects bool) {
	switch {
	case f.AggDistinct:
		a.distinct = append(a.distinct, args...)
	case Judge(systemSchema, name, "").Kind != Aggregate && name != "any_value":
	case len(f.AggOrder) == 0 && (showsOrder(name) || effects):
		a.ordered = true
	}
}

// showsOrder says whether an aggregate's result depends on the order of its rows.
func showsOrder(name string) bool {
	for _, prefix := range []string{"array_", "string_", "json", "xml", "any_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// presorted records that rows may come in the order of what DISTINCT compares:
// from PostgreSQL 16 on, the server sorts them for such an aggregate, and the
// others of the query see them in that order.
func (r *resolver) presorted(l *queryLevel) {
	if !l.aggregates.ordered {
		return
	}
	for _, v := range l.aggregates.distinct {
		r.use(v, "distinct")
	}
}

// callSteering records what decides which rows a call sees, and in which order.
func (r *resolver) callSteering(f *pg.FuncCall, l *queryLevel) {
	if f.AggFilter != nil {
		r.condition(f.AggFilter, l, "filter")
	}
	for _, n := range f.AggOrder {
		r.use(r.expr(n.GetSortBy().GetNode(), l), "order by")
	}
	r.window(f.Over, l)
}

// window records what a window is made by.
func (r *resolver) window(w *pg.WindowDef, l *queryLevel) {
	if w == nil {
		return
	}
	var keys []value // rows are sorted by both
	for _, n := range w.PartitionClause {
		keys = append(keys, r.expr(n, l))
	}
	for _, n := range w.OrderClause {
		keys = append(keys, r.expr(n.GetSortBy().GetNode(), l))
	}
	r.useOrder(keys, "window")
	r.use(r.expr(w.StartOffset, l), "window")
	r.use(r.expr(w.EndOffset, l), "window")
}

// extremeType is the type of the greatest of values: that of the function's
// overload which takes them.
func extremeType(of string) string {
	switch of {
	case "varchar", "name", "unknown":
		return "text"
	case "cidr":
		return "inet"
	case "regclass", "regtype", "regproc", "regnamespace", "regrole":
		return "oid"
	}
	return of
}

// callNamed resolves a call by name, which in f(t) may be the name of a field of t.
func (r *resolver) callNamed(schema, name string, f *pg.FuncCall, args []value) value {
	users := r.userFunctions(schema, name)
	fields := projected(schema, name, f, args)
	if len(fields) == 0 {
		return r.callFunction(users, schema, name, f, args)
	}
	if len(users) == 0 && !Judge(systemSchema, name, "").Known {
		return fields[0].value
	}
	out := either(fields[0].value, r.callFunction(users, schema, name, f, args))
	out.typ, out.declared = "", nil
	return out
}

// withFields is what a built-in function returns, with its fields if that is a
// row of which the definition tells them.
func (r *resolver) withFields(name string, arguments int, v value) value {
	if v.row != nil || name == "unnest" {
		return v
	}
	var row []column
	for _, f := range r.catalog.Functions(systemSchema, name) {
		if !f.takes(arguments) {
			continue
		}
		fields := r.madeFrom(f, v).row
		if row != nil {
			fields = oneRow(row, fields)
		}
		if row = fields; row == nil {
			return v
		}
	}
	if row != nil {
		v.row = row
	}
	return v
}

// casts reports whether a call of one argument may be a cast in the form of a
// function: type(value). The built-in functions named like a type are its casts,
// and do not take everything that can be cast.
func (r *resolver) casts(to *pg.TypeName, function bool) bool {
	t := r.namedType(to)
	return t != nil && (!function || t.Schema == systemSchema)
}

// projected is the field that a call in the form of f(t) may stand for.
func projected(schema, name string, f *pg.FuncCall, args []value) []column {
	if schema != "" || len(args) != 1 || f.FuncVariadic || f.AggDistinct || f.AggFilter != nil || len(f.AggOrder) > 0 || f.Over != nil {
		return nil
	}
	i := slices.IndexFunc(args[0].row, func(c column) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return args[0].row[i : i+1]
}

func (r *resolver) callFunction(users []*Function, schema, name string, f *pg.FuncCall, args []value) value {
	if schema == standardFunctions && Judge(schema, name, "").Known {
		return r.judged(schema, name, "", args)
	}
	builtin := schema == "" || schema == systemSchema
	known := builtin && Judge(systemSchema, name, "").Known
	to := &pg.TypeName{Names: f.Funcname}
	if len(users) == 0 && len(args) == 1 && r.casts(to, known) {
		return r.castType(r.cast(args[0], to), to)
	}
	if len(users) == 0 && !known {
		return r.unknown(rewrite.Refusal{
			Code: rewrite.CodeUnknownName, SQLState: "42883", Position: position(f.Location),
			Message: "function " + name + " does not exist",
		})
	}
	var out value
	if known {
		out = r.withFields(name, len(args), r.builtin(name, f, args))
		users = slices.DeleteFunc(users, func(f *Function) bool {
			return f.Extension != "" && !f.Variadic && !r.accept(f.InTypes, args)
		})
	}
	if len(users) > 0 {
		if schema == "" {
			r.st.Effect.ReadsPath = true
		}
		user := r.userCall(users, args, argNames(f))
		if !known {
			return user
		}
		out = either(out, derived(user))
	}
	return out
}

// argNames are the names of named arguments, "" for positional ones.
func argNames(f *pg.FuncCall) []string {
	names := make([]string, len(f.Args))
	for i, n := range f.Args {
		names[i] = n.GetNamedArgExpr().GetName()
	}
	return names
}

// isNamed says whether some argument is given by its name.
func isNamed(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return name != "" })
}

// builtin resolves a call of a function in pg_catalog.
func (r *resolver) builtin(name string, f *pg.FuncCall, args []value) value {
	switch {
	case isNamed(argNames(f)):
		return r.judgedNamed(systemSchema, name, "", args)
	case name == "count":
		return countOf(f, args)
	case isJSONPath(name) && len(args) > 0 && !f.FuncVariadic:
		return r.jsonExtract(name, args)
	case Judge(systemSchema, name, "").Kind == Choice && len(args) > 0:
		r.failures(JudgeCall(systemSchema, name, "", typesOf(args)), args)
		return r.chosen(name, args)
	}
	return r.judged(systemSchema, name, "", args)
}

// countOf is released when it counts rows or a column's non-null values, with
// or without DISTINCT; counting an expression would tell where it is null, and
// how many values it has.
func countOf(f *pg.FuncCall, args []value) value {
	// A row is null only where there is none.
	if f.AggStar || len(args) == 1 && (args[0].countable() || args[0].row != nil && !f.AggDistinct) {
		return value{typ: "int8"}
	}
	out := derived(args...)
	out.typ, out.Nulls = "int8", false
	return out
}

// chosen is what an aggregate or window function returns whose result is one of
// the values of its first argument: min, max, first_value, lag, ...
func (r *resolver) chosen(name string, args []value) value {
	out := args[0].branch()
	if name == "min" || name == "max" {
		if !args[0].exact { // which of several values is the greatest tells their order
			out = derived(args[0])
		}
		out.typ = extremeType(args[0].typ)
	}
	for i, a := range args[1:] {
		if i == 1 && (name == "lag" || name == "lead") { // the default stands in for a missing row
			out = branch(out, a)
			continue
		}
		r.use(a, "argument")
	}
	return out
}

// flow records that v goes to a place of its own.
func (r *resolver) flow(target *rewrite.TableColumn, v value, into string) {
	if v.None() {
		return
	}
	r.st.Flows = append(r.st.Flows, rewrite.Flow{Target: target, Value: v.Value, Into: into})
}

// operator resolves a A_Expr in a place where its value is wanted; condition
// does it where it steers.
func (r *resolver) operator(e *pg.A_Expr, l *queryLevel) value {
	if e.Kind == pg.A_Expr_Kind_AEXPR_NULLIF {
		left, right := r.expr(e.Lexpr, l), r.expr(e.Rexpr, l)
		r.compare(left, right, "nullif")
		out := branch(left, right)
		return value{Value: left.Value, typ: out.typ, declared: out.declared, rows: out.rows}
	}
	left, right := r.expr(e.Lexpr, l), r.expr(e.Rexpr, l)
	_, name := splitName(e.Name)
	if e.Kind == pg.A_Expr_Kind_AEXPR_OP && isJSON(left.typ) && right.constant && !r.userWritten(name) {
		switch name {
		case "->", "->>":
			return r.jsonArrow(left, right, name)
		case "#>", "#>>":
			return r.jsonPath(left, right, name)
		}
	}
	out := derived(left, right)
	if r.stopsEarly(e) {
		r.use(out, "comparison")
	}
	if operatorTells(e.Kind, name) {
		out = tells(out)
	}
	out.typ = r.comparisonOperators(e, left, right)
	return out
}

// stopsEarly says whether a form of expression leaves out what comes after an
// operand that decides, so that shows in its effects.
func (r *resolver) stopsEarly(e *pg.A_Expr) bool {
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_OP, pg.A_Expr_Kind_AEXPR_OP_ANY, pg.A_Expr_Kind_AEXPR_OP_ALL:
		return e.Lexpr.GetRowExpr() != nil || e.Rexpr.GetRowExpr() != nil
	case pg.A_Expr_Kind_AEXPR_IN:
		return e.Lexpr.GetRowExpr() != nil || slices.ContainsFunc(e.Rexpr.GetList().GetItems(), func(n *pg.Node) bool {
			return n.GetAConst() == nil
		})
	case pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE, pg.A_Expr_Kind_AEXPR_SIMILAR:
		return false
	case pg.A_Expr_Kind_AEXPR_DISTINCT, pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		return e.Lexpr.GetRowExpr() != nil
	}
	return true // BETWEEN
}

// comparisonOperators judges the operators that a form of expression applies:
// some have names that are no operators.
func (r *resolver) comparisonOperators(e *pg.A_Expr, left, right value) (returns string) {
	args := []value{left, right}
	if e.Lexpr == nil {
		args = args[1:]
	}
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_BETWEEN, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN,
		pg.A_Expr_Kind_AEXPR_BETWEEN_SYM, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		right.typ = ""
		for _, name := range []string{"<=", ">="} {
			r.operatorFunctions(operatorName(name), []value{left, right})
		}
		return "bool"
	case pg.A_Expr_Kind_AEXPR_OP_ANY, pg.A_Expr_Kind_AEXPR_OP_ALL, pg.A_Expr_Kind_AEXPR_IN:
		args[len(args)-1].typ = "" // of the elements
		r.operatorFunctions(e.Name, args)
		return "bool"
	}
	return r.operatorFunctions(e.Name, args)
}

func operatorName(name string) []*pg.Node {
	return []*pg.Node{{Node: &pg.Node_String_{String_: &pg.String{Sval: name}}}}
}

// operatorFunctions judges every operator that a name may stand for, and
// returns the type of the result where it is the same for all.
func (r *resolver) operatorFunctions(names []*pg.Node, args []value) (returns string) {
	schema, name := splitName(names)
	if name == "" {
		return ""
	}
	users := false
	for _, op := range r.catalog.UserOperators(name) {
		switch {
		case schema != "" && op.Schema != schema:
			continue
		case schema == "" && r.path != nil && !slices.Contains(r.path, op.Schema):
			continue
		}
		if op.Extension != "" && !r.accept([]uint32{op.Left, op.Right}, operandsOf(name, args)) {
			continue
		}
		users = true
		f := r.catalog.FunctionByOID(op.Function)
		if f == nil { // it is a built-in function under another sign
			r.fallible(derived(args...))
			continue
		}
		r.userCall([]*Function{f}, args, nil)
	}
	if schema != "" && schema != systemSchema {
		return ""
	}
	if users && !JudgeOperator(name).Known { // only the users' own are of that name
		return ""
	}
	if returns = r.judgedOperator(name, args); users {
		return ""
	}
	return returns
}

// operandsOf are the operands of an operator, the missing left one too. A literal
// is of the other one's type if there is a built-in operator of that name for
// two of them: the server looks for that first.
func operandsOf(name string, args []value) []value {
	if len(args) == 1 {
		return []value{{}, args[0]}
	}
	left, right := args[0], args[1]
	if typ, ok := besideLiteral(left.typ, right.typ); ok && judgeOperation(name, typ, typ, geometric(typ)).Known {
		left.typ, right.typ = typ, typ
	}
	return []value{left, right}
}

// accept says whether what is declared for these types may be called with the
// values. A type of an extension does not take a value of another type unless a
// cast is at hand that needs no writing down.
func (r *resolver) accept(declared []uint32, args []value) bool {
	for i, v := range args {
		if i < len(declared) && !r.acceptOne(declared[i], v) {
			return false
		}
	}
	return len(args) <= len(declared)
}

func (r *resolver) acceptOne(declared uint32, v value) bool {
	t := r.catalog.TypeByOID(declared)
	switch {
	case t == nil || v.typ == "" || v.typ == "unknown":
		return true
	case t.Schema == systemSchema:
		return accepts(t.Name, v.typ)
	}
	return slices.ContainsFunc(r.catalog.UserCasts(), func(c *Cast) bool {
		source := r.catalog.TypeByOID(c.Source)
		return c.Target == declared && c.Context == 'i' && (source == nil || source.Name == v.typ)
	})
}

func itoa(n int) string { return strconv.Itoa(n) }
