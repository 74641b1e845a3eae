package pgsql

import (
	"fmt"
	"strings"
	"testing"
)

// TestServerGroupsByKeysAlone holds the server to what useGrouping relies on:
// columns that a primary key decides take no part in sorting or hashing, so the
// order of groups tells nothing about them.
func TestServerGroupsByKeysAlone(t *testing.T) {
	conn := newTestServer(t).session(t)
	run(t, conn, `CREATE TABLE seat (room int, place int, holder text, PRIMARY KEY (room, place));
		CREATE TABLE part (id int PRIMARY KEY, holder text) PARTITION BY RANGE (id);
		CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (9);
		CREATE INDEX ON seat (holder); CREATE INDEX ON part (holder)`)
	for _, strategy := range []string{"enable_sort", "enable_hashagg"} {
		run(t, conn, "RESET ALL; SET "+strategy+" = off")
		for _, query := range []string{
			"SELECT holder, place, room FROM seat GROUP BY holder, place, room",
			"SELECT p.holder, p.id, count(s.place) FROM seat s LEFT JOIN part p ON p.id = s.room GROUP BY p.holder, p.id",
		} {
			var plan []string
			rows, err := askOn(conn)(t.Context(), "EXPLAIN (COSTS off, VERBOSE off) "+query)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				plan = append(plan, *r[0])
			}
			if !groupsByKeyAlone(plan) {
				t.Error(strategy, query, fmt.Sprint("\n", strings.Join(plan, "\n")))
			}
		}
	}
}

// groupsByKeyAlone reports whether a plan groups, and names no holder where it does.
func groupsByKeyAlone(plan []string) bool {
	grouped := false
	for _, line := range plan {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Group Key:") || strings.HasPrefix(line, "Sort Key:") {
			grouped = grouped || strings.HasPrefix(line, "Group Key:")
			if strings.Contains(line, "holder") {
				return false
			}
		}
	}
	return grouped
}
