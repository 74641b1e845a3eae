package mysql

import (
	"strings"
	"testing"
)

// kindsOf writes the tokens of a text as one letter each.
func kindsOf(text string, m *mode) string {
	letters := "Ewqsnpv+(),.;?!"
	var b strings.Builder
	l := lexer{text: text, mode: m}
	for {
		t := l.next()
		if t.kind == tokenEnd {
			return b.String()
		}
		b.WriteByte(letters[t.kind])
		if t.kind == tokenBroken {
			return b.String()
		}
	}
}

func TestLexer(t *testing.T) {
	maria := parseMode("||10.11.6-MariaDB", "")
	mysql8 := parseMode("||8.0.36", "")
	mysql57 := parseMode("||5.7.44-log", "")
	tidb := parseMode("||8.0.11-TiDB-v7.5.0", "")
	ansi := parseMode("ANSI_QUOTES||8.0.36", "")
	plain := parseMode("NO_BACKSLASH_ESCAPES||8.0.36", "")
	for _, c := range []struct {
		name, text, want string
		mode             *mode
	}{
		{"words and punctuation", "select a.b, c.1x from `t` where x:=1;", "ww.w,w.wwqww+n;", &mysql8},
		{"strings", `'a''b' "c""d" 'e\'f' n'g' x'41' b'1'`, "ssssnn", &mysql8},
		{"ansi", `"a""b" 'c'`, "qs", &ansi},
		{"no backslash", `'a\' , 'b'`, "s,s", &plain},
		{"numbers", "1 1.5 .5 1e3 1E-3 0x4f 0b11 1.", "nnnnnnnn", &mysql8},
		{"odd numbers", "1a 1e 0x 0b2 1.5x 0X41", "??????", &mysql8},
		{"variables", "@a @'b c' @`d` @@e @@global.f @g.h := 1", "vvvvvv+n", &mysql8},
		{"odd variables", "@ a", "?w", &mysql8},
		{"comments", "a -- b\nc --d\n# e\n/* f */ g", "ww++ww", &mysql8},
		{"dashes at the end", "a --", "w", &mysql8},
		{"dash and control character", "a --\x01b\nc", "ww", &mysql8},
		{"executable", "a /*! b */ c /*!50000 d */ e", "wwwww", &mysql8},
		{"too new", "a /*!90000 b */ c", "ww", &mysql8},
		{"too new, nested", "a /*!90000 b /* c */ d */ e", "ww", &mysql8},
		{"five digits", "a /*!50744 b*/ c /*!50745 d*/", "www", &mysql57},
		{"six digits are ambiguous", "a /*!507011 b*/ c", "w!", &mysql57},
		{"mariadb leaves out 5.7", "a /*!50700 b*/ /*!50699 c*/ /*M!50700 d*/ /*!100000 e*/ /*!101107 f*/", "wwww", &maria},
		{"mariadb's own", "a /*M! b */ /*M!101106 c*/ /*M!101107 d*/", "www", &maria},
		{"mysql takes mariadb's for comments", "a /*M! b */", "w", &mysql8},
		{"tidb executes all", "a /*!99999 b */ /*T! c */", "www", &tidb},
		{"tidb's known features", "a /*T![ttl,placement] b */ c", "www", &tidb},
		{"tidb's other features", "a /*T![x] b */", "w!", &tidb},
		{"tidb's odd features", "a /*T![ttl b */", "w!", &tidb},
		{"hint", "select /*+ x(y) */ a", "ww", &mysql8},
		{"hint with quotes", "select /*+ qb_name(`x`) set_var(optimizer_switch = 'mrr=on') */ a", "ww", &mysql8},
		{"hint with another setting", "select /*+ set_var(group_concat_max_len = 4) */ a", "w!", &mysql8},
		{"hint with a hidden setting", "select /*+ set_var(/ sql_mode = 4) */ a", "w!", &mysql8},
		{"hint with a quote", "select /*+ x(`*/ b `) */ a", "w!", &mysql8},
		{"unclosed", "a /* b", "w!", &mysql8},
		{"unclosed executable", "a /*! b", "ww!", &mysql8},
		{"unclosed quote", "a 'b", "w!", &mysql8},
		{"comment in a string", "'/*' a '*/'", "sws", &mysql8},
		{"string in an executable comment", "/*! '*/' */ a", "sw", &mysql8},
	} {
		if got := kindsOf(c.text, c.mode); got != c.want {
			t.Errorf("%s: %q\ngot  %s\nwant %s", c.name, c.text, got, c.want)
		}
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct{ name, charset, text, want string }{
		{"utf-8", "utf8mb4", "aé", "aé"},
		{"invalid utf-8", "utf8mb4", "'\xe9', b", "'\uFFFD', b"},
		{"latin1", "latin1", "'\xe9'", "'é'"},
		{"gbk hides a backslash", "gbk", "'\xbf\x5c', b", "'縗', b"},
		{"gbk, no second byte", "gbk", "'\xbf', b", "'\uFFFD', b"},
		{"gbk, a character that servers lack", "gbk", "\xfe\x84\xa2\xe3\xa1\xa1\xa3\xa0", "\uFFFD\uFFFD\u3000\uFFFD"},
	} {
		got, back, err := decode(c.text, c.charset)
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
		if back != nil && (len(back) != len(got)+1 || int(back[len(got)]) != len(c.text)) {
			t.Errorf("%s: offsets %v", c.name, back)
		}
	}
	for _, name := range []string{"sjis", "cp932", "big5", "euckr", "gb18030", "ucs2", "utf16", "utf32", "swe7", "eucjpms"} {
		if _, _, err := decode("a", name); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestServerVersion(t *testing.T) {
	for text, want := range map[string]int{
		"8.0.36": 80036, "5.7.44-log": 50744, "10.11.6-MariaDB-0+deb12u1": 101106, "5.5.5-10.4.1-MariaDB": 100401,
		"8.0.11-TiDB-v7.5.0": 80011, "mariadb-11.4.2": 110402, "9.1": 90100, "": 0,
	} {
		if _, got := serverVersion(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

func TestGuard(t *testing.T) {
	m := parseMode("||8.0.36", "")
	for name, text := range map[string]string{
		"joins":       "SELECT 1 FROM t" + strings.Repeat(" CROSS JOIN t", maxJoins+1),
		"parentheses": "SELECT " + strings.Repeat("(", maxNesting+1) + "1" + strings.Repeat(")", maxNesting+1),
		"operators":   "SELECT 1" + strings.Repeat("+1", maxOperators+1),
		"words":       "SELECT 1" + strings.Repeat(",1", maxTokens),
		"bytes":       "SELECT " + strings.Repeat("a", maxTextLessLits),
	} {
		in, _, _ := split(text, 0, false, &m)
		if err := guard(in.raw, in.tokens); err == nil {
			t.Errorf("%s: not too complex", name)
		}
	}
	in, _, _ := split("SELECT '"+strings.Repeat("a", maxTextLessLits)+"'", 0, false, &m)
	if err := guard(in.raw, in.tokens); err != nil {
		t.Errorf("a long literal: %v", err)
	}
}

// FuzzLexer checks that tokens follow each other, that what lies between them is
// white space or a comment, and that blanking keeps all but that.
func FuzzLexer(f *testing.F) {
	for _, text := range []string{
		"SELECT 'a' -- b\n, \"c\" /* d */ FROM `e`;", "a /*!50000 b */ c; /*M! d */", "@a @@b.c 0x41 1e5 .5 t.5a", "'\\'' \"\\\"\" x'41'",
	} {
		f.Add(text, "ANSI_QUOTES||10.11.6-MariaDB")
		f.Add(text, "||8.0.36")
		f.Add(text, "NO_BACKSLASH_ESCAPES||8.0.11-TiDB-v7")
	}
	f.Fuzz(func(t *testing.T, text, modeText string) {
		m := parseMode(modeText, "")
		raw, _, err := decode(text, "utf8mb4")
		if err != nil {
			t.Fatal(err)
		}
		special := false
		for at, last := 0, 0; at >= 0; {
			var in *input
			in, at, special = split(raw, at, special, &m)
			for _, token := range in.tokens {
				if token.start < last || token.end < token.start || token.end > len(raw) {
					t.Fatalf("%q: token %v after %d", text, token, last)
				}
				last = token.end
			}
			if in.fault != nil {
				return
			}
			if len(in.text) != in.end-in.start {
				t.Fatalf("%q: %d bytes became %d", text, in.end-in.start, len(in.text))
			}
			for _, token := range in.tokens {
				kept := in.text[token.start-in.start : token.end-in.start]
				if token.kind != tokenQuoted && kept != raw[token.start:token.end] {
					t.Fatalf("%q: token %q became %q", text, raw[token.start:token.end], kept)
				}
			}
			again, _, _ := split(in.text, 0, false, &m)
			if again.fault == nil && !m.ansiQuotes && len(again.tokens) != len(in.tokens) {
				t.Fatalf("%q: without comments it has %d tokens instead of %d", text, len(again.tokens), len(in.tokens))
			}
		}
	})
}
