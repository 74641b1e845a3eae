package mysql

import (
	"strings"
)

// A judgement is what the resolver asks about a built-in function.
type judgement struct {
	args    string // a letter for each argument, the last one for all further ones: see functionList
	returns typeKind
	like    bool // returns a value of its first argument's type
	refused bool // reads tables, files or other sessions by itself
	sink    bool // what goes in can be seen outside of the statement, or takes time
	total   bool // is NULL only where an argument is
}

// functionList judges every built-in function of MySQL 5.7 to 9, MariaDB 10.6
// to 12 and TiDB 8: those that it does not name are refused. A line is what the
// functions named after it take and return.
//
// Each letter before > stands for an argument, the last one for all that follow:
//
//	t  anything: no value of it makes the function fail, warn or return NULL
//	c  characters: likewise, but bytes beside a text are converted to its character set, which MySQL 8 may refuse
//	n  an exact number of up to 18 digits: a text would be converted, with a warning that tells of it
//	d  a date or time: likewise
//	j  a JSON document: likewise
//	x  whatever is wrong with the value shows as an error, a warning or NULL
//
// The letter behind it is the type of what comes out (t text, b bytes, i integer,
// f float, n decimal, d date, m time, j JSON, a that of the first argument, - any),
// and then ! stands for refused, $ for a sink.
//
// https://dev.mysql.com/doc/refman/9.1/en/built-in-function-reference.html
// https://mariadb.com/kb/en/function-and-operator-reference/
const functionList = `
t>t concat concat_ws lower lcase upper ucase reverse trim ltrim rtrim soundex hex to_base64 natural_sort_key
c>t quote replace
x>t trim_oracle rtrim_oracle ltrim_oracle replace_oracle concat_operator_oracle substr_oracle lpad_oracle rpad_oracle
t>t md5 sha sha1 sm3 old_password
x>t password password_func
t>b compress weight_string
tx>b aes_encrypt des_encrypt encode decode
x>b encrypt
tx>t sha2
ccn>t substring_index
cnnc>t insert insert_func
tn>t left right
tn>t substring substr mid
x>t lpad rpad
tx>t repeat
x>t space
xt>t elt
t>t translate
x>t make_set
nttxt>t export_set
n>t char char_func
x>t chr
t>i ascii ord bit_length char_length character_length length lengthb octet_length crc32 crc32c strcmp find_in_set
c>i instr
x>i field
ccn>i locate position
x>t bin oct conv
nxt>t format
n>t format_bytes format_pico_time format_nano_time
x>t sformat to_char to_number decode_histogram
x>b unhex from_base64 uncompress aes_decrypt des_decrypt random_bytes kdf
x>i uncompressed_length
x>t regexp_replace regexp_substr
x>i regexp_instr regexp_like
t>i is_ipv4 is_ipv6 is_uuid
x>i is_ipv4_compat is_ipv4_mapped json_valid uuid_version
x>b inet_aton inet6_aton uuid_to_bin
x>t inet_ntoa inet6_ntoa bin_to_uuid uuid_timestamp
>t uuid sys_guid uuid_v4 uuid_v7
>i uuid_short
t>t charset collation
t>i coercibility
x>t column_check column_create column_add column_delete column_exists column_list column_get column_json
x>- name_const
nx>a round truncate
n>a abs ceil ceiling floor
n>i sign bit_count
n>f sin cos tan atan atan2 radians rand
>f pi
x>f sqrt exp ln log log2 log10 pow power asin acos cot degrees
x>n mod
x>i interval
d>i year month day dayofmonth dayofweek dayofyear quarter week weekday weekofyear yearweek hour minute second microsecond to_days to_seconds time_to_sec datediff
d>t dayname monthname
xd>i extract
xd>i timestampdiff
x>i period_add period_diff unix_timestamp months_between
d>d date last_day
dx>d timestamp
d>m time
dx>t date_format time_format
x>d date_add date_sub adddate subdate timestampadd from_days makedate str_to_date convert_tz add_months trunc
x>d addtime subtime
x>m timediff maketime sec_to_time
x>t from_unixtime
x>t get_format
t>d 'tidb\x60.(dateliteral 'tidb\x60.(timestampliteral
t>m 'tidb\x60.(timeliteral
x>d now sysdate current_timestamp localtime localtimestamp utc_timestamp systimestamp
>d curdate current_date utc_date
x>m curtime current_time utc_time
t>j json_array
c>j json_object
c>t json_quote
jx>t json_unquote json_type json_pretty json_compact json_detailed json_loose json_normalize
j>i json_depth json_length json_storage_size json_storage_free json_contains json_overlaps json_equals json_memberof
j>j json_merge json_merge_preserve json_merge_patch
x>j json_keys json_array_intersect json_object_to_array json_object_filter_keys
xj>i json_schema_valid
xj>j json_schema_validation_report
jx>j json_remove json_query json_key_value json_extract
jx>t json_value
jx>i json_contains_path json_exists
jxt>j json_set json_insert json_replace json_array_append json_array_insert
x>t json_search
x>- json_table$
x>- extractvalue updatexml
x>i gtid_subset
x>t gtid_subtract statement_digest statement_digest_text
t>i validate_password_strength
x>b asymmetric_encrypt asymmetric_decrypt asymmetric_derive asymmetric_sign create_asymmetric_priv_key create_asymmetric_pub_key create_dh_parameters create_digest
x>i asymmetric_verify
>t database schema schemas wsrep_last_written_gtid wsrep_last_seen_gtid user current_user session_user system_user current_role version icu_version roles_graphml current_resource_group tidb_version
>i connection_id found_rows ps_current_thread_id rownum rowsinserted tidb_is_ddl_owner tidb_current_tso
x>i$ last_insert_id sleep benchmark get_lock release_lock is_free_lock is_used_lock
>i release_all_locks
x>i$ master_pos_wait source_pos_wait master_gtid_wait wait_for_executed_gtid_set wait_until_sql_thread_after_gtids nextval lastval setval
x>t binlog_gtid_pos
x>i ps_thread_id grouping current_user_in current_role_in
x>d tidb_parse_tso tidb_bounded_staleness
x>i tidb_parse_tso_logical tidb_shard vitess_hash
x>- load_file! sys_eval! sys_exec! sys_get! sys_set! tidb_decode_key! tidb_mvcc_info! tidb_encode_record_key! tidb_encode_index_key! tidb_decode_base64_key!
x>t tidb_decode_plan tidb_decode_binary_plan tidb_encode_sql_digest
x>- tidb_decode_sql_digests! tidb_row_checksum!
x>- default_func isnull istrue
x>- vec_fromtext vec_totext vec_distance vec_distance_euclidean vec_distance_cosine string_to_vector vector_to_string to_vector from_vector vector_dim distance vec_dims vec_l1_distance vec_l2_distance vec_negative_inner_product vec_cosine_distance vec_l2_norm vec_from_text vec_as_text fts_match_word
x>- area asbinary astext aswkb aswkt boundary buffer centroid contains convexhull crosses dimension disjoint endpoint envelope equals exteriorring geomcollection geomcollfromtext geomcollfromwkb
x>- geometrycollection geometrycollectionfromtext geometrycollectionfromwkb geometryfromtext geometryfromwkb geometryn geometrytype geomfromtext geomfromwkb glength interiorringn intersects isclosed isempty issimple
x>- linefromtext linefromwkb linestring linestringfromtext linestringfromwkb mbrcontains mbrcoveredby mbrcovers mbrdisjoint mbrequal mbrequals mbrintersects mbroverlaps mbrtouches mbrwithin
x>- mlinefromtext mlinefromwkb mpointfromtext mpointfromwkb mpolyfromtext mpolyfromwkb multilinestring multilinestringfromtext multilinestringfromwkb multipoint multipointfromtext multipointfromwkb multipolygon multipolygonfromtext multipolygonfromwkb
x>- numgeometries numinteriorrings numpoints overlaps point pointfromtext pointfromwkb pointn pointonsurface polyfromtext polyfromwkb polygon polygonfromtext polygonfromwkb srid startpoint touches within x y
`

// functions are the judgements by name.
var functions = judgements()

func judgements() map[string]judgement {
	all := map[string]judgement{}
	for _, line := range strings.Split(strings.TrimSpace(strings.ReplaceAll(functionList, `\x60`, "`")), "\n") {
		words := strings.Fields(line)
		args, result, _ := strings.Cut(words[0], ">")
		j := judgement{
			args: args, returns: resultKinds[result[0]], like: result[0] == 'a',
			sink: strings.Contains(result, "$"), total: !strings.ContainsAny(args, "xdj"),
		}
		for _, name := range words[1:] {
			name, refused := strings.CutSuffix(name, "!")
			j.refused = refused
			all[name] = j
		}
	}
	return all
}

var resultKinds = map[byte]typeKind{
	't': typeText, 'b': typeBytes, 'i': typeInteger, 'f': typeFloat, 'n': typeDecimal, 'd': typeDate, 'm': typeTime, 'j': typeJSON,
	'-': typeUnknown, 'a': typeUnknown,
}

// judge returns the judgement of a built-in function.
func judge(name string) (judgement, bool) {
	if j, ok := functions[name]; ok {
		return j, true
	}
	if strings.HasPrefix(name, "st_") { // spatial: none reads anything, all fail on what is no geometry
		return judgement{args: "x"}, true
	}
	return judgement{}, false
}

// arg is the letter of an argument.
func (j judgement) arg(i int) byte {
	if j.args == "" {
		return 'x'
	}
	return j.args[min(i, len(j.args)-1)]
}

// sysFunctions are the functions of the sys schema that look at nothing but
// their arguments.
var sysFunctions = map[string]bool{
	"format_bytes": true, "format_path": true, "format_statement": true, "format_time": true, "list_add": true, "list_drop": true,
	"quote_identifier": true, "version_major": true, "version_minor": true, "version_patch": true, "extract_schema_from_file_name": true,
	"extract_table_from_file_name": true, "sys_get_config": true, "ps_is_account_enabled": true, "ps_is_consumer_enabled": true,
	"ps_is_instrument_default_enabled": true, "ps_is_instrument_default_timed": true, "ps_is_thread_instrumented": true,
}

// aggregates are the built-in aggregates that compute something, with the type of
// what comes out, and whether they convert to a number.
var aggregates = map[string]struct {
	returns typeKind
	numeric bool
}{
	"sum": {typeDecimal, true}, "avg": {typeDecimal, true}, "std": {typeFloat, true}, "stddev": {typeFloat, true},
	"stddev_pop": {typeFloat, true}, "stddev_samp": {typeFloat, true}, "var_pop": {typeFloat, true}, "var_samp": {typeFloat, true},
	"variance": {typeFloat, true}, "bit_and": {typeInteger, true}, "bit_or": {typeInteger, true}, "bit_xor": {typeInteger, true},
	"group_concat": {typeText, false}, "json_arrayagg": {typeJSON, false}, "json_objectagg": {typeJSON, false},
	"approx_count_distinct": {typeInteger, false}, "approx_percentile": {typeUnknown, false}, "median": {typeFloat, true},
	"percentile_cont": {typeFloat, true}, "percentile_disc": {typeUnknown, false}, "st_collect": {typeBytes, false},
}

// choices are the aggregates and window functions whose result is one of the
// values of their first argument.
var choices = map[string]bool{
	"min": true, "max": true, "any_value": true, "first_value": true, "last_value": true, "nth_value": true, "lag": true, "lead": true,
	"firstrow": true,
}

// ranks are the window functions that only tell a row's place.
var ranks = map[string]bool{
	"row_number": true, "rank": true, "dense_rank": true, "percent_rank": true, "cume_dist": true, "ntile": true,
}
