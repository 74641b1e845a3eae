package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// A function or operator keeps NULLs when its result is NULL only where one of
// its arguments is. The NULLs of a result are shown, since those of columns are;
// where they may come about in another way they would tell something about the
// values: substring(mail from '^a') is NULL unless the mail begins with an a.

// keepsNulls are the built-in functions that do, by all their overloads, and
// aggregates that are NULL only where there is no row.
var keepsNulls = words(`
	initcap length char_length character_length octet_length bit_length left right
	btrim ltrim rtrim lpad rpad replace translate reverse repeat concat concat_ws format md5 sha224 sha256 sha384 sha512
	encode decode convert convert_to convert_from overlay position strpos ascii chr to_hex to_bin to_oct
	quote_literal quote_ident quote_nullable starts_with normalize unistr regexp_replace regexp_count regexp_like regexp_instr
	regexp_split_to_array string_to_array to_date to_timestamp hashtext hashtextextended
	abs round ceil ceiling floor trunc sign sqrt cbrt exp ln log log10 power pow mod div gcd lcm trim_scale
	degrees radians sin cos tan asin acos atan atan2 width_bucket factorial
	age date_trunc date_part extract date_bin timezone justify_days justify_hours justify_interval
	make_date make_time make_timestamp make_timestamptz make_interval isfinite
	to_json to_jsonb row_to_json json_build_object json_build_array jsonb_build_object jsonb_build_array json_object jsonb_object
	array_to_json jsonb_pretty jsonb_strip_nulls json_strip_nulls json_typeof jsonb_typeof jsonb_concat jsonb_delete
	array_append array_prepend array_cat array_remove array_replace array_to_string cardinality trim_array array_reverse
	host text masklen family network broadcast netmask hostmask abbrev set_masklen
	get_byte get_bit set_byte set_bit bit_count gen_random_uuid pg_typeof num_nulls num_nonnulls pg_column_size
	sum avg stddev stddev_pop variance var_pop bool_and bool_or every bit_and bit_or bit_xor
	string_agg array_agg json_agg jsonb_agg json_object_agg jsonb_object_agg xmlagg
	json_agg_strict jsonb_agg_strict json_object_agg_strict jsonb_object_agg_strict
	row_number rank dense_rank percent_rank cume_dist ntile
	textcat anytextcat textanycat hstore
`)

// neverNull are the built-in functions whose result is never NULL.
var neverNull = words(`
	count concat concat_ws format quote_nullable num_nulls num_nonnulls pg_typeof
	json_build_object json_build_array jsonb_build_object jsonb_build_array
	row_number rank dense_rank percent_rank cume_dist ntile
`)

// keepNULLsOfText are functions that keep NULLs where their first argument is text:
// of a range, or of citext, there are others of the name.
var keepNULLsOfText = words(`upper lower split_part`)

// keepNULLsByFormat are functions that return NULL for an empty format, and
// to_char for infinite dates, which nobody stores who wants them kept.
var keepNULLsByFormat = words(`to_char to_number`)

// makesNulls are the built-in operators, and those of hstore and ltree, that may be NULL
// on operands that are not.
var makesNulls = words(`-> ->> #> #>> @? @@ # ## ?@> ?<@ ?~ ?@`)

// operatorTells says whether a form of expression over operators may be NULL on
// operands that are not, or on one of several of them.
func operatorTells(form pg.A_Expr_Kind, name string) bool {
	switch form {
	case pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE, pg.A_Expr_Kind_AEXPR_DISTINCT, pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		return false
	case pg.A_Expr_Kind_AEXPR_OP:
		return makesNulls[name]
	}
	return true
}

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

// callTells is v, made by a call of a built-in or bundled function, with what its
// NULLs tell.
func callTells(v value, name string, args []value) value {
	switch {
	case neverNull[name]:
		v.Nulls = false
	case name == "substring" || name == "substr": // not by a pattern
		keeps := len(args) > 1 && (args[1].typ == "int4" || args[1].typ == "int8")
		return keeping(keeps, v)
	case keepNULLsOfText[name]:
		return keeping(len(args) > 0 && (isString(args[0].typ) || args[0].constant), v)
	case keepNULLsByFormat[name]:
		return keeping(len(args) > 1 && args[1].constant, v)
	}
	return keeping(neverNull[name] || keepsNulls[name], v)
}

// keeping is v, which tells something by its NULLs unless keeps.
func keeping(keeps bool, v value) value {
	if keeps {
		return v
	}
	return tells(v)
}

// known is v where it is never NULL.
func known(v value) value {
	v.Nulls = false
	return v
}

// tells is v where that it is NULL may tell something about its sources.
func tells(v value) value {
	v.Nulls = !v.None()
	return v
}
