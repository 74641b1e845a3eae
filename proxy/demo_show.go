package main

import (
	"context"
	"fmt"
	"io"

	"sqlveil/masking"
	"sqlveil/proxy/sample"
)

// A showcase is a query of one row that the demo runs as every role.
type showcase struct {
	sql     string
	table   string
	columns []showColumn
}

// A showColumn is a result column with the table column that it shows.
type showColumn struct {
	name string
	kind masking.Type
}

var (
	textType    = masking.Type{Kind: masking.KindText}
	moneyType   = masking.Type{Kind: masking.KindNumeric, Precision: 14, Scale: 2}
	integerType = masking.Type{Kind: masking.KindInteger, Bits: 32}
	dateType    = masking.Type{Kind: masking.KindDate}
	jsonType    = masking.Type{Kind: masking.KindJSON}
)

// varchar is a text of at most so many characters.
func varchar(length int) masking.Type { return masking.Type{Kind: masking.KindText, Length: length} }

var customerColumns = []showColumn{
	{"name", textType},
	{"mobile", textType},
	{"email", textType},
	{"id_card", textType},
	{"bank_card", textType},
	{"address", textType},
	{"birth_date", dateType},
	{"salary", moneyType},
	{"budget", integerType},
	{"profile", jsonType},
}

var showcases = []showcase{
	{
		sql:     "SELECT name, mobile, email, id_card, bank_card, address, birth_date, salary, budget, profile FROM customers WHERE id = 3",
		table:   "customers",
		columns: customerColumns,
	},
	{
		sql:     "SELECT c.name, c.credit_code, c.legal_person, c.contact_mobile, c.price FROM companies AS c ORDER BY c.id LIMIT 1",
		table:   "companies",
		columns: []showColumn{{"name", varchar(80)}, {"credit_code", varchar(18)}, {"legal_person", varchar(40)}, {"contact_mobile", varchar(20)}, {"price", moneyType}},
	},
}

// refusedSQL is what no role with masks may do: its order tells the salaries.
const refusedSQL = "SELECT name FROM customers ORDER BY salary DESC LIMIT 1"

// show prints what each role sees of each showcase, side by side, and checks it
// against the policy.
func (d *demo) show(ctx context.Context, to io.Writer) error {
	for _, s := range showcases {
		fmt.Fprintf(to, "\n%s\n", s.sql)
		raw, err := d.server.row(ctx, d.server.Addr(), "dba", s.sql)
		if err != nil {
			return err
		}
		seen := make([][]*string, len(sample.Users))
		for i, user := range sample.Users {
			if seen[i], err = d.server.row(ctx, d.address, user, s.sql); err != nil {
				return fmt.Errorf("as %s: %w", user, err)
			}
		}
		s.print(to, seen)
		for i, user := range sample.Users {
			if err := s.check(d.gateway.policy.Load(), d.kind.schema, user, raw, seen[i]); err != nil {
				return err
			}
		}
	}
	return d.showRefusal(ctx, to)
}

// print writes a line for each column, with what each role sees.
func (s *showcase) print(to io.Writer, seen [][]*string) {
	table := newGrid(append([]string{"column"}, sample.Users...)...)
	for i, column := range s.columns {
		line := []string{column.name}
		for _, row := range seen {
			line = append(line, shown(row[i]))
		}
		table.add(line...)
	}
	table.print(to)
}

// shown is a value as the demo prints it.
func shown(value *string) string {
	const most = 34
	if value == nil {
		return "NULL"
	}
	text, places := "", 0
	for _, r := range *value {
		if places += width(string(r)); places > most {
			return text + "…"
		}
		text += string(r)
	}
	return text
}

// check compares what a user saw with what the policy makes of the raw values.
func (s *showcase) check(policy *masking.Policy, schema, user string, raw, seen []*string) error {
	role, ok := policy.Match(masking.Caller{User: user, Database: sample.Database})
	if !ok {
		return fmt.Errorf("the policy has no role for %s", user)
	}
	for i, column := range s.columns {
		where := masking.Column{Database: sample.Database, Schema: schema, Table: s.table, Name: column.name}
		want := raw[i]
		if label, ok := policy.Label(where); ok && raw[i] != nil {
			if mask := role.Mask(label); mask != nil {
				want = masked(mask, *raw[i], column.kind)
				if same(want, raw[i]) {
					return fmt.Errorf("%s: the mask of %s leaves the value as it is", user, column.name)
				}
			}
		}
		if !same(seen[i], want) {
			return fmt.Errorf("%s saw %s of %s, the policy says %s", user, shown(seen[i]), column.name, shown(want))
		}
	}
	return nil
}

func masked(mask masking.Mask, text string, kind masking.Type) *string {
	out, ok := masking.Apply(mask, nil, []byte(text), kind)
	if !ok {
		return nil
	}
	result := string(out)
	return &result
}

func same(a, b *string) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// showRefusal prints how a statement is refused.
func (d *demo) showRefusal(ctx context.Context, to io.Writer) error {
	fmt.Fprintf(to, "\n%s\n", refusedSQL)
	for _, user := range sample.Users {
		_, err := d.server.row(ctx, d.address, user, refusedSQL)
		refusal, refused := d.server.refusal(err)
		if err != nil && !refused {
			return err
		}
		if refused == (user == "dba") {
			return fmt.Errorf("%s: refused is %t", user, refused)
		}
		if refused {
			fmt.Fprintf(to, "  %s: %s\n", user, refusal)
		}
	}
	return nil
}
