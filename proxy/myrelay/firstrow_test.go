package myrelay

import (
	"strings"
	"testing"

	"sqlveil/proxy/proxytest"
)

// The first row is with the client while the server still works on the last, masked
// or not. The first is larger than what a server keeps before it sends; the second
// waits for a lock.
func TestFirstRow(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "rows before the last one is there") {
		return
	}
	const (
		held = `SELECT mobile, REPEAT('x', 100000), IF(n > 1, GET_LOCK('last row', 20), 0)
			FROM person JOIN (SELECT 1 AS n UNION ALL SELECT 2) AS two WHERE id = 1 ORDER BY NULL`
		take, giveBack = "SELECT GET_LOCK('last row', 0)", "SELECT RELEASE_LOCK('last row')"
	)
	holder := r.connect("dba")
	for user, mobile := range map[string]string{"dba": "13800000001", "analyst": "138****0001"} {
		conn := r.connect(user)
		for name, args := range map[string][]any{"text": nil, "binary": {1}} {
			if got := shown(t, holder, take); got != "1" {
				t.Fatalf("the lock is not to be had: %s", got)
			}
			text := held
			if args != nil {
				text = strings.ReplaceAll(held, "id = 1", "id = ?")
			}
			rows, err := conn.QueryContext(t.Context(), text, args...)
			if err != nil {
				t.Fatal(err)
			}
			var got, long, locked string
			count := 0
			for ; rows.Next(); count++ {
				if err := rows.Scan(&got, &long, &locked); err != nil || got != mobile || locked == "1" != (count == 1) {
					t.Errorf("%s, %s: row %d is %s, lock %s, %v", user, name, count, got, locked, err)
				}
				if count > 0 {
					continue
				}
				if got := shown(t, holder, giveBack); got != "1" {
					t.Fatalf("the lock was not held: %s", got)
				}
			}
			if rows.Err() != nil || count != 2 {
				t.Fatalf("%s, %s: %d rows, %v", user, name, count, rows.Err())
			}
			rows.Close()
			if got := shown(t, conn, giveBack); got != "1" {
				t.Fatalf("%s, %s: the second row did not wait: %s", user, name, got)
			}
		}
	}
}
