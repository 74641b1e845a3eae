package mysql

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"sqlveil/proxy/proxytest"
)

// Servers make ? of what they take for no character, also in names.
func TestServerReadsGBKAlike(t *testing.T) {
	db, err := proxytest.MariaDB(t).Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for first := 0x81; first <= 0xfe; first++ {
		var codes []string
		for second := 0x40; second <= 0xfe; second++ {
			if code := string([]byte{byte(first), byte(second)}); isGBK(code) {
				codes = append(codes, code)
			}
		}
		var server string
		query := fmt.Sprintf("SELECT CONVERT(_gbk x'%x' USING utf8mb4)", strings.Join(codes, ""))
		if err := db.QueryRowContext(t.Context(), query).Scan(&server); err != nil {
			t.Fatal(err)
		}
		chars := []rune(server)
		if len(chars) != len(codes) {
			t.Fatalf("%02x: %d characters for %d codes", first, len(chars), len(codes))
		}
		for i, code := range codes {
			if ours, _ := decodeGBK(code); ours != string(utf8.RuneError) && ours != string(chars[i]) {
				t.Errorf("%x: the server reads %q, we %q", code, chars[i], ours)
			}
		}
	}
}
