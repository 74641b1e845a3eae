package myrelay

import (
	"fmt"
	"strings"
	"testing"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
)

// bulk appends COM_STMT_BULK_EXECUTE with rows of an int and a text, each behind
// what kind of value it is.
func bulk(statement uint32, rows ...[]any) []byte {
	const long, text, types = 3, 0xfe, 0x80
	body := append(mywire.AppendStatement(nil, mywire.ComStmtBulkExecute, statement), types, 0, long, 0, text, 0)
	for _, row := range rows {
		for _, value := range row {
			switch value := value.(type) {
			case int:
				body = protocol.AppendUint32LE(append(body, 0), uint32(value))
			case string:
				body = protocol.AppendLenencString(append(body, 0), value)
			default:
				body = append(body, 1) // NULL
			}
		}
	}
	return body
}

// Several rows of parameters in one packet are written by the same rules as one.
func TestBulk(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "executions over several rows of parameters") {
		return
	}
	r.exec("USE " + r.database + "; CREATE TABLE plain (id int PRIMARY KEY, name varchar(20))")
	const agreed = mywire.CapMariaDBBulk
	for user, start := range map[string]int{"dba": 1, "analyst": 101} {
		c := r.raw(user, agreed)
		insert := c.made("INSERT INTO plain VALUES (?, ?)")
		c.send(bulk(insert.Statement, []any{start, "a"}, []any{start + 1, nil}, []any{start + 2, "c"}))
		if got := c.answers(true); got != "OK" {
			t.Fatalf("%s: %s", user, got)
		}
		c.send(bulk(insert.Statement, []any{start + 3, "d"}, []any{start, "twice"}))
		if got := c.answers(true); got != "error 1062 23000" {
			t.Errorf("%s: %s", user, got)
		}
		if got, want := c.ask(fmt.Sprintf("SELECT COUNT(*), COUNT(name) FROM plain WHERE id BETWEEN %d AND %d", start, start+2)), "3|2"; got != want {
			t.Errorf("%s: %s, want %s", user, got, want)
		}
	}
	c := r.raw("analyst", agreed)
	insert := c.made("INSERT INTO person (id, mobile) VALUES (?, ?)")
	c.send(bulk(insert.Statement, []any{1001, "13900000000"}, []any{1002, "138****0001"}))
	if got := c.answers(true); got != "error 1142 42000" {
		t.Errorf("a masked value in the second row: %s", got)
	}
	c.send(bulk(insert.Statement, []any{1001, "13900000000"}, []any{1002, nil}))
	if got := c.answers(true); got != "OK" {
		t.Errorf("no masked value: %s", got)
	}
	if got := c.ask("SELECT id, mobile FROM person WHERE id > 1000 ORDER BY id"); !strings.HasPrefix(got, "1001|139****0000 ; 1002|") {
		t.Errorf("written: %s", got)
	}
	c.send(append(bulk(insert.Statement, []any{1003, "13900000001"}), 9))
	if got := c.answers(true); !strings.HasPrefix(got, "error") {
		t.Errorf("a row that is not whole: %s", got)
	}
	if got := c.ask("SELECT 1"); got != "1" {
		t.Errorf("then: %s", got)
	}
}

// What a bulk execution counts does not tell whether a row had the values already.
func TestBulkCounts(t *testing.T) {
	r := newRig(t)
	r.exec("USE " + r.database + "; ALTER TABLE person ADD UNIQUE (name)")
	for _, text := range []string{
		"UPDATE person SET salary = ? WHERE name = ?",
		"INSERT INTO person (id, name) VALUES (? - 1000, ?) ON DUPLICATE KEY UPDATE salary = id + 1000",
		"REPLACE INTO person (id, name) VALUES (? - 1000, ?)",
	} {
		var told [2]string
		for i, second := range []int{1002, 1099} { // the salary of the second, and another
			c := r.raw("analyst", mywire.CapMariaDBBulk)
			update := c.made(text)
			c.send(bulk(update.Statement, []any{1001, "name 1"}, []any{second, "name 2"}))
			told[i] = fmt.Sprintf("%q", c.next())
		}
		if told[0] != told[1] {
			t.Errorf("%s: told %s", text, told)
		}
	}
}
