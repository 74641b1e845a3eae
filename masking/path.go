package masking

import (
	"errors"
	"strconv"
	"strings"
)

// A step is one move down into a JSON document: to a member, to an element, or
// to all of either.
type step struct {
	member string // of an object, when index is notIndex
	index  int    // of an array, anyIndex for all
	any    bool   // all members
}

const (
	notIndex = -1 - iota
	anyIndex
)

var (
	errPathStart = errors.New(`a JSON path begins with $, as in $.phone or $.contacts[*].mail`)
	errPathStep  = errors.New(`only .name, ."a name", ["a name"], [0], [*] and .* may follow in a JSON path`)
)

// longestPath bounds the steps of a path in the policy.
const longestPath = 32

// nextStep cuts the first step off the rest of a path.
func nextStep(path string) (s step, rest string, err error) {
	switch {
	case strings.HasPrefix(path, ".*"):
		return step{any: true, index: notIndex}, path[2:], nil
	case strings.HasPrefix(path, `."`):
		return quotedStep(path[1:], "")
	case strings.HasPrefix(path, `["`), strings.HasPrefix(path, `['`):
		return quotedStep(path[1:], "]")
	case strings.HasPrefix(path, "["):
		return indexStep(path[1:])
	case strings.HasPrefix(path, "."):
		name := path[1:]
		if end := strings.IndexAny(name, ".[]()?*@\"' \t"); end >= 0 {
			name = name[:end]
		}
		if name == "" {
			return s, path, errPathStep
		}
		return step{member: name, index: notIndex}, path[1+len(name):], nil
	}
	return s, path, errPathStep
}

func quotedStep(path, closing string) (s step, rest string, err error) {
	quote := path[:1]
	name, rest, found := strings.Cut(path[1:], quote)
	rest, closed := strings.CutPrefix(rest, closing)
	if !found || !closed || strings.Contains(name, `\`) {
		return s, path, errPathStep
	}
	return step{member: name, index: notIndex}, rest, nil
}

func indexStep(path string) (s step, rest string, err error) {
	inside, rest, found := strings.Cut(path, "]")
	inside = strings.TrimSpace(inside)
	if found && inside == "*" {
		return step{index: anyIndex}, rest, nil
	}
	n, err := strconv.ParseUint(inside, 10, 31)
	if !found || err != nil {
		return s, path, errPathStep
	}
	return step{index: int(n)}, rest, nil
}

// parsePath reads a path of the policy file.
func parsePath(path string) ([]step, error) {
	rest, found := strings.CutPrefix(path, "$")
	if !found {
		return nil, errPathStart
	}
	var steps []step
	for rest != "" {
		s, next, err := nextStep(rest)
		if err != nil {
			return nil, err
		}
		if steps = append(steps, s); len(steps) > longestPath {
			return nil, errors.New("a JSON path may have at most " + strconv.Itoa(longestPath) + " steps")
		}
		rest = next
	}
	return steps, nil
}

// covers reports whether every place that path leads to lies at or below one
// that the steps lead to.
func covers(steps, path []step) bool {
	if len(steps) > len(path) {
		return false
	}
	for i, s := range steps {
		if s != path[i] && !(s.any && path[i].index == notIndex) && !(s.index == anyIndex && path[i].index >= 0) {
			return false
		}
	}
	return true
}
