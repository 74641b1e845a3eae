package review

import (
	"cmp"
	"context"
	"time"
)

// Bursts says who had at least so many errors, refusals and failed logins
// within a time.
func (x *Index) Bursts(ctx context.Context, f Filter, count int, within time.Duration) (*Table, error) {
	refused, err1 := x.matching(ctx, colVerdict, "refuse")
	failed, err2 := x.matching(ctx, colKind, "auth.fail")
	if err := cmp.Or(err1, err2); err != nil {
		return nil, err
	}
	type source struct{ login, person, address, app uint64 }
	windows := make(map[source]*window)
	f.Oldest = true
	err := x.each(ctx, &f, []column{colSeq, colTime, colKind, colLogin, colPerson, colAddress, colApp, colVerdict, colFlags}, func(get cells) error {
		ended := get(colFlags)&(flagDone|flagOK) == flagDone // and not well
		if ended || refused.has(get(colVerdict)) || failed.has(get(colKind)) {
			entry(windows, source{get(colLogin), get(colPerson), get(colAddress), get(colApp)}).add(get(colTime), within, get(colSeq))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := &Table{Columns: []string{"from", "to", "user", "account", "address", "application", "errors"}}
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
	windows, err := x.series(ctx, f, within)
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

// A series is one statement sent again and again by somebody.
type series struct{ login, person, fingerprint uint64 }

func (x *Index) series(ctx context.Context, f Filter, within time.Duration) (map[series]*window, error) {
	windows := make(map[series]*window)
	f.Oldest = true
	var current *view
	var keys map[int][]uint64
	err := x.scan(ctx, &f, []column{colTime, colLogin, colPerson, colFingerprint, colSubjects}, func(v *view, row int) (err error) {
		get := func(c column) uint64 { return v.block.get(c, row) }
		if get(colSubjects) == 0 || get(colFingerprint) == 0 {
			return nil
		}
		if v != current {
			if keys, err = x.subjects(ctx, v.block.id); err != nil {
				return err
			}
			current = v
		}
		w := entry(windows, series{get(colLogin), get(colPerson), get(colFingerprint)})
		for _, key := range keys[row] {
			w.add(get(colTime), within, key)
		}
		return nil
	})
	return windows, err
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
	most     int
	from, to uint64
}

type moment struct{ time, value uint64 }

func (w *window) add(now uint64, length time.Duration, value uint64) {
	if w.counts == nil {
		w.counts = make(map[uint64]int)
	}
	w.entries = append(w.entries, moment{now, value})
	w.counts[value]++
	old := 0
	for ; w.entries[old].time+uint64(length.Microseconds()) < now; old++ {
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
