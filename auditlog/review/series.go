package review

import (
	"cmp"
	"context"
	"time"
)

// Bursts says which sessions had at least so many errors and refusals within a
// time.
func (x *Index) Bursts(ctx context.Context, f Filter, count int, within time.Duration) (*Table, error) {
	refuse := new(set)
	if err := x.match(ctx, refuse, colVerdict, "refuse"); err != nil {
		return nil, err
	}
	failed := new(set)
	if err := x.match(ctx, failed, colKind, "auth.fail"); err != nil {
		return nil, err
	}
	type source struct{ login, person, address, app uint64 }
	windows := make(map[source]*window)
	t := &Table{Columns: []string{"from", "to", "user", "account", "address", "application", "errors"}}
	f.Oldest = true
	err := x.scan(ctx, &f, []column{colTime, colKind, colLogin, colPerson, colAddress, colApp, colVerdict, colFlags}, func(v *view, row int) error {
		get := func(c column) uint64 { return v.block.get(c, row) }
		flags := get(colFlags)
		bad := refuse.has(get(colVerdict)) || failed.has(get(colKind)) || flags&flagDone != 0 && flags&flagOK == 0
		if !bad {
			return nil
		}
		s := source{get(colLogin), get(colPerson), get(colAddress), get(colApp)}
		w := windows[s]
		if w == nil {
			w = new(window)
			windows[s] = w
		}
		w.add(get(colTime), uint64(within.Microseconds()), uint64(w.serial()))
		return nil
	})
	if err != nil {
		return nil, err
	}
	for s, w := range windows {
		if w.most < count {
			continue
		}
		n, err := x.names(ctx, s.person, s.login, s.address, s.app)
		if err != nil {
			return nil, err
		}
		t.add(at(w.from), at(w.to), cmp.Or(n[0], n[1]), n[1], n[2], n[3], int64(w.most))
	}
	t.sort(6, true)
	return t, nil
}

// Enumeration says who went through so many different persons with one
// statement within a time.
func (x *Index) Enumeration(ctx context.Context, f Filter, count int, within time.Duration) (*Table, error) {
	type series struct{ login, person, fingerprint uint64 }
	windows := make(map[series]*window)
	f.Oldest = true
	var current *view
	var keys map[int][]uint64
	err := x.scan(ctx, &f, []column{colTime, colLogin, colPerson, colFingerprint, colSubjects}, func(v *view, row int) error {
		get := func(c column) uint64 { return v.block.get(c, row) }
		if get(colSubjects) == 0 || get(colFingerprint) == 0 {
			return nil
		}
		if v != current {
			var err error
			if keys, err = x.subjects(ctx, v.block.id); err != nil {
				return err
			}
			current = v
		}
		s := series{get(colLogin), get(colPerson), get(colFingerprint)}
		w := windows[s]
		if w == nil {
			w = new(window)
			windows[s] = w
		}
		for _, key := range keys[row] {
			w.add(get(colTime), uint64(within.Microseconds()), key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := &Table{Columns: []string{"from", "to", "user", "account", "persons", "fingerprint", "statement"}}
	for s, w := range windows {
		if w.most < count {
			continue
		}
		n, err := x.names(ctx, s.person, s.login, s.fingerprint)
		if err != nil {
			return nil, err
		}
		text, err := x.text(ctx, s.fingerprint)
		if err != nil {
			return nil, err
		}
		t.add(at(w.from), at(w.to), cmp.Or(n[0], n[1]), n[1], int64(w.most), n[2], one(text))
	}
	t.sort(4, true)
	return t, nil
}

// subjects returns the persons of each row of a block.
func (x *Index) subjects(ctx context.Context, block int) (map[int][]uint64, error) {
	rows := make(map[int][]uint64)
	for n := range buckets {
		bucket, err := x.store.bucket(ctx, block, n)
		if err != nil {
			return nil, err
		}
		for _, entry := range bucket {
			rows[int(entry&0xffff)] = append(rows[int(entry&0xffff)], entry>>16)
		}
	}
	return rows, nil
}

// A window slides over time and knows how many different values it holds, and
// when it held the most.
type window struct {
	entries  []moment
	counts   map[uint64]int
	added    int
	most     int
	from, to uint64
}

type moment struct{ time, value uint64 }

// serial returns a value that no other has.
func (w *window) serial() int { return w.added }

func (w *window) add(now, length, value uint64) {
	if w.counts == nil {
		w.counts = make(map[uint64]int)
	}
	w.added++
	w.entries = append(w.entries, moment{now, value})
	w.counts[value]++
	old := 0
	for ; w.entries[old].time+length < now; old++ {
		gone := w.entries[old].value
		if w.counts[gone]--; w.counts[gone] == 0 {
			delete(w.counts, gone)
		}
	}
	w.entries = w.entries[old:]
	if len(w.counts) > w.most {
		w.most, w.from, w.to = len(w.counts), w.entries[0].time, now
	}
}
