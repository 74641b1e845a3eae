package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"sqlveil/bench/myclient"
	"sqlveil/proxy/proxytest"
)

//go:embed schema.sql
var schema string

//go:embed policy.yaml
var policy string

// databases are alike but for their protected values. Their names are of one
// length, so that answers can be compared.
var databases = []string{"left_one", "rite_two"}

// rows is how many people there are.
const rows = 24

// A lab is a server, MariaDB where no other is named, with the two databases, and sqlveil before it.
type lab struct {
	server  *proxytest.MariaDBServer
	proxy   *proxytest.Sqlveil
	dir     string
	tokens  *sighting
	guesses map[string][]string // by column: what its cells hold in the first database
	used    map[string]bool     // every token there is
}

func newLab(ctx context.Context, seed uint64) (l *lab, err error) {
	l = &lab{tokens: newSighting(), guesses: map[string][]string{}, used: map[string]bool{}}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.server, err = proxytest.StartMariaDB(); err != nil {
		return l, err
	}
	for _, user := range []string{"catalog", "reader", "clerk"} {
		if err := l.server.AddUser(ctx, user); err != nil {
			return l, err
		}
		if err := l.server.Exec(ctx, "", "GRANT ALL ON *.* TO "+user+"@'%'"); err != nil {
			return l, err
		}
	}
	for _, user := range []string{"reader", "clerk", "catalog"} {
		if err := myclient.Acquaint(ctx, l.server.Addr(), user); err != nil {
			return l, err
		}
	}
	if err := l.fill(ctx, rand.New(rand.NewPCG(seed, 1))); err != nil {
		return l, err
	}
	if l.dir, err = os.MkdirTemp("", "mycanary"); err != nil {
		return l, err
	}
	program := filepath.Join(l.dir, "sqlveil")
	if err := proxytest.BuildSqlveil(program); err != nil {
		return l, err
	}
	site := proxytest.Site{Protocol: "mysql", Server: l.server.Addr(), Catalog: "catalog", Policy: policy, Durability: "spool"}
	config, err := site.Write(l.dir)
	if err != nil {
		return l, err
	}
	l.proxy, err = proxytest.StartSqlveil(program, config, os.Environ())
	return l, err
}

func (l *lab) close() {
	var err error
	if l.proxy != nil {
		err = l.proxy.Stop()
	}
	if l.server != nil {
		l.server.Close()
	}
	if err = errors.Join(err, os.RemoveAll(l.dir)); err != nil {
		fmt.Fprintln(os.Stderr, "mycanary:", err)
	}
}

// A cell makes the tokens of one protected column.
type cell struct {
	column string
	make   func(*rand.Rand) token
}

// cells are the protected columns of person, in order.
var cells = []cell{
	{"name", func(r *rand.Rand) token { return textToken(r, "%s") }},
	{"mail", func(r *rand.Rand) token { return textToken(r, "%s@example.com") }},
	{"phone", func(r *rand.Rand) token { return wholeToken(r, 14) }},
	{"memo", func(r *rand.Rand) token { return textToken(r, "memo %s.") }},
	{"pay", decimalToken},
	{"account", func(r *rand.Rand) token { return wholeToken(r, 16) }},
	{"pin", func(r *rand.Rand) token { return wholeToken(r, 9) }},
	{"ratio", floatToken},
	{"born", func(r *rand.Rand) token { return dayToken(r, "") }},
	{"seen", func(r *rand.Rand) token { return dayToken(r, " 11:17:19") }},
	{"doc", func(r *rand.Rand) token { return textToken(r, `{"key": "%s", "list": [1, 2]}`) }},
	{"raw", func(r *rand.Rand) token { return textToken(r, "%s") }},
}

// groups is how many different values column tag has in each database. Which rows
// share one may be seen, since it may be compared; which values they are may not.
const groups = 5

// unique makes a token that no other cell has.
func (l *lab) unique(r *rand.Rand, c cell) token {
	for {
		if t := c.make(r); !l.used[t.sql] {
			l.used[t.sql] = true
			return t
		}
	}
}

// tags makes the values of column tag. Those that statements compare it with are in
// neither database: that one is equal would be seen.
func (l *lab) tags(r *rand.Rand, database string) (tags []string) {
	tag := cell{"tag", func(r *rand.Rand) token { return textToken(r, "%s"+strings.Repeat("z", r.IntN(9))) }}
	for range groups {
		t := l.unique(r, tag)
		l.tokens.add(database+".tag", t)
		tags = append(tags, t.sql)
		l.guesses["tag"] = append(l.guesses["tag"], l.unique(r, tag).sql)
	}
	return tags
}

// fill makes both databases: the public columns of a row are the same in both,
// and so is whether a protected one is NULL.
func (l *lab) fill(ctx context.Context, r *rand.Rand) error {
	var empty [rows][]bool
	for i := range empty {
		for range cells {
			empty[i] = append(empty[i], r.IntN(8) == 0)
		}
	}
	db, err := l.server.Open("")
	if err != nil {
		return err
	}
	defer db.Close()
	// The order of rows that nobody sorts depends on the plan, and that on statistics.
	if _, err := db.ExecContext(ctx, "SET GLOBAL innodb_stats_auto_recalc = OFF"); err != nil {
		return err
	}
	for which, database := range databases {
		tags := l.tags(r, database)
		text := strings.ReplaceAll(schema, "$db", database)
		for _, statement := range strings.Split(text, "//\n") {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		for i := range rows {
			values := fmt.Sprintf("%d, '%c', %d, 'note %d'", i+1, 'a'+i%4, i*i%7, i)
			for j, c := range cells {
				t := l.unique(r, c)
				if l.tokens.add(database+"."+c.column, t); empty[i][j] {
					t.sql = "NULL"
				} else if which == 0 {
					l.guesses[c.column] = append(l.guesses[c.column], t.sql)
				}
				values += ", " + t.sql
			}
			values += ", " + tags[i*i%groups]
			for _, statement := range []string{
				"INSERT INTO " + database + ".person (id, grp, n, note, name, mail, phone, memo, pay, account, pin, ratio, born, seen, doc, raw, tag) VALUES (" + values + ")",
				fmt.Sprintf("INSERT INTO %s.item (owner, title, price) VALUES (%d, 'item %d', %d)", database, i%9+1, i, i*3),
			} {
				if _, err := db.ExecContext(ctx, statement); err != nil {
					return fmt.Errorf("%s: %w", statement, err)
				}
			}
		}
		if _, err := db.ExecContext(ctx, fmt.Sprintf("ANALYZE TABLE %[1]s.person, %[1]s.item", database)); err != nil {
			return err
		}
	}
	return nil
}
