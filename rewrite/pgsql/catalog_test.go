package pgsql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const shopSchema = `
CREATE SCHEMA shop;
CREATE EXTENSION pg_stat_statements;
CREATE DOMAIN shop.mail AS text CHECK (VALUE ~ '@');
CREATE TYPE shop.mood AS ENUM ('good', 'bad');
CREATE TYPE shop.address AS (street text, town text);
CREATE TABLE shop.people (id serial PRIMARY KEY, name varchar(40) NOT NULL, gone int, mail shop.mail, home shop.address,
	born date, "Odd ""Name" numeric(10,2)[], number bigint GENERATED ALWAYS AS IDENTITY,
	mail_key text GENERATED ALWAYS AS (lower(name::text)) STORED);
ALTER TABLE shop.people DROP COLUMN gone;
CREATE VIEW shop.names AS SELECT id, name AS who FROM shop.people;
CREATE MATERIALIZED VIEW shop.towns AS SELECT DISTINCT (home).town FROM shop.people;
CREATE RULE quiet AS ON DELETE TO shop.people DO INSTEAD NOTHING;
CREATE FUNCTION shop.pick(IN p_id int, OUT who text, OUT born date, VARIADIC more text[] DEFAULT '{}') LANGUAGE sql SECURITY DEFINER
	SET search_path = shop, pg_temp SET work_mem = '1MB' AS 'SELECT name, born FROM people WHERE id = p_id';
CREATE FUNCTION shop.who(p int) RETURNS text LANGUAGE sql STRICT BEGIN ATOMIC SELECT name FROM shop.people WHERE id = p; END;
CREATE FUNCTION shop.everybody() RETURNS SETOF shop.people LANGUAGE sql AS 'SELECT * FROM shop.people';
CREATE FUNCTION shop.watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE OPERATOR shop.<<>> (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
CREATE FUNCTION shop.tomood(int) RETURNS shop.mood LANGUAGE sql AS 'SELECT ''good''::shop.mood';
CREATE CAST (int AS shop.mood) WITH FUNCTION shop.tomood(int);
CREATE TABLE shop.events (id int, caller text, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE shop.events_24 PARTITION OF shop.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE shop.staff (dept text) INHERITS (shop.people);
CREATE TABLE shop.bosses (title text) INHERITS (shop.staff);
`

// load reads the snapshot of a session's database.
func mustLoad(t *testing.T, conn *pgx.Conn) *Catalog {
	t.Helper()
	c, err := Load(context.Background(), askOn(conn), "db")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoad(t *testing.T) {
	conn := newTestServer(t).session(t)
	run(t, conn, shopSchema)
	c := mustLoad(t, conn)

	people := c.Relation("shop", "people")
	if people == nil || people.Kind != 'r' || !people.HasRules || people.System || people.Temp || c.RelationByOID(people.OID) != people {
		t.Fatalf("shop.people: %+v", people)
	}
	var columns []string
	for _, col := range people.Columns {
		columns = append(columns, fmt.Sprintf("%d %s %s", col.Att, col.Name.Name, col.Type))
	}
	want := []string{
		"1 id integer", "2 name character varying(40)", "4 mail shop.mail", "5 home shop.address", "6 born date",
		`7 Odd "Name numeric(10,2)[]`, "8 number bigint", "9 mail_key text",
	}
	if !slices.Equal(columns, want) {
		t.Errorf("columns %q, want %q", columns, want)
	}
	if name := people.Column("name"); name.Name.Database != "db" || name.Name.Schema != "shop" || name.Name.Table != "people" || !name.NotNull ||
		people.Attribute(2) != name || people.Attribute(3) != nil || people.Attribute(4).Name.Name != "mail" || people.Column("gone") != nil {
		t.Errorf("name: %+v", name)
	}
	if key := people.Column("mail_key"); key.Generated != "lower((name)::text)" || key.Default != "" {
		t.Errorf("mail_key: %+v", key)
	}
	if id := people.Column("id"); !strings.HasPrefix(id.Default, "nextval(") || id.Identity || !people.Column("number").Identity {
		t.Errorf("id: %+v", id)
	}
	if row := c.TypeByOID(people.RowType); row == nil || row.Kind != 'c' || row.Relation != people.OID {
		t.Errorf("row type: %+v", row)
	}
	if mail := c.TypeNamed("shop", "mail"); mail.Kind != 'd' || c.TypeByOID(mail.Base).Name != "text" {
		t.Errorf("domain: %+v", mail)
	}
	if array := c.TypeNamed("shop", "_mood"); array.Category != 'A' || c.TypeByOID(array.Elem) != c.TypeNamed("shop", "mood") {
		t.Errorf("array: %+v", array)
	}
	if home := c.Relation("shop", "address"); home.Kind != 'c' || len(home.Columns) != 2 {
		t.Errorf("composite type: %+v", home)
	}
	if v := c.Relation("shop", "names"); v.Kind != 'v' || v.HasRules || v.Locked || !strings.Contains(v.Definition, "FROM shop.people") && !slices.Contains(v.Path, "shop") {
		t.Errorf("view: %+v", v)
	}
	if v := c.Relation("shop", "towns"); v.Kind != 'm' || strings.HasSuffix(v.Definition, ";") {
		t.Errorf("materialized view: %+v", v)
	}
	if s := c.Relation("public", "pg_stat_statements"); !s.System || s.Extension != "pg_stat_statements" || s.Definition != "" {
		t.Errorf("bundled view: %+v", s)
	}
	if s := c.Relation("pg_catalog", "pg_class"); !s.System || s.Definition != "" || s.Column("relname") == nil {
		t.Errorf("pg_class: %+v", s)
	}
	if !c.HasSchema("shop") || c.HasSchema("nothing") || c.Relation("shop", "nothing") != nil || c.Relation("pg_toast", "pg_toast_1255") != nil {
		t.Error("schemas")
	}
	if c.ServerVersion < 140000 || c.Database != "db" || c.TempSchema() != "" {
		t.Errorf("version %d, database %s", c.ServerVersion, c.Database)
	}
	testLoadedFunctions(t, c)
}

func testLoadedFunctions(t *testing.T, c *Catalog) {
	t.Helper()
	typeNames := func(oids []uint32) (names []string) {
		for _, oid := range oids {
			names = append(names, c.TypeByOID(oid).Name)
		}
		return names
	}
	pick := c.Functions("shop", "pick")
	if len(pick) != 1 {
		t.Fatalf("shop.pick: %v", pick)
	}
	f := pick[0]
	if f.Kind != 'f' || f.Language != "sql" || !f.SecurityDefiner || !f.Variadic || f.Defaults != 1 || f.Body != "" || f.Trigger || f.Locked ||
		!slices.Equal(f.ArgNames, []string{"p_id", "who", "born", "more"}) || string(f.ArgModes) != "ioov" ||
		!slices.Equal(typeNames(f.ArgTypes), []string{"int4", "text", "date", "_text"}) ||
		!slices.Equal(typeNames(f.InTypes), []string{"int4", "_text"}) ||
		!slices.Equal(f.Config, []string{"search_path=shop, pg_temp", "work_mem=1MB"}) {
		t.Errorf("shop.pick: %+v", f)
	}
	who := c.Functions("shop", "who")[0]
	if !strings.Contains(who.Body, "people") || !who.Strict || who.Locked || c.FunctionByOID(who.OID) != who {
		t.Errorf("shop.who: %+v", who)
	}
	if all := c.FunctionsNamed("everybody"); len(all) != 1 || !all[0].ReturnsSet || c.TypeByOID(all[0].Returns).Relation != c.Relation("shop", "people").OID {
		t.Errorf("shop.everybody: %+v", all)
	}
	if !c.Functions("shop", "watch")[0].Trigger {
		t.Error("shop.watch is no trigger")
	}
	if each := c.Functions("pg_catalog", "jsonb_each"); len(each) != 1 || string(each[0].ArgModes) != "ioo" || len(c.FunctionsNamed("jsonb_each")) != 0 {
		t.Errorf("jsonb_each: %+v", each)
	}
	if s := c.Functions("public", "pg_stat_statements"); len(s) != 1 || s[0].Extension != "pg_stat_statements" || s[0].Library == "" {
		t.Errorf("pg_stat_statements(): %+v", s)
	}
	if ops := c.UserOperators("<<>>"); len(ops) != 1 || ops[0].Schema != "shop" || ops[0].Function == 0 || ops[0].Left == 0 {
		t.Errorf("operator: %+v", ops)
	}
	casts := c.UserCasts()
	if len(casts) != 1 || casts[0].Method != 'f' || casts[0].Context != 'e' || c.FunctionByOID(casts[0].Function).Name != "tomood" {
		t.Errorf("casts: %+v", casts)
	}
}

func TestKin(t *testing.T) {
	conn := newTestServer(t).session(t)
	run(t, conn, shopSchema)
	c := mustLoad(t, conn)
	for _, x := range []struct{ table, column, kin string }{
		{"events", "caller", "events_24"},
		{"events_24", "caller", "events"},
		{"people", "name", "bosses staff"},
		{"staff", "name", "bosses people"},
		{"staff", "dept", "bosses"},
		{"bosses", "name", "people staff"},
		{"bosses", "title", ""},
	} {
		var tables []string
		for _, k := range c.Relation("shop", x.table).Column(x.column).Kin {
			if k.Name.Name != x.column {
				t.Errorf("%s.%s: kin %v", x.table, x.column, k.Name)
			}
			tables = append(tables, k.Name.Table)
		}
		slices.Sort(tables)
		if got := strings.Join(tables, " "); got != x.kin {
			t.Errorf("%s.%s: kin %q, want %q", x.table, x.column, got, x.kin)
		}
	}
}

// TestLoadUnderHostilePath reads the catalog through a session whose search
// path puts operators and functions of its own before the server's.
func TestLoadUnderHostilePath(t *testing.T) {
	conn := newTestServer(t).session(t)
	run(t, conn, shopSchema)
	before := mustLoad(t, conn)
	run(t, conn, `CREATE SCHEMA evil;
		CREATE FUNCTION evil.lie(oid, oid) RETURNS bool LANGUAGE sql AS 'SELECT false';
		CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.lie);
		CREATE FUNCTION evil.format_type(oid, int) RETURNS text LANGUAGE sql AS 'SELECT ''lie''';
		CREATE FUNCTION evil.pg_get_viewdef(oid) RETURNS text LANGUAGE sql AS 'SELECT ''SELECT 1''';
		CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE sql AS 'SELECT ''1''';
		CREATE TABLE evil.pg_class (oid oid); CREATE TABLE evil.pg_attribute (attrelid oid);
		CREATE DOMAIN evil.text AS pg_catalog.text CHECK (false);
		SET search_path = evil, shop, pg_catalog`)
	after := mustLoad(t, conn)
	for _, name := range []string{"people", "names", "events"} {
		a, b := before.Relation("shop", name), after.Relation("shop", name)
		if len(a.Columns) != len(b.Columns) || len(a.Columns) == 0 || a.Columns[0].Type != b.Columns[0].Type {
			t.Errorf("%s: %+v and %+v", name, a, b)
		}
	}
	if names := after.Relation("shop", "names"); names.Definition != "" || !names.Locked {
		t.Errorf("a view as an operator of the client's had it printed: %q", names.Definition)
	}
	run(t, conn, "SET search_path = evil, shop")
	if names := mustLoad(t, conn).Relation("shop", "names"); !strings.Contains(names.Definition, "FROM people") ||
		!slices.Equal(names.Path, []string{"pg_catalog", "evil", "shop"}) {
		t.Errorf("view: %q under %q", names.Definition, names.Path)
	}
	if after.ServerVersion != before.ServerVersion {
		t.Errorf("version %d", after.ServerVersion)
	}
}

// TestLoadWithoutPrivileges reads as a role that may use nothing.
func TestLoadWithoutPrivileges(t *testing.T) {
	conn := newTestServer(t).session(t)
	run(t, conn, shopSchema)
	run(t, conn, "CREATE ROLE nobody_much; REVOKE ALL ON SCHEMA public FROM PUBLIC")
	want := mustLoad(t, conn)
	run(t, conn, "SET ROLE nobody_much")
	t.Cleanup(func() { run(t, conn, "RESET ROLE; DROP ROLE nobody_much") })
	c := mustLoad(t, conn)
	if c.print != want.print || len(c.relations) != len(want.relations) || c.Relation("shop", "names").Definition == "" || c.incomplete {
		t.Errorf("%v, want %v", c.print, want.print)
	}
}

func TestLoadGeneratedColumns(t *testing.T) {
	conn := newTestServer(t).session(t)
	sql := "CREATE TABLE a (x text, y text GENERATED ALWAYS AS (lower(x)) STORED"
	if mustLoad(t, conn).ServerVersion >= 180000 {
		sql += ", z text GENERATED ALWAYS AS (upper(x)) VIRTUAL"
	}
	run(t, conn, sql+"); CREATE TABLE b () INHERITS (a)")
	for _, table := range []string{"a", "b"} {
		for _, c := range mustLoad(t, conn).Relation("public", table).Columns {
			if (c.Name.Name != "x") != (c.Generated != "") || c.Default != "" {
				t.Errorf("%+v", c)
			}
		}
	}
}

// TestLoadDoesNotWait reads while another session is altering a table that a
// view is over.
func TestLoadDoesNotWait(t *testing.T) {
	s := newTestServer(t)
	conn, other := s.session(t), s.session(t)
	run(t, conn, shopSchema)
	run(t, other, "BEGIN; ALTER TABLE shop.people ADD COLUMN extra int")
	run(t, conn, "SET lock_timeout = '5s'")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := Load(ctx, askOn(conn), "db")
	if err != nil {
		t.Fatal(err)
	}
	if !c.Relation("shop", "names").Locked || !c.Functions("shop", "who")[0].Locked || !c.incomplete {
		t.Error("what cannot be read now is not marked")
	}
	if c.Relation("shop", "events").Locked || c.Relation("shop", "people").Column("extra") != nil {
		t.Error("what can be read is marked")
	}
	run(t, other, "COMMIT")
	if c := mustLoad(t, conn); c.incomplete || c.Relation("shop", "names").Locked || c.Relation("shop", "people").Column("extra") == nil {
		t.Error("it stays locked")
	}
}

func TestParseTextArray(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{`{a,b}`, []string{"a", "b"}},
		{`{"a,b","c\"d","e\\f",""}`, []string{"a,b", `c"d`, `e\f`, ""}},
		{`{"{x}"}`, []string{"{x}"}},
		{`{"",p_id}`, []string{"", "p_id"}},
	} {
		if got, ok := parseTextArray(c.text); !ok || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v, want %q", c.text, got, ok, c.want)
		}
	}
	for _, bad := range []string{"", "{", "a,b", `{"a}`} {
		if got, ok := parseTextArray(bad); ok {
			t.Errorf("%s: %q", bad, got)
		}
	}
}
