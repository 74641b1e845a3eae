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
	for i := 2; i < len(out.tokens); i++ {
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
