package review

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
)

// A view is one block while it is being looked through. Columns are read when
// they are needed.
type view struct {
	index *Index
	block block
	has   [columns]bool
}

func (x *Index) view(z zone) *view {
	return &view{index: x, block: block{id: z.id, rows: z.rows}}
}

func (v *view) need(ctx context.Context, wanted ...column) error {
	for _, c := range wanted {
		if v.has[c] {
			continue
		}
		if err := v.index.store.column(ctx, &v.block, c); err != nil {
			return err
		}
		v.has[c] = true
	}
	return nil
}

// errEnough ends a scan early.
var errEnough = errors.New("enough")

// scan calls found with every row that fits the filter, in the filter's order,
// having read the wanted columns. Limit is the caller's to keep.
func (x *Index) scan(ctx context.Context, f *Filter, wanted []column, found func(v *view, row int) error) error {
	conditions, err := x.conditions(ctx, f)
	if err != nil {
		return err
	}
	for _, c := range conditions {
		if c.values.empty() {
			return nil // nothing the log knows of fits
		}
	}
	for i := range x.zones {
		z := x.zones[i]
		if !f.Oldest {
			z = x.zones[len(x.zones)-1-i]
		}
		if f.misses(z) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := x.scanBlock(ctx, z, f, conditions, wanted, found); err != nil {
			if errors.Is(err, errEnough) {
				return nil
			}
			return err
		}
	}
	return nil
}

// misses reports whether no row of the block can be in the filter's time.
func (f *Filter) misses(z zone) bool {
	return !f.Since.IsZero() && z.maxTime < f.Since.UnixMicro() || !f.Until.IsZero() && z.minTime >= f.Until.UnixMicro()
}

func (x *Index) scanBlock(ctx context.Context, z zone, f *Filter, conditions []condition, wanted []column, found func(v *view, row int) error) error {
	v := x.view(z)
	rows, err := v.matching(ctx, f, z, conditions)
	if err != nil || len(rows) == 0 {
		return err
	}
	if err := v.need(ctx, wanted...); err != nil {
		return err
	}
	if !f.Oldest {
		slices.Reverse(rows)
	}
	for _, row := range rows {
		if err := found(v, row); err != nil {
			return err
		}
	}
	return nil
}

// matching returns the rows for which all conditions hold.
func (v *view) matching(ctx context.Context, f *Filter, z zone, conditions []condition) (rows []int, err error) {
	rows = make([]int, z.rows)
	for i := range rows {
		rows[i] = i
	}
	for _, c := range conditions {
		if err := v.need(ctx, c.columns...); err != nil {
			return nil, err
		}
		rows = slices.DeleteFunc(rows, func(row int) bool {
			for _, column := range c.columns {
				if c.values.has(uint64(v.block.narrow[column][row])) {
					return false
				}
			}
			return true
		})
		if len(rows) == 0 {
			return nil, nil
		}
	}
	if !f.Since.IsZero() && z.minTime < f.Since.UnixMicro() || !f.Until.IsZero() && z.maxTime >= f.Until.UnixMicro() {
		if err := v.need(ctx, colTime); err != nil {
			return nil, err
		}
		rows = slices.DeleteFunc(rows, func(row int) bool {
			at := int64(v.block.get(colTime, row))
			return !f.Since.IsZero() && at < f.Since.UnixMicro() || !f.Until.IsZero() && at >= f.Until.UnixMicro()
		})
	}
	return rows, nil
}

// word returns a string of the dictionary.
func (x *Index) word(ctx context.Context, id uint64) (string, error) {
	if text, ok := x.words[id]; ok || id == 0 {
		return text, nil
	}
	text, err := x.store.word(ctx, id)
	if err == nil {
		x.words[id] = text
	}
	return text, err
}

// objects returns a set of objects.
func (x *Index) objects(ctx context.Context, id uint64) ([]Object, error) {
	if set, ok := x.sets[id]; ok || id == 0 {
		return set, nil
	}
	var text string
	if err := x.store.db.QueryRowContext(ctx, "SELECT s FROM objects WHERE id = ?", id).Scan(&text); err != nil {
		return nil, err
	}
	var set []Object
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		return nil, err
	}
	x.sets[id] = set
	return set, nil
}
