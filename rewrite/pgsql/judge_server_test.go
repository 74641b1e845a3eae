package pgsql_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/proxy/proxytest"
)

// A judgeServer answers the judge's questions about one database, and
// remembers the answers until forget is called.
type judgeServer struct {
	t         testing.TB
	conn      *pgconn.PgConn
	close     func()
	views     map[uint32]*tree
	functions map[uint32]functionFacts
	operators map[uint32]string
	generated map[origin]*tree
	types     map[uint32]string
	keys      map[uint32][]int
}

// functionFacts are what the judge must know of a function.
type functionFacts struct {
	name   string
	system bool
	body   *tree // of a function in standard SQL
	live   []int // the fields of the row that it returns, without dropped ones
}

func newJudgeServer(t testing.TB, server *proxytest.PostgreSQLServer, database string) *judgeServer {
	t.Helper()
	conn, err := server.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	s := &judgeServer{t: t, conn: conn.PgConn()}
	s.close = sync.OnceFunc(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.close)
	s.forget()
	return s
}

// forget drops what is remembered: definitions have changed.
func (s *judgeServer) forget() {
	s.views = map[uint32]*tree{}
	s.functions = map[uint32]functionFacts{}
	s.operators = map[uint32]string{}
	s.generated = map[origin]*tree{}
	s.keys = map[uint32][]int{}
	s.types = map[uint32]string{}
}

// ask runs statements and returns the rows of the last one that has any.
func (s *judgeServer) ask(sql string) ([][]*string, error) {
	results, err := s.conn.Exec(context.Background(), sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var out [][]*string
	for _, result := range results {
		for i, cells := range result.Rows {
			if i == 0 {
				out = nil
			}
			row := make([]*string, len(cells))
			for j, cell := range cells {
				if cell != nil {
					text := string(cell)
					row[j] = &text
				}
			}
			out = append(out, row)
		}
	}
	return out, nil
}

// asker is ask as the catalog wants it.
func (s *judgeServer) asker(_ context.Context, sql string) ([][]*string, error) { return s.ask(sql) }

// text is the one value that a query returns, "" for NULL and for no row.
func (s *judgeServer) text(sql string) string {
	rows, err := s.ask(sql)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	if len(rows) == 0 || rows[0][0] == nil {
		return ""
	}
	return *rows[0][0]
}

func (s *judgeServer) tree(sql string) *tree {
	text := s.text(sql)
	if text == "" {
		return nil
	}
	t, err := readTree(text)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return t
}

// errNoBody says that the server takes a statement, but not in a function.
var errNoBody = errors.New("not in a function")

// analyse lets the server analyse one statement: it becomes the body of a
// function that is never kept. Parameters are of the given types.
func (s *judgeServer) analyse(sql string, params []string) (*tree, error) {
	enter, leave := "BEGIN", "ROLLBACK"
	if s.conn.TxStatus() == 'T' {
		enter, leave = "SAVEPOINT judge", "ROLLBACK TO SAVEPOINT judge; RELEASE SAVEPOINT judge"
	}
	if _, err := s.ask(enter); err != nil {
		return nil, err
	}
	rows, err := s.ask(fmt.Sprintf(`CREATE FUNCTION judge.body(%s) RETURNS void BEGIN ATOMIC %s
; END; SELECT prosqlbody::pg_catalog.text FROM pg_catalog.pg_proc WHERE proname OPERATOR(pg_catalog.=) 'body'
AND pronamespace OPERATOR(pg_catalog.=) 'judge'::pg_catalog.regnamespace`, strings.Join(params, ", "), sql))
	if _, err := s.ask(leave); err != nil {
		s.t.Fatalf("after %s: %v", sql, err)
	}
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		return nil, err
	case err != nil:
		s.t.Fatalf("%s: %v", sql, err)
	}
	body, err := readTree(*rows[0][0])
	if err != nil {
		s.t.Fatalf("%s: %v", *rows[0][0], err)
	}
	for body.name() == "" && len(body.elements()) == 1 { // a list of the statements' lists of queries
		body = body.items[0]
	}
	if body.name() != "QUERY" {
		return nil, errNoBody
	}
	return body, nil
}

// view is the query of a view or materialized view of a user's, nil for any
// other relation.
func (s *judgeServer) view(oid uint32) *tree {
	t, known := s.views[oid]
	if !known {
		t = s.tree(fmt.Sprintf(`SELECT r.ev_action::pg_catalog.text FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) r.ev_class
			WHERE r.ev_class OPERATOR(pg_catalog.=) %d AND r.ev_type OPERATOR(pg_catalog.=) '1' AND r.rulename OPERATOR(pg_catalog.=) '_RETURN' AND c.oid OPERATOR(pg_catalog.>=) 16384`, oid))
		for t.name() == "" && len(t.elements()) == 1 {
			t = t.items[0]
		}
		s.views[oid] = t
	}
	return t
}

// generatedAs is the expression of a generated column, nil for any other.
func (s *judgeServer) generatedAs(o origin) *tree {
	t, known := s.generated[o]
	if !known {
		t = s.tree(fmt.Sprintf(`SELECT d.adbin::pg_catalog.text FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a
			ON a.attrelid OPERATOR(pg_catalog.=) d.adrelid AND a.attnum OPERATOR(pg_catalog.=) d.adnum
			WHERE a.attgenerated OPERATOR(pg_catalog.<>) '' AND d.adrelid OPERATOR(pg_catalog.=) %d AND d.adnum OPERATOR(pg_catalog.=) %d`, o.rel, o.att))
		s.generated[o] = t
	}
	return t
}

// primaryKey are the columns under which a relation has one row at most, none
// when there are no such.
func (s *judgeServer) primaryKey(rel uint32) []int {
	key, known := s.keys[rel]
	if !known {
		text := s.text(fmt.Sprintf(`SELECT pg_catalog.array_to_string(k.conkey, ' ') FROM pg_catalog.pg_constraint k
			JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) k.conrelid
			WHERE k.contype OPERATOR(pg_catalog.=) 'p' AND NOT k.condeferrable AND c.oid OPERATOR(pg_catalog.=) %d
			AND (c.relkind OPERATOR(pg_catalog.=) 'p' OR NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent OPERATOR(pg_catalog.=) c.oid))`, rel))
		for _, word := range strings.Fields(text) {
			att, err := strconv.Atoi(word)
			if err != nil {
				s.t.Fatal(err)
			}
			key = append(key, att)
		}
		s.keys[rel] = key
	}
	return key
}

func (s *judgeServer) function(oid uint32) functionFacts {
	f, known := s.functions[oid]
	if !known {
		f.name = s.text(fmt.Sprintf("SELECT proname FROM pg_catalog.pg_proc WHERE oid OPERATOR(pg_catalog.=) %d", oid))
		f.system = oid < 16384
		if !f.system {
			f.body = s.tree(fmt.Sprintf("SELECT prosqlbody::pg_catalog.text FROM pg_catalog.pg_proc WHERE oid OPERATOR(pg_catalog.=) %d", oid))
			f.live = s.fields(oid)
		}
		s.functions[oid] = f
	}
	return f
}

// fields are the numbers of the fields of the row that a function returns.
func (s *judgeServer) fields(function uint32) []int {
	rows, err := s.ask(fmt.Sprintf(`SELECT a.attnum::pg_catalog.text FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) p.prorettype
		JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) t.typrelid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
		WHERE p.oid OPERATOR(pg_catalog.=) %d ORDER BY a.attnum`, function))
	if err != nil {
		s.t.Fatal(err)
	}
	var out []int
	for _, row := range rows {
		n, err := strconv.Atoi(*row[0])
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

// typeName is the name of a type; an array of a domain is one of what the domain
// is made of.
func (s *judgeServer) typeName(oid uint32) string {
	name, known := s.types[oid]
	if !known {
		name = s.text(fmt.Sprintf(`SELECT CASE WHEN b.typname IS NULL THEN t.typname ELSE '_' || b.typname END FROM pg_catalog.pg_type t
			LEFT JOIN pg_catalog.pg_type e ON e.oid OPERATOR(pg_catalog.=) t.typelem AND t.typcategory OPERATOR(pg_catalog.=) 'A' LEFT JOIN pg_catalog.pg_type b ON b.oid OPERATOR(pg_catalog.=) e.typbasetype
			WHERE t.oid OPERATOR(pg_catalog.=) %d`, oid))
		s.types[oid] = name
	}
	return name
}

// operator is the name of a built-in operator, "" for any other.
func (s *judgeServer) operator(oid uint32) string {
	name, known := s.operators[oid]
	if !known {
		if oid < 16384 {
			name = s.text(fmt.Sprintf("SELECT oprname FROM pg_catalog.pg_operator WHERE oid OPERATOR(pg_catalog.=) %d", oid))
		}
		s.operators[oid] = name
	}
	return name
}
