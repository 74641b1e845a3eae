package pgwire

import (
	"bytes"
	"testing"
)

// FuzzReader cuts a stream into messages, whole and in two pieces, and passes
// them on: what comes out is what went in, up to the message that is refused.
func FuzzReader(f *testing.F) {
	f.Add([]byte("Q\x00\x00\x00\x05\x00S\x00\x00\x00\x04"), 3)
	f.Add([]byte("D\xff\xff\xff\xff"), 1)
	f.Add([]byte("D\x00\x00\x00\x03"), 0)
	f.Add([]byte("D\x00\x00\x00\x05aD\x00\x00\x00\x05bC\x00\x00\x00\x04"), 9)
	f.Fuzz(func(t *testing.T, stream []byte, split int) {
		split = min(max(split, 0), len(stream))
		in := connOf(t, stream[:split], stream[split:])
		out, written := sinkOf(t)
		r, w := NewReader(in), NewWriter(out)
		r.MaxBody = 1 << 20
		passed := 0
		for i := 0; ; i++ {
			h, err := r.Next()
			if err != nil {
				break
			}
			var size int64
			switch i % 3 {
			case 0:
				_, size, err = r.PassRun(w)
			case 1:
				size, err = int64(h.Size), r.CopyTo(w)
			default:
				var body []byte
				if body, err = r.Body(1 << 20); err == nil {
					size, err = int64(len(body)), w.Pass(Frame{h.Type, body})
				}
			}
			if err != nil {
				break
			}
			passed += int(size)
		}
		got := written()
		if !bytes.HasPrefix(stream, got) {
			t.Fatalf("%q became %q", stream, got)
		}
		if passed > len(got) {
			t.Fatalf("%d bytes counted, %d passed", passed, len(got))
		}
	})
}

// FuzzStartup decodes a first packet and what it encodes to.
func FuzzStartup(f *testing.F) {
	f.Add([]byte(v30 + "user\x00ann\x00\x00"))
	f.Add([]byte(ssl30))
	f.Add([]byte(cancel30 + "\x00\x00\x00\x2a1234"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := DecodeStartup(body)
		if err != nil {
			return
		}
		var again []byte
		switch s.Opening {
		case OpeningStartup:
			again = AppendStartup(nil, s.Version, s.Parameters)
		case OpeningCancel:
			again = AppendCancelRequest(nil, s.ProcessID, s.Key)
		case OpeningTLS:
			again = AppendSSLRequest(nil)
		default:
			return
		}
		if !bytes.Equal(again[lengthSize:], body) {
			t.Fatalf("%q became %q", body, again)
		}
	})
}

// FuzzParse decodes a Parse and encodes it again.
func FuzzParse(f *testing.F) {
	f.Add([]byte("s\x00q\x00\x00\x01\x00\x00\x00\x17"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var p Parse
		if p.Decode(body) == nil {
			same(t, 'P', body, func(w *Writer) error { return w.Parse(&p) })
		}
	})
}

// FuzzBind decodes a Bind and encodes it again.
func FuzzBind(f *testing.F) {
	f.Add([]byte("p\x00s\x00\x00\x01\x00\x01\x00\x02\x00\x00\x00\x01x\xff\xff\xff\xff\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x01\xff\xff\xff\xfe\x00\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var b Bind
		if b.Decode(body) != nil {
			return
		}
		for i := range b.Parameters {
			b.ParameterFormat(i)
			b.ResultFormat(i)
		}
		same(t, 'B', body, func(w *Writer) error { return w.Bind(&b) })
	})
}

// same fails unless write sends the message with this body.
func same(t *testing.T, letter byte, body []byte, write func(*Writer) error) {
	t.Helper()
	if got := sent(t, write); !bytes.Equal(got, message(letter, string(body))) {
		t.Fatalf("%q became %q", body, got)
	}
}

// FuzzSmallMessages has every other decoder look at the same body; those that
// have an encoder must encode it again.
func FuzzSmallMessages(f *testing.F) {
	for _, body := range []string{
		"S\x00", "q\x00", "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00", "SERROR\x00C42501\x00\x00", "a\x00b\x00", "I",
		"SELECT 1\x00", "\x01\x00\x01\x00\x01", "\x00\x01a\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x17\x00\x04\xff\xff\xff\xff\x00\x00",
		"\x00\x00\x07\xd0\x00\x00\x00\x02\xff\xff\xff\xff\x00\x00\x00\x01x\x00\x01", "\x00\x00\x00\x2a1234",
		"\x00\x03\x00\x00\x00\x00\x00\x01_pq_.a\x00", "\x00\x00\x00\x07c\x00p\x00",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if sql, err := DecodeQuery(body); err == nil {
			same(t, 'Q', body, func(w *Writer) error { return w.Query(sql) })
		}
		if o, err := DecodeObject(body); err == nil {
			same(t, 'D', body, func(w *Writer) error { return w.Describe(o) })
			same(t, 'C', body, func(w *Writer) error { return w.CloseObject(o) })
		}
		if portal, rows, err := DecodeExecute(body); err == nil {
			same(t, 'E', body, func(w *Writer) error { return w.Execute(portal, uint32(rows)) })
		}
		if state, err := DecodeReadyForQuery(body); err == nil {
			same(t, 'Z', body, func(w *Writer) error { return w.ReadyForQuery(state) })
		}
		if tag, _, err := DecodeCommandComplete(body); err == nil {
			same(t, 'C', body, func(w *Writer) error { return w.CommandComplete(string(tag)) })
		}
		if name, value, err := DecodeParameterStatus(body); err == nil {
			same(t, 'S', body, func(w *Writer) error { return w.ParameterStatus(string(name), string(value)) })
		}
		if pid, key, err := DecodeBackendKeyData(body); err == nil {
			same(t, 'K', body, func(w *Writer) error { return w.BackendKeyData(pid, key) })
		}
		if v, unknown, err := DecodeNegotiateProtocolVersion(body); err == nil {
			same(t, 'v', body, func(w *Writer) error { return w.NegotiateProtocolVersion(v, unknown) })
		}
		if fields, err := DecodeRowDescription(nil, body); err == nil {
			same(t, 'T', body, func(w *Writer) error { return w.RowDescription(fields) })
		}
		if types, err := DecodeParameterDescription(nil, body); err == nil {
			same(t, 't', body, func(w *Writer) error { return w.ParameterDescription(types) })
		}
		if kind, rest, err := DecodeAuthentication(body); err == nil && kind == AuthSASL {
			if names, err := DecodeMechanisms(rest); err == nil {
				same(t, 'R', body, func(w *Writer) error { return w.AuthenticationSASL(names) })
			}
		}
		if d, err := DecodeDiagnostic(body); err == nil {
			stable(t, d)
		}
		decodeRest(body)
	})
}

// stable fails unless a diagnostic survives being sent.
func stable(t *testing.T, d *Diagnostic) {
	t.Helper()
	m := sent(t, func(w *Writer) error { return w.ErrorResponse(d) })
	again, err := DecodeDiagnostic(m[headerSize:])
	if d.Localized == "" {
		d.Localized = d.Severity
	}
	if err != nil || *again != *d {
		t.Fatalf("%+v became %+v, %v", d, again, err)
	}
}

// decodeRest runs the decoders that have no encoder.
func decodeRest(body []byte) {
	_, _ = DecodeFunctionCall(body)
	_, _ = DecodeFunctionCallResponse(body)
	_, _ = DecodeCopyFail(body)
	_, _ = DecodeCopyResponse(body)
	_, _ = DecodeNotification(body)
	_, _, _ = DecodeSASLInitialResponse(body)
}

// FuzzNames decodes arrays of names: what is accepted is as long as its elements say.
func FuzzNames(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x13\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x01a\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x13"))
	f.Fuzz(func(t *testing.T, array []byte) {
		names, err := DecodeNames(array)
		if err != nil {
			return
		}
		rest := array
		for i := len(names) - 1; i >= 0; i-- {
			element := appendValue(nil, []byte(names[i]))
			if !bytes.HasSuffix(rest, element) {
				t.Fatalf("%q became %q", array, names)
			}
			rest = rest[:len(rest)-len(element)]
		}
		if most := (3 + 2*maxDimensions) * lengthSize; len(rest) > most {
			t.Fatalf("%q: %d bytes before the elements", array, len(rest))
		}
	})
}

// FuzzCells rewrites a row: without change it stays, with a mask the cells
// are the masked ones.
func FuzzCells(f *testing.F) {
	f.Add(row("a", nil))
	f.Add(row("ann", "!"))
	f.Add([]byte("\x00\x02\xff\xff\xff\xfe"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if got, err := NewCells([]CellRewriter{echo{}, nil}).Rewrite(nil, body); err == nil && !bytes.Equal(got, body) {
			t.Fatalf("%q became %q", body, got)
		}
		masked, err := NewCells([]CellRewriter{nil, stars{}}).Rewrite(nil, body)
		cells, errCells := DecodeDataRow(nil, body)
		if (err == nil) != (errCells == nil && len(cells) == 2) {
			t.Fatalf("%q: %v, decoded as %q, %v", body, err, cells, errCells)
		}
		if err != nil {
			return
		}
		again, err := DecodeDataRow(nil, masked)
		if err != nil || len(again) != 2 || !bytes.Equal(again[0], cells[0]) {
			t.Fatalf("%q became %q, %v", cells, again, err)
		}
		if cells[1] == nil != (again[1] == nil) && (cells[1] == nil || cells[1][0] != '!') {
			t.Fatalf("%q became %q", cells, again)
		}
	})
}

// FuzzValue converts a value to text and back.
func FuzzValue(f *testing.F) {
	for _, k := range knownValues(f) {
		f.Add(k.oid, k.binary)
	}
	f.Fuzz(func(t *testing.T, oid uint32, value []byte) {
		c := Codec{TypeOf(oid, -1), BinaryFormat}
		text, ok := c.AppendText(nil, value)
		if !ok {
			return
		}
		if len(text) > 16*len(value)+40 && c.Type.form != formNumeric {
			t.Fatalf("type %d: %d bytes became %d", oid, len(value), len(text))
		}
		again, ok := c.AppendValue(nil, text)
		if !ok {
			t.Fatalf("type %d: %x is %q, which has no value", oid, value, text)
		}
		if text2, ok := c.AppendText(nil, again); !ok || !bytes.Equal(text2, text) {
			t.Fatalf("type %d: %x is %q, which is %x, which is %q", oid, value, text, again, text2)
		}
	})
}

// FuzzText converts a text to a value and back.
func FuzzText(f *testing.F) {
	for _, k := range knownValues(f) {
		f.Add(k.oid, []byte(k.text))
	}
	f.Fuzz(func(t *testing.T, oid uint32, text []byte) {
		c := Codec{TypeOf(oid, -1), BinaryFormat}
		value, ok := c.AppendValue(nil, text)
		if !ok {
			return
		}
		canonical, ok := c.AppendText(nil, value)
		if !ok {
			t.Fatalf("type %d: %q is %x, which has no text", oid, text, value)
		}
		if again, ok := c.AppendValue(nil, canonical); !ok || !bytes.Equal(again, value) {
			t.Fatalf("type %d: %q is %x, which is %q, which is %x", oid, text, value, canonical, again)
		}
	})
}

// FuzzArray masks an array: with no change it stays or is refused, and what a
// mask makes of it is an array again.
func FuzzArray(f *testing.F) {
	for _, k := range knownValues(f) {
		if TypeOf(k.oid, -1).Array {
			f.Add(k.oid, true, k.binary)
			f.Add(k.oid, false, []byte(k.text))
		}
	}
	f.Fuzz(func(t *testing.T, oid uint32, binary bool, array []byte) {
		c := Codec{TypeOf(oid, -1), TextFormat}
		if binary {
			c.Format = BinaryFormat
		}
		if !c.Type.Array {
			return
		}
		first, ok := NewCell(c, identity{}).AppendCell(nil, array)
		if ok {
			second, ok := NewCell(c, identity{}).AppendCell(nil, first)
			if !ok || !bytes.Equal(second, first) {
				t.Fatalf("%q became %q, then %q, %t", array, first, second, ok)
			}
		}
		masked, okMasked := NewCell(c, stars{}).AppendCell(nil, array)
		if !binary && ok != okMasked {
			t.Fatalf("%q: %t, masked %t", array, ok, okMasked)
		}
		if okMasked {
			if _, ok := NewCell(c, identity{}).AppendCell(nil, masked); !ok {
				t.Fatalf("%q became %q, which is no array", array, masked)
			}
		}
	})
}
