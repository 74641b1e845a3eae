package pgsql

import (
	"slices"
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
)

// call resolves a function call: an aggregate, a window function, a built-in
// function by its judgement, a user-written one by its body.
func (r *resolver) call(f *pg.FuncCall, l *queryLevel) value {
	r.callSteering(f, l)
	schema, name := splitName(f.Funcname)
	args := r.exprs(f.Args, l)
	return r.callNamed(schema, name, f, args)
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
	for _, n := range w.PartitionClause {
		r.use(r.expr(n, l), "window")
	}
	for _, n := range w.OrderClause {
		r.use(r.expr(n.GetSortBy().GetNode(), l), "window")
	}
	r.use(r.expr(w.StartOffset, l), "window")
	r.use(r.expr(w.EndOffset, l), "window")
}

func (r *resolver) callNamed(schema, name string, f *pg.FuncCall, args []value) value {
	users := r.userFunctions(schema, name)
	builtin := schema == "" || schema == systemSchema
	known := builtin && judgeFunction(systemSchema, name, "").known
	if len(users) == 0 && !known {
		return r.unknown(rewrite.Refusal{
			Code: rewrite.CodeUnknownName, SQLState: "42883", Position: position(f.Location),
			Message: "function " + name + " does not exist",
		})
	}
	var out value
	if known {
		out = r.builtin(name, f, args)
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

// builtin resolves a call of a function in pg_catalog.
func (r *resolver) builtin(name string, f *pg.FuncCall, args []value) value {
	switch {
	case name == "count":
		return countOf(f, args)
	case isJSONPath(name) && len(args) > 0:
		return r.jsonExtract(args, f.Args)
	case judgeFunction(systemSchema, name, "").choice && len(args) > 0:
		return r.choice(name, args)
	}
	return r.builtinCall(name, args)
}

// countOf is released when it counts rows or a column's non-null values, with
// or without DISTINCT; counting an expression would tell where it is null.
func countOf(f *pg.FuncCall, args []value) value {
	if f.AggStar || len(args) == 1 && (len(args[0].columns()) > 0 || args[0].row != nil || args[0].None()) {
		return value{typ: "int8"}
	}
	out := derived(args...)
	out.typ = "int8"
	return out
}

// choice is an aggregate or window function whose result is one of the values
// of its first argument: min, max, first_value, lag, ...
func (r *resolver) choice(name string, args []value) value {
	out := value{Value: args[0].Value, typ: args[0].typ}
	for _, a := range args[1:] {
		if a.None() {
			continue
		}
		if name == "lag" || name == "lead" { // the default stands in for a missing row
			out = branch(out, a)
			continue
		}
		r.use(a, "argument")
	}
	return out
}

func isJSONPath(name string) bool {
	switch name {
	case "jsonb_extract_path", "jsonb_extract_path_text", "json_extract_path", "json_extract_path_text":
		return true
	}
	return false
}

func (r *resolver) jsonExtract(args []value, nodes []*pg.Node) value {
	out := args[0]
	out.exact = false
	for i, key := range args[1:] {
		if !key.constant {
			return derived(args...)
		}
		out = r.jsonStep(out, key, nodes[i+1])
	}
	return out
}

// builtinCall applies a built-in function's judgement to its arguments.
func (r *resolver) builtinCall(name string, args []value) value {
	return r.judged(judgeFunction(systemSchema, name, ""), systemSchema, name, args)
}

// judged applies a judgement to a call's arguments.
func (r *resolver) judged(j functionJudgement, schema, name string, args []value) value {
	v := derived(args...)
	if name == "set_config" {
		r.setConfig(args)
	}
	switch {
	case j.refused:
		return r.unknown(rewrite.Refusal{
			Code: rewrite.CodeFunction, Message: "function " + schema + "." + name + " reads data by itself and may not be called",
			Hint: "Select from the tables themselves.",
		})
	case j.sink && !v.None():
		r.use(v, "an argument of "+name)
		r.flow(nil, v, "function "+name)
	case j.fallible:
		r.fallible(v)
	}
	if setReturning[name] { // how many rows come tells about the argument
		r.use(v, "a set-returning function")
	}
	v.typ = j.returns
	return v
}

// setReturning are the built-in functions that return as many rows as their
// arguments say: pg_proc.proretset.
var setReturning = map[string]bool{
	"aclexplode": true, "generate_series": true, "generate_subscripts": true, "json_array_elements": true,
	"json_array_elements_text": true, "json_each": true, "json_each_text": true, "json_object_keys": true,
	"json_populate_recordset": true, "json_to_recordset": true, "jsonb_array_elements": true,
	"jsonb_array_elements_text": true, "jsonb_each": true, "jsonb_each_text": true, "jsonb_object_keys": true,
	"jsonb_path_query": true, "jsonb_path_query_tz": true, "jsonb_populate_recordset": true, "jsonb_to_recordset": true,
	"pg_options_to_table": true, "pg_snapshot_xip": true, "regexp_matches": true, "regexp_split_to_table": true,
	"string_to_table": true, "ts_debug": true, "ts_parse": true, "ts_token_type": true, "txid_snapshot_xip": true,
	"unnest": true,
	// of extensions
	"each": true, "skeys": true, "svals": true, "normal_rand": true, "_st_dump": true,
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
		return value{Value: left.Value, typ: left.typ}
	}
	left, right := r.expr(e.Lexpr, l), r.expr(e.Rexpr, l)
	_, name := splitName(e.Name)
	if e.Kind == pg.A_Expr_Kind_AEXPR_OP && isJSON(left.typ) && right.constant {
		switch name {
		case "->", "->>":
			return r.jsonArrow(left, right, e.Rexpr, name)
		case "#>", "#>>":
			return r.jsonPath(left, right, name)
		}
	}
	r.operatorFunctions(e.Name, []value{left, right})
	return derived(left, right)
}

// jsonArrow is document -> key and document ->> key.
func (r *resolver) jsonArrow(doc, key value, n *pg.Node, name string) value {
	out := r.jsonStep(doc, key, n)
	if name == "->>" {
		out.typ = "text"
	}
	return out
}

// jsonPath is document #> '{a,b}'; the path is read when it is plain words.
func (r *resolver) jsonPath(doc, path value, name string) value {
	r.st.LiteralFree = false
	keys, ok := plainArray(path.text)
	if !path.literal || !ok {
		return derived(doc)
	}
	out := doc.Value
	for _, key := range keys {
		if _, err := strconv.Atoi(key); err == nil {
			out = out.At("[*]")
		} else {
			out = out.At(pathStep(key))
		}
	}
	typ := "jsonb"
	if name == "#>>" {
		typ = "text"
	}
	return value{Value: out, typ: typ}
}

// operatorFunctions judges every operator that a name may stand for.
func (r *resolver) operatorFunctions(names []*pg.Node, args []value) {
	schema, name := splitName(names)
	if name == "" {
		return
	}
	for _, op := range r.catalog.UserOperators(name) {
		switch {
		case schema != "" && op.Schema != schema:
			continue
		case schema == "" && r.path != nil && !slices.Contains(r.path, op.Schema):
			continue
		}
		f := r.catalog.FunctionByOID(op.Function)
		if f == nil { // it is a built-in function under another sign
			r.fallible(derived(args...))
			continue
		}
		r.userCall([]*Function{f}, args, nil)
	}
	if schema == "" || schema == systemSchema {
		if j := judgeOperator(name); j.refused {
			r.unsupported("operator " + name)
		} else if j.fallible {
			r.fallible(derived(args...))
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
