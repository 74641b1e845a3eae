package pgsql

import "testing"

func TestOfferedColumnsAreKeptWithinABound(t *testing.T) {
	var k kept[[]column]
	made := 0
	columnsOf := func(rel *Relation, n int) []column {
		return k.of(rel, mostOffered, func() ([]column, int) { made++; return make([]column, n), n })
	}
	first, large, last := &Relation{}, &Relation{Name: "large"}, &Relation{Name: "last"}
	if a, b := columnsOf(first, 3), columnsOf(first, 3); made != 1 || len(a) != 3 || &a[0] != &b[0] {
		t.Errorf("columns were made %d times for one relation", made)
	}
	columnsOf(large, mostOffered)
	columnsOf(large, mostOffered)
	if made != 3 {
		t.Errorf("columns beyond the bound were made %d times for two questions", made-1)
	}
	columnsOf(last, 1)
	columnsOf(last, 1)
	if columnsOf(first, 3); made != 4 {
		t.Errorf("columns were made %d times, of three relations one of which is kept no time", made)
	}
}

func TestOnlyDeclaredColumnsAreOffered(t *testing.T) {
	plain := &Relation{OID: 1, Kind: 'r', Columns: []*ColumnInfo{{}}}
	computed := &Relation{OID: 2, Kind: 'r', Columns: []*ColumnInfo{{}, {Generated: "a + 1"}}}
	view := &Relation{OID: 3, Kind: 'v', Columns: []*ColumnInfo{{}}}
	made := &Relation{Kind: 'r', Columns: []*ColumnInfo{{}}} // by an earlier statement of the text
	r := &resolver{catalog: &Catalog{relations: map[uint32]*Relation{1: plain, 2: computed, 3: view}}}
	for rel, want := range map[*Relation]bool{plain: true, computed: false, view: false, made: false} {
		if columns, ok := r.offeredColumns(rel); ok != want || ok && len(columns) != 1+len(hiddenColumns) {
			t.Errorf("relation %d of kind %c: %d columns, %v", rel.OID, rel.Kind, len(columns), ok)
		}
	}
}

func TestDefinitionsOfViewsAreParsedOnce(t *testing.T) {
	c := &Catalog{}
	view, broken := &Relation{Definition: "SELECT 1"}, &Relation{Definition: "SELECT FROM FROM"}
	if first := c.query(view); first == nil || c.query(view) != first {
		t.Error("a definition is parsed each time, or not at all")
	}
	if c.query(broken) != nil {
		t.Error("what cannot be parsed has a query")
	}
}
