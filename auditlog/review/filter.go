package review

import (
	"context"
	"strings"
	"time"
)

// A Filter says which records are meant. Fields that are empty say nothing;
// strings may hold * for any text.
type Filter struct {
	Since, Until time.Time
	User         string // login or person
	Role         string
	Table        string // database.schema.table, or its end
	Class        string // of data
	Verdict      string
	Fingerprint  string
	Kind         string
	Session      string
	Application  string
	Address      string
	Command      string
	Code         string
	Text         string // somewhere in the normalised statement
	Limit        int    // 0 for all
	Oldest       bool   // oldest first
}

// String tells a filter for the record of a look.
func (f *Filter) String() string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+"="+value)
		}
	}
	if !f.Since.IsZero() {
		add("since", f.Since.UTC().Format(time.RFC3339))
	}
	if !f.Until.IsZero() {
		add("until", f.Until.UTC().Format(time.RFC3339))
	}
	for _, p := range [...][2]string{
		{"user", f.User},
		{"role", f.Role},
		{"table", f.Table},
		{"class", f.Class},
		{"verdict", f.Verdict},
		{"fingerprint", f.Fingerprint},
		{"kind", f.Kind},
		{"session", f.Session},
		{"application", f.Application},
		{"address", f.Address},
		{"command", f.Command},
		{"code", f.Code},
		{"text", f.Text},
	} {
		add(p[0], p[1])
	}
	return strings.Join(parts, " ")
}

// A condition holds for a row when one of its columns has one of the values.
type condition struct {
	columns []column
	values  *set
}

// A set is a set of small numbers.
type set []uint64

func (s *set) add(n uint64) {
	for uint64(len(*s)) <= n/64 {
		*s = append(*s, 0)
	}
	(*s)[n/64] |= 1 << (n % 64)
}

func (s *set) empty() bool {
	for _, word := range *s {
		if word != 0 {
			return false
		}
	}
	return true
}

func (s *set) has(n uint64) bool {
	return n/64 < uint64(len(*s)) && (*s)[n/64]>>(n%64)&1 == 1
}

// conditions turns the filter into what rows are compared with.
func (x *Index) conditions(ctx context.Context, f *Filter) (all []condition, err error) {
	for _, part := range []struct {
		pattern string
		columns []column
	}{
		{f.Role, []column{colRole}},
		{f.Verdict, []column{colVerdict}},
		{f.Fingerprint, []column{colFingerprint}},
		{f.Kind, []column{colKind}},
		{f.Session, []column{colSession}},
		{f.Application, []column{colApp}},
		{f.Address, []column{colAddress}},
		{f.Command, []column{colCommand}},
		{f.Code, []column{colCode}},
		{f.User, []column{colLogin, colPerson}},
	} {
		if part.pattern == "" {
			continue
		}
		values := new(set)
		for _, c := range part.columns {
			if err := x.match(ctx, values, c, part.pattern); err != nil {
				return nil, err
			}
		}
		all = append(all, condition{part.columns, values})
	}
	return x.objectConditions(ctx, f, all)
}

// objectConditions adds those that are not about a word of the row's own.
func (x *Index) objectConditions(ctx context.Context, f *Filter, all []condition) ([]condition, error) {
	for _, part := range []word{{dictTable, f.Table}, {dictObjectClass, f.Class}} {
		if part.s == "" {
			continue
		}
		sets, err := x.setsWith(ctx, part.dim, part.s)
		if err != nil {
			return nil, err
		}
		all = append(all, condition{[]column{colObjects}, sets})
	}
	if f.Text == "" {
		return all, nil
	}
	values := new(set)
	found, err := x.store.numbers(ctx, "SELECT fp FROM text WHERE instr(lower(s), lower(?)) > 0", f.Text)
	for _, id := range found {
		values.add(id)
	}
	return append(all, condition{[]column{colFingerprint}, values}), err
}

// match adds the numbers of the strings that fit a pattern.
func (x *Index) match(ctx context.Context, values *set, dim column, pattern string) error {
	query, args := "SELECT id FROM dict WHERE dim = ? AND s = ?", []any{int(dim), pattern}
	if strings.Contains(pattern, "*") {
		query, args[1] = "SELECT id FROM dict WHERE dim = ? AND s GLOB ?", glob(pattern)
	}
	if dim == dictTable { // the end of a name is enough
		query = "SELECT id FROM dict WHERE dim = ?1 AND (s GLOB ?2 OR s GLOB '*.' || ?2)"
		args[1] = glob(pattern)
	}
	found, err := x.store.numbers(ctx, query, args...)
	for _, id := range found {
		values.add(id)
	}
	return err
}

// glob takes the meaning from all that is special to SQLite but *.
func glob(pattern string) string {
	return strings.NewReplacer("[", "[[]", "?", "[?]").Replace(pattern)
}

// setsWith returns the sets of objects that have one whose property fits.
func (x *Index) setsWith(ctx context.Context, dim column, pattern string) (*set, error) {
	values, sets := new(set), new(set)
	if err := x.match(ctx, values, dim, pattern); err != nil {
		return nil, err
	}
	for value := range uint64(64 * len(*values)) {
		if !values.has(value) {
			continue
		}
		found, err := x.store.numbers(ctx, "SELECT objects FROM member WHERE dim = ? AND value = ?", int(dim), value)
		if err != nil {
			return nil, err
		}
		for _, n := range found {
			sets.add(n)
		}
	}
	return sets, nil
}
