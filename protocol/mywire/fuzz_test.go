package mywire

import (
	"bytes"
	"testing"
)

// agreements are sets of capabilities that change how packets look.
var agreements = []Capabilities{
	CapProtocol41, CapProtocol41 | CapSessionTrack, CapProtocol41 | CapQueryAttributes,
	CapProtocol41 | CapSecureConnection | CapPluginAuth | CapConnectAttrs,
	CapProtocol41 | CapDeprecateEOF,
	CapProtocol41 | CapMariaDBProgress | CapMariaDBCacheMetadata,
}

// FuzzPackets cuts a stream into packets, whole and in two pieces, and passes
// them on: as many come out as went in, up to the one that is refused.
func FuzzPackets(f *testing.F) {
	f.Add(packets(0, "\x03SELECT 1", "", "x"), 3)
	f.Add([]byte("\xff\xff\xff\x00"), 1)
	f.Add(packets(0, "one", "two", "\xfe\x00\x00\x02\x00"), 9)
	f.Fuzz(func(t *testing.T, stream []byte, split int) {
		split = min(max(split, 0), len(stream))
		from := connOf(t, stream[:split], stream[split:])
		to, written := sinkOf(t)
		var passed int64
		for i := 0; ; i++ {
			h, err := from.Next()
			if err != nil {
				break
			}
			size := int64(h.Size)
			switch {
			case i%4 == 0 && IsRow(h.First, h.Size):
				_, size, err = from.PassRows(to)
			case i%4 == 2 && IsRow(h.First, h.Size):
				_, size, err = from.RewriteRows(to, 1<<20, same)
			case i%4 == 1:
				var body []byte
				if body, err = from.Body(1 << 20); err == nil {
					err = to.Write(body)
				}
			default:
				err = from.CopyTo(to)
			}
			if err != nil {
				break
			}
			passed += size
		}
		again := connOf(t, written())
		for passed > 0 {
			h, err := again.Next()
			if err != nil {
				t.Fatalf("%q: %d bytes did not come out: %v", stream, passed, err)
			}
			passed -= int64(h.Size)
		}
	})
}

// FuzzHandshake decodes what is said before the login; what it decodes it must
// encode again.
func FuzzHandshake(f *testing.F) {
	f.Add(unhexed(f, mariaDBGreeting))
	for _, l := range logins() {
		body, err := l.Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte("\xfecaching_sha2_password\x0012345678901234567890\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if g, err := DecodeGreeting(body); err == nil {
			if _, err := DecodeGreeting(g.Append(nil)); err != nil {
				t.Fatalf("%q became %q, %v", body, g.Append(nil), err)
			}
		}
		if s, err := DecodeAuthSwitch(body); err == nil {
			if again, err := DecodeAuthSwitch(s.Append(nil)); err != nil || again.Plugin != s.Plugin {
				t.Fatalf("%q became %+v, %v", body, again, err)
			}
		}
		l, err := DecodeLogin(body)
		if err != nil || IsSSLRequest(body) {
			return
		}
		l.Attribute("program_name")
		again, err := l.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		second, err := DecodeLogin(again)
		if err != nil || !bytes.Equal(second.User, l.User) || !bytes.Equal(second.Response, l.Response) {
			t.Fatalf("%q became %q, %v", body, again, err)
		}
	})
}

// FuzzCommands decodes what a client may send; what can be encoded again must be
// the same.
func FuzzCommands(f *testing.F) {
	for _, body := range []string{
		"\x03SELECT 1", "\x03\x02\x01\x02\x01\xfe\x00\x01a\x03\x80\x01n\x05helloSELECT 1",
		"\x17\x07\x00\x00\x00\x01\x01\x00\x00\x00\x02\x01\x03\x80\xfd\x00\x0c\x00\x2a\x00\x00\x00\x04\xe8\x07\x02\x1d",
		"\x11bob\x00\x01rshop\x00\x2d\x00p\x00\x04\x01a\x01b", "\x19\x07\x00\x00\x00", "\x1c\x07\x00\x00\x00\x0a\x00\x00\x00",
		"\xfa\x07\x00\x00\x00\x80\x00\x03\x80\xfd\x00\x00\x2a\x00\x00\x00\x01\x02\x00\x02hi", "\x18\x07\x00\x00\x00\x01\x00abc", "\x1b\x00\x00", "\x04users\x00%",
	} {
		f.Add([]byte(body), 3)
	}
	f.Fuzz(func(t *testing.T, body []byte, count int) {
		for _, agreed := range agreements {
			var q Query
			if q.Decode(body, agreed) == nil {
				if again := q.Append(nil, agreed); !bytes.Equal(again, body) {
					t.Fatalf("%q became %q", body, again)
				}
				for _, p := range q.Attributes {
					p.AppendText(nil)
				}
			}
			var e Execute
			if e.Decode(body, count&0xff, agreed) == nil {
				for _, p := range e.Parameters {
					p.AppendText(nil)
				}
			}
			rows := 0
			if err := e.DecodeBulk(body, count&0xff, func() error { rows++; return nil }); err == nil && rows > len(body) {
				t.Fatalf("%q: %d rows", body, rows)
			}
			if u, err := DecodeChangeUser(body, agreed); err == nil && len(u.Response) < 256 {
				again, err := u.Append(nil, agreed)
				if err != nil {
					t.Fatal(err)
				}
				if second, err := DecodeChangeUser(again, agreed); err != nil || !bytes.Equal(second.User, u.User) {
					t.Fatalf("%q became %q, %v", body, again, err)
				}
			}
		}
		if id, err := DecodeStatement(body); err == nil && !bytes.HasPrefix(body, AppendStatement(nil, Command(body[0]), id)) {
			t.Fatalf("%q: statement %d", body, id)
		}
		if text, err := DecodeText(body); err == nil && !bytes.Equal(AppendText(nil, Command(body[0]), text), body) {
			t.Fatalf("%q: %q", body, text)
		}
		_, _, _ = DecodeFetch(body)
		_, _ = DecodeLongData(body)
		_, _ = DecodeSetOption(body)
		_, _ = DecodeFieldList(body)
	})
}

// FuzzReplies decodes what a server may send; what can be encoded again must be
// decoded to the same.
func FuzzReplies(f *testing.F) {
	col := Column{Database: []byte("d"), Name: []byte("n"), Type: TypeLong}
	for _, body := range [][]byte{
		AppendOK(nil, OK{AffectedRows: 300}, 0, false), AppendEOF(nil, 2), (&Error{1, "28000", "x"}).Append(nil),
		PrepareOK{7, 2, 1, 3}.Append(nil), col.Append(nil),
		{0xfc, 0x2c, 1},
		{2, 0},
		{0xff, 0xff, 0xff, 1, 1, 2},
		[]byte("\xfb/etc/passwd"), []byte("\x01more"),
		[]byte("\x00\x00\x00\x02\x40\x00\x00\x00\x07\x01\x05\x04shop"),
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, agreed := range agreements {
			ok, err := DecodeOK(body, agreed)
			if err != nil {
				continue
			}
			for _, change := range ok.Changes {
				_, _, _ = change.Variable()
				_, _ = change.Database()
			}
			again, err := DecodeOK(AppendOK(nil, ok, agreed, body[0] == firstEOF), agreed)
			if err != nil || again.InsertID != ok.InsertID || !bytes.Equal(again.Info, ok.Info) {
				t.Fatalf("%q: %+v became %+v, %v", body, ok, again, err)
			}
		}
		if e, err := DecodeError(body); err == nil {
			if again, err := DecodeError(e.Append(nil)); err != nil || *again != *e {
				t.Fatalf("%q: %+v became %+v, %v", body, e, again, err)
			}
		}
		if col, err := DecodeColumn(body); err == nil {
			col.TypeOf()
			if again, err := DecodeColumn(col.Append(nil)); err != nil || !bytes.Equal(again.Name, col.Name) {
				t.Fatalf("%q: %+v became %+v, %v", body, col, again, err)
			}
		}
		if p, err := DecodePrepareOK(body); err == nil {
			if again, err := DecodePrepareOK(p.Append(nil)); err != nil || again != p {
				t.Fatalf("%q: %+v became %+v, %v", body, p, again, err)
			}
		}
		_, _ = DecodeEOF(body)
		for _, agreed := range agreements {
			n, described, err := DecodeColumnCount(body, agreed)
			if err != nil {
				continue
			}
			again, same, err := DecodeColumnCount(AppendColumnCount(nil, n, described, agreed), agreed)
			if err != nil || again != n || same != described {
				t.Fatalf("%q: %d became %d, %v became %v, %v", body, n, again, described, same, err)
			}
			if IsProgress(body, agreed) && body[0] != firstError {
				t.Fatalf("%q is taken for progress", body)
			}
		}
		_, _ = DecodeLocalFile(body)
		_, _ = DecodeAuthMore(body)
	})
}

// FuzzTextRow rewrites a row of two columns.
func FuzzTextRow(f *testing.F) {
	f.Add([]byte("\x01a\x03ann"))
	f.Add([]byte("\xfb\xfb"))
	f.Add([]byte("\xfe\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		cells, errCells := DecodeTextRow(nil, body, 2)
		same, err := NewTextRows([]CellRewriter{echo{}, nil}).Rewrite(nil, body)
		if (err == nil) != (errCells == nil) {
			t.Fatalf("%q: %v, decoded as %q, %v", body, err, cells, errCells)
		}
		if err != nil {
			return
		}
		if again, err := DecodeTextRow(nil, same, 2); err != nil || !bytes.Equal(again[0], cells[0]) || !bytes.Equal(again[1], cells[1]) {
			t.Fatalf("%q became %q, %v", body, same, err)
		}
		masked, err := NewTextRows([]CellRewriter{nil, stars{}}).Rewrite(nil, body)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeTextRow(nil, masked, 2)
		if err != nil || !bytes.Equal(again[0], cells[0]) || cells[1] == nil && again[1] != nil {
			t.Fatalf("%q became %q, %v", body, masked, err)
		}
	})
}

// FuzzBinaryRow rewrites a row with one column of every shape.
func FuzzBinaryRow(f *testing.F) {
	types := []FieldType{TypeLong, TypeVarString, TypeDatetime, TypeNull, TypeTiny}
	f.Add([]byte("\x00\x20\x2a\x00\x00\x00\x03ann\x04\xe8\x07\x02\x1d\x07"))
	f.Add([]byte("\x00\x7c"))
	f.Fuzz(func(t *testing.T, body []byte) {
		cells, errCells := DecodeBinaryRow(nil, body, types)
		same, err := NewBinaryRows(types, []CellRewriter{echo{}, echo{}, nil, nil, echo{}}).Rewrite(nil, body)
		if (err == nil) != (errCells == nil) {
			t.Fatalf("%q: %v, decoded as %q, %v", body, err, cells, errCells)
		}
		if err != nil {
			return
		}
		again, err := DecodeBinaryRow(nil, same, types)
		if err != nil {
			t.Fatalf("%q became %q, %v", body, same, err)
		}
		for i := range cells {
			if !bytes.Equal(again[i], cells[i]) {
				t.Fatalf("%q became %q", body, same)
			}
		}
		masked, err := NewBinaryRows(types, []CellRewriter{refuse{}, refuse{}, refuse{}, refuse{}, refuse{}}).Rewrite(nil, body)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := DecodeBinaryRow(nil, masked, types); err != nil || again[0] != nil || again[1] != nil || again[4] != nil {
			t.Fatalf("%q became %q, %v", body, masked, err)
		}
	})
}

// FuzzValue converts a value to text and back.
func FuzzValue(f *testing.F) {
	for _, k := range knownValues(f) {
		f.Add(byte(k.column.Type), k.column.Flags, k.column.Decimals, k.column.Collation, k.binary)
	}
	f.Fuzz(func(t *testing.T, field byte, flags uint16, decimals uint8, collation uint16, value []byte) {
		col := Column{Type: FieldType(field), Flags: flags, Decimals: decimals, Collation: collation}
		c := NewCodec(&col, true)
		text, ok := c.AppendText(nil, value)
		if !ok || col.TypeOf().Kind == KindFloat {
			return // of floats, not all digits are printed
		}
		again, ok := c.AppendValue(nil, text)
		if !ok && col.Type != TypeInt24 {
			t.Fatalf("type %d: %x is %q, which has no value", field, value, text)
		}
		if text2, ok2 := c.AppendText(nil, again); ok && (!ok2 || !bytes.Equal(text2, text)) {
			t.Fatalf("type %d: %x is %q, which is %x, which is %q", field, value, text, again, text2)
		}
	})
}

// FuzzText converts a text to a value and back.
func FuzzText(f *testing.F) {
	for _, k := range knownValues(f) {
		f.Add(byte(k.column.Type), k.column.Flags, k.text)
	}
	f.Fuzz(func(t *testing.T, field byte, flags uint16, text []byte) {
		col := Column{Type: FieldType(field), Flags: flags, Decimals: maxDecimals}
		c := NewCodec(&col, true)
		value, ok := c.AppendValue(nil, text)
		if !ok || col.TypeOf().Kind == KindFloat {
			return
		}
		canonical, ok := c.AppendText(nil, value)
		if !ok {
			t.Fatalf("type %d: %q is %x, which has no text", field, text, value)
		}
		if again, ok := c.AppendValue(nil, canonical); !ok || !bytes.Equal(again, value) {
			t.Fatalf("type %d: %q is %x, which is %q, which is %x", field, text, value, canonical, again)
		}
	})
}
