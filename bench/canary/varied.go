package main

import "math/rand/v2"

// varied are values of all shapes for the second twin, by type. Where tokens
// look like each other, these do not: a text may be a number, a date, empty; an
// array may have no elements, a document no members. An expression that works
// with one and fails with another tells them apart. Infinities, the ends of
// ranges and arrays of several dimensions are not among them: what fails with
// nothing else counts as what does not fail.
var varied = map[string][]string{
	"text":          {"''", "'12'", "'-1'", "'2020-02-30'", "'2020-01-01'", "'x'", "'{a,b}'", "'true'", "'{\"a\": 1}'", "'('", "'person'", "'10.0.0.1'", "'a b & c'", "'ÄÖ'", "'999999999999'", "'<a/>'", "'%'", "'\\'", "'public'"},
	"handle":        {"'123'", "'true'", "'12345678901234567890'", "'2020-01-01'", "'a,b'"},
	"varchar(60)":   {"'1234'", "'2020-01-01'", "'long long ago'", "'10.0.0.1'", "'(((('"},
	"char(18)":      {"''", "'1'", "'2020-01-01'", "'x'"},
	"varchar(20)":   {"''", "'1'", "'0'", "'infinity'", "'x'", "'77777'"},
	"int":           {"0", "1", "-1", "7", "300", "40000"},
	"bigint":        {"0", "1", "-1", "4000000000"},
	"numeric(18,2)": {"0", "1", "-1.50", "0.01", "123"},
	"float8":        {"0", "1", "1e-3", "-5"},
	"date":          {"'1999-12-31'", "'0044-03-15 BC'", "'2020-01-01'"},
	"time":          {"'00:00'", "'24:00'", "'12:34:56'"},
	"timestamp":     {"'2020-01-01'", "'0044-03-15 BC'", "'1999-12-31 23:59:59'"},
	"timestamptz":   {"'2020-01-01'", "'0044-03-15 BC'", "'1999-12-31 23:59:59'"},
	"interval":      {"'0'", "'-1 day'", "'1 year'"},
	"uuid":          {"'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"},
	"inet":          {"'10.0.0.1'", "'255.255.255.255'", "'10.0.0.0/8'", "'::/0'", "'0.0.0.0/0'"},
	"cidr":          {"'10.0.0.0/8'", "'0.0.0.0/0'", "'::/0'", "'255.255.255.255'"},
	"macaddr":       {"'00:00:00:00:00:00'", "'ff:ff:ff:ff:ff:ff'"},
	"bytea":         {`''`, `'\x00'`, `'\xff00ff'`, `'\x31'`},
	"jsonb":         {"'null'", "'[]'", "'{}'", `'"x"'`, "'5'", `'{"phone": null}'`, `'{"mails": 5, "phone": {"a": 1}}'`, `'[1, [2]]'`, `'true'`},
	"json":          {"'null'", "'[]'", "'{}'", `'"x"'`, "'5'", `'{"phone": 1, "phone": 2}'`, `'{"a": "\u0000"}'`},
	"xml":           {"'x'", "'<a/>'", "''", "'<a>1</a>'", "'<who>1</who><who/>'"},
	"text[]":        {"'{}'", "'{a}'", "'{NULL,1}'", "'[5:6]={x,y}'"},
	"int[]":         {"'{}'", "'{1}'", "'{NULL,2147483647}'"},
	"int8range":     {"'empty'", "'(,)'", "'[1,2)'", "'[5,)'"},
	"address":       {"ROW('', 0)::address", "ROW('x', NULL)::address", "ROW('12', -5)::address"},
	"tsvector":      {"''", "'a:1 b:2'", "'''x y'':3'"},
}

// variedToken is a value of a type, of whatever shape. What has to be unique or
// may be compared, and documents of which a part is not protected, are as in the
// other twin.
func variedToken(r *rand.Rand, c column) token {
	if c.class == "paths" || c.class == "name" || c.class == "equal" {
		return makers[c.sql](r)
	}
	return token{literal: pick(r, varied[c.sql]...)}
}
