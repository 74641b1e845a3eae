package review

import (
	"cmp"
	"context"
	"time"
)

// FirstAccess says which user touched which table for the first time in the
// filter's time, and which account was used for the first time with which
// program and from which network. All that is older counts as known.
func (x *Index) FirstAccess(ctx context.Context, f Filter) (*Table, error) {
	a := &accesses{
		index: x, since: f.Since, known: make(map[access]bool),
		tables: make(map[uint64][]string), networks: make(map[uint64]string),
		table: &Table{Columns: []string{"number", "time", "first", "of", "user"}},
	}
	f.Since, f.Oldest = time.Time{}, true
	err := x.each(ctx, &f, []column{colSeq, colTime, colLogin, colPerson, colApp, colAddress, colObjects}, func(get cells) error {
		return a.row(ctx, get)
	})
	return a.table, err
}

// An access is somebody's use of something.
type access struct {
	what string
	who  uint64
	of   string
}

// accesses finds first ones.
type accesses struct {
	index    *Index
	since    time.Time
	known    map[access]bool
	tables   map[uint64][]string // of sets of objects
	networks map[uint64]string   // of addresses
	table    *Table
}

func (a *accesses) row(ctx context.Context, get cells) error {
	tables, err := a.tablesOf(ctx, get(colObjects))
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := a.note(ctx, get, access{"table", cmp.Or(get(colPerson), get(colLogin)), table}); err != nil {
			return err
		}
	}
	program, err := a.index.word(ctx, get(colApp))
	if err != nil {
		return err
	}
	if err := a.note(ctx, get, access{"program", get(colLogin), program}); err != nil {
		return err
	}
	place, err := a.networkOf(ctx, get(colAddress))
	if err != nil {
		return err
	}
	return a.note(ctx, get, access{"network", get(colLogin), place})
}

// note adds a row for an access that is new.
func (a *accesses) note(ctx context.Context, get cells, one access) error {
	if a.known[one] || one.of == "" || one.who == 0 {
		return nil
	}
	a.known[one] = true
	moment := at(get(colTime))
	if moment.Before(a.since) {
		return nil
	}
	name, err := a.index.word(ctx, one.who)
	a.table.add(int64(get(colSeq)), moment, one.what, one.of, name)
	return err
}

func (a *accesses) tablesOf(ctx context.Context, set uint64) ([]string, error) {
	if tables, ok := a.tables[set]; ok || set == 0 {
		return tables, nil
	}
	objects, err := a.index.objects(ctx, set)
	if err != nil {
		return nil, err
	}
	r := Row{Objects: objects}
	a.tables[set] = r.Tables()
	return a.tables[set], nil
}

func (a *accesses) networkOf(ctx context.Context, address uint64) (string, error) {
	if place, ok := a.networks[address]; ok || address == 0 {
		return place, nil
	}
	text, err := a.index.word(ctx, address)
	if err != nil {
		return "", err
	}
	a.networks[address] = network(text)
	return a.networks[address], nil
}

// NoTLS says which accounts came without TLS, and from where.
func (x *Index) NoTLS(ctx context.Context, f Filter) (*Table, error) {
	type group struct{ login, address, app, listener uint64 }
	f.Kind = "sess.start"
	sums := make(map[group]*amount)
	err := x.each(ctx, &f, []column{colTime, colLogin, colAddress, colApp, colListener, colTLS, colRows, colBytes, colSubjects}, func(get cells) error {
		if get(colTLS) == 0 {
			entry(sums, group{get(colLogin), get(colAddress), get(colApp), get(colListener)}).add(get)
		}
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
		t.add(n[0], n[1], n[2], n[3], s.statements, at(s.first), at(s.last))
	}
	t.sort(4, true)
	return t, nil
}

// SharedLogins says which accounts were used on one day by more than one person,
// or from at least so many addresses.
func (x *Index) SharedLogins(ctx context.Context, f Filter, addresses int) (*Table, error) {
	used, dates := make(map[period]*uses), make(days)
	err := x.each(ctx, &f, []column{colTime, colLogin, colPerson, colAddress, colApp, colSession}, func(get cells) error {
		if get(colLogin) != 0 && get(colSession) != 0 {
			entry(used, period{login: get(colLogin), day: dates.of(get(colTime))}).add(get)
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

// uses are the different ways in which an account was used.
type uses struct{ persons, addresses, apps, sessions distinct }

func (u *uses) add(get cells) {
	u.persons.add(get(colPerson))
	u.addresses.add(get(colAddress))
	u.apps.add(get(colApp))
	u.sessions.add(get(colSession))
}

// distinct is a set of a few numbers, without 0.
type distinct map[uint64]bool

func (d *distinct) add(n uint64) {
	if *d == nil {
		*d = make(distinct)
	}
	if n != 0 {
		(*d)[n] = true
	}
}
