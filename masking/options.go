package masking

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// options are the options of one mask as the policy file gives them. Each is
// taken once, by its name; what is left over in the end is unknown.
type options struct {
	values   map[string]any
	taken    []string
	problems []optionProblem
	class    string // the class that the mask is for
	keys     *keyring
}

// An optionProblem says what is wrong with an option; an empty option is the
// mask itself.
type optionProblem struct{ option, message string }

func (o *options) problem(option, format string, args ...any) {
	o.problems = append(o.problems, optionProblem{option, fmt.Sprintf(format, args...)})
}

func (o *options) take(name string) (any, bool) {
	o.taken = append(o.taken, name)
	v, ok := o.values[name]
	return v, ok
}

// whole takes a whole number between two.
func (o *options) whole(name string, otherwise, lowest, highest int) int {
	v, ok := o.take(name)
	if !ok {
		return otherwise
	}
	n, ok := wholeNumber(v)
	if !ok || n < int64(lowest) || n > int64(highest) {
		o.problem(name, "%s must be a whole number from %d to %d, not %v", name, lowest, highest, v)
		return otherwise
	}
	return int(n)
}

func wholeNumber(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case uint64:
		return int64(n), n <= 1<<62
	case float64:
		return int64(n), n == float64(int64(n))
	}
	return 0, false
}

// char takes a single printable character.
func (o *options) char(name string, otherwise rune) rune {
	v, ok := o.take(name)
	if !ok {
		return otherwise
	}
	s := fmt.Sprint(v)
	r, size := utf8.DecodeRuneInString(s)
	if size != len(s) || r == utf8.RuneError || !unicode.IsGraphic(r) || unicode.IsSpace(r) {
		o.problem(name, "%s must be one printable character, not %q", name, s)
		return otherwise
	}
	return r
}

// word takes one of the words given.
func (o *options) word(name string, words ...string) string {
	v, _ := o.take(name)
	s, _ := v.(string)
	if !slices.Contains(words, s) {
		o.problem(name, "%s must be one of %s", name, strings.Join(words, ", "))
	}
	return s
}

// text takes a text that is not empty.
func (o *options) text(name, otherwise string) string {
	v, ok := o.take(name)
	if !ok {
		return otherwise
	}
	s, ok := v.(string)
	if !ok || s == "" {
		o.problem(name, "%s must be a text that is not empty", name)
		return otherwise
	}
	return s
}

// decimal takes a number greater than zero, which must be given.
func (o *options) decimal(name string) decimal {
	v, _ := o.take(name)
	var text string
	switch n := v.(type) {
	case int, int64, uint64:
		text = fmt.Sprint(n)
	case float64:
		text = strconv.FormatFloat(n, 'f', -1, 64)
	}
	d, ok := parseDecimal([]byte(text))
	if !ok || d.negative || d.digits == 0 {
		o.problem(name, "%s must be a number greater than 0", name)
	}
	return d
}

// finish complains about the options that nobody took.
func (o *options) finish(mask string) {
	for _, name := range slices.Sorted(maps.Keys(o.values)) {
		switch {
		case slices.Contains(o.taken, name):
		case len(o.taken) == 0:
			o.problem(name, "unknown option %q: %s takes none", name, mask)
		default:
			o.problem(name, "unknown option %q: %s takes %s", name, mask, strings.Join(o.taken, ", "))
		}
	}
}
