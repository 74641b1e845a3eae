package review

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Released says who was given more than so many rows, or so many persons, in
// one session or on one day. A limit of 0 is none.
func (x *Index) Released(ctx context.Context, f Filter, perSession bool, rows, subjects int64) (*Table, error) {
	type period struct {
		login, person, session uint64
		day                    string
	}
	type sum struct {
		since, until                     uint64
		statements, rows, bytes, subject int64
	}
	sums, dates := make(map[period]*sum), make(days)
	looks := new(set) // at the log itself
	if err := x.match(ctx, looks, colKind, "audit.*"); err != nil {
		return nil, err
	}
	err := x.scan(ctx, &f, []column{colKind, colLogin, colPerson, colSession, colTime, colRows, colBytes, colSubjects}, func(v *view, row int) error {
		get := func(c column) uint64 { return v.block.get(c, row) }
		if get(colRows) == 0 && get(colSubjects) == 0 || looks.has(get(colKind)) {
			return nil
		}
		p := period{login: get(colLogin), person: get(colPerson)}
		if perSession {
			p.session = get(colSession)
		} else {
			p.day = dates.of(get(colTime))
		}
		s := sums[p]
		if s == nil {
			s = &sum{since: get(colTime)}
			sums[p] = s
		}
		s.since, s.until = min(s.since, get(colTime)), max(s.until, get(colTime))
		s.statements++
		s.rows += int64(get(colRows))
		s.bytes += int64(get(colBytes))
		s.subject += int64(get(colSubjects))
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := &Table{Columns: []string{"from", "to", "user", "account", "session", "statements", "rows", "bytes", "persons"}}
	for p, s := range sums {
		if (rows > 0 && s.rows > rows) || (subjects > 0 && s.subject > subjects) {
			who, err := x.names(ctx, p.person, p.login, p.session)
			if err != nil {
				return nil, err
			}
			t.add(at(s.since), at(s.until), cmp.Or(who[0], who[1]), who[1], who[2], s.statements, s.rows, s.bytes, s.subject)
		}
	}
	t.sort(6, true)
	return t, nil
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
func (x *Index) OffHours(ctx context.Context, f Filter, h Hours) (rows []Row, err error) {
	err = x.scan(ctx, &f, []column{colTime, colObjects}, func(v *view, row int) error {
		if v.block.get(colObjects, row) == 0 || h.holds(at(v.block.get(colTime, row)).Local()) {
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

// FirstAccess says which user touched which table for the first time in the
// filter's time, and which account was used for the first time with which
// program and from which network. All that is older counts as known.
func (x *Index) FirstAccess(ctx context.Context, f Filter) (*Table, error) {
	type pair struct {
		what string
		a    uint64
		b    string
	}
	known := make(map[pair]bool)
	tables := make(map[uint64][]string)
	networks := make(map[uint64]string)
	t := &Table{Columns: []string{"number", "time", "first", "of", "user"}}
	since := f.Since
	f.Since, f.Oldest = time.Time{}, true
	note := func(v *view, row int, what string, who uint64, value string) error {
		p := pair{what, who, value}
		if known[p] || value == "" || who == 0 {
			return nil
		}
		known[p] = true
		moment := at(v.block.get(colTime, row))
		if moment.Before(since) {
			return nil
		}
		name, err := x.word(ctx, who)
		t.add(int64(v.block.get(colSeq, row)), moment, what, value, name)
		return err
	}
	err := x.scan(ctx, &f, []column{colSeq, colTime, colLogin, colPerson, colApp, colAddress, colObjects}, func(v *view, row int) error {
		get := func(c column) uint64 { return v.block.get(c, row) }
		login := get(colLogin)
		touched, err := x.tablesOf(ctx, tables, get(colObjects))
		if err != nil {
			return err
		}
		for _, table := range touched {
			if err := note(v, row, "table", cmp.Or(get(colPerson), login), table); err != nil {
				return err
			}
		}
		app, err := x.word(ctx, get(colApp))
		if err != nil {
			return err
		}
		if err := note(v, row, "program", login, app); err != nil {
			return err
		}
		place, ok := networks[get(colAddress)]
		if !ok {
			address, err := x.word(ctx, get(colAddress))
			if err != nil {
				return err
			}
			if address != "" {
				place = network(address)
			}
			networks[get(colAddress)] = place
		}
		return note(v, row, "network", login, place)
	})
	return t, err
}

// tablesOf returns the tables of a set of objects, remembering them.
func (x *Index) tablesOf(ctx context.Context, known map[uint64][]string, set uint64) ([]string, error) {
	if tables, ok := known[set]; ok || set == 0 {
		return tables, nil
	}
	objects, err := x.objects(ctx, set)
	if err != nil {
		return nil, err
	}
	r := Row{Objects: objects}
	known[set] = r.Tables()
	return known[set], nil
}

// Refused returns statements that were refused.
func (x *Index) Refused(ctx context.Context, f Filter) ([]Row, error) {
	f.Verdict = "refuse"
	return x.Search(ctx, f)
}

// Unresolved returns statements that could not be resolved, or not even read.
func (x *Index) Unresolved(ctx context.Context, f Filter) (rows []Row, err error) {
	codes := new(set)
	if err := x.match(ctx, codes, colCode, "SV2*"); err != nil {
		return nil, err
	}
	err = x.scan(ctx, &f, []column{colCode, colFlags}, func(v *view, row int) error {
		if !codes.has(v.block.get(colCode, row)) && v.block.get(colFlags, row)&flagUnreadable == 0 {
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

// Changes returns changes of policy, configuration, privileges and tables.
func (x *Index) Changes(ctx context.Context, f Filter) (rows []Row, err error) {
	kinds, classes := new(set), new(set)
	for _, pattern := range []string{"policy.*", "proxy.*", "admin.*"} {
		if err := x.match(ctx, kinds, colKind, pattern); err != nil {
			return nil, err
		}
	}
	for _, class := range []string{"DDL", "PRIVILEGE"} {
		if err := x.match(ctx, classes, colClass, class); err != nil {
			return nil, err
		}
	}
	err = x.scan(ctx, &f, []column{colKind, colClass}, func(v *view, row int) error {
		if !kinds.has(v.block.get(colKind, row)) && !classes.has(v.block.get(colClass, row)) {
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

// ClearReads says who read which class of data in clear, and for what purpose.
func (x *Index) ClearReads(ctx context.Context, f Filter) (*Table, error) {
	type group struct {
		person, login, purpose uint64
		class, level           string
	}
	type sum struct {
		first, last              uint64
		statements, rows, person int64
	}
	sums := make(map[group]*sum)
	clear := make(map[uint64][]Object)
	err := x.scan(ctx, &f, []column{colTime, colLogin, colPerson, colPurpose, colObjects, colRows, colSubjects}, func(v *view, row int) error {
		get := func(c column) uint64 { return v.block.get(c, row) }
		objects, err := x.clearObjects(ctx, clear, get(colObjects))
		if err != nil {
			return err
		}
		for _, o := range objects {
			g := group{get(colPerson), get(colLogin), get(colPurpose), o.Class, o.Level}
			s := sums[g]
			if s == nil {
				s = &sum{first: get(colTime)}
				sums[g] = s
			}
			s.first, s.last = min(s.first, get(colTime)), max(s.last, get(colTime))
			s.statements++
			s.rows += int64(get(colRows))
			s.person += int64(get(colSubjects))
		}
		return nil
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
		t.add(cmp.Or(names[0], names[1]), names[1], names[2], g.class, g.level, s.statements, s.rows, s.person, at(s.first), at(s.last))
	}
	t.sort(6, true)
	return t, nil
}

// clearObjects returns the classes of a set of objects that are released in
// clear, each once.
func (x *Index) clearObjects(ctx context.Context, known map[uint64][]Object, set uint64) ([]Object, error) {
	if objects, ok := known[set]; ok || set == 0 {
		return objects, nil
	}
	objects, err := x.objects(ctx, set)
	if err != nil {
		return nil, err
	}
	var clear []Object
	for _, o := range objects {
		same := func(other Object) bool { return other.Class == o.Class }
		if o.In == "output" && o.Released == "clear" && !slices.ContainsFunc(clear, same) {
			clear = append(clear, o)
		}
	}
	known[set] = clear
	return clear, nil
}

// A Grant is a class of data that a role may see in clear.
type Grant struct{ Role, Class string }

// UnusedGrants says which of the grants were not made use of in the filter's time.
func (x *Index) UnusedGrants(ctx context.Context, f Filter, grants []Grant) (*Table, error) {
	last := make(map[Grant]uint64)
	clear := make(map[uint64][]Object)
	err := x.scan(ctx, &f, []column{colTime, colRole, colObjects}, func(v *view, row int) error {
		objects, err := x.clearObjects(ctx, clear, v.block.get(colObjects, row))
		if err != nil || len(objects) == 0 {
			return err
		}
		role, err := x.word(ctx, v.block.get(colRole, row))
		for _, o := range objects {
			g := Grant{role, o.Class}
			last[g] = max(last[g], v.block.get(colTime, row))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	t := &Table{Columns: []string{"role", "class"}}
	for _, g := range grants {
		if _, used := last[g]; !used {
			t.add(g.Role, g.Class)
		}
	}
	return t, nil
}

// NoTLS says which accounts came without TLS, and from where.
func (x *Index) NoTLS(ctx context.Context, f Filter) (*Table, error) {
	type group struct{ login, address, app, listener uint64 }
	type sum struct {
		first, last uint64
		sessions    int64
	}
	f.Kind = "sess.start"
	sums := make(map[group]*sum)
	err := x.scan(ctx, &f, []column{colTime, colLogin, colAddress, colApp, colListener, colTLS}, func(v *view, row int) error {
		get := func(c column) uint64 { return v.block.get(c, row) }
		if get(colTLS) != 0 {
			return nil
		}
		g := group{get(colLogin), get(colAddress), get(colApp), get(colListener)}
		s := sums[g]
		if s == nil {
			s = &sum{first: get(colTime)}
			sums[g] = s
		}
		s.first, s.last = min(s.first, get(colTime)), max(s.last, get(colTime))
		s.sessions++
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := &Table{Columns: []string{"account", "address", "application", "listener", "sessions", "first", "last"}}
	for g, s := range sums {
		n, err := x.names(ctx, g.login, g.address, g.app, g.listener)
		if err != nil {
			return nil, err
		}
		t.add(n[0], n[1], n[2], n[3], s.sessions, at(s.first), at(s.last))
	}
	t.sort(4, true)
	return t, nil
}

// SharedLogins says which accounts were used on one day by more than one person,
// or from at least so many addresses.
func (x *Index) SharedLogins(ctx context.Context, f Filter, addresses int) (*Table, error) {
	type period struct {
		login uint64
		day   string
	}
	type uses struct{ persons, addresses, apps, sessions map[uint64]bool }
	used, dates := make(map[period]*uses), make(days)
	err := x.scan(ctx, &f, []column{colTime, colLogin, colPerson, colAddress, colApp, colSession}, func(v *view, row int) error {
		get := func(c column) uint64 { return v.block.get(c, row) }
		if get(colLogin) == 0 || get(colSession) == 0 {
			return nil
		}
		p := period{get(colLogin), dates.of(get(colTime))}
		u := used[p]
		if u == nil {
			u = &uses{make(map[uint64]bool), make(map[uint64]bool), make(map[uint64]bool), make(map[uint64]bool)}
			used[p] = u
		}
		for in, id := range map[*map[uint64]bool]uint64{&u.persons: get(colPerson), &u.addresses: get(colAddress), &u.apps: get(colApp), &u.sessions: get(colSession)} {
			if id != 0 {
				(*in)[id] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := &Table{Columns: []string{"day", "account", "persons", "addresses", "applications", "sessions"}}
	for p, u := range used {
		if len(u.persons) < 2 && len(u.addresses) < addresses {
			continue
		}
		name, err := x.word(ctx, p.login)
		if err != nil {
			return nil, err
		}
		t.add(p.day, name, int64(len(u.persons)), int64(len(u.addresses)), int64(len(u.apps)), int64(len(u.sessions)))
	}
	t.sort(1, false)
	t.sort(0, true)
	return t, nil
}
