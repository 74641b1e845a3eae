package pgsql_test

import "fmt"

// expr is an expression of a kind.
func (g *generator) expr(k kind) string {
	if !g.spend() || g.one(3) {
		return g.atom(k)
	}
	if g.one(4) {
		return g.anyKind(k)
	}
	switch k {
	case aNumber:
		return g.numeric()
	case aText:
		return g.textual()
	case aBool:
		return g.condition()
	case aDate:
		return pick(g, "("+g.expr(aDate)+" + 1)", "greatest("+g.expr(aDate)+", current_date)", "("+g.expr(aText)+")::date")
	case anArray:
		return pick(g, "ARRAY["+g.expr(aText)+", "+g.expr(aText)+"]", "string_to_array("+g.expr(aText)+", ',')", "ARRAY("+g.query([]kind{aText})+")")
	case aJSON:
		return pick(g, "to_jsonb("+g.expr(aText)+")", "jsonb_build_object('k', "+g.expr(aText)+")", "("+g.expr(aJSON)+" -> 'phone')", "("+g.expr(aJSON)+" #> '{a,b}')")
	}
	return g.atom(k)
}

// atom is a column, or a constant.
func (g *generator) atom(k kind) string {
	if !g.one(6) {
		if c := g.column(k); c != "" {
			return c
		}
	}
	switch k {
	case aNumber:
		return fmt.Sprint(g.IntN(20))
	case aText:
		return pick(g, "'a'", "'x@y'", "'it''s'", "NULL::text", "E'\\n'", "U&'\\0061'", "$$b$$")
	case aBool:
		return pick(g, "true", "false")
	case aDate:
		return pick(g, "DATE '2020-01-01'", "current_date")
	case aJSON:
		return `'{"phone": "1"}'::jsonb`
	case anArray:
		return "'{a,b}'::text[]"
	case aRow:
		return "ROW('s', 'c', 1)::shop.address"
	}
	return "NULL"
}

// anyKind is an expression that may have any kind.
func (g *generator) anyKind(k kind) string {
	switch g.IntN(9) {
	case 0:
		return fmt.Sprintf("CASE WHEN %s THEN %s WHEN %s THEN %s ELSE %s END", g.condition(), g.expr(k), g.condition(), g.expr(k), g.expr(k))
	case 1:
		s := pick(g, scalars...)
		return fmt.Sprintf("CASE %s WHEN %s THEN %s END", g.expr(s), g.expr(s), g.expr(k))
	case 2:
		return "COALESCE(" + g.expr(k) + ", " + g.expr(k) + ")"
	case 3:
		if k != aJSON {
			return "NULLIF(" + g.expr(k) + ", " + g.expr(k) + ")"
		}
	case 4, 5:
		return "(" + g.query([]kind{k}) + ")"
	case 6:
		return "(ARRAY[" + g.expr(k) + ", " + g.expr(k) + "])[" + g.atom(aNumber) + "]"
	case 7:
		return "(" + g.aggregate(k) + ")" // in a place where it may not stand: mostly rejected
	}
	return g.atom(k)
}

func (g *generator) numeric() string {
	switch g.IntN(9) {
	case 0:
		return "length(" + g.expr(aText) + ")"
	case 1:
		return "(" + g.expr(aNumber) + pick(g, " + ", " * ", " - ") + g.expr(aNumber) + ")"
	case 2:
		return "(" + g.field() + ").zip"
	case 3:
		return "shop.pick(" + g.expr(aNumber) + "::int)"
	case 4:
		return "extract(year FROM " + g.expr(aDate) + ")"
	case 5:
		return "(" + g.expr(aText) + ")::" + pick(g, "int", "numeric", "numeric(5,2)", "bigint")
	case 6:
		return "(" + g.expr(aNumber) + ")::" + pick(g, "int", "numeric", "bigint", "pg_catalog.int4")
	case 7:
		return pick(g, "greatest(", "least(") + g.expr(aNumber) + ", " + g.expr(aNumber) + ")"
	}
	return g.atom(aNumber)
}

func (g *generator) textual() string {
	switch g.IntN(27) {
	case 22:
		return "(" + g.expr(anArray) + ")" + pick(g, "[1:2][1]::text", "::text", "[1]", "[1:1]::text")
	case 23:
		return pick(g, "((SELECT i FROM shop.item i LIMIT 1)).name", "(shop.of_mood('ok')).mail", "(lager.both(1)).who", "shop.initials((SELECT c FROM shop.customer c LIMIT 1))",
			"(ROW("+g.expr(aText)+", 1)).f1", "(ARRAY(SELECT i FROM shop.item i))[1].note", "((ROW('s', "+g.expr(aText)+", 1))::shop.address).city")
	case 24:
		return "format('%s-%s', " + g.expr(aText) + ", " + g.expr(aNumber) + ")"
	case 25:
		return "array_to_string(" + g.expr(anArray) + " || " + g.expr(anArray) + ", ',')"
	case 26:
		return "(" + g.expr(aDate) + " AT TIME ZONE " + g.expr(aText) + ")::" + pick(g, "text", "date::text")
	case 0:
		return "lower(" + g.expr(aText) + ")"
	case 1:
		return "(" + g.expr(aText) + " || " + g.expr(pick(g, scalars...)) + ")"
	case 2:
		return g.field() + pick(g, ".city", ".street")
	case 3:
		return "(" + g.expr(pick(g, aNumber, aDate, aBool, aText, aJSON)) + ")::" + pick(g, "text", "varchar", "varchar(5)", "char(3)", "bpchar")
	case 4:
		return "(" + g.expr(aJSON) + " ->> 'phone')"
	case 5:
		return "(" + g.expr(aJSON) + " #>> '{mails,0}')"
	case 6:
		return "shop.mail_of(" + g.expr(aNumber) + "::int)"
	case 7:
		return "pick(" + g.expr(aText) + pick(g, "", ", "+g.expr(aText), ", b => "+g.expr(aText)) + ")"
	case 8:
		return "concat(" + g.expr(pick(g, scalars...)) + ", " + g.expr(aText) + ")"
	case 9:
		return "(" + g.expr(anArray) + ")[1]"
	case 10:
		return "substring(" + g.expr(aText) + " FROM 1 FOR " + g.atom(aNumber) + "::int)"
	case 11:
		return "(" + g.expr(aText) + ") COLLATE \"C\""
	case 12:
		return "CAST(" + g.expr(aText) + " AS " + pick(g, "text", "shop.email", "name", "varchar") + ")"
	case 13:
		return "overlay(" + g.expr(aText) + " PLACING 'x' FROM 1)"
	case 14:
		return "jsonb_extract_path_text(" + g.expr(aJSON) + ", 'a', 'b')"
	case 15, 16:
		if row := g.row(); row != "" {
			return pick(g, row+"::text", "row_to_json("+row+")::text", "concat("+row+")", "initials("+row+")", row+".initials", "("+row+").name", "("+row+").name", "("+row+").initials")
		}
	case 17:
		return fmt.Sprintf("(%s AT TIME ZONE 'UTC')::text", g.expr(aDate))
	case 18:
		return "(SELECT " + g.expr(aText) + ")"
	case 19:
		return "trim(both 'x' from " + g.expr(aText) + ")"
	case 20:
		return "xmlelement(name foo, " + g.expr(aText) + ")::text"
	}
	return g.atom(aText)
}

// field is a row in parentheses whose fields are those of shop.address.
func (g *generator) field() string {
	if c := g.column(aRow); c != "" {
		return "(" + c + ")"
	}
	return "(" + g.atom(aRow) + ")"
}

// condition is an expression that is true or false.
func (g *generator) condition() string {
	if !g.spend() {
		return g.atom(aBool)
	}
	k := pick(g, scalars...)
	switch g.IntN(24) {
	case 20:
		return g.expr(k) + pick(g, " IN (", " = ANY (", " > ALL (") + "VALUES (" + g.expr(k) + "), (" + g.expr(k) + "))"
	case 21:
		if row := g.row(); row != "" {
			return pick(g, row+".* IS NULL", "ROW("+row+".*) IS NOT NULL", row+".* = "+row+".*", "("+row+".*, 1) IS DISTINCT FROM NULL")
		}
	case 22:
		return g.expr(anArray) + pick(g, " @> ", " && ", " = ") + g.expr(anArray)
	case 23:
		return g.expr(aText) + pick(g, " IS DOCUMENT::bool", "::xml IS DOCUMENT", " COLLATE \"C\" = "+g.atom(aText))
	case 0, 1, 2:
		return g.atom(k) + " = " + g.atom(k)
	case 3:
		return g.expr(k) + pick(g, " = ", " <> ", " < ", " >= ", " IS DISTINCT FROM ", " OPERATOR(pg_catalog.=) ") + g.expr(k)
	case 4:
		return "(" + g.condition() + pick(g, " AND ", " OR ") + g.condition() + ")"
	case 5:
		return "NOT (" + g.condition() + ")"
	case 6:
		return g.expr(k) + pick(g, " IS NULL", " IS NOT NULL")
	case 7:
		return g.atom(k) + pick(g, " IN (", " NOT IN (") + g.atom(k) + ", " + g.atom(k) + ")"
	case 8, 9:
		return "EXISTS (" + g.query([]kind{k}) + ")"
	case 10:
		return g.expr(k) + pick(g, " IN (", " NOT IN (", " = ANY (", " < ALL (", " <> SOME (") + g.query([]kind{k}) + ")"
	case 11:
		return "(" + g.expr(k) + ", " + g.expr(aText) + ")" + pick(g, " = ", " < ", " IS DISTINCT FROM ") + "(" + g.expr(k) + ", " + g.expr(aText) + ")"
	case 12:
		return "(" + g.expr(k) + ", " + g.expr(aText) + ") IN (" + g.query([]kind{k, aText}) + ")"
	case 13:
		return g.expr(aText) + pick(g, " LIKE ", " ILIKE ", " ~ ", " SIMILAR TO ", " ^@ ", " OPERATOR(lager.===) ") + g.expr(aText)
	case 14:
		return g.expr(k) + pick(g, " BETWEEN ", " NOT BETWEEN SYMMETRIC ") + g.atom(k) + " AND " + g.atom(k)
	case 15:
		return g.expr(aText) + pick(g, " = ANY (", " = ALL (") + g.expr(anArray) + ")"
	case 16:
		return "(" + g.condition() + ")" + pick(g, " IS TRUE", " IS NOT UNKNOWN", " = true")
	case 17:
		return g.expr(aJSON) + pick(g, " @> ", " = ") + g.expr(aJSON)
	case 18:
		if row := g.row(); row != "" {
			return row + pick(g, " IS NULL", " IS NOT NULL", " = "+row)
		}
	}
	return g.atom(aBool)
}

// aggregate is an aggregate call of a kind.
func (g *generator) aggregate(k kind) string {
	arg := g.expr(k)
	filter := ""
	if g.one(4) {
		filter = " FILTER (WHERE " + g.condition() + ")"
	}
	switch k {
	case aNumber:
		any := pick(g, scalars...)
		return pick(g, "count(*)", "count("+g.atom(any)+")", "count(DISTINCT "+g.expr(any)+")", "sum("+arg+")", "avg("+arg+")", "max("+arg+")",
			"count("+g.row()+")") + filter
	case aText:
		return pick(g, "min("+arg+")", "max("+arg+")", "string_agg("+arg+", ',' ORDER BY "+g.expr(aText)+")", "string_agg(DISTINCT "+arg+", ',')"+filter,
			"array_to_string(array_agg("+arg+"), ',')", "json_agg("+arg+")"+filter+"::text")
	case aBool:
		return pick(g, "bool_or(", "bool_and(", "every(") + g.condition() + ")" + filter
	case aDate:
		return "max(" + arg + ")" + filter
	case anArray:
		return "array_agg(" + g.expr(aText) + ")" + filter
	case aJSON:
		return "jsonb_agg(" + g.expr(aText) + ")" + filter
	}
	return "mode() WITHIN GROUP (ORDER BY " + arg + ")" + filter
}

// window is a window function call of a kind; named says that the query has a window w.
func (g *generator) window(k kind, named bool) string {
	over := "OVER (" + pick(g, "", "PARTITION BY "+g.expr(pick(g, scalars...))+" ") + pick(g, "", "ORDER BY "+g.expr(pick(g, scalars...))) + ")"
	if named {
		over = pick(g, "OVER w", "OVER (w ROWS 1 PRECEDING)")
	}
	if k == aNumber && g.one(2) {
		return pick(g, "row_number()", "rank()", "ntile(2)", "count(*)", "sum("+g.expr(aNumber)+")") + " " + over
	}
	arg := g.expr(k)
	return pick(g, "first_value("+arg+")", "lag("+arg+")", "lead("+arg+", 1, "+arg+")", "nth_value("+arg+", 2)", "max("+arg+")") + " " + over
}
