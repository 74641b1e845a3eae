package review

import (
	"cmp"
	"context"
)

// Released says who was given more than so many rows, or so many persons, in
// one session or on one day. A limit of 0 is none.
func (x *Index) Released(ctx context.Context, f Filter, perSession bool, rows, subjects int64) (*Table, error) {
	looks, err := x.matching(ctx, colKind, "audit.*") // at the log itself
	if err != nil {
		return nil, err
	}
	sums, dates := make(map[period]*amount), make(days)
	err = x.each(ctx, &f, []column{colKind, colLogin, colPerson, colSession, colTime, colRows, colBytes, colSubjects}, func(get cells) error {
		if get(colRows) == 0 && get(colSubjects) == 0 || looks.has(get(colKind)) {
			return nil
		}
		p := period{login: get(colLogin), person: get(colPerson)}
		if perSession {
			p.session = get(colSession)
		} else {
			p.day = dates.of(get(colTime))
		}
		entry(sums, p).add(get)
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := &Table{Columns: []string{"from", "to", "user", "account", "session", "statements", "rows", "bytes", "persons"}}
	for p, s := range sums {
		if !(rows > 0 && s.rows > rows) && !(subjects > 0 && s.subjects > subjects) {
			continue
		}
		who, err := x.names(ctx, p.person, p.login, p.session)
		if err != nil {
			return nil, err
		}
		t.add(at(s.first), at(s.last), cmp.Or(who[0], who[1]), who[1], who[2], s.statements, s.rows, s.bytes, s.subjects)
	}
	t.sort(6, true)
	return t, nil
}

// period is a session or a day of somebody.
type period struct {
	login, person, session uint64
	day                    string
}

// amount is what somebody was given.
type amount struct {
	span
	statements, rows, bytes, subjects int64
}

func (a *amount) add(get cells) {
	a.span.add(get(colTime))
	a.statements++
	a.rows += int64(get(colRows))
	a.bytes += int64(get(colBytes))
	a.subjects += int64(get(colSubjects))
}

// ClearReads says who read which class of data in clear, and for what purpose.
func (x *Index) ClearReads(ctx context.Context, f Filter) (*Table, error) {
	type group struct {
		person, login, purpose uint64
		class, level           string
	}
	sums, clear := make(map[group]*amount), make(clearSets)
	err := x.each(ctx, &f, []column{colTime, colLogin, colPerson, colPurpose, colObjects, colRows, colBytes, colSubjects}, func(get cells) error {
		objects, err := clear.of(ctx, x, get(colObjects))
		for _, o := range objects {
			entry(sums, group{get(colPerson), get(colLogin), get(colPurpose), o.Class, o.Level}).add(get)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	t := &Table{Columns: []string{"user", "account", "purpose", "class", "level", "statements", "rows", "persons", "first", "last"}}
	for g, s := range sums {
		names, err := x.names(ctx, g.person, g.login, g.purpose)
		if err != nil {
			return nil, err
		}
		t.add(cmp.Or(names[0], names[1]), names[1], names[2], g.class, g.level, s.statements, s.rows, s.subjects, at(s.first), at(s.last))
	}
	t.sort(6, true)
	return t, nil
}

// A Grant is a class of data that a role may see in clear.
type Grant struct{ Role, Class string }

// UnusedGrants says which of the grants were not made use of in the filter's time.
func (x *Index) UnusedGrants(ctx context.Context, f Filter, grants []Grant) (*Table, error) {
	used, clear := make(map[Grant]bool), make(clearSets)
	err := x.each(ctx, &f, []column{colRole, colObjects}, func(get cells) error {
		objects, err := clear.of(ctx, x, get(colObjects))
		if err != nil || len(objects) == 0 {
			return err
		}
		role, err := x.word(ctx, get(colRole))
		for _, o := range objects {
			used[Grant{role, o.Class}] = true
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	t := &Table{Columns: []string{"role", "class"}}
	for _, g := range grants {
		if !used[g] {
			t.add(g.Role, g.Class)
		}
	}
	return t, nil
}

// clearSets remembers, of each set of objects, the classes that are released in
// clear, each once.
type clearSets map[uint64][]Object

func (s clearSets) of(ctx context.Context, x *Index, id uint64) ([]Object, error) {
	if clear, ok := s[id]; ok || id == 0 {
		return clear, nil
	}
	objects, err := x.objects(ctx, id)
	if err != nil {
		return nil, err
	}
	var clear []Object
	seen := make(map[string]bool)
	for _, o := range objects {
		if o.In == "output" && o.Released == "clear" && !seen[o.Class] {
			seen[o.Class] = true
			clear = append(clear, o)
		}
	}
	s[id] = clear
	return clear, nil
}
