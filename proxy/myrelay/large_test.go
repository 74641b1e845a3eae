package myrelay

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"
)

// Packets of more than 16 MiB pass both ways, masked or not.
func TestLargePackets(t *testing.T) {
	r := newRig(t)
	const size = 17 << 20
	large := func(c *driver.Config) { c.MaxAllowedPacket = 64 << 20 }
	for user, mobile := range map[string]string{"dba": "13800000001", "analyst": "138****0001"} {
		conn := r.connect(user, large)
		for name, args := range map[string][]any{"text": nil, "binary": {1}} {
			text := fmt.Sprintf("SELECT mobile, repeat('x', %d), mobile FROM person WHERE id = 1", size)
			if args != nil {
				text = strings.ReplaceAll(text, "id = 1", "id = ?")
			}
			var before, after string
			var value sql.RawBytes
			rows, err := conn.QueryContext(t.Context(), text, args...)
			if err != nil {
				t.Fatal(err)
			}
			if !rows.Next() {
				t.Fatalf("%s, %s: no row: %v", user, name, rows.Err())
			}
			if err := rows.Scan(&before, &value, &after); err != nil || before != mobile || after != mobile || len(value) != size {
				t.Errorf("%s, %s: %s, %d bytes, %s, %v", user, name, before, len(value), after, err)
			}
			rows.Close()
		}
		for name, query := range map[string]func() *sql.Row{
			"parameter": func() *sql.Row {
				return conn.QueryRowContext(t.Context(), "SELECT length(?)", strings.Repeat("x", size))
			},
			"text": func() *sql.Row {
				return conn.QueryRowContext(t.Context(), "SELECT length('"+strings.Repeat("x", size)+"')")
			},
		} {
			var n int
			err := query().Scan(&n)
			if refused := user == "analyst" && name == "text"; refused != (err != nil && strings.Contains(err.Error(), "(SV206)")) || !refused && n != size {
				t.Errorf("%s, %s: %d bytes, %v", user, name, n, err)
			}
		}
	}
}
