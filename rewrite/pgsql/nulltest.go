package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"sqlveil/rewrite"
)

// deepestTest bounds how deep an expression is looked into: each level resolves
// what is below it again.
const deepestTest = 16

// nullTest is an expression that says whether n is NULL, made of tests of
// protected columns alone, which cannot fail; nil where there is none that looks
// no deeper than depth.
func (r *resolver) nullTest(n *pg.Node, l *queryLevel, depth int) *pg.Node {
	if depth == 0 {
		return nil
	}
	depth--
	v := r.expr(n, l)
	switch {
	case v.row != nil || v.mayBeRow(): // IS NULL asks for the fields of a row
		return nil
	case !r.labelled(v), len(v.columns()) > 0:
		return isNull(n)
	}
	switch e := n.Node.(type) {
	case *pg.Node_TypeCast:
		return r.nullTest(e.TypeCast.Arg, l, depth)
	case *pg.Node_CollateClause:
		return r.nullTest(e.CollateClause.Arg, l, depth)
	case *pg.Node_CoalesceExpr:
		return r.nullTests(pg.BoolExprType_AND_EXPR, e.CoalesceExpr.Args, l, depth)
	case *pg.Node_AExpr:
		return r.nullOperation(e.AExpr, l, depth)
	case *pg.Node_FuncCall:
		return r.nullCall(e.FuncCall, l, depth)
	}
	return nil
}

// nullTests joins the tests of several expressions.
func (r *resolver) nullTests(by pg.BoolExprType, nodes []*pg.Node, l *queryLevel, depth int) *pg.Node {
	var tests []*pg.Node
	for _, n := range nodes {
		if c := n.GetAConst(); c != nil && !c.Isnull && by == pg.BoolExprType_OR_EXPR {
			continue
		}
		test := r.nullTest(n, l, depth)
		if test == nil {
			return nil
		}
		tests = append(tests, test)
	}
	switch len(tests) {
	case 0:
		return falseNode()
	case 1:
		return tests[0]
	}
	return boolNode(by, tests...)
}

// nullOperation is NULL where one of the operands is. Arrays take NULLs for
// elements; operators that users wrote are theirs to know.
func (r *resolver) nullOperation(e *pg.A_Expr, l *queryLevel, depth int) *pg.Node {
	_, name := splitName(e.Name)
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_OP, pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE:
	default:
		return nil
	}
	if makesNulls[name] || r.userWritten(name) {
		return nil
	}
	operands := slices.DeleteFunc([]*pg.Node{e.Lexpr, e.Rexpr}, func(n *pg.Node) bool { return n == nil })
	for _, n := range operands {
		if v := r.expr(n, l); v.typ == "" && v.param == 0 || isArrayType(v.typ) {
			return nil
		}
	}
	return r.nullTests(pg.BoolExprType_OR_EXPR, operands, l, depth)
}

// someValue is made of a column, no matter which.
var someValue = rewrite.Value{Derived: []rewrite.Source{{Column: &rewrite.TableColumn{}}}}

// mixesNulls are the built-in functions that keep NULLs and yet may have a value
// where one of their arguments is NULL: pg_proc.proisstrict is not set.
var mixesNulls = words(`
	concat concat_ws format quote_nullable num_nulls num_nonnulls pg_typeof array_to_string string_to_array
	json_build_object json_build_array jsonb_build_object jsonb_build_array to_json to_jsonb row_to_json array_to_json json_object jsonb_object
	array_append array_prepend array_cat array_remove array_replace
	count row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
	stddev variance any_value make_interval gen_random_uuid
`)

// nullCall is NULL where one of the arguments is, or, for an aggregate, where no
// row has a value.
func (r *resolver) nullCall(f *pg.FuncCall, l *queryLevel, depth int) *pg.Node {
	schema, name := splitName(f.Funcname)
	if schema != "" && schema != systemSchema || r.mayBeUsers(schema, name, f.Args, l) || len(f.Args) == 0 || f.AggWithinGroup {
		return nil
	}
	switch j := Judge(systemSchema, name, ""); {
	case neverNull[name] && f.Args[0].GetAConst() != nil:
		return falseNode()
	case !j.Known || mixesNulls[name]:
		return nil
	case j.Kind == Aggregate || name == "min" || name == "max":
		return r.nullAggregate(f, name, l, depth)
	case j.Kind != Pure || callTells(value{Value: someValue}, name, r.exprs(f.Args, l)).Nulls:
		return nil
	}
	args := make([]*pg.Node, len(f.Args))
	for i, n := range f.Args {
		if args[i] = n; n.GetNamedArgExpr() != nil {
			args[i] = n.GetNamedArgExpr().Arg
		}
	}
	return r.nullTests(pg.BoolExprType_OR_EXPR, args, l, depth)
}

// mayBeUsers says whether a call may be one of a function that does not come
// with the server.
func (r *resolver) mayBeUsers(schema, name string, args []*pg.Node, l *queryLevel) bool {
	given := r.exprs(args, l)
	return slices.ContainsFunc(r.userFunctions(schema, name), func(f *Function) bool {
		return f.Extension == "" || r.accept(f.InTypes, given)
	})
}

// nullAggregate counts what the aggregate takes: those that gather rows take all
// of them, the others what is not NULL.
func (r *resolver) nullAggregate(f *pg.FuncCall, name string, l *queryLevel, depth int) *pg.Node {
	count := &pg.FuncCall{
		Funcname: names(systemSchema, "count"), AggFilter: f.AggFilter, Over: f.Over,
		Funcformat: pg.CoercionForm_COERCE_EXPLICIT_CALL,
	}
	switch {
	case strings.Contains(name, "json") || strings.HasPrefix(name, "array_"):
		count.AggStar = true
	case keepsNulls[name] || name == "min" || name == "max":
		null := r.nullTest(f.Args[0], l, depth)
		if null == nil {
			return nil
		}
		count.Args = []*pg.Node{{Node: &pg.Node_CaseExpr{CaseExpr: &pg.CaseExpr{
			Args: []*pg.Node{caseWhen(not(null), integerNode(1))},
		}}}}
	default:
		return nil
	}
	call := &pg.Node{Node: &pg.Node_FuncCall{FuncCall: count}}
	return &pg.Node{Node: &pg.Node_AExpr{AExpr: &pg.A_Expr{
		Kind: pg.A_Expr_Kind_AEXPR_OP, Name: operatorName("="), Lexpr: call, Rexpr: integerNode(0),
	}}}
}

// standInLiteral is how a value of a type may be written, no matter which.
func standInLiteral(typ string) (literal string, known bool) {
	switch typ {
	case "int2", "int4", "int8", "numeric", "float4", "float8", "oid", "money", "json", "jsonb", "interval":
		return "0", true
	case "text", "varchar", "bpchar", "name", "bytea", "xml":
		return "", true
	case "bool":
		return "f", true
	case "date", "timestamp", "timestamptz":
		return "1970-01-01", true
	case "time", "timetz":
		return "00:00", true
	case "uuid":
		return "00000000-0000-0000-0000-000000000000", true
	case "inet", "cidr":
		return "0.0.0.0", true
	}
	if isArrayType(typ) && typ != arrayOfUnknown {
		return "{}", true
	}
	return "", false
}

// castLike casts n as like is, so that a modifier of the type is kept.
func castLike(like, n *pg.Node) *pg.Node {
	if c := like.GetTypeCast(); c != nil {
		return &pg.Node{Node: &pg.Node_TypeCast{TypeCast: &pg.TypeCast{Arg: n, TypeName: c.TypeName}}}
	}
	return n
}

func caseWhen(when, then *pg.Node) *pg.Node {
	return &pg.Node{Node: &pg.Node_CaseWhen{CaseWhen: &pg.CaseWhen{Expr: when, Result: then}}}
}

func boolNode(by pg.BoolExprType, args ...*pg.Node) *pg.Node {
	return &pg.Node{Node: &pg.Node_BoolExpr{BoolExpr: &pg.BoolExpr{Boolop: by, Args: args}}}
}

func not(n *pg.Node) *pg.Node { return boolNode(pg.BoolExprType_NOT_EXPR, n) }

func isNull(n *pg.Node) *pg.Node {
	return &pg.Node{Node: &pg.Node_NullTest{NullTest: &pg.NullTest{Arg: n, Nulltesttype: pg.NullTestType_IS_NULL}}}
}

func falseNode() *pg.Node {
	return constantNode(&pg.A_Const{Val: &pg.A_Const_Boolval{Boolval: &pg.Boolean{}}})
}

func constantNode(c *pg.A_Const) *pg.Node { return &pg.Node{Node: &pg.Node_AConst{AConst: c}} }

func stringNode(s string) *pg.Node {
	return constantNode(&pg.A_Const{Val: &pg.A_Const_Sval{Sval: &pg.String{Sval: s}}})
}

func integerNode(i int32) *pg.Node {
	return constantNode(&pg.A_Const{Val: &pg.A_Const_Ival{Ival: &pg.Integer{Ival: i}}})
}

func names(parts ...string) []*pg.Node {
	var out []*pg.Node
	for _, p := range parts {
		out = append(out, operatorName(p)...)
	}
	return out
}

// forgetLocations takes out of a tree where in the text its nodes were found.
func forgetLocations(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Kind() == protoreflect.Int32Kind && strings.HasSuffix(string(f.Name()), "location"):
			m.Clear(f)
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				forgetLocations(v.List().Get(i).Message())
			}
		case f.Message() != nil && !f.IsMap():
			forgetLocations(v.Message())
		}
		return true
	})
}
