package myrelay

import (
	"testing"

	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
)

// The character set of literals may be one of two or four bytes to a character: the
// text that carries them is in another one.
func TestWideConnectionCollation(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "UTF-16 and UTF-32") {
		return
	}
	for _, collation := range []string{"utf32_general_ci", "ucs2_general_ci", "utf16_general_ci", "utf16le_general_ci"} {
		for _, user := range []string{"dba", "analyst"} {
			for _, more := range []mywire.Capabilities{0, mywire.CapSessionTrack} {
				c := r.raw(user, more)
				want := map[string]string{"dba": "13800000001", "analyst": "138****0001"}[user]
				if got := c.ask("SET collation_connection = " + collation); got != "OK" {
					t.Errorf("%s, %s, capabilities %x: %s", collation, user, more, got)
				}
				for _, text := range []string{"SET session_track_system_variables = '*'", "SET sort_buffer_size = 100000", "SET sql_mode = ''", "SET character_set_results = utf8mb4"} {
					if got := c.ask(text); got != "OK" {
						t.Errorf("%s, %s, capabilities %x: %s: %s", collation, user, more, text, got)
					}
				}
				if got := c.ask("SELECT mobile FROM person WHERE id = 1"); got != want {
					t.Errorf("%s, %s, capabilities %x: then %q", collation, user, more, got)
				}
				if got := c.execute("SELECT mobile FROM person WHERE id = ?", 1); got != want {
					t.Errorf("%s, %s, capabilities %x: prepared %q", collation, user, more, got)
				}
			}
		}
	}
}

// A server makes ? of bytes that are no character to it, and takes two names for one.
func TestNamesThatAreNoCharacters(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	asTold(t, conn, "SET NAMES gbk")
	for _, names := range [][2]string{{"\xfe\x84", "?"}, {"\xa2\xe3", "?"}, {"\xbf1", "?1"}, {"\xa8\xbf", "?"}} {
		text := "SELECT (SELECT `" + names[0] + "` FROM (SELECT mobile AS `" + names[1] + "` FROM person LIMIT 1) d) x FROM (SELECT 1 AS `" + names[0] + "`) c"
		rows, err := conn.QueryContext(t.Context(), text)
		if cell, number := answeredWith(t, rows, err); number != 1142 {
			t.Errorf("%q: %q, error %d", text, cell, number)
		}
	}
	rows, err := conn.QueryContext(t.Context(), "SELECT name AS `\xca\xd6` FROM person WHERE id = 1")
	if cell, number := answeredWith(t, rows, err); cell != "name 1" || number != 0 {
		t.Errorf("of a name that is one: %q, error %d", cell, number)
	}
}
