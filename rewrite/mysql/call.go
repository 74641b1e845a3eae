package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sqlveil/rewrite"
)

// call resolves a function call: a built-in function by its judgement, a stored
// one by its body.
func (r *resolver) call(f *ast.FuncCallExpr, l *level) value {
	name := f.FnName.L
	if f.Schema.O != "" {
		return r.routineCall(f.Schema.O, f.FnName.O, r.exprs(f.Args, l))
	}
	if special, ok := specialCalls[name]; ok && len(f.Args) >= special.least {
		return special.resolve(r, f, l)
	}
	args := r.exprs(f.Args, l)
	if choices[name] && len(args) > 0 {
		return r.choice(args)
	}
	j, known := judge(name)
	if !known || r.foreign(name) {
		return r.routineCall("", f.FnName.O, args)
	}
	r.st.Effect.Numbered = r.st.Effect.Numbered || name == "last_insert_id" && len(args) > 0
	out := r.judged(j, name, args)
	if r.schema != "" && r.catalog.Routine(r.schema, name, false) != nil {
		// With a blank before the parenthesis it is the stored one, for some names.
		out = derived(out, r.routineCall("", f.FnName.O, args))
	}
	return out
}

// foreign says whether what the parser takes for a call is none on this server,
// but a column: the parser knows some functions without parentheses.
func (r *resolver) foreign(name string) bool {
	if r.mode.flavour != flavourTiDB && strings.HasPrefix(name, "tidb_") {
		return true
	}
	if name != "current_role" || r.mode.flavour == flavourMariaDB {
		return false
	}
	for i := range r.in.tokens {
		if r.in.word(i, name) && !r.in.word(i+1, "(") {
			return true
		}
	}
	return false
}

// A specialCall is a function that does not merely compute from its arguments.
type specialCall struct {
	least   int // arguments
	resolve func(r *resolver, f *ast.FuncCallExpr, l *level) value
}

// Set by init, since resolving a call leads back to it.
var specialCalls map[string]specialCall

func init() {
	specialCalls = map[string]specialCall{
		"if":           {3, (*resolver).ifCall},
		"ifnull":       {2, (*resolver).coalesceCall},
		"nvl":          {2, (*resolver).coalesceCall},
		"coalesce":     {1, (*resolver).coalesceCall},
		"nvl2":         {3, (*resolver).nvl2Call},
		"nullif":       {2, (*resolver).nullifCall},
		"isnull":       {1, (*resolver).isnullCall},
		"convert":      {2, (*resolver).convertCall},
		"json_extract": {2, (*resolver).jsonExtractCall},
		"json_value":   {2, (*resolver).jsonExtractCall},
		"json_query":   {2, (*resolver).jsonExtractCall},
		"json_unquote": {1, (*resolver).jsonUnquoteCall},
		"greatest":     {1, (*resolver).greatestCall},
		"least":        {1, (*resolver).greatestCall},
		"row_count":    {0, (*resolver).rowCountCall},
		"nextval":      {1, (*resolver).sequenceCall},
		"lastval":      {1, (*resolver).sequenceCall},
		"setval":       {1, (*resolver).sequenceCall},
		"char_func":    {1, (*resolver).charCall},
		"values":       {1, (*resolver).valuesCall},
		valueName:      {1, (*resolver).valuesCall},
	}
}

func (r *resolver) ifCall(f *ast.FuncCallExpr, l *level) value {
	r.within(r.where, "if", func() { r.condition(f.Args[0], l) })
	return either(r.expr(f.Args[1], l).opaque(), r.expr(f.Args[2], l).opaque())
}

func (r *resolver) coalesceCall(f *ast.FuncCallExpr, l *level) value {
	args := r.exprs(f.Args, l)
	out := args[0]
	certain := out.certain
	for _, a := range args[1:] {
		out = either(out, a)
		certain = certain || a.certain
	}
	out.certain = certain
	return out
}

func (r *resolver) nvl2Call(f *ast.FuncCallExpr, l *level) value {
	r.isNull(r.expr(f.Args[0], l), "if")
	return either(r.expr(f.Args[1], l).opaque(), r.expr(f.Args[2], l).opaque())
}

func (r *resolver) nullifCall(f *ast.FuncCallExpr, l *level) value {
	left := r.expr(f.Args[0], l)
	r.compare(left, r.expr(f.Args[1], l), "nullif")
	left = left.opaque()
	left.certain = false
	return left
}

func (r *resolver) isnullCall(f *ast.FuncCallExpr, l *level) value {
	out := derived(r.expr(f.Args[0], l)).of(typeInteger)
	out.certain = true
	return out
}

// convertCall is CONVERT(x USING charset).
func (r *resolver) convertCall(f *ast.FuncCallExpr, l *level) value {
	v := r.expr(f.Args[0], l)
	charset, _ := stringLiteral(f.Args[1])
	switch charset {
	case "utf8mb4":
		if v.kind == typeText {
			v.exact = false
			return v
		}
	case "binary":
	default: // a character that it does not have is a warning
		r.fallible(v)
	}
	if v.constant {
		return v
	}
	return derived(v).of(typeText)
}

// jsonExtractCall is JSON_EXTRACT(document, path, ...), -> and their like.
func (r *resolver) jsonExtractCall(f *ast.FuncCallExpr, l *level) value {
	args := r.exprs(f.Args, l)
	r.st.LiteralFree = false // the path
	doc := args[0]
	if doc.kind != typeJSON {
		r.fallible(doc)
	}
	kind := typeJSON
	if f.FnName.L == "json_value" {
		kind = typeText
	}
	var out value
	for i, path := range args[1:] {
		if !path.literal || !r.mode.keepsLiterals(path.text) {
			r.fallible(path)
			return derived(args...).of(kind)
		}
		at := value{Value: atPath(doc, path.text)}
		if i == 0 {
			out = at
		} else { // an array of all that is found
			out = derived(out, at)
		}
	}
	return out.of(kind)
}

// atPath is the value at a path of a document. That an array step on what is no
// array stands for the value itself is known to labels.
//
// https://dev.mysql.com/doc/refman/8.4/en/json.html#json-path-syntax
func atPath(doc value, path string) rewrite.Value {
	steps, ok := jsonSteps(path)
	if !ok {
		return doc.Derive()
	}
	if len(steps) == 0 {
		return doc.Value
	}
	return doc.At(strings.Join(steps, ""))
}

// jsonSteps cuts a path into steps as masking writes them; ok is false when it
// has a step that stands for more than one place below.
func jsonSteps(path string) (steps []string, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(path), "$")
	for ok && strings.TrimSpace(rest) != "" {
		rest = strings.TrimSpace(rest)
		switch {
		case strings.HasPrefix(rest, "["):
			inside, after, found := strings.Cut(rest[1:], "]")
			if !found {
				return nil, false
			}
			step := "[*]"
			if inside = strings.TrimSpace(inside); inside != "" && run(inside, isDigit) == len(inside) {
				step = "[" + inside + "]"
			}
			steps, rest = append(steps, step), after
		case strings.HasPrefix(rest, "."):
			rest = strings.TrimSpace(rest[1:])
			member := ""
			member, rest, ok = jsonMember(rest)
			steps = append(steps, member)
		default:
			return nil, false
		}
	}
	return steps, ok
}

// jsonMember reads the name behind a dot.
func jsonMember(rest string) (step, after string, ok bool) {
	if strings.HasPrefix(rest, `"`) {
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 || strings.Contains(rest[1:1+end], `\`) {
			return "", "", false
		}
		return pathStep(rest[1 : 1+end]), rest[end+2:], true
	}
	if strings.HasPrefix(rest, "*") {
		return ".*", rest[1:], true
	}
	n := run(rest, isWordPart)
	if n == 0 {
		return "", "", false
	}
	return pathStep(rest[:n]), rest[n:], true
}

// jsonUnquoteCall keeps the value, for a document's scalar is shown without its
// quotes then.
func (r *resolver) jsonUnquoteCall(f *ast.FuncCallExpr, l *level) value {
	v := r.expr(f.Args[0], l)
	if v.kind != typeJSON {
		r.fallible(v)
		return derived(v).of(typeText)
	}
	v.exact, v.kind = false, typeText
	return v
}

// greatestCall: which one is greatest tells their order, so none of them is
// released as it is.
func (r *resolver) greatestCall(f *ast.FuncCallExpr, l *level) value {
	args := r.exprs(f.Args, l)
	out := derived(args...)
	out.kind, out.certain = args[0].kind, true
	for i, a := range args {
		if i > 0 {
			r.comparable(args[0], a)
			r.comparable(a, args[0])
		}
		if a.kind != out.kind {
			out.kind = typeUnknown
		}
		out.certain = out.certain && a.certain
	}
	return out
}

// rowCountCall is ROW_COUNT(): an UPDATE counts the rows that it changed, so the
// count tells whether a protected column had the value already. A routine's own
// use of it is its author's.
func (r *resolver) rowCountCall(*ast.FuncCallExpr, *level) value {
	if r.depth > 0 {
		return value{kind: typeInteger, certain: true}
	}
	return value{Value: rewrite.Of(changedRows), exact: true, kind: typeInteger}
}

// charCall is CHAR(number, ... [USING charset]): numbers that are no character of
// it make a warning and NULL.
func (r *resolver) charCall(f *ast.FuncCallExpr, l *level) value {
	args := r.exprs(f.Args, l)
	out := r.judged(functions["char_func"], "char_func", args)
	if !args[len(args)-1].null {
		r.fallible(out)
	}
	return out
}

// sequenceCall is NEXT VALUE FOR and its like: a sequence holds no one's data,
// but a value put into it could be read by others.
func (r *resolver) sequenceCall(f *ast.FuncCallExpr, l *level) value {
	if n, ok := f.Args[0].(*ast.TableNameExpr); ok {
		r.relation(n.Name.Schema.O, n.Name.Name.O)
	}
	for _, a := range f.Args {
		r.sink(r.expr(a, l), f.FnName.L)
	}
	return value{kind: typeInteger}
}

// valuesCall is VALUES(column), and VALUE(column) of MariaDB, in ON DUPLICATE KEY
// UPDATE.
func (r *resolver) valuesCall(f *ast.FuncCallExpr, l *level) value {
	return r.expr(f.Args[0], l).opaque()
}

// sink records that v goes where others may see it.
func (r *resolver) sink(v value, name string) {
	if v.None() {
		return
	}
	r.use(v, "an argument of "+name)
	r.flow(v, "function "+name)
}

// judged applies a judgement to a call's arguments.
func (r *resolver) judged(j judgement, name string, args []value) value {
	out := derived(args...)
	r.st.LiteralFree = r.st.LiteralFree && out.None() // the size of a literal may decide
	out.kind = j.returns
	out.certain = j.total
	if j.refused {
		return r.unknown(rewrite.Refusal{
			Code: rewrite.CodeFunction, Message: "function " + name + " reads data by itself and may not be called",
			Hint: "Select from the tables themselves.",
		})
	}
	for i, a := range args {
		out.certain = out.certain && a.certain
		if j.sink {
			r.sink(a, name)
		}
		if out.kind == typeText && !fits('c', a) { // it may be of bytes, too
			out.kind = typeBytes
		}
		if !fits(j.arg(i), a) || i == 0 && len(args) > 1 && strings.HasPrefix(name, "crc32") { // a checksum to go on from
			r.fallible(a)
		}
	}
	if j.like && len(args) > 0 {
		out.kind, out.digits, out.scale, out.unsigned = args[0].kind, args[0].digits, args[0].scale, args[0].unsigned
		if len(args) > 1 && out.digits > 0 {
			out.digits++
		}
	}
	out.length = grown(name, args)
	r.bounded(name, args, out)
	return out
}

// fits says whether an argument can go in without that its value may show as an
// error, a warning or NULL.
func fits(letter byte, a value) bool {
	if a.None() {
		return true
	}
	switch letter {
	case 't':
		return true
	case 'c':
		return a.kind != typeBytes
	case 'n':
		return a.exactNumber() && a.digits <= integerDigits || a.kind.temporal()
	case 'd':
		return a.kind.temporal()
	case 'j':
		return a.kind == typeJSON
	}
	return false
}

// choice is a function whose result is one of the values of its first argument:
// which one the second decides, and the third stands in for none.
func (r *resolver) choice(args []value) value {
	out := args[0].opaque()
	out.certain = false
	for i, a := range args[1:] {
		if i == 0 {
			r.use(a, "argument")
			continue
		}
		out = either(out, a)
	}
	return out
}

// aggregate resolves an aggregate without OVER.
func (r *resolver) aggregate(f *ast.AggregateFuncExpr, l *level) value {
	args := r.exprs(f.Args, l)
	if f.Order != nil {
		for _, item := range f.Order.Items {
			r.use(r.expr(item.Expr, l), "order by")
		}
	}
	return r.aggregated(strings.ToLower(f.F), args)
}

func (r *resolver) aggregated(name string, args []value) value {
	switch {
	case name == "count":
		return countOf(args)
	case choices[name] && len(args) > 0:
		return r.choice(args)
	}
	a, known := aggregates[name]
	if !known {
		return r.unsupported("function " + name)
	}
	for _, v := range args {
		switch {
		case strings.HasPrefix(name, "bit_"):
			r.integral(v)
		case a.numeric:
			r.numeric(v)
		}
	}
	return derived(args...).of(a.returns)
}

// countOf is released when it counts rows or columns' non-null values, with or
// without DISTINCT; counting an expression would tell where it is null.
func countOf(args []value) value {
	out := value{kind: typeInteger, certain: true, digits: integerDigits}
	for _, a := range args {
		if !a.None() && len(a.columns()) == 0 {
			out.Value = derived(args...).Value
			return out
		}
	}
	return out
}

// windowFunction resolves an aggregate or window function with OVER.
func (r *resolver) windowFunction(f *ast.WindowFuncExpr, l *level) value {
	args := r.exprs(f.Args, l)
	r.window(&f.Spec, l)
	name := strings.ToLower(f.Name)
	if ranks[name] {
		for _, a := range args {
			r.use(a, "window")
		}
		return value{kind: typeInteger, certain: true}
	}
	return r.aggregated(name, args)
}

// window records what a window is made by.
func (r *resolver) window(w *ast.WindowSpec, l *level) {
	var items []*ast.ByItem
	if w.PartitionBy != nil {
		items = append(items, w.PartitionBy.Items...)
	}
	if w.OrderBy != nil {
		items = append(items, w.OrderBy.Items...)
	}
	in := &level{outer: l.outer, with: l.with, from: l.from, locals: l.locals}
	var values []value
	for _, item := range items {
		if p, ok := item.Expr.(*ast.PositionExpr); ok { // a number is a constant here
			if p.P != nil {
				r.expr(p.P, in)
			}
			continue
		}
		values = append(values, r.expr(item.Expr, in))
	}
	r.useOrder(values, "window")
	if w.Frame != nil {
		for _, b := range []ast.FrameBound{w.Frame.Extent.Start, w.Frame.Extent.End} {
			if b.Expr != nil {
				r.use(r.expr(b.Expr, in), "window")
			}
		}
	}
}

// routineCall resolves a call of a stored function, in the current database
// when schema is empty.
func (r *resolver) routineCall(schema, name string, args []value) value {
	if schema == "" {
		r.st.Effect.ReadsPath = r.st.Effect.ReadsPath || r.depth == 0
		if r.unsure {
			return r.unpredicted(name)
		}
		schema = r.schema
	}
	if strings.EqualFold(schema, "sys") {
		if sysFunctions[strings.ToLower(name)] {
			return r.judged(judgement{args: "x"}, name, args)
		}
		return r.unknown(rewrite.Refusal{Code: rewrite.CodeFunction, Message: "function sys." + name + " reads data by itself and may not be called"})
	}
	f := r.catalog.Routine(schema, name, false)
	if f == nil {
		full := name
		if schema != "" {
			full = schema + "." + name
		}
		return r.unknown(rewrite.Refusal{
			Code: rewrite.CodeUnknownName, SQLState: "42000", Message: "FUNCTION " + full + " does not exist",
		})
	}
	return r.routine(f, args)
}
