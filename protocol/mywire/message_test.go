package mywire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"sqlveil/protocol"
)

// mariaDBGreeting is one that MariaDB 10.11.19 sent.
const mariaDBGreeting = "0a352e352e352d31302e31312e31392d4d6172696144422d302b6465623132753100" +
	"04000000" + "766f495d79677a50" + "00" + "fef7" + "08" + "0200" + "ff81" + "15" + "000000000000" + "1d000000" +
	"606f32464b282270334a5960" + "00" + "6d7973716c5f6e61746976655f70617373776f726400"

func unhexed(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGreeting(t *testing.T) {
	t.Parallel()
	body := unhexed(t, mariaDBGreeting)
	g, err := DecodeGreeting(body)
	if err != nil {
		t.Fatal(err)
	}
	if g.Version != "5.5.5-10.11.19-MariaDB-0+deb12u1" || g.ThreadID != 4 || len(g.Challenge) != 20 ||
		g.Plugin != "mysql_native_password" || g.Status != StatusAutocommit || g.Collation != 8 {
		t.Errorf("%+v", g)
	}
	if !g.Capabilities.Has(CapMariaDBBulk|CapMariaDBCacheMetadata|CapDeprecateEOF) || g.Capabilities.Has(CapMySQL) {
		t.Errorf("capabilities %x", g.Capabilities)
	}
	if again := g.Append(nil); !bytes.Equal(again, body) {
		t.Errorf("got  %x\nwant %x", again, body)
	}
	for i := range len(body) - len("mysql_native_password") - 1 {
		if _, err := DecodeGreeting(body[:i]); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%d bytes: %v", i, err)
		}
	}
	if _, err := DecodeGreeting(append(body, 'x')); !errors.Is(err, protocol.ErrMalformed) {
		t.Error("a byte too many")
	}
	if _, err := DecodeGreeting([]byte("\xff\x10\x04Too many connections")); !errors.Is(err, protocol.ErrMalformed) {
		t.Error("an error is no greeting")
	}
}

func TestReadable(t *testing.T) {
	t.Parallel()
	c := (CapProtocol41 | CapCompress | CapZstd | CapOptionalMetadata | CapMariaDBBulkResults | CapMariaDBMulti | CapDeprecateEOF | 1<<31 | 1<<63).Readable()
	if c != CapProtocol41|CapDeprecateEOF {
		t.Errorf("%x", c)
	}
}

func logins() map[string]*Login {
	base := CapProtocol41 | CapSecureConnection | CapPluginAuth
	return map[string]*Login{
		"lenenc": {
			Capabilities: base | CapMySQL | CapLenencAuth | CapConnectWithDB | CapConnectAttrs, MaxPacket: 1 << 24, Collation: 45,
			User: []byte("ann"), Response: bytes.Repeat([]byte("r"), 300), Database: []byte("shop"), Plugin: "caching_sha2_password",
			Attributes: []byte("\x0cprogram_name\x05mysql"),
		},
		"one byte":    {Capabilities: base | CapMySQL, User: []byte("ann"), Response: []byte("12345678901234567890"), Plugin: "p"},
		"zero ended":  {Capabilities: CapProtocol41 | CapMySQL, User: []byte{}, Response: []byte("x")},
		"of MariaDB":  {Capabilities: base | CapMariaDBBulk, User: []byte("ann"), Response: []byte{}, Plugin: ""},
		"no password": {Capabilities: base | CapLenencAuth | CapMySQL, User: []byte("ann"), Response: []byte{}, Plugin: "p"},
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	for name, l := range logins() {
		body, err := l.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeLogin(body)
		if err != nil || !reflect.DeepEqual(got, l) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, l)
		}
		if IsSSLRequest(body) {
			t.Errorf("%s: taken for an SSLRequest", name)
		}
		if _, err := DecodeLogin(append(body, 0)); !errors.Is(err, protocol.ErrMalformed) && l.Capabilities.Has(CapConnectAttrs) {
			t.Errorf("%s: a byte too many", name)
		}
	}
	l := logins()["lenenc"]
	if l.Attribute("program_name") != "mysql" || l.Attribute("other") != "" {
		t.Error("attributes")
	}
	l.Attributes = []byte("\x0cprogram_name\xfe")
	if l.Attribute("program_name") != "" {
		t.Error("a malformed attribute")
	}
	l.Capabilities |= CapSSL
	if ssl := l.AppendSSLRequest(nil); !IsSSLRequest(ssl) {
		t.Error("SSLRequest")
	} else if got, err := DecodeLogin(ssl); err != nil || got.Capabilities != l.Capabilities || got.Collation != 45 {
		t.Error(got, err)
	}
	if _, err := (&Login{Capabilities: CapSecureConnection, Response: make([]byte, 256)}).Append(nil); !errors.Is(err, protocol.ErrTooLarge) {
		t.Error(err)
	}
	for _, bad := range []string{
		"", "\x05\xa6\x03\x00", strings.Repeat("\x00", 32), "\x00\x02\x00\x00" + strings.Repeat("\x00", 28),
		"\x00\x02\x00\x00" + strings.Repeat("\x00", 28) + "ann", "\x00\x82\x00\x00" + strings.Repeat("\x00", 28) + "ann\x00\x20x",
	} {
		if l, err := DecodeLogin([]byte(bad)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %+v, %v", bad, l, err)
		}
	}
}

func TestAuthPackets(t *testing.T) {
	t.Parallel()
	s := &AuthSwitch{"caching_sha2_password", []byte("12345678901234567890")}
	if got, err := DecodeAuthSwitch(s.Append(nil)); err != nil || !reflect.DeepEqual(got, s) {
		t.Error(got, err)
	}
	for _, bad := range []string{"", "\xfe", "\x00x\x00", "\xfename"} {
		if got, err := DecodeAuthSwitch([]byte(bad)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %+v, %v", bad, got, err)
		}
	}
	if b, err := DecodeAuthMore(AppendAuthMore(nil, []byte{4})); string(b) != "\x04" || err != nil {
		t.Error(b, err)
	}
	if _, err := DecodeAuthMore([]byte("\x00")); !errors.Is(err, protocol.ErrMalformed) {
		t.Error(err)
	}
	for first, want := range map[byte]Reply{0: ReplyOK, 0xff: ReplyError, 0xfe: ReplyAuthSwitch, 1: ReplyAuthMore, 2: 0, 'x': 0} {
		if got := ReplyToLogin(Header{Size: 1, First: first}); got != want {
			t.Errorf("%#x: %d, want %d", first, got, want)
		}
	}
	if ReplyToLogin(Header{}) != 0 {
		t.Error("an empty packet")
	}
}

func TestReplies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		h      Header
		agreed Capabilities
		first  Reply
		after  Reply
	}{
		{Header{Size: 7, First: 0}, 0, ReplyOK, ReplyRow},
		{Header{Size: 7, First: 0xff}, 0, ReplyError, ReplyError},
		{Header{Size: 5, First: 0xfe}, 0, ReplyEOF, ReplyEOF},
		{Header{Size: 7, First: 0xfe}, CapDeprecateEOF, ReplyEOF, ReplyOK},
		{Header{Size: 500, First: 0xfe}, CapDeprecateEOF, ReplyColumns, ReplyOK},
		{Header{Size: maxPart, First: 0xfe}, CapDeprecateEOF, ReplyColumns, ReplyRow},
		{Header{Size: maxPart, First: 0xfe}, 0, ReplyColumns, ReplyRow},
		{Header{Size: 1, First: 0xfb}, 0, ReplyLocalFile, ReplyRow},
		{Header{Size: 1, First: 5}, 0, ReplyColumns, ReplyRow},
		{Header{}, 0, ReplyRow, ReplyRow},
	}
	for _, tt := range tests {
		if got := ReplyOf(tt.h); got != tt.first {
			t.Errorf("%+v: %d, want %d", tt.h, got, tt.first)
		}
		if got := AfterColumns(tt.h, tt.agreed); got != tt.after {
			t.Errorf("%+v after columns: %d, want %d", tt.h, got, tt.after)
		}
	}
}

// What a session tracks and cannot be told apart is a change all the same.
func TestMalformedChanges(t *testing.T) {
	for name, block := range map[string]string{
		"value cut off":     "\x04\x00\x03\x01a",
		"block cut off":     "\x09\x02\x021",
		"bytes behind it":   "\x03\x02\x011x",
		"no length":         "\xff",
		"length of nothing": "\x02\x00\xfb",
	} {
		body := append(AppendOK(nil, OK{AffectedRows: 1, Status: StatusAutocommit}, CapSessionTrack, false), block...)
		body[4] |= byte(StatusSessionChanged >> 8) // behind the first byte and two numbers
		ok, err := DecodeOK(body, CapSessionTrack)
		if err != nil || ok.AffectedRows != 1 || len(ok.Changes) == 0 || ok.Changes[len(ok.Changes)-1].Kind != ChangeUnread {
			t.Errorf("%s: %+v, %v", name, ok, err)
		}
	}
}

func TestOK(t *testing.T) {
	t.Parallel()
	ok := OK{AffectedRows: 300, InsertID: 1 << 40, Status: StatusInTransaction | StatusMoreResults, Warnings: 2, Info: []byte("info")}
	for _, agreed := range []Capabilities{0, CapSessionTrack} {
		for _, asEOF := range []bool{false, true} {
			got, err := DecodeOK(AppendOK(nil, ok, agreed, asEOF), agreed)
			if err != nil || !reflect.DeepEqual(got, ok) {
				t.Errorf("got %+v, %v, want %+v", got, err, ok)
			}
		}
	}
	body := []byte("\x00\x00\x00\x02\x40\x00\x00\x00" + "\x1f" + "\x00\x0f\x0aautocommit\x03OFF" + "\x01\x05\x04shop" + "\x02\x011" + "\x63\x02xy")
	got, err := DecodeOK(body, CapSessionTrack)
	if err != nil || len(got.Changes) != 4 {
		t.Fatal(got, err)
	}
	if name, value, err := got.Changes[0].Variable(); name != "autocommit" || value != "OFF" || err != nil {
		t.Error(name, value, err)
	}
	if db, err := got.Changes[1].Database(); db != "shop" || err != nil {
		t.Error(db, err)
	}
	if _, _, err := got.Changes[2].Variable(); !errors.Is(err, protocol.ErrMalformed) {
		t.Error(err)
	}
	for _, bad := range []string{"", "\x00", "\x01\x00\x00\x02\x00\x00\x00", "\x00\x00\x00\x02\x00\x00\x00\x00x"} {
		if got, err := DecodeOK([]byte(bad), CapSessionTrack); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %+v, %v", bad, got, err)
		}
	}
}

func TestOtherReplies(t *testing.T) {
	t.Parallel()
	if s, err := DecodeEOF(AppendEOF(nil, StatusMoreResults)); s != StatusMoreResults || err != nil {
		t.Error(s, err)
	}
	e := &Error{1045, "28000", "no"}
	if got, err := DecodeError(e.Append(nil)); err != nil || *got != *e {
		t.Error(got, err)
	}
	// MySQL 9.7 ends a result so whose statement failed in a procedure that goes on.
	if ok, err := DecodeOK([]byte("\xfe\x00\x00\x0a\x00"), CapDeprecateEOF); ok.Status != StatusMoreResults|StatusAutocommit || err != nil {
		t.Error(ok, err)
	}
	if got, err := DecodeError([]byte("\xff\x10\x04Too many")); err != nil || *got != (Error{1040, "HY000", "Too many"}) {
		t.Error(got, err)
	}
	if b := (&Error{Code: 1, Message: "x"}).Append(nil); string(b) != "\xff\x01\x00#HY000x" {
		t.Errorf("%q", b)
	}
	if n, described, err := DecodeColumnCount([]byte("\xfc\x2c\x01"), 0); n != 300 || !described || err != nil {
		t.Error(n, err)
	}
	if f, err := DecodeLocalFile([]byte("\xfb/etc/passwd")); string(f) != "/etc/passwd" || err != nil {
		t.Error(f, err)
	}
	p := PrepareOK{7, 2, 1, 3}
	if got, err := DecodePrepareOK(p.Append(nil)); got != p || err != nil {
		t.Error(got, err)
	}
	bad := map[string]func([]byte) error{
		"\x00\x00\x00\x02\x00":                 func(b []byte) error { _, err := DecodeEOF(b); return err },
		"\xfe\x00\x00\x02\x00\x00\x00\x00\x00": func(b []byte) error { _, err := DecodeEOF(b); return err },
		"\xff\x00":                             func(b []byte) error { _, err := DecodeError(b); return err },
		"\x00":                                 func(b []byte) error { _, _, err := DecodeColumnCount(b, 0); return err },
		"\xfd\xff\xff\xff":                     func(b []byte) error { _, _, err := DecodeColumnCount(b, 0); return err },
		"x":                                    func(b []byte) error { _, err := DecodeLocalFile(b); return err },
		"\x00\x07\x00\x00\x00\x02\x00\x01\x00\x00x": func(b []byte) error { _, err := DecodePrepareOK(b); return err },
		"\x01": func(b []byte) error { _, err := DecodePrepareOK(b); return err },
	}
	for body, decode := range bad {
		if err := decode([]byte(body)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	var q Query
	if err := q.Decode([]byte("\x03SELECT 1"), 0); err != nil || string(q.Text) != "SELECT 1" {
		t.Error(q, err)
	}
	if b := q.Append(nil, 0); string(b) != "\x03SELECT 1" {
		t.Errorf("%q", b)
	}
	if b := q.Append(nil, CapQueryAttributes); string(b) != "\x03\x00\x01SELECT 1" {
		t.Errorf("%q", b)
	}
	body := "\x03\x02\x01\x02\x01\xfe\x00\x01a\x03\x80\x01n\x05hello" + "SELECT 1"
	if err := q.Decode([]byte(body), CapQueryAttributes); err != nil {
		t.Fatal(err)
	}
	want := []Parameter{{Name: []byte("a"), Type: TypeString, Value: []byte("hello")}, {Name: []byte("n"), Type: TypeLong, Unsigned: true, Null: true}}
	if string(q.Text) != "SELECT 1" || !reflect.DeepEqual(q.Attributes, want) {
		t.Errorf("%+v", q)
	}
	q.Text = []byte("SELECT 2")
	if b := q.Append(nil, CapQueryAttributes); string(b) != strings.Replace(body, "SELECT 1", "SELECT 2", 1) {
		t.Errorf("%q", b)
	}
	for _, bad := range []string{"", "\x16x", "\x03", "\x03\x00", "\x03\x00\x02x", "\x03\x01\x01\x00\x00", "\x03\xfc\xff\xff\x01", "\x03\x01\x01\x00\x01\xfe\x00\x01a\x05hell"} {
		if err := q.Decode([]byte(bad), CapQueryAttributes); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestExecute(t *testing.T) {
	t.Parallel()
	var e Execute
	head := "\x17\x07\x00\x00\x00\x01\x01\x00\x00\x00"
	if err := e.Decode([]byte(head), 0, 0); err != nil || e.Statement != 7 || !e.Cursor {
		t.Error(e, err)
	}
	first := head + "\x02\x01\x03\x80\xfd\x00\x0c\x00" + "\x2a\x00\x00\x00" + "\x04\xe8\x07\x02\x1d"
	if err := e.Decode([]byte(first), 3, 0); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, p := range e.Parameters {
		text, _ := p.AppendText(nil)
		texts = append(texts, string(text))
	}
	if !reflect.DeepEqual(texts, []string{"42", "", "2024-02-29 00:00:00"}) || !e.Parameters[1].Null {
		t.Errorf("%q %+v", texts, e.Parameters)
	}
	again := head + "\x00\x00" + "\x01\x00\x00\x00" + "\x01x" + "\x00"
	if err := e.Decode([]byte(again), 3, 0); err != nil || string(e.Parameters[1].Value) != "x" {
		t.Errorf("without types: %+v, %v", e.Parameters, err)
	}
	e.SetLong(1, 3)
	long := head + "\x00\x01\x03\x00\xfd\x00\x03\x00" + "\x01\x00\x00\x00" + "\x02\x00\x00\x00"
	if err := e.Decode([]byte(long), 3, 0); err != nil || e.Parameters[1].Value != nil || e.Parameters[2].Value[0] != 2 {
		t.Errorf("long data: %+v, %v", e.Parameters, err)
	}
	e.Reset()
	if err := e.Decode([]byte(long), 3, 0); err == nil {
		t.Error("long data after Reset")
	}
	named := "\x17\x07\x00\x00\x00\x08\x01\x00\x00\x00" + "\x02\x00\x01" + "\x01\x00\x00" + "\x01\x00\x01k" + "\x05\x06"
	var n Execute
	if err := n.Decode([]byte(named), 1, CapQueryAttributes); err != nil || len(n.Parameters) != 2 || string(n.Parameters[1].Name) != "k" {
		t.Errorf("named: %+v, %v", n.Parameters, err)
	}
	for _, bad := range []string{"", "\x17", head[:9] + "\x02", head, head + "\x00", head + "\x00\x00", head + "\x00\x01\x03\x00\x01\x00\x00\x00"} {
		var e Execute
		if err := e.Decode([]byte(bad), 1, 0); !errors.Is(err, protocol.ErrMalformed) && bad != head+"\x00\x01\x03\x00\x01\x00\x00\x00" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	e = Execute{}
	e.SetLong(70000>>1, 2) // a parameter that is not there
	if len(e.Parameters) != 2 || e.Parameters[0].Long || e.Parameters[1].Long {
		t.Error(e.Parameters)
	}
}

func TestSmallCommands(t *testing.T) {
	t.Parallel()
	if s, err := DecodeText(AppendText(nil, ComStmtPrepare, []byte("SELECT ?"))); string(s) != "SELECT ?" || err != nil {
		t.Error(s, err)
	}
	if id, err := DecodeStatement(AppendStatement(nil, ComStmtClose, 7)); id != 7 || err != nil {
		t.Error(id, err)
	}
	if id, n, err := DecodeFetch([]byte("\x1c\x07\x00\x00\x00\x0a\x00\x00\x00")); id != 7 || n != 10 || err != nil {
		t.Error(id, n, err)
	}
	if l, err := DecodeLongData([]byte("\x18\x07\x00\x00\x00\x01\x00abc")); !reflect.DeepEqual(l, LongData{7, 1, []byte("abc")}) || err != nil {
		t.Error(l, err)
	}
	if multi, err := DecodeSetOption([]byte("\x1b\x00\x00")); !multi || err != nil {
		t.Error(multi, err)
	}
	if f, err := DecodeFieldList([]byte("\x04users\x00%")); string(f.Table) != "users" || string(f.Wildcard) != "%" || err != nil {
		t.Error(f, err)
	}
	agreed := CapSecureConnection | CapPluginAuth | CapConnectAttrs
	u := &ChangeUser{[]byte("bob"), []byte("r"), []byte("shop"), 45, "p", []byte("\x01a\x01b")}
	body, err := u.Append(nil, agreed)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeChangeUser(body, agreed); err != nil || !reflect.DeepEqual(got, u) {
		t.Error(got, err)
	}
	if got, err := DecodeChangeUser([]byte("\x11bob\x00\x00\x00"), CapSecureConnection); err != nil || string(got.User) != "bob" {
		t.Error(got, err)
	}
	if _, err := (&ChangeUser{Response: make([]byte, 256)}).Append(nil, agreed); !errors.Is(err, protocol.ErrTooLarge) {
		t.Error(err)
	}
	if ComQuery.String() != "COM_QUERY" || Command(0x77).String() != "unknown command 0x77" {
		t.Error("names")
	}
	bad := map[string]func([]byte) error{
		"\x19\x07":         func(b []byte) error { _, err := DecodeStatement(b); return err },
		"\x1c\x07":         func(b []byte) error { _, _, err := DecodeFetch(b); return err },
		"\x18\x07":         func(b []byte) error { _, err := DecodeLongData(b); return err },
		"\x1b\x02\x00":     func(b []byte) error { _, err := DecodeSetOption(b); return err },
		"\x04users":        func(b []byte) error { _, err := DecodeFieldList(b); return err },
		"\x11bob\x00\x05x": func(b []byte) error { _, err := DecodeChangeUser(b, agreed); return err },
		"":                 func(b []byte) error { _, err := DecodeText(b); return err },
	}
	for body, decode := range bad {
		if err := decode([]byte(body)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestColumn(t *testing.T) {
	t.Parallel()
	col := Column{
		[]byte("shop"), []byte("u"), []byte("users"), []byte("mail"), []byte("email"),
		255, 400, TypeVarString, FlagNotNull | FlagBinary, 0, nil, nil,
	}
	body := col.Append(nil)
	if got, err := DecodeColumn(body); err != nil || !reflect.DeepEqual(got, col) {
		t.Errorf("got %+v, %v", got, err)
	}
	for i := range body {
		if _, err := DecodeColumn(body[:i]); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%d bytes: %v", i, err)
		}
	}
	if got, err := DecodeColumn(append(body[:len(body):len(body)], "\x03abc"...)); err != nil || string(got.Default) != "abc" {
		t.Error(got, err)
	}
	if got, err := DecodeColumn(append(body[:len(body):len(body)], 0xfb)); err != nil || got.Default != nil {
		t.Error(got, err)
	}
	if _, err := DecodeColumn(append(body[:len(body):len(body)], "\x03abcd"...)); !errors.Is(err, protocol.ErrMalformed) {
		t.Error("a byte too many")
	}
}

func TestTextRows(t *testing.T) {
	t.Parallel()
	two := []CellRewriter{nil, stars{}}
	long := strings.Repeat("x", 300)
	tests := []struct {
		columns  []CellRewriter
		in, want string
	}{
		{nil, "", ""},
		{two, "\x01a\x03ann", "\x01a\x03a**"},
		{two, "\xfb\xfb", "\xfb\xfb"},
		{two, "\x01a\x00", "\x01a\x07(empty)"},
		{two, "\x01a\x02!x", "\x01a\xfb"},
		{[]CellRewriter{stars{}, nil}, "\x03ann\x01b", "\x03a**\x01b"},
		{[]CellRewriter{echo{}, nil}, "\xfc\x2c\x01" + long + "\x01b", "\xfc\x2c\x01" + long + "\x01b"},
		{[]CellRewriter{constant(long)}, "\x01a", "\xfc\x2c\x01" + long},
		{[]CellRewriter{constant(strings.Repeat("y", 70_000)), nil}, "\x01a\x01b", "\xfd\x70\x11\x01" + strings.Repeat("y", 70_000) + "\x01b"},
	}
	for _, tt := range tests {
		got, err := NewTextRows(tt.columns).Rewrite([]byte("before"), []byte(tt.in))
		if err != nil || string(got) != "before"+tt.want {
			t.Errorf("%.50q: got %.50q, %v, want %.50q", tt.in, got, err, tt.want)
		}
	}
	for _, bad := range []string{"", "\x01a", "\x01a\x03an", "\x01a\x01b\x01c", "\x01a\xff", "\x01a\xfe\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if got, err := NewTextRows(two).Rewrite(nil, []byte(bad)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %q, %v", bad, got, err)
		}
	}
}

// constant is a CellRewriter with always the same outcome.
type constant string

func (c constant) AppendCell(dst, _ []byte) ([]byte, bool) { return append(dst, c...), true }

func TestBinaryRows(t *testing.T) {
	t.Parallel()
	types := []FieldType{TypeLong, TypeVarString, TypeDatetime, TypeNull, TypeTiny}
	in := "\x00\x20" + "\x2a\x00\x00\x00" + "\x03ann" + "\x04\xe8\x07\x02\x1d" + "\x07"
	tests := map[string]struct {
		columns []CellRewriter
		want    string
	}{
		"nothing":       {make([]CellRewriter, 5), in},
		"the text":      {[]CellRewriter{nil, stars{}, nil, nil, nil}, strings.Replace(in, "ann", "a**", 1)},
		"the number":    {[]CellRewriter{constant("\x00\x00\x00\x00"), nil, nil, nil, nil}, strings.Replace(in, "\x2a", "\x00", 1)},
		"the date":      {[]CellRewriter{nil, nil, constant(""), nil, nil}, strings.Replace(in, "\x04\xe8\x07\x02\x1d", "\x00", 1)},
		"a wrong width": {[]CellRewriter{constant("\x00"), nil, nil, nil, nil}, strings.Replace("\x00\x24"+in[2:], "\x2a\x00\x00\x00", "", 1)},
		"the last":      {[]CellRewriter{nil, nil, nil, stars{}, constant("\x09")}, in[:len(in)-1] + "\x09"},
		"all NULL":      {[]CellRewriter{refuse{}, refuse{}, refuse{}, refuse{}, refuse{}}, "\x00\x7c"},
	}
	for name, tt := range tests {
		got, err := NewBinaryRows(types, tt.columns).Rewrite([]byte("before"), []byte(in))
		if err != nil || string(got) != "before"+tt.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, tt.want)
		}
	}
	none := make([]CellRewriter, 5)
	for _, bad := range []string{"", "\x00", "\x00\x20", "\x01" + in[1:], in[:len(in)-1], in + "x", "\x00\x20\x2a\x00\x00\x00\x7fann", "\x00\x20\x2a\x00\x00\x00\xfb" + strings.Repeat("x", textNull) + in[10:]} {
		if got, err := NewBinaryRows(types, none).Rewrite(nil, []byte(bad)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %q, %v", bad, got, err)
		}
	}
	cells, err := DecodeBinaryRow(nil, []byte(in), types)
	if err != nil || cells[3] != nil || string(cells[1]) != "ann" || string(cells[4]) != "\x07" {
		t.Errorf("%q, %v", cells, err)
	}
}

// refuse is a CellRewriter that makes everything NULL.
type refuse struct{}

func (refuse) AppendCell(dst, _ []byte) ([]byte, bool) { return append(dst, "junk"...), false }
