package pgsql

import (
	"strconv"
	"strings"

	"sqlveil/rewrite"
)

func isJSON(typ string) bool { return typ == "json" || typ == "jsonb" }

// isJSONPath reports whether a function is the #> operator in another form.
func isJSONPath(name string) bool {
	switch name {
	case "jsonb_extract_path", "jsonb_extract_path_text", "json_extract_path", "json_extract_path_text":
		return true
	}
	return false
}

// jsonArrow is document -> key and document ->> key: a member by its name, or
// an element by its number. Which of them the key's type decides.
func (r *resolver) jsonArrow(doc, key value, name string) value {
	r.st.LiteralFree = false
	out := tells(derived(doc))
	switch key.typ {
	case "unknown", "text", "varchar":
		if key.literal {
			out = value{Value: doc.At(pathStep(key.text))}
		}
	case "int2", "int4":
		out = value{Value: doc.At("[*]")}
	}
	return typedJSON(out, doc, strings.HasSuffix(name, ">>"))
}

// jsonPath is document #> '{a,b}'; the path is read when it is plain words.
func (r *resolver) jsonPath(doc, path value, name string) value {
	r.st.LiteralFree = false
	out := tells(derived(doc))
	if keys, ok := plainArray(path.text); path.literal && ok {
		out = value{Value: doc.Value}
		for _, key := range keys {
			out.Value = at(out.Value, key)
		}
	}
	return typedJSON(out, doc, strings.HasSuffix(name, ">>"))
}

// jsonExtract is jsonb_extract_path(document, 'a', 'b') and its like.
func (r *resolver) jsonExtract(name string, args []value) value {
	r.st.LiteralFree = false
	out := value{Value: args[0].Value}
	for _, key := range args[1:] {
		if !key.literal {
			out = tells(derived(args...))
			break
		}
		out.Value = at(out.Value, key.text)
	}
	doc := args[0]
	doc.typ = name[:strings.IndexByte(name, '_')]
	return typedJSON(out, doc, strings.HasSuffix(name, "_text"))
}

// jsonSubscript is document['key'] and document[0].
func (r *resolver) jsonSubscript(doc, key value) value {
	r.st.LiteralFree = false
	out := tells(derived(doc, key))
	switch {
	case key.literal:
		out = value{Value: at(doc.Value, key.text)}
	case key.param == 0 && (key.typ == "int2" || key.typ == "int4"):
		out = value{Value: doc.At("[*]")}
	}
	return typedJSON(out, doc, false)
}

// typedJSON is a part of a document, or its text. Which parts there are in what
// was made of a document tells something about that.
func typedJSON(part, doc value, text bool) value {
	if len(doc.Derived) > 0 {
		part = tells(part)
	}
	if part.typ = doc.typ; text {
		part.typ = "text"
	}
	// A key that may be a member's or an element's has left two paths.
	part.exact = doc.exact && len(part.Plain) == len(doc.Plain)
	return part
}

// at is the value at one key of a path. What looks like a number is an element
// where it meets an array, else a member.
func at(doc rewrite.Value, key string) rewrite.Value {
	member := doc.At(pathStep(key))
	if _, err := strconv.Atoi(strings.TrimLeft(key, " \t\n\v\f\r")); err == nil {
		return member.Either(doc.At("[*]"))
	}
	return member
}

// pathStep is one member step of an SQL/JSON path, quoted.
func pathStep(key string) string {
	return `."` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
}

// plainArray reads an array literal of plain words: {a,b,0}.
func plainArray(text string) ([]string, bool) {
	inner, ok := strings.CutPrefix(text, "{")
	inner, closed := strings.CutSuffix(inner, "}")
	if !ok || !closed || inner == "" || strings.ContainsFunc(inner, func(c rune) bool { return c <= ' ' || strings.ContainsRune(`"\{}`, c) }) {
		return nil, false
	}
	return strings.Split(inner, ","), true
}
