package pgsql

import (
	"slices"
	"strings"

	"sqlveil/rewrite"
)

// typesOf are the types of values as judgements go by them.
func typesOf(args []value) []string {
	types := make([]string, len(args))
	for i, a := range args {
		if types[i] = a.typ; a.typ == "" && plainRow(a.row) {
			types[i] = "record"
		}
	}
	return types
}

// plainRow says whether a row is known to hold no json, which is text until
// something reads it.
func plainRow(row []column) bool {
	for _, c := range row {
		if mayHoldJSON(c.value) {
			return false
		}
	}
	return row != nil
}

// judged applies the judgement of a built-in or bundled function to its arguments.
func (r *resolver) judged(schema, name, extension string, args []value) value {
	return r.apply(JudgeCall(schema, name, extension, typesOf(args)), schema, name, returned(name, args), args)
}

// judgedNamed is judged for a call with named arguments: which of them is which
// is not known.
func (r *resolver) judgedNamed(schema, name, extension string, args []value) value {
	v := derived(args...)
	v.rows = true
	unknown := make([]value, len(args))
	for i, a := range args {
		unknown[i] = value{Value: a.Value}
	}
	return r.apply(JudgeCall(schema, name, extension, typesOf(unknown)).Named(), schema, name, v, unknown)
}

// apply is what a call makes of args by the judgement j; v is its result as far
// as the arguments decide it.
func (r *resolver) apply(j Judgement, schema, name string, v value, args []value) value {
	switch {
	case j.Returns != "":
		v.typ = j.Returns
	case sameText[name] && len(args) > 0 && isString(args[0].typ):
		v.typ = "text"
	case sameNumber[name] && len(args) > 0 && args[0].typ == "numeric":
		v.typ = "numeric"
	}
	if name == "set_config" {
		r.setConfig(args)
	}
	if j.Kind == Sink || j.Kind == Session {
		r.effects++
	}
	switch {
	case j.Kind == Refused:
		return r.unknown(rewrite.Refusal{
			Code: rewrite.CodeFunction, Message: "function " + schema + "." + name + " reads data by itself and may not be called",
			Hint: "Select from the tables themselves.",
		})
	case j.Kind == Sink:
		r.bind()
		if v.None() {
			break
		}
		r.use(v, "an argument of "+name)
		r.flow(nil, v, "function "+name)
	}
	r.failures(j, args)
	for _, a := range args {
		if makesJSONB[name] && mayHoldJSON(a) {
			r.fallible(a)
		}
	}
	if j.Set { // how many rows come tells about the argument
		r.bind()
		r.use(v, "a set-returning function")
	}
	return callTells(v, name, args)
}

// sameText are functions of strings that make text of one, and other things of
// other types.
var sameText = words(`lower upper substring substr overlay btrim ltrim rtrim`)

// sameNumber are functions that make a numeric of a numeric, and other things of
// other types.
var sameNumber = words(`
	abs round ceil ceiling floor trunc sign sqrt exp ln log power pow sum avg
	stddev stddev_pop stddev_samp variance var_pop var_samp
`)

// failures records the arguments whose values can make a call fail. Most calls
// are not made at all with NULL, so a failure for another reason tells what is NULL.
func (r *resolver) failures(j Judgement, args []value) {
	if j.Total() || j.Edge && storedValues(args) {
		return
	}
	for i, a := range args {
		if j.Fails(i) || a.Nulls || slices.ContainsFunc(a.Derived, inDocument) || slices.ContainsFunc(a.Plain, inDocument) {
			r.fallible(a)
		}
	}
}

// inDocument says whether a source is a member of a document, which there may be
// or not.
func inDocument(s rewrite.Source) bool { return s.Path != "" }

// storedValues says whether all values are those of columns as they are stored.
func storedValues(args []value) bool {
	for _, a := range args {
		if !a.exact || slices.ContainsFunc(a.Plain, inDocument) {
			return false
		}
	}
	return true
}

// labelled says whether the policy has a label for a source of v.
func (r *resolver) labelled(v value) bool {
	for s := range v.Sources {
		if _, ok := r.catalog.Label(r.scope.Policy, s.Column); ok || r.scope.Policy.UnlabelledMasked() && !s.Column.System {
			return true
		}
	}
	return false
}

// makesJSONB are the functions, besides to_jsonb, that make jsonb of arguments of
// any type. They read json, which may hold what jsonb cannot.
var makesJSONB = words(`
	jsonb_agg jsonb_agg_strict jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict
	jsonb_build_array jsonb_build_object
`)

// mayHoldJSON says whether v is json, or may have json in it.
func mayHoldJSON(v value) bool {
	return v.typ == "json" || v.typ == "_json" || v.typ == arrayOfUnknown || v.typ == "" && !plainRow(v.row)
}

// judgedOperator applies the judgement of the built-in operators of a name.
func (r *resolver) judgedOperator(name string, args []value) (returns string) {
	left, right := "-", args[len(args)-1].typ
	if len(args) == 2 {
		left = args[0].typ
	}
	j := JudgeOperation(name, left, right)
	if !j.Known || j.Kind == Refused {
		r.unsupported("operator " + name)
		return ""
	}
	if !r.withinRange(name, args) {
		r.failures(j, args)
	}
	if j.Returns == "" {
		return arithmeticType(name, left, right)
	}
	return j.Returns
}

// arithmeticType is the type of arithmetic between numbers, or moments, of two types for
// which there is no operator, "" for anything else: one of them is converted.
//
// https://www.postgresql.org/docs/current/typeconv-oper.html
func arithmeticType(name, left, right string) string {
	exact := []string{"int2", "int4", "int8", "numeric"}
	floating := []string{"float4", "float8"}
	a, b := slices.Contains(exact, left), slices.Contains(exact, right)
	switch {
	case !strings.Contains("+-*/", name):
		return ""
	case name == "-" && isMoment(left) && isMoment(right): // between two dates there is an operator
		return "interval"
	case a && b:
		return "numeric"
	case (a || slices.Contains(floating, left)) && (b || slices.Contains(floating, right)):
		return "float8"
	}
	return ""
}

func isMoment(typ string) bool { return typ == "date" || typ == "timestamp" || typ == "timestamptz" }

// withinRange says whether arithmetic with a small number cannot leave the range
// of its type: nothing stored comes so near to its end, and nothing that cannot
// fail makes a numeric of more than 100,000 digits.
func (r *resolver) withinRange(name string, args []value) bool {
	if len(args) != 2 || !args[0].small && !args[1].small {
		return false
	}
	number, other := args[1], args[0]
	if args[0].small {
		number, other = args[0], args[1]
	}
	if !r.labelled(other) {
		return false
	}
	r.st.LiteralFree = false
	divides := (name == "/" || name == "%") && args[1].small
	switch {
	case other.typ == "numeric":
		return divides || name == "+" || name == "-" || name == "*"
	case number.typ == "int4" && other.exact && (other.typ == "int2" || other.typ == "int4" || other.typ == "int8"):
		return divides || name == "+" || name == "-"
	}
	return false
}
