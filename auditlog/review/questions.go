package review

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// cells gives the values of one row.
type cells func(column) uint64

// each calls f with the cells of every row that fits the filter.
func (x *Index) each(ctx context.Context, f *Filter, wanted []column, do func(get cells) error) error {
	return x.scan(ctx, f, wanted, func(v *view, row int) error {
		return do(func(c column) uint64 { return v.block.get(c, row) })
	})
}

// collect returns the rows that fit the filter and have cells that fit, as many
// as the filter allows.
func (x *Index) collect(ctx context.Context, f *Filter, wanted []column, fits func(get cells) bool) (rows []Row, err error) {
	err = x.scan(ctx, f, wanted, func(v *view, row int) error {
		if !fits(func(c column) uint64 { return v.block.get(c, row) }) {
			return nil
		}
		r, err := x.row(ctx, v, row)
		if err != nil {
			return err
		}
		if rows = append(rows, r); len(rows) == f.Limit {
			return errEnough
		}
		return nil
	})
	return rows, err
}

// entry returns the value of a key, a new one when there is none.
func entry[K comparable, V any](m map[K]*V, key K) *V {
	v := m[key]
	if v == nil {
		v = new(V)
		m[key] = v
	}
	return v
}

// span is from the first to the last of several times.
type span struct{ first, last uint64 }

func (s *span) add(micros uint64) {
	if s.first == 0 || micros < s.first {
		s.first = micros
	}
	s.last = max(s.last, micros)
}

func at(micros uint64) time.Time { return time.UnixMicro(int64(micros)) }

// names looks up several strings.
func (x *Index) names(ctx context.Context, ids ...uint64) (names []string, err error) {
	for _, id := range ids {
		name, err := x.word(ctx, id)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// matching returns the numbers of the strings that fit one of the patterns.
func (x *Index) matching(ctx context.Context, dim column, patterns ...string) (*set, error) {
	values := new(set)
	for _, pattern := range patterns {
		if err := x.match(ctx, values, dim, pattern); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// sort sorts by a column of int64, time.Time or string.
func (t *Table) sort(by int, descending bool) {
	slices.SortStableFunc(t.Rows, func(a, b []any) int {
		if descending {
			a, b = b, a
		}
		switch x := a[by].(type) {
		case int64:
			return cmp.Compare(x, b[by].(int64))
		case time.Time:
			return x.Compare(b[by].(time.Time))
		}
		return strings.Compare(fmt.Sprint(a[by]), fmt.Sprint(b[by]))
	})
}

// Hours are the working hours of a day, local, as durations since midnight.
type Hours struct{ From, To time.Duration }

// holds reports whether t is in working hours.
func (h Hours) holds(t time.Time) bool {
	if day := t.Weekday(); day == time.Saturday || day == time.Sunday {
		return false
	}
	hour, minute, second := t.Clock()
	since := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second
	return since >= h.From && since < h.To
}

// OffHours returns statements on classified data outside working hours.
func (x *Index) OffHours(ctx context.Context, f Filter, h Hours) ([]Row, error) {
	return x.collect(ctx, &f, []column{colTime, colObjects}, func(get cells) bool {
		return get(colObjects) != 0 && !h.holds(at(get(colTime)).Local())
	})
}

// Refused returns statements that were refused.
func (x *Index) Refused(ctx context.Context, f Filter) ([]Row, error) {
	f.Verdict = "refuse"
	return x.Search(ctx, f)
}

// Unresolved returns statements that could not be resolved, or not even read.
func (x *Index) Unresolved(ctx context.Context, f Filter) ([]Row, error) {
	codes, err := x.matching(ctx, colCode, "SV2*")
	if err != nil {
		return nil, err
	}
	return x.collect(ctx, &f, []column{colCode, colFlags}, func(get cells) bool {
		return codes.has(get(colCode)) || get(colFlags)&flagUnreadable != 0
	})
}

// Changes returns changes of policy, configuration, privileges and tables.
func (x *Index) Changes(ctx context.Context, f Filter) ([]Row, error) {
	kinds, err1 := x.matching(ctx, colKind, "policy.*", "proxy.*", "admin.*")
	classes, err2 := x.matching(ctx, colClass, "DDL", "PRIVILEGE")
	if err := cmp.Or(err1, err2); err != nil {
		return nil, err
	}
	return x.collect(ctx, &f, []column{colKind, colClass}, func(get cells) bool {
		return kinds.has(get(colKind)) || classes.has(get(colClass))
	})
}
