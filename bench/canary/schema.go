package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"strings"
)

// A column is one of a table that statements speak of.
type column struct {
	name  string
	sql   string // its type
	class string // "" for what everybody may see
}

// A relation is a table or a view.
type relation struct {
	name    string
	columns []column
	rows    int // tokens are made for so many; 0 for a view
}

// The tables, each column as name:type or name:type/class.
var tables = relationsOf(12, `
person id:int kind:text n:int day:date name:text/name mail:varchar(60)/mail phone:varchar(20)/phone code:char(18)/token note:text/text
 handle:handle/token born:date/day tags:text[]/list home:address/gone doc:jsonb/paths words:tsvector/gone
ledger id:int kind:text n:int day:date pay:numeric(18,2)/round rate:float8/round score:int/gone points:int/token big:bigint/token total:bigint/round
 booked:timestamp/day seen:timestamptz/text woke:time/text took:interval/text marks:int[]/list span:int8range/gone
parcel id:int kind:text n:int day:date ref:uuid/token ip:inet/text net:cidr/text mac:macaddr/text photo:bytea/text blob:bytea/token
 slip:json/text form:xml/gone paper:jsonb/phone who:text/name
vault id:int kind:text n:int day:date secret:text/closed alias:text/equal sum:numeric(18,2)/closed born:date/closed code:char(18)/equal doc:jsonb/closed
event id:int kind:text n:int day:date what:text/text size:int/gone
base id:int kind:text n:int day:date label:text/text
child id:int kind:text n:int day:date label:text/text more:text/name
shop id:int kind:text n:int day:date
`)

// The views and row-returning functions over them, which schema.sql makes; what
// is protected in them is so through their tables.
var views = relationsOf(0, `
people id:int kind:text full_name:text contact:text born:date
accounts kind:text n:bigint top:numeric latest:timestamptz
everything id:int kind:text what:text
latest id:int kind:text mail:text pay:numeric
persons_of('a') id:int kind:text name:text mail:varchar(60)
pairs_of(3) id:int who:text
`)

func relationsOf(rows int, text string) []relation {
	var out []relation
	for _, word := range strings.Fields(text) {
		name, kind, ok := strings.Cut(word, ":")
		if !ok {
			out = append(out, relation{name: name, rows: rows})
			continue
		}
		kind, class, _ := strings.Cut(kind, "/")
		last := &out[len(out)-1]
		last.columns = append(last.columns, column{name, kind, class})
	}
	return out
}

//go:embed schema.sql
var schemaSQL string

//go:embed policy.yaml
var canaryPolicy string

//go:embed twins.yaml
var twinsPolicy string

// labels are what is no class: a document whose members have some.
var labels = map[string]string{"paths": `{json: {"$.phone": phone, "$.mails": text, "$.pay": gone}}`}

// onColumns adds to the classes of a policy the columns that carry them.
func onColumns(classes string) string {
	var b strings.Builder
	b.WriteString(classes)
	b.WriteString("columns:\n")
	for _, t := range tables {
		for _, c := range t.columns {
			if c.class != "" {
				fmt.Fprintf(&b, "  \"*.public.%s*.%s\": %s\n", t.name, c.name, cmp.Or(labels[c.class], c.class))
			}
		}
	}
	b.WriteString("  \"*.public.kept.what\": text\n")
	return b.String()
}

// script makes the tables and what stands on them.
func script() string {
	before, after, _ := strings.Cut(schemaSQL, "-- The tables come here.\n")
	for _, t := range tables {
		before += definition(t)
	}
	return before + after
}

// rows inserts into all tables, with what make makes in every protected cell,
// and tells found of each. It is the same for the same seed; seeds differ in
// protected cells only.
func rows(seed uint64, make func(*rand.Rand, column) token, found func(relation, column, token)) string {
	f := filler{rand.New(rand.NewPCG(1, 0)), rand.New(rand.NewPCG(seed, 0)), make, found}
	script := ""
	for _, t := range tables {
		for row := range t.rows {
			script += f.insertion(t, row)
		}
	}
	return script + "REFRESH MATERIALIZED VIEW kept;\n"
}

// A filler makes rows.
type filler struct {
	public, protected *rand.Rand
	make              func(*rand.Rand, column) token
	found             func(relation, column, token)
}

// definition creates a table; base has a child, event is partitioned.
func definition(t relation) string {
	var columns []string
	for _, c := range t.columns {
		columns = append(columns, c.name+" "+c.sql)
	}
	tail := ", PRIMARY KEY (id)"
	after := ""
	switch t.name {
	case "event":
		tail = ""
		after = " PARTITION BY RANGE (id); CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (0) TO (6); CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (6) TO (1000)"
	case "child":
		return "CREATE TABLE child (more text) INHERITS (base);\n"
	case "person":
		tail += ", UNIQUE (name), CHECK (length(mail) > 3)"
	}
	return fmt.Sprintf("CREATE TABLE %s (%s%s)%s;\n", t.name, strings.Join(columns, ", "), tail, after)
}

// insertion makes a row. Every fifth cell of the later rows is NULL.
func (f *filler) insertion(t relation, row int) string {
	r := f.public
	values := []string{fmt.Sprint(row + 1), pick(r, "'a'", "'b'", "'c'"), fmt.Sprint(r.IntN(6)), fmt.Sprintf("'2020-01-%02d'", 1+r.IntN(28))}
	for _, c := range t.columns[len(values):] {
		if row > 6 && r.IntN(5) == 0 {
			values = append(values, "NULL")
			continue
		}
		token := f.make(f.protected, c)
		f.found(t, c, token)
		values = append(values, token.literal)
	}
	return fmt.Sprintf("INSERT INTO %s VALUES (%s);\n", t.name, strings.Join(values, ", "))
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }
