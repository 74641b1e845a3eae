package mysql_test

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sqlveil/rewrite"
	"sqlveil/rewrite/mysql"
)

// readTexts is how many texts the server and the dialect read.
const readTexts = 4000

// TestServerReadsAlike sends texts of awkward pieces to a server, under several
// settings, and compares the columns of the result with those of the plan: their
// number and names tell how quotes, comments and executable comments were read.
func TestServerReadsAlike(t *testing.T) {
	scope := testScope(t)
	for _, mode := range []string{"", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT,IGNORE_SPACE"} {
		t.Run("sql_mode="+mode, func(t *testing.T) {
			client := dial(t, "firm")
			if _, _, err := client.ask(t, "SET NAMES utf8mb4, sql_mode = '"+mode+"'"); err != nil {
				t.Fatal(err)
			}
			scope := scope
			scope.Mode = mode + "|utf8mb4"
			if mode == "" {
				scope.Mode = "NO_ZERO_DATE|utf8mb4"
			}
			readAlike(t, scope, client)
		})
	}
}

// decoration is what the server, now and then, leaves in the name of a column or
// takes from it: comments, parentheses, signs, quotes.
var decoration = regexp.MustCompile(`(?s)-- i \*/|/\*.*?\*/|--\s[^\n]*\n|# f\n|[^\pL\pN]`)

// alike compares names but for that; of adjacent texts the server may name a part.
func alike(server, plan []string) bool {
	return slices.EqualFunc(server, plan, func(a, b string) bool {
		a, b = strings.ToLower(decoration.ReplaceAllString(a, "")), strings.ToLower(decoration.ReplaceAllString(b, ""))
		return strings.Contains(a, b) || strings.Contains(b, a)
	})
}

func readAlike(t *testing.T, scope rewrite.Scope, client *rawClient) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 3))
	pieces := []string{
		"1", ",", ", 2", "'a'", "\"b\"", "`id`", "\"id\"", "/* c */", "/*! ,3 */", "/*!50000 ,4 */", "/*!50701 ,5*/", "/*!99999 ,6 */", "/*!100000 ,7 */", "/*!101118 ,7 */",
		"/*!101200 ,7 */", "/*M! ,8 */", "/*M!100100 ,9 */", "/*M!110000 ,10 */", "/*!5000 ,11 */", "/*!500001,12 */", "/*M!1001001,12 */", "/*!", "*/", "/*", "/*+ x */", "/*M", "-- d\n", "--e\n", "--\t,13\n",
		"# f\n", "'\\''", "'\\", "'\\'", "''", "\"\\\"\"", "\"", "'", "`", "@a", "@`b`", "@'c'", "@@version", "-", "+", " x", " AS y", "1e5", "1.5", ".5", "0x41", "x'41'",
		"'it''s'", "/*!90000 /* g */ ,14 */", "/*!50000 /* h */ ,15 */", "\n", " ", "(1)", "concat ('a')", "now()", "'é'", "NULL", "||", "!1", "/**/", "/***/", "/*!*/", "id", "FROM team",
		";", "/*!50000 -- i */\n", "/*!50000 'j*/' */", "/*!50000 ,16", "\x01", "\x00", "\\N", "N", "b'1'",
	}
	same := 0
	for range readTexts {
		var b strings.Builder
		b.WriteString("SELECT ")
		for range 1 + r.IntN(7) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		if r.IntN(3) == 0 {
			b.WriteString(" FROM team")
		}
		text := b.String()
		columns, _, err := client.ask(t, text)
		var answer *serverError
		if errors.As(err, &answer) {
			continue // whatever was read, nothing came of it
		} else if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		plans := rewrite.NewPlanner(mysql.Dialect{}, 1).Plan(scope, text)
		if plans[0].Refuse != nil {
			continue
		}
		var server, plan []string
		for _, c := range columns {
			server = append(server, c.name)
		}
		for _, o := range plans[0].Outputs {
			plan = append(plan, o.Name)
		}
		if len(plans) > 1 && plans[1].Kind != "" || !alike(server, plan) {
			t.Errorf("%q:\nserver: %q\nplan:   %q (%d statements)", text, server, plan, len(plans))
		}
		same++
	}
	if same < readTexts/20 {
		t.Errorf("only %d of %d texts were read by both", same, readTexts)
	}
	t.Logf("%d texts were read by both", same)
}
