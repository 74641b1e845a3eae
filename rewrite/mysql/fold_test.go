package mysql

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"sqlveil/proxy/proxytest"
)

// TestServerFoldsAlike asks a server for the lower case of every character that
// names may have, by the rules that it compares names with.
func TestServerFoldsAlike(t *testing.T) {
	db, err := proxytest.MariaDB(t).Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var plain []rune
	for c := rune(0xa0); c <= 0xffff; c++ {
		if plainLetter(c) {
			plain = append(plain, c)
		}
	}
	if len(plain) < 40_000 {
		t.Fatalf("only %d characters are plain", len(plain))
	}
	var lower string
	query := fmt.Sprintf("SELECT LOWER(_utf8mb3 x'%x' COLLATE utf8mb3_general_ci)", string(plain))
	if err := db.QueryRowContext(t.Context(), query).Scan(&lower); err != nil {
		t.Fatal(err)
	}
	if want := strings.Map(unicode.ToLower, string(plain)); lower != want {
		for i, c := range []rune(lower) {
			if c != unicode.ToLower(plain[i]) {
				t.Errorf("%q (%U): the server's lower case is %q", plain[i], plain[i], c)
			}
		}
	}
	for _, c := range plain {
		for other := unicode.SimpleFold(c); other != c; other = unicode.SimpleFold(other) {
			if plainLetter(other) && unicode.ToLower(other) != unicode.ToLower(c) {
				t.Errorf("%q (%U) is also %q (%U), which the server does not know", c, c, other, other)
			}
		}
	}
}
