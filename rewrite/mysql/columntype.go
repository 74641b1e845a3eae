package mysql

import "strings"

// strangeTypes are the types of columns that the parser does not know.
var strangeTypes = map[string]bool{
	"UUID": true, "INET4": true, "INET6": true, "XMLTYPE": true,
	"GEOMETRY": true, "POINT": true, "LINESTRING": true, "POLYGON": true,
	"MULTIPOINT": true, "MULTILINESTRING": true, "MULTIPOLYGON": true, "GEOMETRYCOLLECTION": true,
}

// typed writes the types of columns in a definition that the parser does not know
// as one that it knows: which type a new column has decides nothing here. CHAR is
// a reserved word, so that nothing but a type can be taken for one.
func (in *input) typed() *input {
	out := in
	for i := 1; i < len(out.tokens) && !out.word(i, "SELECT"); i++ { // what is behind defines nothing
		out = out.plainAttribute(i)
		word := out.keyword(i)
		if _, named := out.identifier(i - 1); named && strangeTypes[word] && out.definesColumn(i-1) {
			out = out.respell(i, "CHAR"+strings.Repeat(" ", len(word)-len("CHAR")))
		}
	}
	return out
}

// definesColumn says whether the name in a place may be that of a column which is
// defined behind it.
func (in *input) definesColumn(at int) bool {
	if in.word(at-2, "CHANGE") || in.words(at-3, "CHANGE", "COLUMN") {
		return true
	}
	for _, before := range []string{"(", ",", "ADD", "COLUMN", "MODIFY", "EXISTS"} {
		if in.word(at-1, before) {
			return true
		}
	}
	return false
}

// plainAttribute blanks what a definition says at a token that the parser does not
// know and that decides nothing about data.
func (in *input) plainAttribute(at int) *input {
	switch word := in.keyword(at); word {
	case "INVISIBLE", "COMPRESSED":
		for _, before := range []string{"(", ",", ".", "=", "ADD", "COLUMN", "MODIFY", "CHANGE", "SET"} {
			if in.word(at-1, before) {
				return in
			}
		}
		if !in.word(at-2, "INDEX") {
			return in.blank(at, at+1)
		}
	case "SRID":
		if in.number(at+1) && !in.word(at-1, "(") && !in.word(at-1, ",") {
			return in.blank(at, at+2)
		}
	case "SPATIAL":
		if in.word(at+1, "KEY") || in.word(at+1, "INDEX") {
			return in.blank(at, at+1)
		}
	case "ONLINE", "OFFLINE":
		if at == 1 {
			return in.blank(at, at+1)
		}
	case "TABLES":
		if at == 1 && in.word(0, "RENAME") {
			return in.respell(at, "TABLE")
		}
	case "IF":
		if in.words(at-2, "FOREIGN", "KEY", "IF", "EXISTS") {
			return in.blank(at, at+2)
		}
	}
	return in
}
