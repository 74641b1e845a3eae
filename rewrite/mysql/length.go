package mysql

import (
	"strconv"
	"strings"

	"sqlveil/rewrite"
)

// The lengths of texts matter because a text that grows beyond
// max_allowed_packet is NULL, with a warning: by adding to a protected value
// what just fits, its length could be found out.
const (
	// longestText is what a text may grow to and is still within any server's packet, in characters.
	longestText = 1 << 20
	// ordinaryText is how long the texts without a bound of their own usually are at most.
	ordinaryText = 1 << 16
	// longestScalar is how long a number or time is as a text.
	longestScalar = 80
)

// lengthOf is how many characters a column's values have at most by its declared
// type, 0 when it does not say.
func lengthOf(columnType string) int {
	name, rest, _ := strings.Cut(strings.ToLower(columnType), "(")
	switch strings.Fields(name + " x")[0] {
	case "tinytext", "tinyblob", "enum":
		return 255
	case "text", "blob", "set":
		return ordinaryText
	case "char", "varchar", "binary", "varbinary", "bit":
		size, _, _ := strings.Cut(rest, ")")
		n, err := strconv.Atoi(size)
		if err != nil {
			return 1
		}
		return n
	}
	return 0
}

// characters is how many characters v has at most as a text, 0 when it cannot be said.
func (v value) characters() int {
	switch {
	case v.literal:
		return max(len(v.text), 1)
	case v.length > 0:
		return v.length
	case v.kind.number(), v.kind.temporal():
		return longestScalar
	case v.param > 0:
		return rewrite.LongestShort
	}
	return 0
}

// keepsLength are the functions whose result is no longer than their arguments together.
var keepsLength = words("concat,concat_ws,insert,lower,lcase,upper,ucase,reverse,trim,ltrim,rtrim,substring,substr,mid,left,right,substring_index,elt,compress")

// measured are the functions that are NULL when their result would be too long.
var measured = words("concat,concat_ws,insert,replace,repeat,lpad,rpad,to_base64,quote,export_set,make_set,concat_operator_oracle,replace_oracle,lpad_oracle,rpad_oracle")

// growth is by how much other functions of texts lengthen them at most.
const growth = 8

// grown is how many characters the result of a function may have, 0 when it
// cannot be said.
func grown(name string, args []value) int {
	total := longestScalar
	for i, a := range args {
		n := a.characters()
		if n == 0 && onlySource(args, i) {
			n = ordinaryText
		}
		if n == 0 {
			return 0
		}
		total += n
	}
	asked := 1
	switch name {
	case "replace", "repeat", "lpad", "rpad", "space":
		if len(args) < 3 && name == "replace" {
			return 0
		}
		if name == "replace" {
			asked = args[2].characters()
			break
		}
		count := args[min(1, len(args)-1)]
		n, err := strconv.Atoi(count.text)
		if !count.literal || err != nil {
			return 0
		}
		asked = max(n, 1)
	case "uncompress", "regexp_replace", "export_set", "make_set", "weight_string", "sformat", "random_bytes", "replace_oracle", "lpad_oracle", "rpad_oracle":
		return 0
	case "concat_ws":
		asked = len(args)
	}
	if !contains(keepsLength, name) && asked == 1 {
		asked = growth
	}
	if total > longestText || asked > longestText {
		return 0
	}
	return total * asked
}

// onlySource says whether an argument is the only one that is made of columns:
// then its own length, which nobody chooses, decides.
func onlySource(args []value, at int) bool {
	for i, a := range args {
		if (i == at) == a.None() {
			return false
		}
	}
	return true
}

// bounded records that the result of a function may be too long, depending on
// values in it, and which parameters have to be short so that it is not.
func (r *resolver) bounded(name string, args []value, out value) {
	if out.None() || !contains(measured, name) {
		return
	}
	if out.length == 0 || out.length > longestText {
		r.fallible(out)
		return
	}
	for _, a := range args {
		if a.param > 0 {
			r.st.Short = append(r.st.Short, rewrite.Short{Param: a.param, Beside: out.Value})
		}
	}
}

// stored records that v is written to a column, whose value c is: what does not
// fit into it is an error.
func (r *resolver) stored(v, c value) {
	if !v.None() && !v.fits(c) {
		r.fallible(v)
	}
}

// fits says whether every value that v can have fits into a column as it is.
func (v value) fits(c value) bool {
	if v.kind != c.kind || v.unsigned != c.unsigned && v.kind.number() {
		return false
	}
	if v.kind == typeText || v.kind == typeBytes || v.kind == typeJSON {
		return c.length == 0 || v.length > 0 && v.length <= c.length
	}
	return v.digits <= c.digits && v.scale <= c.scale && (v.digits > 0 || !v.kind.number() || v.kind == typeFloat)
}
