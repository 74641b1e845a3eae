package mysql

import (
	"strconv"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	sqltype "github.com/pingcap/tidb/pkg/parser/mysql"
	"github.com/pingcap/tidb/pkg/parser/opcode"
	driver "github.com/pingcap/tidb/pkg/parser/test_driver"

	"sqlveil/rewrite"
)

// expr resolves an expression: which columns its value is made of. What steers
// the value without being in it (IF and CASE conditions, subquery predicates) is
// recorded as a use on the way.
func (r *resolver) expr(n ast.ExprNode, l *level) value {
	switch e := n.(type) {
	case nil:
		return value{}
	case *ast.ColumnNameExpr:
		return r.columnName(e.Name, l)
	case *driver.ParamMarkerExpr:
		return value{constant: true, param: r.in.params[r.base+e.Offset]}
	case *driver.ValueExpr:
		return literal(e)
	case *ast.ParenthesesExpr:
		return r.expr(e.Expr, l)
	case *ast.FuncCallExpr:
		return r.call(e, l)
	case *ast.FuncCastExpr:
		return r.cast(e, l)
	case *ast.AggregateFuncExpr:
		return r.aggregate(e, l)
	case *ast.WindowFuncExpr:
		return r.windowFunction(e, l)
	case *ast.BinaryOperationExpr:
		return r.binary(e, l)
	case *ast.UnaryOperationExpr:
		return r.unary(e, l)
	case *ast.CaseExpr:
		return r.caseExpr(e, l)
	case *ast.SubqueryExpr:
		return r.subquery(e, l)
	case *ast.ExistsSubqueryExpr:
		r.expr(e.Sel, l)
		return value{kind: typeInteger, certain: true}
	case *ast.VariableExpr:
		return r.variable(e, l)
	case *ast.RowExpr:
		return r.rowExpr(e, l)
	case *ast.SetCollationExpr:
		v := r.expr(e.Expr, l)
		v.exact, v.constant = false, false
		return v
	case *ast.DefaultExpr: // the declared default, no row's value
		if e.Name != nil {
			r.columnName(e.Name, l)
		}
		return value{}
	case *ast.ValuesExpr:
		return r.inserted(e, l)
	case *ast.TimeUnitExpr, *ast.TrimDirectionExpr, *ast.GetFormatSelectorExpr, *ast.MaxValueExpr, *ast.TableNameExpr:
		return value{constant: true, certain: true}
	}
	return r.predicate(n, l)
}

func (r *resolver) exprs(nodes []ast.ExprNode, l *level) []value {
	out := make([]value, len(nodes))
	for i, n := range nodes {
		out[i] = r.expr(n, l)
	}
	return out
}

// literal is the value of a constant.
func literal(e *driver.ValueExpr) value {
	v := value{constant: true, certain: true, calm: true}
	switch e.Kind() {
	case driver.KindNull:
		return value{constant: true, null: true, calm: true}
	case driver.KindString, driver.KindBytes:
		v.kind, v.literal, v.text = typeText, true, e.GetString()
	case driver.KindBinaryLiteral:
		v.kind, v.literal, v.text = typeBytes, true, string(e.GetBinaryLiteral())
	case driver.KindInt64, driver.KindUint64:
		v.kind, v.literal, v.text = typeInteger, true, strconv.FormatUint(e.GetUint64(), 10)
		if e.Kind() == driver.KindInt64 {
			v.text = strconv.FormatInt(e.GetInt64(), 10)
		}
		v.digits = len(v.text)
	case driver.KindMysqlDecimal:
		v.kind, v.literal, v.text = typeDecimal, true, e.GetMysqlDecimal().String()
		whole, fraction, _ := strings.Cut(v.text, ".")
		v.digits, v.scale = len(whole), len(fraction)
	case driver.KindFloat32, driver.KindFloat64:
		v.kind, v.literal, v.text = typeFloat, true, strconv.FormatFloat(e.GetFloat64(), 'g', -1, 64)
	}
	return v
}

// stringLiteral is the text of an expression that is a string.
func stringLiteral(n ast.ExprNode) (string, bool) {
	v, ok := n.(*driver.ValueExpr)
	if !ok || v.Kind() != driver.KindString && v.Kind() != driver.KindBytes {
		return "", false
	}
	return v.GetString(), true
}

// variable resolves @name, @@name and @name := expression. Nothing protected
// gets into a user variable, so nothing protected comes out. How many warnings
// there were may tell of protected values: of how long they are together, for one,
// where an aggregate cut them.
func (r *resolver) variable(e *ast.VariableExpr, l *level) value {
	if e.Value != nil {
		v := r.expr(e.Value, l)
		r.flow(v, "a user variable")
		return v.opaque()
	}
	if e.IsSystem && (strings.EqualFold(e.Name, "warning_count") || strings.EqualFold(e.Name, "error_count")) {
		return value{Value: rewrite.Of(countedMessages), exact: true, kind: typeInteger, certain: true}
	}
	return value{constant: !r.assigns}
}

func (r *resolver) rowExpr(e *ast.RowExpr, l *level) value {
	var out value
	out.row = r.exprs(e.Values, l)
	out.constant = true
	for _, v := range out.row {
		out.Value = out.Into(v.Value)
		out.constant = out.constant && v.constant
	}
	return out
}

// subquery resolves a subquery that stands for a value.
func (r *resolver) subquery(e *ast.SubqueryExpr, l *level) value {
	columns := r.query(e.Query, l)
	if len(columns) == 1 {
		v := columns[0].value.opaque()
		v.certain = false
		return v
	}
	return rowOf(columns)
}

// caseExpr resolves CASE.
func (r *resolver) caseExpr(c *ast.CaseExpr, l *level) value {
	var out value
	operand := r.expr(c.Value, l)
	for i, when := range c.WhenClauses {
		if c.Value != nil {
			r.compare(operand, r.expr(when.Expr, l), "case")
		} else {
			r.within(r.where, "case", func() { r.condition(when.Expr, l) })
		}
		outer := r.unreached
		if isFalse(when.Expr) && c.Value == nil && standsAlone(when.Result) {
			r.unreached, r.st.LiteralFree = true, false
		}
		result := r.expr(when.Result, l).opaque()
		r.unreached = outer
		if i == 0 {
			out = result
		} else {
			out = either(out, result)
		}
	}
	if c.ElseClause == nil {
		out.certain = false
		return out
	}
	return either(out, r.expr(c.ElseClause, l))
}

// binary resolves an operator in a place where its value is wanted; condition
// does it where it steers.
func (r *resolver) binary(e *ast.BinaryOperationExpr, l *level) value {
	left, right := r.expr(e.L, l), r.expr(e.R, l)
	switch e.Op {
	case opcode.LogicAnd, opcode.LogicOr, opcode.LogicXor:
		return r.logical(left, right)
	case opcode.EQ, opcode.NE, opcode.LT, opcode.LE, opcode.GT, opcode.GE, opcode.NullEQ:
		return r.compared(left, right)
	case opcode.Plus, opcode.Minus, opcode.Mul, opcode.Div, opcode.IntDiv, opcode.Mod:
		return r.arithmetic(e.Op, left, right)
	}
	// & | ^ << >> ~ are about integers
	r.integral(left)
	r.integral(right)
	return derived(left, right).of(typeInteger)
}

// logical is AND, OR and XOR. Whether the result is NULL, and whether the other
// side is worked out at all, would tell what the protected side is.
func (r *resolver) logical(left, right value) value {
	r.numeric(left)
	r.numeric(right)
	calmLeft, calmRight := left.calm && left.kind.number(), right.calm && right.kind.number()
	if !left.certain || !calmLeft {
		r.fallible(right)
	}
	if !right.certain || !calmRight {
		r.fallible(left)
	}
	out := derived(left, right).of(typeInteger)
	out.digits, out.certain, out.calm = 1, left.certain && right.certain, calmLeft && calmRight
	return out
}

// compared is a comparison. A text that is compared with a number is converted,
// with a warning if it is none.
func (r *resolver) compared(left, right value) value {
	if len(left.row) > 0 || len(right.row) > 0 {
		r.fallible(left)
		r.fallible(right)
	}
	r.comparable(left, right)
	r.comparable(right, left)
	out := derived(left, right).of(typeInteger)
	out.digits, out.certain = 1, left.certain && right.certain
	out.calm = left.calm && right.calm && (left.kind == right.kind || left.kind.number() && right.kind.number())
	return out
}

// comparable records that comparing v may convert it, with a warning that
// depends on it.
func (r *resolver) comparable(v, with value) {
	if v.None() || v.kind == with.kind && v.kind != typeUnknown || with.null {
		return
	}
	switch {
	case v.kind.number() && (with.kind.number() || with.kind == typeText && with.constant):
	case v.kind.temporal() && (with.kind.temporal() || with.constant && with.kind != typeUnknown):
	case v.kind == typeText && (with.kind == typeBytes || with.kind == typeJSON),
		v.kind == typeBytes && with.kind == typeText, v.kind == typeJSON && with.kind == typeText:
	default:
		r.fallible(v)
	}
}

// integral records that v is converted to an integer of 64 bits.
func (r *resolver) integral(v value) {
	r.st.LiteralFree = r.st.LiteralFree && v.None()
	if !v.exactNumber() || v.digits > integerDigits {
		r.fallible(v)
	}
}

// numeric records that v is converted to a number.
func (r *resolver) numeric(v value) {
	if !v.kind.number() && !v.kind.temporal() {
		r.fallible(v)
	}
}

// The digits within which numbers of the server never overflow.
const (
	integerDigits = 18 // BIGINT
	decimalDigits = 40 // DECIMAL, with room for sums
)

// arithmetic is + - * / DIV %. A result that does not fit its type is an error,
// a division by zero is NULL: both must be out of the question.
func (r *resolver) arithmetic(op opcode.Op, left, right value) value {
	out := derived(left, right)
	out.kind = typeDecimal
	if left.kind == typeInteger && right.kind == typeInteger && op != opcode.Div {
		out.kind = typeInteger
	}
	out.certain = left.certain && right.certain && op != opcode.Div && op != opcode.IntDiv && op != opcode.Mod
	if out.None() {
		if left.kind.number() && right.kind.number() {
			out.digits, out.scale = span2(op, left, right)
		}
		if left.kind == typeFloat || right.kind == typeFloat {
			out.kind = typeFloat
		}
		return out
	}
	r.st.LiteralFree = false // the size of a literal decides
	limit := decimalDigits
	if out.kind == typeInteger {
		limit = integerDigits
	}
	digits, scale := span2(op, left, right)
	safe := left.exactNumber() && right.exactNumber() && digits > 0 && digits+scale <= limit && !r.strict
	switch op {
	case opcode.Minus:
		safe = safe && !left.unsigned && !right.unsigned
	case opcode.Div, opcode.IntDiv, opcode.Mod:
		safe = safe && right.literal && strings.Trim(right.text, "0.-") != "" && op == opcode.Div
	}
	if !safe {
		r.fallible(left)
		r.fallible(right)
	}
	out.digits, out.scale = digits, scale
	out.unsigned = left.unsigned || right.unsigned
	return out
}

// exactNumber says whether v is a number whose size is known.
func (v value) exactNumber() bool {
	return (v.kind == typeInteger || v.kind == typeDecimal) && v.digits > 0
}

// divisionScale is what / adds to the scale of a number: div_precision_increment
// at its most.
const divisionScale = 30

// span2 is how many digits the result of an operator may have.
func span2(op opcode.Op, a, b value) (digits, scale int) {
	if a.digits == 0 || b.digits == 0 {
		return 0, 0
	}
	switch op {
	case opcode.Mul:
		return a.digits + b.digits, a.scale + b.scale
	case opcode.Div:
		return a.digits + b.scale, min(a.scale+divisionScale, divisionScale)
	}
	return max(a.digits, b.digits) + 1, max(a.scale, b.scale)
}

// unary resolves NOT, -, +, ~.
func (r *resolver) unary(e *ast.UnaryOperationExpr, l *level) value {
	v := r.expr(e.V, l)
	switch e.Op {
	case opcode.Plus:
		return v
	case opcode.Minus:
		r.st.LiteralFree = r.st.LiteralFree && v.None()
		if v.constant && v.literal && v.kind.number() {
			v.text = "-" + v.text
			return v
		}
		if !v.exactNumber() || v.digits+v.scale > integerDigits || v.unsigned {
			r.fallible(v)
		}
		out := derived(v).of(v.kind)
		out.digits, out.scale, out.certain = v.digits, v.scale, v.certain
		return out
	}
	if e.Op == opcode.BitNeg {
		r.integral(v)
	}
	r.numeric(v)
	out := derived(v).of(typeInteger)
	out.certain, out.calm = v.certain, v.calm && v.kind.number()
	return out
}

// predicate resolves the expressions that are true, false or NULL.
func (r *resolver) predicate(n ast.ExprNode, l *level) value {
	switch e := n.(type) {
	case *ast.IsNullExpr:
		v := r.expr(e.Expr, l)
		out := derived(v).of(typeInteger)
		out.certain, out.calm = true, v.calm
		return out
	case *ast.IsTruthExpr:
		v := r.expr(e.Expr, l)
		r.numeric(v)
		out := derived(v).of(typeInteger)
		out.certain = true
		return out
	case *ast.BetweenExpr:
		return r.between(r.expr(e.Expr, l), r.expr(e.Left, l), r.expr(e.Right, l))
	case *ast.PatternInExpr:
		return r.inValue(e, l)
	case *ast.PatternLikeOrIlikeExpr:
		v, pattern := r.expr(e.Expr, l), r.expr(e.Pattern, l)
		out := derived(v, pattern).of(typeInteger)
		out.certain = v.certain && pattern.certain
		return out
	case *ast.PatternRegexpExpr: // matching can fail depending on the text
		v := derived(r.expr(e.Expr, l), r.expr(e.Pattern, l)).of(typeInteger)
		r.fallible(v)
		return v
	case *ast.CompareSubqueryExpr:
		v := derived(r.expr(e.L, l), r.expr(e.R, l)).of(typeInteger)
		r.fallible(v)
		return v
	case *ast.MatchAgainst:
		var columns []value
		for _, c := range e.ColumnNames {
			columns = append(columns, r.columnName(c, l))
		}
		return derived(append(columns, r.expr(e.Against, l))...).of(typeFloat)
	}
	return r.unsupported("this kind of expression")
}

// between resolves BETWEEN where its value is wanted. With a bound that is NULL
// the result is NULL only on one side of the other bound.
func (r *resolver) between(v, low, high value) value {
	first, second := r.compared(v, low), r.compared(v, high)
	out := derived(v, low, high).of(typeInteger)
	if !low.certain || !high.certain || !first.calm || !second.calm {
		r.fallible(out)
	}
	out.certain = v.certain && low.certain && high.certain
	return out
}

// inValue resolves IN where its value is wanted. NULL in the list makes the
// result NULL where nothing is found; what has to be converted warns until then.
func (r *resolver) inValue(e *ast.PatternInExpr, l *level) value {
	v := r.expr(e.Expr, l)
	all := []value{v}
	certain := len(v.row) == 0
	if e.Sel != nil {
		all = append(all, r.expr(e.Sel, l))
		certain = false
	}
	for _, n := range e.List {
		item := r.expr(n, l)
		r.comparable(v, item)
		r.comparable(item, v)
		alike := v.kind == item.kind || v.kind.number() && item.kind.number()
		certain = certain && item.certain && item.calm && alike // the first that is equal ends the search
		all = append(all, item)
	}
	out := derived(all...).of(typeInteger)
	if !certain {
		r.fallible(out)
	}
	out.certain = v.certain && certain
	return out
}

// cast resolves CAST, CONVERT(x, type) and BINARY x.
func (r *resolver) cast(e *ast.FuncCastExpr, l *level) value {
	v := r.expr(e.Expr, l)
	r.st.LiteralFree = false // the length
	to := castKind(e.Tp.GetType(), e.Tp.GetCharset())
	if v.constant {
		v.kind = to
		v.literal = v.literal && to == typeText
		return v
	}
	whole := e.Tp.GetFlen() < 0 && e.FunctionType != ast.CastBinaryOperator
	if to == typeText && v.kind == typeText && whole {
		v.exact = false
		return v
	}
	if !r.castTotal(v, to, e.Tp) {
		r.fallible(v)
	}
	out := derived(v).of(to)
	out.certain = v.certain && (to == typeText || to == typeBytes)
	if to == typeDecimal || to == typeInteger {
		out.digits, out.scale = max(e.Tp.GetFlen()-max(e.Tp.GetDecimal(), 0), 0), max(e.Tp.GetDecimal(), 0)
		if to == typeInteger {
			out.digits, out.scale = v.digits, 0
		}
	}
	return out
}

// castTotal says whether every value of v's type can be converted without an
// error or a warning.
func (r *resolver) castTotal(v value, to typeKind, tp interface {
	GetFlen() int
	GetDecimal() int
	GetFlag() uint
},
) bool {
	if v.None() {
		return true
	}
	switch to {
	case typeText, typeBytes:
		converted := to == typeText && v.kind == typeBytes // bytes that are no characters are a warning
		return tp.GetFlen() < 0 && !r.strict && !converted // as is one that is cut off
	case typeInteger:
		if tp.GetFlag()&sqltype.UnsignedFlag != 0 {
			return v.kind == typeInteger && v.unsigned || v.kind.temporal()
		}
		return v.exactNumber() && v.digits <= integerDigits || v.kind.temporal()
	case typeDecimal:
		return v.exactNumber() && v.digits <= tp.GetFlen()-max(tp.GetDecimal(), 0) && v.scale <= max(tp.GetDecimal(), 0) || v.kind.temporal() && tp.GetFlen() >= 20
	case typeFloat:
		return v.kind.number() || v.kind.temporal()
	case typeDate, typeTime:
		return v.kind == to || v.kind == typeDate
	case typeJSON:
		return v.kind != typeText && v.kind != typeUnknown && v.kind != typeBytes
	}
	return false
}

// castKind is the family of a type that CAST names.
func castKind(tp byte, charset string) typeKind {
	switch tp {
	case sqltype.TypeVarString, sqltype.TypeString, sqltype.TypeVarchar:
		if charset == "binary" {
			return typeBytes
		}
		return typeText
	case sqltype.TypeLonglong, sqltype.TypeYear, sqltype.TypeLong, sqltype.TypeInt24, sqltype.TypeShort, sqltype.TypeTiny:
		return typeInteger
	case sqltype.TypeNewDecimal:
		return typeDecimal
	case sqltype.TypeFloat, sqltype.TypeDouble:
		return typeFloat
	case sqltype.TypeDate, sqltype.TypeDatetime, sqltype.TypeTimestamp:
		return typeDate
	case sqltype.TypeDuration:
		return typeTime
	case sqltype.TypeJSON:
		return typeJSON
	}
	return typeUnknown
}

func itoa(n int) string { return strconv.Itoa(n) }
