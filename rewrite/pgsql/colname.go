package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// columnName is the name that the server gives to an output column without one
// once its expression is resolved. What is named otherwise is not found by the
// queries around it, or something else is.
//
// https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/parser/parse_target.c
func (r *resolver) columnName(n *pg.Node) string {
	if name, _ := r.figureName(n); name != "" {
		return name
	}
	return "?column?"
}

// figureName is FigureColnameInternal: weak names, those of types and of CASE,
// give way to those of what is around them.
func (r *resolver) figureName(n *pg.Node) (name string, strong bool) {
	switch e := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		return lastName(e.ColumnRef.Fields)
	case *pg.Node_AIndirection:
		if name, ok := lastName(e.AIndirection.Indirection); ok {
			return name, true
		}
		return r.figureName(e.AIndirection.Arg)
	case *pg.Node_AConst:
		if _, isBool := e.AConst.Val.(*pg.A_Const_Boolval); isBool && r.catalog.ServerVersion < version15 {
			return "bool", false // TRUE was a cast of 't' then
		}
		return "", false
	case *pg.Node_TypeCast:
		if name, ok := r.figureName(e.TypeCast.Arg); ok {
			return name, true
		}
		_, name = splitName(e.TypeCast.TypeName.GetNames())
		return name, false
	case *pg.Node_CollateClause:
		return r.figureName(e.CollateClause.Arg)
	case *pg.Node_AExpr:
		if e.AExpr.Kind == pg.A_Expr_Kind_AEXPR_NULLIF {
			return "nullif", true
		}
		return "", false
	case *pg.Node_SubLink:
		name = r.subLinkName(e.SubLink)
		return name, name != ""
	case *pg.Node_CaseExpr:
		if name, ok := r.figureName(e.CaseExpr.Defresult); ok {
			return name, true
		}
		return "case", false
	}
	name = fixedName(n)
	return name, name != ""
}

// lastName is the last name in a list of names, subscripts and stars.
func lastName(nodes []*pg.Node) (name string, ok bool) {
	if names := strs(nodes); len(names) > 0 {
		return names[len(names)-1], true
	}
	return "", false
}

func (r *resolver) subLinkName(s *pg.SubLink) string {
	switch s.SubLinkType {
	case pg.SubLinkType_EXISTS_SUBLINK:
		return "exists"
	case pg.SubLinkType_ARRAY_SUBLINK:
		return "array"
	case pg.SubLinkType_EXPR_SUBLINK:
		return r.subqueryNames[s]
	}
	return ""
}

// fixedName is the name of a construct that always has the same.
func fixedName(n *pg.Node) string {
	switch e := n.GetNode().(type) {
	case *pg.Node_FuncCall:
		_, name := splitName(e.FuncCall.Funcname)
		return name
	case *pg.Node_CoalesceExpr:
		return "coalesce"
	case *pg.Node_MinMaxExpr:
		if e.MinMaxExpr.Op == pg.MinMaxOp_IS_LEAST {
			return "least"
		}
		return "greatest"
	case *pg.Node_AArrayExpr:
		return "array"
	case *pg.Node_RowExpr:
		return "row"
	case *pg.Node_GroupingFunc:
		return "grouping"
	case *pg.Node_SqlvalueFunction:
		return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(e.SqlvalueFunction.Op.String(), "SVFOP_"), "_N"))
	case *pg.Node_XmlSerialize:
		return "xmlserialize"
	case *pg.Node_XmlExpr:
		return map[pg.XmlExprOp]string{
			pg.XmlExprOp_IS_XMLCONCAT: "xmlconcat", pg.XmlExprOp_IS_XMLELEMENT: "xmlelement", pg.XmlExprOp_IS_XMLFOREST: "xmlforest",
			pg.XmlExprOp_IS_XMLPARSE: "xmlparse", pg.XmlExprOp_IS_XMLPI: "xmlpi", pg.XmlExprOp_IS_XMLROOT: "xmlroot",
			pg.XmlExprOp_IS_XMLSERIALIZE: "xmlserialize",
		}[e.XmlExpr.Op]
	case *pg.Node_JsonObjectConstructor:
		return "json_object"
	case *pg.Node_JsonObjectAgg:
		return "json_objectagg"
	case *pg.Node_JsonArrayConstructor, *pg.Node_JsonArrayQueryConstructor:
		return "json_array"
	case *pg.Node_JsonArrayAgg:
		return "json_arrayagg"
	case *pg.Node_JsonParseExpr:
		return "json"
	case *pg.Node_JsonScalarExpr:
		return "json_scalar"
	case *pg.Node_JsonSerializeExpr:
		return "json_serialize"
	case *pg.Node_JsonFuncExpr:
		return map[pg.JsonExprOp]string{
			pg.JsonExprOp_JSON_EXISTS_OP: "json_exists", pg.JsonExprOp_JSON_QUERY_OP: "json_query", pg.JsonExprOp_JSON_VALUE_OP: "json_value",
		}[e.JsonFuncExpr.Op]
	case *pg.Node_MergeSupportFunc:
		return "merge_action"
	}
	return ""
}
