package pgsql_test

import (
	"strconv"
	"strings"
)

// Types whose constants are keys of documents: pg_type.dat.
const (
	typeInt4      = 23
	typeText      = 25
	typeTextArray = 1009
	typeVarchar   = 1043
	typeJSONB     = 3802
)

// arrowStep is the step of document -> key.
func arrowStep(key *tree) ([]string, bool) {
	if key.name() == "RELABELTYPE" && key.at("arg").oid("consttype") == typeVarchar { // the same bytes
		key = key.at("arg")
	}
	if key.name() != "CONST" || key.flag("constisnull") {
		return nil, false
	}
	switch key.oid("consttype") {
	case typeText, typeVarchar:
		return []string{memberStep(string(key.at("constvalue").bytes[4:]))}, true
	case typeInt4:
		return []string{"[*]"}, true
	}
	return nil, false
}

// path is what stands at a path in a document, or all when the path is not
// made of constants.
func (j *judge1) path(document, all lineage, keys []*tree) lineage {
	out := document
	for _, key := range keys {
		switch {
		case key.name() == "ARRAYEXPR":
			out = j.path(out, all, key.list("elements"))
		case key.name() == "CONST" && key.oid("consttype") == typeTextArray && !key.flag("constisnull"):
			for _, word := range textArray(key.at("constvalue").bytes) {
				out = out.at(pathSteps(word))
			}
		default:
			step, ok := arrowStep(key)
			if !ok {
				return all
			}
			if key.oid("consttype") == typeText {
				step = pathSteps(string(key.at("constvalue").bytes[4:]))
			}
			out = out.at(step)
		}
	}
	return out
}

// pathSteps are the steps of one word of a path: a number may be an element's.
func pathSteps(word string) []string {
	if _, err := strconv.Atoi(strings.TrimSpace(word)); err == nil {
		return []string{memberStep(word), "[*]"}
	}
	return []string{memberStep(word)}
}

func memberStep(key string) string {
	return `."` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
}

// textArray reads the server's own form of a text[] of one dimension without
// NULLs: ArrayType of utils/array.h.
func textArray(b []byte) []string {
	number := func(at int) int { return int(b[at]) | int(b[at+1])<<8 | int(b[at+2])<<16 | int(b[at+3])<<24 }
	const dimensions, nulls, length, elements = 4, 8, 16, 24
	if number(dimensions) != 1 || number(nulls) != 0 {
		return nil
	}
	var out []string
	at := elements
	for range number(length) {
		size := number(at) >> 2 // a varlena's length, its own four bytes included
		out = append(out, string(b[at+4:at+size]))
		at += (size + 3) &^ 3
	}
	return out
}
