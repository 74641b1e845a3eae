package pgwire

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"sqlveil/protocol"
)

// sent returns what write makes a Writer send.
func sent(t testing.TB, write func(*Writer) error) []byte {
	t.Helper()
	c, written := sinkOf(t)
	if err := write(NewWriter(c)); err != nil {
		t.Errorf("write: %v", err)
	}
	return written()
}

func TestQuery(t *testing.T) {
	t.Parallel()
	m := sent(t, func(w *Writer) error { return w.Query([]byte("SELECT 1")) })
	if want := message('Q', "SELECT 1\x00"); !bytes.Equal(m, want) {
		t.Fatalf("got %q, want %q", m, want)
	}
	if sql, err := DecodeQuery(m[headerSize:]); string(sql) != "SELECT 1" || err != nil {
		t.Error(sql, err)
	}
	for _, body := range []string{"", "SELECT 1", "SELECT 1\x00; DROP TABLE x\x00", "\x00\x00"} {
		if sql, err := DecodeQuery([]byte(body)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %q, %v", body, sql, err)
		}
	}
}

func TestNoZeroByteInText(t *testing.T) {
	t.Parallel()
	w := NewWriter(connOf(t))
	if err := w.Query([]byte("a\x00b")); !errors.Is(err, protocol.ErrMalformed) {
		t.Error(err)
	}
	if err := w.Parse(&Parse{Query: []byte("a\x00b")}); !errors.Is(err, protocol.ErrMalformed) {
		t.Error(err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	body := []byte("s1\x00SELECT $1\x00\x00\x02\x00\x00\x00\x17\x00\x00\x00\x00")
	var p Parse
	if err := p.Decode(body); err != nil {
		t.Fatal(err)
	}
	if string(p.Name) != "s1" || string(p.Query) != "SELECT $1" || !reflect.DeepEqual(p.ParameterTypes(nil), []uint32{23, 0}) {
		t.Errorf("%+v", p)
	}
	if m := sent(t, func(w *Writer) error { return w.Parse(&p) }); !bytes.Equal(m, message('P', string(body))) {
		t.Errorf("%q", m)
	}
	p.Query = []byte("SELECT mask($1)")
	m := sent(t, func(w *Writer) error { return w.Parse(&p) })
	if want := strings.Replace(string(body), "$1", "mask($1)", 1); string(m[headerSize:]) != want {
		t.Errorf("got %q, want %q", m[headerSize:], want)
	}
	own := sent(t, func(w *Writer) error { return w.Parse(&Parse{Name: []byte("n"), Query: []byte("q")}) })
	if want := message('P', "n\x00q\x00\x00\x00"); !bytes.Equal(own, want) {
		t.Errorf("got %q, want %q", own, want)
	}
	for _, bad := range []string{
		"", "\x00", "\x00\x00", "\x00\x00\x00", "s\x00q\x00\x00\x01", "s\x00q\x00\x00\x00\x00",
		"s\x00q\x00\xff\xff\x00\x00\x00\x00", "s\x00q", "s\x00q\x00x\x00\x00\x00",
	} {
		if err := p.Decode([]byte(bad)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestBind(t *testing.T) {
	t.Parallel()
	body := []byte("p\x00s\x00" + "\x00\x01\x00\x01" +
		"\x00\x03" + "\x00\x00\x00\x01x" + "\xff\xff\xff\xff" + "\x00\x00\x00\x00" +
		"\x00\x02\x00\x00\x00\x01")
	var b Bind
	for range 2 { // the second time with slices that hold something
		if err := b.Decode(body); err != nil {
			t.Fatal(err)
		}
		want := Bind{[]byte("p"), []byte("s"), []int16{1}, [][]byte{[]byte("x"), nil, {}}, []int16{0, 1}}
		if !reflect.DeepEqual(b, want) {
			t.Errorf("got %+v, want %+v", b, want)
		}
	}
	if m := sent(t, func(w *Writer) error { return w.Bind(&b) }); !bytes.Equal(m, message('B', string(body))) {
		t.Errorf("%q", m)
	}
	if b.ParameterFormat(2) != BinaryFormat || b.ResultFormat(0) != TextFormat || b.ResultFormat(1) != BinaryFormat {
		t.Error("formats")
	}
	if (&Bind{}).ResultFormat(7) != TextFormat || b.ResultFormat(2) != TextFormat {
		t.Error("formats that are not given")
	}
	for _, bad := range []string{
		"", "\x00", "\x00\x00", "\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00",
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"\x00\x00\x00\x00\x00\x01\xff\xff\xff\xfe\x00\x00",
		"\x00\x00\x00\x00\x00\x01\x7f\xff\xff\xff\x00\x00",
		"\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00",
		"\x00\x00\xff\xff\x00\x00\x00\x00",
	} {
		if err := b.Decode([]byte(bad)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestDecodeNames(t *testing.T) {
	t.Parallel()
	const head = "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x13\x00\x00\x00\x02\x00\x00\x00\x01"
	for array, want := range map[string][]string{
		head + "\x00\x00\x00\x03crm\x00\x00\x00\x00":       {"crm", ""},
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x13": {},
		"":                           nil,
		head + "\x00\x00\x00\x03crm": nil, // one of two
		head + "\x00\x00\x00\x03crm\xff\xff\xff\xff":                                       nil, // NULL
		head + "\x00\x00\x00\x03crm\x00\x00\x00\x00x":                                      nil, // something behind
		head + "\x00\x00\x00\x03crm\x7f\xff\xff\xff":                                       nil,
		"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x13\x7f\xff\xff\xff\x00\x00\x00\x01": nil, // more than there can be
	} {
		names, err := DecodeNames([]byte(array))
		if !slices.Equal(names, want) && want != nil || (err != nil) != (want == nil) || want == nil && !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %q, %v; want %q", array, names, err, want)
		}
	}
}

func TestSmallClientMessages(t *testing.T) {
	t.Parallel()
	if o, err := DecodeObject([]byte("Pname\x00")); !o.Portal || string(o.Name) != "name" || err != nil {
		t.Error(o, err)
	}
	if o, err := DecodeObject([]byte("S\x00")); o.Portal || len(o.Name) != 0 || err != nil {
		t.Error(o, err)
	}
	if p, n, err := DecodeExecute([]byte("p\x00\x00\x00\x00\x05")); string(p) != "p" || n != 5 || err != nil {
		t.Error(p, n, err)
	}
	f, err := DecodeFunctionCall([]byte("\x00\x00\x07\xd0\x00\x00\x00\x02\xff\xff\xff\xff\x00\x00\x00\x01x\x00\x01"))
	if want := (FunctionCall{2000, [][]byte{nil, []byte("x")}, 1}); !reflect.DeepEqual(f, want) || err != nil {
		t.Error(f, err)
	}
	if v, err := DecodeFunctionCallResponse([]byte("\x00\x00\x00\x02ok")); string(v) != "ok" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	if v, err := DecodeFunctionCallResponse([]byte("\xff\xff\xff\xff")); v != nil || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	if why, err := DecodeCopyFail([]byte("why\x00")); string(why) != "why" || err != nil {
		t.Error(why, err)
	}
	if m, r, err := DecodeSASLInitialResponse([]byte("SCRAM-SHA-256\x00\x00\x00\x00\x02n,")); string(m) != "SCRAM-SHA-256" || string(r) != "n," || err != nil {
		t.Error(m, r, err)
	}
	bad := map[string]func([]byte) error{
		"X\x00":                 func(b []byte) error { _, err := DecodeObject(b); return err },
		"S":                     func(b []byte) error { _, err := DecodeObject(b); return err },
		"p\x00\x00\x00":         func(b []byte) error { _, _, err := DecodeExecute(b); return err },
		"\x00\x00\x00\x01":      func(b []byte) error { _, err := DecodeFunctionCall(b); return err },
		"why":                   func(b []byte) error { _, err := DecodeCopyFail(b); return err },
		"S\x00\x7f\xff\xff\xff": func(b []byte) error { _, _, err := DecodeSASLInitialResponse(b); return err },
	}
	for body, decode := range bad {
		if err := decode([]byte(body)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	kind, rest, err := DecodeAuthentication([]byte("\x00\x00\x00\x0aSCRAM-SHA-256-PLUS\x00SCRAM-SHA-256\x00\x00"))
	if kind != AuthSASL || err != nil {
		t.Fatal(kind, err)
	}
	names, err := DecodeMechanisms(rest)
	if want := []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}; !reflect.DeepEqual(names, want) || err != nil {
		t.Fatal(names, err)
	}
	m := sent(t, func(w *Writer) error { return w.AuthenticationSASL(WithoutChannelBinding(names)) })
	if want := message('R', "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"); !bytes.Equal(m, want) {
		t.Errorf("got %q, want %q", m, want)
	}
	for _, bad := range []string{"", "SCRAM", "SCRAM\x00", "\x00x", "A\x00\x00B\x00\x00"} {
		if names, err := DecodeMechanisms([]byte(bad)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %q, %v", bad, names, err)
		}
	}
	if _, _, err := DecodeAuthentication([]byte("\x00\x00\x00")); !errors.Is(err, protocol.ErrMalformed) {
		t.Error(err)
	}
}

func TestStatusMessages(t *testing.T) {
	t.Parallel()
	if s, err := DecodeReadyForQuery([]byte("T")); s != TxOpen || err != nil {
		t.Error(s, err)
	}
	pid, key, err := DecodeBackendKeyData([]byte("\x00\x00\x00\x2a" + strings.Repeat("k", 256)))
	if pid != 42 || len(key) != 256 || err != nil {
		t.Error(pid, key, err)
	}
	if m := sent(t, func(w *Writer) error { return w.BackendKeyData(42, []byte("long key")) }); !bytes.Equal(m, message('K', "\x00\x00\x00\x2along key")) {
		t.Errorf("%q", m)
	}
	m := sent(t, func(w *Writer) error { return w.NegotiateProtocolVersion(Version32, []string{"_pq_.a", "_pq_.b"}) })
	if v, unknown, err := DecodeNegotiateProtocolVersion(m[headerSize:]); v != Version32 || !reflect.DeepEqual(unknown, []string{"_pq_.a", "_pq_.b"}) || err != nil {
		t.Error(v, unknown, err)
	}
	r, err := DecodeCopyResponse([]byte("\x01\x00\x02\x00\x01\x00\x01"))
	if want := (CopyResponse{true, []int16{1, 1}}); !reflect.DeepEqual(r, want) || err != nil {
		t.Error(r, err)
	}
	if name, value, err := DecodeParameterStatus([]byte("a\x00b\x00")); string(name) != "a" || string(value) != "b" || err != nil {
		t.Errorf("%q %q %v", name, value, err)
	}
	if n, err := DecodeNotification([]byte("\x00\x00\x00\x07c\x00p\x00")); n != (Notification{7, "c", "p"}) || err != nil {
		t.Error(n, err)
	}
	bad := map[string]func([]byte) error{
		"X":                                func(b []byte) error { _, err := DecodeReadyForQuery(b); return err },
		"II":                               func(b []byte) error { _, err := DecodeReadyForQuery(b); return err },
		"\x00\x00\x00\x01abc":              func(b []byte) error { _, _, err := DecodeBackendKeyData(b); return err },
		"\x00\x03\x00\x00\xff\xff\xff\xff": func(b []byte) error { _, _, err := DecodeNegotiateProtocolVersion(b); return err },
		"\x00\x03\x00\x00\x00\x00\x00\x02a\x00": func(b []byte) error {
			_, _, err := DecodeNegotiateProtocolVersion(b)
			return err
		},
		"\x02\x00\x00":         func(b []byte) error { _, err := DecodeCopyResponse(b); return err },
		"\x00\x00\x02\x00":     func(b []byte) error { _, err := DecodeCopyResponse(b); return err },
		"a\x00b":               func(b []byte) error { _, _, err := DecodeParameterStatus(b); return err },
		"a\x00b\x00c":          func(b []byte) error { _, _, err := DecodeParameterStatus(b); return err },
		"\x00\x00\x00\x07c":    func(b []byte) error { _, err := DecodeNotification(b); return err },
		"":                     func(b []byte) error { _, _, err := DecodeCommandComplete(b); return err },
		"SELECT 1":             func(b []byte) error { _, _, err := DecodeCommandComplete(b); return err },
		"SELECT 1\x00more":     func(b []byte) error { _, _, err := DecodeCommandComplete(b); return err },
		"\x00\x02\x00\x00\x00": func(b []byte) error { _, err := DecodeParameterDescription(nil, b); return err },
	}
	for body, decode := range bad {
		if err := decode([]byte(body)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestCommandComplete(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]int64{
		"SELECT 5": 5, "INSERT 0 17": 17, "COPY 0": 0, "CREATE TABLE": -1, "": -1, "SELECT ": -1, "SELECT -1": -1,
		"SELECT 9223372036854775807": -1, "SELECT 999999999999999999": 999999999999999999, "MERGE 3": 3, "BEGIN": -1,
	} {
		got, rows, err := DecodeCommandComplete([]byte(tag + "\x00"))
		if string(got) != tag || rows != want || err != nil {
			t.Errorf("%q: %q, %d, %v; want %d", tag, got, rows, err, want)
		}
	}
}

var diagnostic = Diagnostic{
	Severity: "ERROR", Localized: "FEHLER", Code: "42501", Message: "no", Detail: "d", Hint: "h", Position: 7,
	InternalPosition: 8, InternalQuery: "q", Where: "w", Schema: "s", Table: "t", Column: "c", DataType: "dt",
	Constraint: "k", File: "f.c", Line: 9, Routine: "r",
}

func TestDiagnostic(t *testing.T) {
	t.Parallel()
	for letter, write := range map[byte]func(*Writer) error{
		'E': func(w *Writer) error { return w.ErrorResponse(&diagnostic) },
		'N': func(w *Writer) error { return w.NoticeResponse(&diagnostic) },
	} {
		m := sent(t, write)
		got, err := DecodeDiagnostic(m[headerSize:])
		if m[0] != letter || err != nil || *got != diagnostic {
			t.Errorf("%q: got %+v, %v", m, got, err)
		}
	}
	m := sent(t, func(w *Writer) error {
		return w.ErrorResponse(&Diagnostic{Severity: "FATAL", Code: "57P01", Message: "bye"})
	})
	if want := message('E', "SFATAL\x00VFATAL\x00C57P01\x00Mbye\x00\x00"); !bytes.Equal(m, want) {
		t.Errorf("got %q, want %q", m, want)
	}
	if d, err := DecodeDiagnostic([]byte("SERROR\x00C42501\x00\x00")); err != nil || d.Severity != "ERROR" {
		t.Error("before 9.6:", d, err)
	}
	for _, bad := range []string{"", "S", "SERROR", "SERROR\x00", "SERROR\x00\x00x"} {
		if d, err := DecodeDiagnostic([]byte(bad)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %v, %v", bad, d, err)
		}
	}
}

// TestComposedMessages has another implementation read what we compose.
func TestComposedMessages(t *testing.T) {
	t.Parallel()
	fields := []FieldDescription{{[]byte("email"), 16384, 2, 25, -1, -1, 1}}
	server := map[string]func(*Writer) error{
		`*pgproto3.AuthenticationOk`:     (*Writer).AuthenticationOK,
		`*pgproto3.ParameterStatus`:      func(w *Writer) error { return w.ParameterStatus("a", "b") },
		`*pgproto3.ReadyForQuery`:        func(w *Writer) error { return w.ReadyForQuery(TxFailed) },
		`*pgproto3.ParseComplete`:        (*Writer).ParseComplete,
		`*pgproto3.BindComplete`:         (*Writer).BindComplete,
		`*pgproto3.CloseComplete`:        (*Writer).CloseComplete,
		`*pgproto3.NoData`:               (*Writer).NoData,
		`*pgproto3.EmptyQueryResponse`:   (*Writer).EmptyQueryResponse,
		`*pgproto3.CommandComplete`:      func(w *Writer) error { return w.CommandComplete("SELECT 1") },
		`*pgproto3.RowDescription`:       func(w *Writer) error { return w.RowDescription(fields) },
		`*pgproto3.ParameterDescription`: func(w *Writer) error { return w.ParameterDescription([]uint32{23}) },
		`*pgproto3.DataRow`:              func(w *Writer) error { return w.DataRow([][]byte{[]byte("x"), nil}) },
		`*pgproto3.ErrorResponse`:        func(w *Writer) error { return w.ErrorResponse(&diagnostic) },
		`*pgproto3.BackendKeyData`:       func(w *Writer) error { return w.BackendKeyData(1, []byte("1234")) },
	}
	for want, write := range server {
		m := sent(t, write)
		got, err := pgproto3.NewFrontend(bytes.NewReader(m), nil).Receive()
		if err != nil || reflect.TypeOf(got).String() != want {
			t.Errorf("%q: got %T, %v, want %s", m, got, err, want)
		}
	}
	client := map[string]func(*Writer) error{
		`*pgproto3.Query`:     func(w *Writer) error { return w.Query([]byte("q")) },
		`*pgproto3.Parse`:     func(w *Writer) error { return w.Parse(&Parse{}) },
		`*pgproto3.Bind`:      func(w *Writer) error { return w.Bind(&Bind{Parameters: [][]byte{nil}}) },
		`*pgproto3.Describe`:  func(w *Writer) error { return w.Describe(Object{Portal: true}) },
		`*pgproto3.Close`:     func(w *Writer) error { return w.CloseObject(Object{Name: []byte("s")}) },
		`*pgproto3.Execute`:   func(w *Writer) error { return w.Execute([]byte("p"), 3) },
		`*pgproto3.Sync`:      (*Writer).Sync,
		`*pgproto3.Flush`:     (*Writer).FlushMessage,
		`*pgproto3.Terminate`: (*Writer).Terminate,
		`*pgproto3.CopyFail`:  func(w *Writer) error { return w.CopyFail("why") },
	}
	for want, write := range client {
		m := sent(t, write)
		got, err := pgproto3.NewBackend(bytes.NewReader(m), nil).Receive()
		if err != nil || reflect.TypeOf(got).String() != want {
			t.Errorf("%q: got %T, %v, want %s", m, got, err, want)
		}
	}
	m := sent(t, func(w *Writer) error { return w.RowDescription(fields) })
	if got, err := DecodeRowDescription(nil, m[headerSize:]); !reflect.DeepEqual(got, fields) || err != nil {
		t.Error(got, err)
	}
}

func TestMessageNames(t *testing.T) {
	t.Parallel()
	if ClientMessage('D') != "Describe" || ServerMessage('D') != "DataRow" || ServerMessage('~') != "unknown message '~'" {
		t.Error("names")
	}
}

func TestWriterKeepsOrder(t *testing.T) {
	t.Parallel()
	got := sent(t, func(w *Writer) error {
		dst, err := w.Begin('Q', 1)
		if err != nil {
			return err
		}
		_ = append(dst, "a message that is dropped"...)
		return errors.Join(w.Sync(), w.Query([]byte("a")), w.Write(message('x', "y")), w.Pass(Frame{'d', []byte("z")}))
	})
	want := bytes.Join([][]byte{message('S', ""), message('Q', "a\x00"), message('x', "y"), message('d', "z")}, nil)
	if !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
