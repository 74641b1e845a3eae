package pgsql

import (
	_ "embed" // the list of functions below
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A FunctionKind says what an argument of a function may come to.
type FunctionKind uint8

const (
	// Refused functions run SQL, read tables, files, pages, the log or other
	// sessions' data by themselves, cannot be called, or have not been judged.
	Refused FunctionKind = iota
	// Sink functions have an effect: an argument may be seen elsewhere, or steer.
	Sink
	// Session functions tell of the session, the server or definitions.
	Session
	// Pure functions make their result of their arguments alone.
	Pure
	// Aggregate functions make their result of many rows.
	Aggregate
	// Choice is an Aggregate or window function whose result is one of the values
	// of an argument.
	Choice
	// Count functions tell how many values there are.
	Count
)

// A Judgement is what has been found out about a function that comes with
// PostgreSQL. The zero Judgement refuses.
type Judgement struct {
	Kind  FunctionKind
	Known bool // somebody has judged it, if only to refuse

	// Edge functions fail only at the end of a type's range or on arrays of
	// several dimensions: not on a column's values as they are stored, unless
	// data of the caller's choice is mixed in.
	Edge    bool
	Set     bool   // the result may be many rows, as many as the arguments say
	Returns string // the result's type by its name in pg_type, "" when it depends on the call

	safe arguments
}

// Total says that no error depends on any argument's value.
func (j Judgement) Total() bool { return j.safe == allArguments }

// Fails says whether an error can depend on the value of argument i, counted
// from 0, when the other arguments are not protected data.
func (j Judgement) Fails(i int) bool { return i >= maxArguments || j.safe&(1<<i) == 0 }

// Named is the judgement of a call by named arguments, whose places in the call
// are not those of the list.
func (j Judgement) Named() Judgement {
	if !j.Total() {
		j.safe = 0
	}
	return j
}

// arguments is a set of argument positions.
type arguments uint64

const (
	maxArguments                = 64
	allArguments      arguments = 1<<maxArguments - 1
	evenArguments     arguments = allArguments / 3 * 2 // the second, fourth, ...
	anyNonArray                 = "anynonarray"
	arrayPrefix                 = "_" // of the name of an array's type
	systemFunctions             = "pg_catalog"
	standardFunctions           = "information_schema"
)

//go:embed functions.txt
var functionsText string

// A judgedName is a function's name with the judgements of its overloads.
type judgedName struct {
	all       Judgement // what holds for every overload that none of the others is about
	arities   map[int]Judgement
	overloads []judgedOverload
}

type judgedOverload struct {
	types []string
	Judgement
}

// judgedFunctions holds the list by schema or extension, and by name.
var judgedFunctions = sync.OnceValue(func() map[qualified]*judgedName {
	list, err := parseJudgements(functionsText)
	if err != nil {
		panic("functions.txt: " + err.Error()) // a mistake of ours, which every test meets
	}
	return list
})

// Judge is the judgement of a built-in or bundled function by its name: the
// worst over its overloads. The extension is that of the function's definition,
// "" when it belongs to none; then only the system's own schemas are known.
func Judge(schema, name, extension string) Judgement {
	n := lookup(schema, name, extension)
	if n == nil {
		return Judgement{}
	}
	j := n.all
	for _, other := range n.arities {
		j = worse(j, other)
	}
	for _, other := range n.overloads {
		j = worse(j, other.Judgement)
	}
	return j
}

// JudgeCall is the judgement of a call with arguments of these types, by their
// names in pg_type; "" is a type that is not known.
func JudgeCall(schema, name, extension string, types []string) Judgement {
	n := lookup(schema, name, extension)
	if n == nil {
		return Judgement{}
	}
	j, ok := n.arities[len(types)]
	if !ok {
		j = n.all
	}
	for _, o := range n.overloads {
		switch o.matches(types) {
		case surely:
			return o.Judgement
		case perhaps:
			j = worse(j, o.Judgement)
		}
	}
	return j
}

func lookup(schema, name, extension string) *judgedName {
	if extension != "" {
		return judgedFunctions()[qualified{extension, name}]
	}
	if schema != systemFunctions && schema != standardFunctions {
		return nil
	}
	return judgedFunctions()[qualified{schema, name}]
}

type match int

const (
	never match = iota
	perhaps
	surely
)

func (o judgedOverload) matches(types []string) match {
	if len(types) != len(o.types) {
		return never
	}
	found := surely
	for i, t := range types {
		want := o.types[i]
		switch {
		case t == want:
		case t == "" || t == "unknown":
			found = perhaps
		case want == anyNonArray && !isArrayType(t):
		default:
			return never
		}
	}
	return found
}

// isArrayType says whether a type is one of arrays; pg_stats has columns of anyarray.
func isArrayType(typ string) bool {
	return strings.HasPrefix(typ, arrayPrefix) || typ == "anyarray" || typ == "anycompatiblearray"
}

// worse is a judgement that holds for both: nothing is safe that is not in each.
func worse(a, b Judgement) Judgement {
	j := Judgement{
		Kind: min(a.Kind, b.Kind), Known: a.Known && b.Known, Set: a.Set || b.Set, safe: a.safe & b.safe,
		Edge: (a.Edge || a.Total()) && (b.Edge || b.Total()) && (a.Edge || b.Edge),
	}
	if a.Returns == b.Returns {
		j.Returns = a.Returns
	}
	return j
}

// parseJudgements reads the format that functions.txt describes.
func parseJudgements(text string) (map[qualified]*judgedName, error) {
	list := map[qualified]*judgedName{}
	var owner string
	var now Judgement
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		var err error
		switch {
		case len(words) == 0:
		case words[0] == "@" && len(words) == 2:
			owner = words[1]
		case words[0] == "=":
			now, err = parseJudgement(words[1:])
		case len(words) <= 3:
			err = addJudgement(list, owner, words, now)
		default:
			err = fmt.Errorf("%d words", len(words))
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return list, nil
}

// addJudgement takes one line: a name, name/arity or name(type,type), and
// perhaps the result's type.
func addJudgement(list map[qualified]*judgedName, owner string, words []string, j Judgement) error {
	if len(words) > 1 && words[1] == "setof" {
		j.Set = true
		words = slices.Delete(words, 1, 2)
	}
	if len(words) > 1 {
		j.Returns = words[1]
	}
	name, rest, typed := strings.Cut(words[0], "(")
	name, arity, counted := strings.Cut(name, "/")
	key := qualified{owner, name}
	n := list[key]
	if n == nil {
		n = &judgedName{arities: map[int]Judgement{}}
		list[key] = n
	}
	switch {
	case typed:
		n.overloads = append(n.overloads, judgedOverload{strings.Split(strings.TrimSuffix(rest, ")"), ","), j})
	case counted:
		count, err := strconv.Atoi(arity)
		if err != nil {
			return err
		}
		n.arities[count] = j
	case n.all.Known:
		return fmt.Errorf("%s is judged twice", name)
	default:
		n.all = j
	}
	return nil
}

// parseJudgement reads the words behind "=".
func parseJudgement(words []string) (Judgement, error) {
	j := Judgement{Known: true}
	kinds := map[string]FunctionKind{
		"refuse": Refused, "sink": Sink, "session": Session, "aggregate": Aggregate, "choice": Choice, "count": Count,
	}
	if len(words) > 0 {
		if kind, ok := kinds[words[0]]; ok {
			j.Kind, words = kind, words[1:]
		} else {
			j.Kind = Pure
		}
	}
	switch {
	case len(words) == 0:
		if j.Kind == Count {
			j.safe = allArguments
		}
	case words[0] == "edge":
		j.Edge = true
	case words[0] == "fails":
	case words[0] == "total":
		safe, err := parseArguments(words[1:])
		if err != nil {
			return j, err
		}
		j.safe = safe
	default:
		return j, fmt.Errorf("judgement %q", words)
	}
	return j, nil
}

func parseArguments(words []string) (arguments, error) {
	if len(words) == 0 {
		return allArguments, nil
	}
	if words[0] == "even" {
		return evenArguments, nil
	}
	var set arguments
	for _, w := range words {
		n, err := strconv.Atoi(w)
		if err != nil || n < 1 || n > maxArguments {
			return 0, fmt.Errorf("argument %q", w)
		}
		set |= 1 << (n - 1)
	}
	return set, nil
}
