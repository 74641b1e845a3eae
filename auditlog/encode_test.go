package auditlog

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestStringsCannotForgeLines(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":         {"select a", `"select a"`},
		"quotes":        {`a"b\c`, `"a\"b\\c"`},
		"control":       {"a\n\t\x00\x1b[2Jb\x7f", `"a\u000a\u0009\u0000\u001b[2Jb\u007f"`},
		"C1 control":    {"a\u0085b", `"a\u0085b"`},
		"Chinese":       {"客户姓名", `"客户姓名"`},
		"not UTF-8":     {"a\xff\xc3b", `"a\\xff\\xc3b"`},
		"right-to-left": {"a\u202eb\u2066c", `"a\u202eb\u2066c"`},
		"invisible":     {"a\u200bb\ufeffc", `"a\u200bb\ufeffc"`},
		"line breaks":   {"a\u2028b\u2029c", `"a\u2028b\u2029c"`},
		"tag":           {"a\U000e0041b", `"a\udb40\udc41b"`},
		"emoji":         {"a😀b", `"a😀b"`},
		"replacement":   {"a\ufffdb", "\"a\ufffdb\""},
		"empty":         {"", `""`},
	} {
		if got := string(appendString(nil, c.in, maxString)); got != c.want {
			t.Errorf("%s: %q became %s, want %s", name, c.in, got, c.want)
		}
	}
	if got := string(appendString(nil, "abc客", 5)); got != `"abc"` {
		t.Errorf("a rune was cut: %s", got)
	}
}

func TestZeroValuesAreLeftOut(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	got := string(AppendJSON(nil, &Event{Kind: ProxyStart, Time: at}))
	if want := `{"v":1,"ts":"2026-01-02T03:04:05.000006Z","kind":"proxy.start"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, e := range map[string]Event{
		`"result":{"rows":1}`: {Result: Result{Rows: 1}},
		`"gap":{"from":1,"to":2,"count":2,"since":"2026-01-02T03:04:05.000006Z","reason":"lost"}`: {Gap: Gap{From: 1, To: 2, Count: 2, Since: at, Reason: "lost"}},
		`"subj":{"n":3,"more":3}`:      {Subjects: Subjects{Count: 3, More: 3}},
		`"stmt":{"len":5,"hash":"ab"}`: {Statement: Statement{Length: 5, Hash: "ab"}},
		`"stmt":{"sealed":"AAE="}`:     {Statement: Statement{Sealed: []byte{0, 1}}},
		`"decision":{"verdict":"refuse","code":"SV103","reason":"column a.b"}`: {Decision: Decision{Verdict: "refuse", Code: "SV103", Reason: "column a.b"}},
		`"detail":{"b":"1","a":"2"}`: {Detail: []Detail{{"b", "1"}, {"a", "2"}}},
	} {
		e.Kind, e.Time = Alert, at
		got := string(AppendJSON(nil, &e))
		if want := `{"v":1,"ts":"2026-01-02T03:04:05.000006Z","kind":"alert",` + name + `}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestHugeEventsAreCutAndSayHowMuch(t *testing.T) {
	e := &Event{Kind: QueryBegin, Time: time.Now()}
	e.Statement.Text = strings.Repeat("\x01", 256<<10)
	e.Session.Application = strings.Repeat("\x02", 1<<20)
	e.Statement.Sealed = make([]byte, maxSealed)
	for range 5000 {
		e.Objects = append(e.Objects, Object{Column: strings.Repeat("c", 63)})
		e.Decision.Masks = append(e.Decision.Masks, MaskedColumn{Column: "c"})
		e.Subjects.Keys = append(e.Subjects.Keys, SubjectKey{})
	}
	line := AppendJSON(nil, e)
	var got struct {
		Stmt    struct{ Cut int }
		ObjMore int `json:"obj_more"`
		Subj    struct{ More int }
	}
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	if len(line) > 2<<20 || got.Stmt.Cut != 192<<10 || got.ObjMore != 4000 || got.Subj.More != 4800 {
		t.Errorf("%d bytes, cut %+v", len(line), got)
	}
}

func TestResetKeepsTheSession(t *testing.T) {
	e := sample()
	e.Ref, e.Result.OK = 3, true
	e.Reset()
	want := &Event{Session: sample().Session, Who: sample().Who, Why: sample().Why, Database: sample().Database}
	if got, want := string(AppendJSON(nil, e)), string(AppendJSON(nil, want)); got != want {
		t.Errorf("after Reset %s, want %s", got, want)
	}
	if cap(e.Objects) == 0 || cap(e.Decision.Masks) == 0 || cap(e.Subjects.Keys) == 0 {
		t.Error("Reset threw memory away")
	}
}

// A clock must not show the second of the record before.
func TestClockIsAppendTime(t *testing.T) {
	var c clock
	for _, at := range []time.Time{
		time.UnixMicro(0),
		time.UnixMicro(999_999),
		time.UnixMicro(1_000_000),
		time.UnixMicro(999_999), // set back
		time.UnixMicro(-1),
		time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(2027, 1, 1, 0, 0, 0, 0, time.FixedZone("", 0)),
		time.Date(2027, 1, 1, 8, 0, 0, 0, time.FixedZone("", 8*60*60)),
	} {
		want := at.UTC().Format("2006-01-02T15:04:05.000000Z")
		if got := string(c.append(nil, at)); got != want {
			t.Errorf("the clock says %s, want %s", got, want)
		}
		if got := string(appendTime(nil, at)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzAppendJSON(f *testing.F) {
	f.Add("select 1", "app", int64(1), true)
	f.Add("\xff\"\\\n\u202e", "\u2028", int64(-1), false)
	f.Fuzz(func(t *testing.T, text, app string, n int64, fact bool) {
		e := &Event{
			Kind: Kind(app), Time: time.UnixMicro(n % (1 << 50)), Session: Session{Application: app},
			Statement: Statement{Text: text, Length: int(n)}, Who: Who{Person: text, Verified: fact},
			Detail: []Detail{{app, text}}, Result: Result{OK: fact, Rows: n},
		}
		line := AppendJSON(nil, e)
		if !json.Valid(line) || !utf8.Valid(line) {
			t.Fatalf("not JSON: %q", line)
		}
		for _, b := range line {
			if b < 0x20 || b == 0x7f {
				t.Fatalf("a control character in %q", line)
			}
		}
		var got struct{ Stmt struct{ Text string } }
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatal(err)
		}
		if utf8.ValidString(text) && len(text) <= maxText && got.Stmt.Text != text {
			t.Errorf("%q came back as %q", text, got.Stmt.Text)
		}
	})
}

func TestSealedTextsAreForAuditorsOnly(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Options{Directory: dir, SealText: true})
	defer closeLog(t, l)
	identities := auditors(t, dir)
	s := l.NewSealer()
	var all [][]byte
	for i := range 2*rekeyTexts + 5 {
		sealed, err := s.Seal(nil, strings.Repeat("x", i%50))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, sealed)
	}
	for _, i := range []int{0, 1, 2, rekeyTexts - 1, rekeyTexts, 2*rekeyTexts + 4} {
		if text, err := Unseal(all[i], identities); err != nil || text != strings.Repeat("x", i%50) {
			t.Errorf("text %d: %q, %v", i, text, err)
		}
		all[i][len(all[i])-1] ^= 1
		if _, err := Unseal(all[i], identities); err == nil {
			t.Errorf("text %d: a changed one is opened", i)
		}
	}
	if _, err := Unseal([]byte("x"), identities); err == nil {
		t.Error("rubbish is opened")
	}
	var none *Sealer
	if out, err := none.Seal(nil, "text"); out != nil || err != nil {
		t.Errorf("without sealing: %q, %v", out, err)
	}
}

func TestSubjectKeys(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	a := openLog(t, Options{Keys: keys})
	defer closeLog(t, a)
	b := openLog(t, Options{Keys: keys})
	defer closeLog(t, b)
	c := openLog(t, Options{})
	defer closeLog(t, c)
	h := a.NewSubjectHasher()
	key := h.Key("customer", []byte("4711"))
	if key != b.NewSubjectHasher().Key("customer", []byte("4711")) {
		t.Error("two proxies with the same keys disagree")
	}
	if key == c.NewSubjectHasher().Key("customer", []byte("4711")) || key == h.Key("order", []byte("4711")) || key == h.Key("customer", []byte("4712")) {
		t.Error("two subjects have one key")
	}
	value := []byte("4711")
	if n := testing.AllocsPerRun(100, func() { h.Key("customer", value) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPlain8IsPlainForEachByte(t *testing.T) {
	for c := range 256 {
		for at := range 8 {
			s := []byte("abcdefgh")
			s[at] = byte(c)
			if plain8(string(s)) && !plain[c] {
				t.Errorf("byte %#x at %d is taken for plain", c, at)
			}
			if c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && !plain8(string(s)) {
				t.Errorf("byte %#x at %d is not taken for plain", c, at)
			}
		}
	}
}

func TestOriginStandsForTheSession(t *testing.T) {
	e := sample()
	want := string(appendBody(nil, e))
	e.Origin = AppendOrigin(nil, e)
	e.Session, e.Who, e.Why, e.Database = Session{}, Who{}, Why{}, Database{}
	e.Reset() // keeps it
	e.Kind = QueryBegin
	rest := sample()
	e.Statement, e.Objects, e.Decision, e.Subjects = rest.Statement, rest.Objects, rest.Decision, rest.Subjects
	if got := string(appendBody(nil, e)); got != want {
		t.Errorf("with the origin encoded before %s, want %s", got, want)
	}
}

func TestKnownStandsForTheStatement(t *testing.T) {
	for name, change := range map[string]func(*Statement){
		"sample":   func(*Statement) {},
		"no place": func(s *Statement) { s.ID, s.Sub = 0, 0 },
		"sealed":   func(s *Statement) { s.Sealed = []byte{1, 2} },
		"hash":     func(s *Statement) { s.Text, s.Hash = "", "ab" },
		"cut":      func(s *Statement) { s.Text = strings.Repeat("\"", maxText+1) },
		"empty":    func(s *Statement) { *s = Statement{ID: 1} },
	} {
		e := sample()
		change(&e.Statement)
		want := string(appendBody(nil, e))
		known := AppendKnown(nil, &e.Statement)
		e.Statement = Statement{ID: e.Statement.ID, Sub: e.Statement.Sub, Sealed: e.Statement.Sealed, Known: known}
		if got := string(appendBody(nil, e)); got != want {
			t.Errorf("%s: with the statement encoded before %s, want %s", name, got, want)
		}
	}
}
