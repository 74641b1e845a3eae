package pgsql

import (
	_ "embed" // the list of operators below
	"slices"
	"strings"
	"sync"
)

//go:embed operators.txt
var operatorsText string

// A systemOperator is one operator of pg_catalog, judged as its function is.
type systemOperator struct {
	left, right string // "-" for none
	function    string
	Judgement
}

var systemOperators = sync.OnceValue(func() map[string][]systemOperator {
	list := map[string][]systemOperator{}
	for line := range strings.Lines(operatorsText) {
		words := strings.Fields(line)
		if len(words) != 5 {
			continue // the comment: # is an operator too
		}
		j := JudgeCall(systemFunctions, words[3], "", operands(words[1], words[2]))
		j.Returns = ""
		if !strings.HasPrefix(words[4], "any") {
			j.Returns = words[4]
		}
		list[words[0]] = append(list[words[0]], systemOperator{words[1], words[2], words[3], j})
	}
	return list
})

func operands(left, right string) []string {
	if left == "-" {
		return []string{right}
	}
	return []string{left, right}
}

// JudgeOperator is the judgement of an operator of pg_catalog by its name: the
// worst over its overloads, those on geometric types apart, whose operands'
// types are always known.
func JudgeOperator(name string) Judgement { return JudgeOperation(name, "", "") }

// JudgeOperation is the judgement of an operator of pg_catalog on operands of
// these types, by their names in pg_type; "" is a type that is not known, "-" a
// missing left operand.
func JudgeOperation(name, left, right string) Judgement {
	for _, o := range systemOperators()[name] {
		if o.left == left && o.right == right {
			return o.Judgement
		}
	}
	geometry := geometric(left) || geometric(right)
	// A literal is of the other operand's type if there is such an operator.
	if known, ok := besideLiteral(left, right); ok {
		if j := judgeOperation(name, known, known, geometry); j.Known {
			return j
		}
	}
	if j := judgeOperation(name, left, right, geometry); j.Known {
		return j
	}
	if j := judgeOperation(name, left, right, true); j.Known {
		return j
	}
	return judgeOperation(name, "", "", true) // the server finds one by casts that are not known here, or fails
}

// besideLiteral returns the type of the operand that is not a literal.
func besideLiteral(left, right string) (typ string, ok bool) {
	switch {
	case left == "-":
		return "", false
	case right == "unknown":
		return left, left != ""
	case left == "unknown":
		return right, right != ""
	}
	return "", false
}

func judgeOperation(name, left, right string, geometry bool) Judgement {
	var found Judgement
	for _, o := range systemOperators()[name] {
		switch {
		case !accepts(o.left, left) || !accepts(o.right, right):
		case !geometry && (geometric(o.left) || geometric(o.right)):
		case !found.Known:
			found = o.Judgement
		default:
			found = worse(found, o.Judgement)
		}
	}
	return found
}

func geometric(typ string) bool {
	switch typ {
	case "point", "line", "lseg", "box", "path", "polygon", "circle":
		return true
	}
	return false
}

// typeFamilies are types between which the server converts by itself when it
// looks for an operator. A type of a family of its own is never converted.
//
// https://www.postgresql.org/docs/current/typeconv-oper.html
var typeFamilies = [][]string{
	{"text", "varchar", "bpchar", "name", "char"},
	{"int2", "int4", "int8", "numeric", "float4", "float8"},
	{"oid", "regclass", "regtype", "regproc", "regnamespace", "regrole"},
	{"money"},
	{"date", "timestamp", "timestamptz"},
	{"time", "timetz", "interval"},
	{"inet", "cidr"},
	{"macaddr", "macaddr8"},
	{"bit", "varbit"},
	{"bool"},
	{"bytea"},
	{"json"},
	{"jsonb"},
	{"uuid"},
	{"xml"},
	{"tsvector"},
	{"tsquery"},
	{"point"},
	{"line"},
	{"lseg"},
	{"box"},
	{"path"},
	{"polygon"},
	{"circle"},
}

// accepts says whether an operator that is declared for one type may be meant
// where the operand is of another; when in doubt, yes.
func accepts(declared, operand string) bool {
	family := slices.IndexFunc(typeFamilies, func(f []string) bool { return slices.Contains(f, operand) })
	array := isArrayType(operand)
	switch {
	case operand == "":
		return true
	case declared == "-" || operand == "-":
		return declared == operand
	case declared == operand || operand == "unknown":
		return true
	case strings.HasPrefix(declared, "any") && strings.HasSuffix(declared, "nonarray"):
		return !array
	case strings.HasPrefix(declared, "any") && strings.HasSuffix(declared, "array"):
		return array || family < 0
	case declared == "anyelement" || declared == "anycompatible":
		return true
	case strings.HasPrefix(declared, "any"): // enums and ranges
		return !array && family < 0
	case family >= 0:
		return slices.Contains(typeFamilies[family], declared)
	}
	return !array
}
