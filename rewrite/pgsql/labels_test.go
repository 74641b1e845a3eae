package pgsql

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

// labels lists the labelled columns of some relations, "table.column class".
func labels(c *Catalog, p *masking.Policy, schema string) []string {
	var list []string
	for _, rel := range c.relations {
		for _, col := range rel.Columns {
			if l := labelName(c.Label(p, &col.TableColumn)); l != "" && rel.Schema == schema {
				list = append(list, rel.Name+"."+col.Name.Name+" "+l)
			}
		}
	}
	slices.Sort(list)
	return list
}

func TestLabelsOfKin(t *testing.T) {
	conn := newTestServer(t).session(t)
	run(t, conn, shopSchema)
	p := policyOf(t, map[string]string{
		"db.shop.events.caller": "name", "db.shop.events_24.id": "secret",
		"db.shop.staff.name": "name", "db.shop.bosses.name": "secret", "db.shop.bosses.dept": "name",
	})
	want := []string{
		"bosses.dept name", "bosses.name secret", "events.caller name", "events.id secret", "events_24.caller name",
		"events_24.id secret", "people.name secret", "staff.dept name", "staff.name secret",
	}
	c := mustLoad(t, conn)
	if got := labels(c, p, "shop"); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	witness := c.Witness(p)
	events := c.Relation("shop", "events")
	if got := labelName(witness.LabelOf(events.OID, 2)); got != "name" {
		t.Errorf("the witness says %q of events.caller", got)
	}
	if got := labelName(witness.LabelOf(events.OID, 3)); got != "" {
		t.Errorf("the witness says %q of events.at", got)
	}
	if got := labelName(witness.LabelOf(events.OID, -3)); got != "" {
		t.Errorf("the witness says %q of events.ctid", got)
	}
	if got := labelName(witness.LabelOf(4_000_000_000, 1)); got != p.System().Name {
		t.Errorf("the witness says %q of a table that nobody knows", got)
	}
}

// TestLabelsStick renames what carries a label, again and again.
func TestLabelsStick(t *testing.T) {
	s := newTestServer(t)
	conn, all := s.session(t), s.catalogs(t)
	p := policyOf(t, map[string]string{s.database + ".shop.people.phone": "name", s.database + ".shop.free.note": "secret"})
	run(t, conn, "CREATE SCHEMA shop; CREATE TABLE shop.people (id int, phone text, note text)")
	if got, want := labels(s.now(t, all), p, "shop"), []string{"people.phone name"}; !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	for _, c := range []struct {
		sql, schema string
		want        []string
	}{
		{"ALTER TABLE shop.people RENAME phone TO fon", "shop", []string{"people.fon name"}},
		{"ALTER TABLE shop.people RENAME TO persons", "shop", []string{"persons.fon name"}},
		{"ALTER TABLE shop.persons SET SCHEMA public", "public", []string{"persons.fon name"}},
		{"ALTER SCHEMA shop RENAME TO old_shop", "public", []string{"persons.fon name"}},
		{"ALTER TABLE persons ADD COLUMN phone text", "public", []string{"persons.fon name"}},
		{"CREATE SCHEMA shop; CREATE TABLE shop.people (phone text)", "shop", []string{"people.phone name"}},
		{"DROP TABLE shop.people; ALTER TABLE persons SET SCHEMA shop", "shop", []string{"persons.fon name"}},
		{"ALTER TABLE shop.persons RENAME TO free", "shop", []string{"free.fon name", "free.note secret"}},
		{"ALTER TABLE shop.free RENAME TO people", "shop", []string{"people.fon name", "people.note secret", "people.phone name"}},
		{"DROP TABLE shop.people; CREATE TABLE shop.people (fon text, note text)", "shop", nil},
	} {
		run(t, conn, c.sql)
		if got := labels(s.now(t, all), p, c.schema); !slices.Equal(got, c.want) {
			t.Errorf("after %q: %q, want %q", c.sql, got, c.want)
		}
	}
}

// TestLabelsStickToRows takes tables out of those that their rows were read through.
func TestLabelsStickToRows(t *testing.T) {
	s := newTestServer(t)
	conn, all := s.session(t), s.catalogs(t)
	p := policyOf(t, map[string]string{s.database + ".shop.people.phone": "name", s.database + ".shop.events.caller": "secret"})
	run(t, conn, `CREATE SCHEMA shop; CREATE TABLE shop.people (phone text);
		CREATE TABLE shop.staff (desk int) INHERITS (shop.people); CREATE TABLE shop.bosses () INHERITS (shop.staff);
		CREATE TABLE shop.events (at date, caller text) PARTITION BY RANGE (at);
		CREATE TABLE shop.events_24 PARTITION OF shop.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')`)
	for _, c := range []struct {
		sql  string
		want []string
	}{
		{"SELECT 1", []string{"bosses.phone name", "events.caller secret", "events_24.caller secret", "people.phone name", "staff.phone name"}},
		{
			"ALTER TABLE shop.people RENAME phone TO fon; ALTER TABLE shop.events RENAME caller TO who",
			[]string{"bosses.fon name", "events.who secret", "events_24.who secret", "people.fon name", "staff.fon name"},
		},
		{
			"ALTER TABLE shop.staff NO INHERIT shop.people; ALTER TABLE shop.events DETACH PARTITION shop.events_24",
			[]string{"bosses.fon name", "events.who secret", "events_24.who secret", "people.fon name", "staff.fon name"},
		},
		{
			"DROP TABLE shop.events; ALTER TABLE shop.bosses NO INHERIT shop.staff",
			[]string{"bosses.fon name", "events_24.who secret", "people.fon name", "staff.fon name"},
		},
	} {
		run(t, conn, c.sql)
		if got := labels(s.now(t, all), p, "shop"); !slices.Equal(got, c.want) {
			t.Errorf("after %q:\n%q, want\n%q", c.sql, got, c.want)
		}
	}
}

// TestLabelsStickWithinTransaction renames what only the session itself has seen.
func TestLabelsStickWithinTransaction(t *testing.T) {
	ctx := context.Background()
	s := newTestServer(t)
	conn, all := s.session(t), s.catalogs(t)
	p := policyOf(t, map[string]string{"*.*.*.phone": "name"})
	run(t, conn, "BEGIN; CREATE TABLE people (phone text); CREATE TEMP TABLE mine (phone text)")
	local := got(t)(all.Local(ctx, s.database, askOn(conn)))
	if got := labels(local.base, p, "public"); !slices.Equal(got, []string{"people.phone name"}) {
		t.Fatalf("%q", got)
	}
	run(t, conn, "ALTER TABLE people RENAME phone TO x; ALTER TABLE mine RENAME phone TO y")
	local = got(t)(all.Local(ctx, s.database, askOn(conn)))
	if got := labels(local.base, p, "public"); !slices.Equal(got, []string{"people.x name"}) {
		t.Errorf("within the transaction: %q", got)
	}
	if got := labels(local, p, local.TempSchema()); !slices.Equal(got, []string{"mine.y name"}) {
		t.Errorf("temporary table: %q", got)
	}
	run(t, conn, "COMMIT")
	if got := labels(s.now(t, all), p, "public"); !slices.Equal(got, []string{"people.x name"}) {
		t.Errorf("after the commit: %q", got)
	}
}

func TestLabelsOfSystem(t *testing.T) {
	conn := newTestServer(t).session(t)
	run(t, conn, "CREATE SCHEMA tools; CREATE EXTENSION pg_stat_statements SCHEMA tools; CREATE VIEW pg_stats AS SELECT 1 AS most_common_vals")
	c := mustLoad(t, conn)
	p := policyOf(t, map[string]string{"*.*.*.nothing": "name"})
	for name, want := range map[string]bool{
		"pg_catalog.pg_stats.most_common_vals": true, "pg_catalog.pg_stats.attname": false,
		"pg_catalog.pg_stat_activity.query": true, "pg_catalog.pg_stat_activity.state": false,
		"pg_catalog.pg_authid.rolpassword": true, "pg_catalog.pg_roles.rolpassword": false,
		"pg_catalog.pg_class.relname": false, "pg_catalog.pg_largeobject.data": true,
		"tools.pg_stat_statements.query": true, "tools.pg_stat_statements.calls": false,
		"information_schema.columns.column_name":               false,
		"information_schema.user_mapping_options.option_value": true,
		"public.pg_stats.most_common_vals":                     false,
	} {
		part := strings.Split(name, ".")
		column := c.Relation(part[0], part[1]).Column(part[2])
		if _, ok := c.Label(p, &column.TableColumn); ok != want {
			t.Errorf("%s is labelled: %v", name, ok)
		}
	}
}

func TestEverySystemColumnIsJudged(t *testing.T) {
	conn := newTestServer(t).session(t)
	everyExtension(t, conn)
	c := mustLoad(t, conn)
	seen := 0
	for _, rel := range c.relations {
		if !rel.System {
			continue
		}
		for _, col := range rel.Columns {
			seen++
			key := rel.Schema + "." + rel.Name
			if rel.Extension != "" {
				key = rel.Extension + "/" + rel.Name
			}
			if _, ok := systemColumns()[key][col.Name.Name]; !ok {
				t.Errorf("nobody has judged %s.%s", key, col.Name.Name)
			}
		}
	}
	if seen < 2000 {
		t.Errorf("only %d columns seen", seen)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	var h history
	column := func(name string) *Catalog {
		c := &Catalog{relations: map[uint32]*Relation{}, former: map[columnKey][]masking.Column{}}
		rel := &Relation{OID: FirstUserOID, Columns: []*ColumnInfo{{}}}
		rel.Columns[0].Rel, rel.Columns[0].Att, rel.Columns[0].Name.Name = rel.OID, 1, name
		c.relations[rel.OID] = rel
		return c
	}
	var last *Catalog
	for i := range 100 {
		last = column(fmt.Sprint(i))
		h.note(last)
	}
	names := last.former[columnKey{FirstUserOID, 1}]
	if len(names) != rewrite.MostFormerNames || names[0].Name != "0" || names[rewrite.MostFormerNames-1].Name != "98" {
		t.Errorf("%v", names)
	}
	h.note(&Catalog{relations: map[uint32]*Relation{}, former: map[columnKey][]masking.Column{}})
	if got := slices.Collect(maps.Keys(h.seen)); len(got) != 1 {
		t.Errorf("a table that only a session may have seen is forgotten at once: %v", got)
	}
}
