package pgwire

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"

	"sqlveil/protocol"
)

// packet returns a packet without letter.
func packet(body string) []byte { return message(0, body)[1:] }

const (
	ssl30    = "\x04\xd2\x16\x2f"
	gss30    = "\x04\xd2\x16\x30"
	cancel30 = "\x04\xd2\x16\x2e"
	v30      = "\x00\x03\x00\x00"
)

func TestStartup(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("k", maxCancelKey)
	tests := map[string]struct {
		packet []byte
		want   Startup
	}{
		"SSLRequest":           {packet(ssl30), Startup{Opening: OpeningTLS}},
		"GSSENCRequest":        {packet(gss30), Startup{Opening: OpeningGSS}},
		"cancel":               {packet(cancel30 + "\x00\x00\x00\x2a1234"), Startup{Opening: OpeningCancel, ProcessID: 42, Key: []byte("1234")}},
		"cancel, protocol 3.2": {packet(cancel30 + "\x00\x00\x00\x2a" + key), Startup{Opening: OpeningCancel, ProcessID: 42, Key: []byte(key)}},
		"log in": {packet(v30 + "user\x00ann\x00database\x00\x00\x00"), Startup{
			Opening: OpeningStartup, Version: Version30,
			Parameters: []Parameter{{"user", "ann"}, {"database", ""}},
		}},
		"protocol 3.2 with extensions": {packet("\x00\x03\x00\x02user\x00ann\x00_pq_.x\x001\x00\x00"), Startup{
			Opening: OpeningStartup, Version: Version32,
			Parameters: []Parameter{{"user", "ann"}, {"_pq_.x", "1"}},
		}},
		"unknown minor version": {packet("\x00\x03\x27\x0f\x00"), Startup{Opening: OpeningStartup, Version: 3<<16 | 9999}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everySplit(tt.packet, func(pieces ...[]byte) {
				r := NewReader(connOf(t, pieces...))
				s, err := r.Startup()
				if err != nil || !reflect.DeepEqual(*s, tt.want) {
					t.Fatalf("got %+v, %v, want %+v", s, err, tt.want)
				}
				if _, err := r.Next(); err != io.EOF {
					t.Fatalf("behind it: %v", err)
				}
			})
		})
	}
}

func TestStartupRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		packet string
		want   error
	}{
		"nothing":                     {"", io.EOF},
		"half a length":               {"\x00\x00", io.ErrUnexpectedEOF},
		"half a packet":               {"\x00\x00\x00\x08\x04", io.ErrUnexpectedEOF},
		"length 0":                    {"\x00\x00\x00\x00", protocol.ErrMalformed},
		"length 7":                    {"\x00\x00\x00\x07" + v30, protocol.ErrMalformed},
		"10,001 bytes":                {"\x00\x00\x27\x11" + v30, protocol.ErrTooLarge},
		"2 GiB":                       {"\x80\x00\x00\x00", protocol.ErrTooLarge},
		"HTTP":                        {"GET / HTTP/1.1\r\n\r\n", protocol.ErrTooLarge},
		"protocol 2":                  {string(packet("\x00\x02\x00\x00\x00")), protocol.ErrMalformed},
		"protocol 4":                  {string(packet("\x00\x04\x00\x00\x00")), protocol.ErrMalformed},
		"SSLRequest with more":        {string(packet(ssl30 + "x")), protocol.ErrMalformed},
		"cancel without key":          {string(packet(cancel30 + "\x00\x00\x00\x2a")), protocol.ErrMalformed},
		"cancel with 3 bytes":         {string(packet(cancel30 + "\x00\x00\x00\x2a123")), protocol.ErrMalformed},
		"cancel with 257 bytes":       {string(packet(cancel30 + "\x00\x00\x00\x2a" + strings.Repeat("k", 257))), protocol.ErrMalformed},
		"user twice":                  {string(packet(v30 + "user\x00ann\x00user\x00bob\x00\x00")), protocol.ErrMalformed},
		"no end":                      {string(packet(v30 + "user\x00ann\x00")), protocol.ErrMalformed},
		"name without value":          {string(packet(v30 + "user\x00")), protocol.ErrMalformed},
		"more behind the end":         {string(packet(v30 + "user\x00ann\x00\x00x")), protocol.ErrMalformed},
		"parameters behind the end":   {string(packet(v30 + "\x00user\x00ann\x00\x00")), protocol.ErrMalformed},
		"nothing behind the version":  {string(packet(v30)), protocol.ErrMalformed},
		"no zero byte behind a value": {string(packet(v30 + "user\x00ann")), protocol.ErrMalformed},
	}
	for name, tt := range tests {
		if s, err := NewReader(connOf(t, []byte(tt.packet))).Startup(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %+v, %v, want %v", name, s, err, tt.want)
		}
	}
}

func TestStartupAccess(t *testing.T) {
	t.Parallel()
	s := Startup{Parameters: []Parameter{{"user", "ann"}, {"_pq_.a", ""}, {"_pq_.b", "1"}}}
	if s.Parameter("user") != "ann" || s.Parameter("database") != "" {
		t.Error("parameters")
	}
	if got := s.Options(); !reflect.DeepEqual(got, []string{"_pq_.a", "_pq_.b"}) {
		t.Error(got)
	}
}

func TestAppendStartup(t *testing.T) {
	t.Parallel()
	parameters := []Parameter{{"user", "ann"}, {"options", ""}}
	b := AppendStartup(nil, Version32, parameters)
	b = AppendSSLRequest(b)
	b = AppendCancelRequest(b, 7, []byte("secret key"))
	r := NewReader(connOf(t, b))
	for _, want := range []Startup{
		{Opening: OpeningStartup, Version: Version32, Parameters: parameters},
		{Opening: OpeningTLS},
		{Opening: OpeningCancel, ProcessID: 7, Key: []byte("secret key")},
	} {
		if s, err := r.Startup(); err != nil || !reflect.DeepEqual(*s, want) {
			t.Errorf("got %+v, %v, want %+v", s, err, want)
		}
	}
}

func TestDirectTLSIsLeftInTheBuffer(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	go tls.Client(theirs, &tls.Config{ServerName: "db.example", NextProtos: []string{ALPN}}).Handshake()
	c := protocol.NewConn(ours)
	defer c.Close()
	s, err := NewReader(c).Startup()
	if err != nil || s.Opening != OpeningDirectTLS {
		t.Fatal(s, err)
	}
	if b := c.Buffered(); len(b) == 0 || b[0] != tlsHandshake {
		t.Errorf("buffered: %q", b)
	}
}

func TestTLSAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		tls  bool
		want error
	}{
		"S":                       {true, nil},
		"N":                       {false, nil},
		"G":                       {false, protocol.ErrMalformed},
		"E\x00\x00\x00\x10SERROR": {false, protocol.ErrMalformed},
		"SX":                      {false, protocol.ErrPlaintextAfterTLSRequest},
		"NX":                      {false, protocol.ErrPlaintextAfterTLSRequest},
		"":                        {false, io.ErrUnexpectedEOF},
	}
	for answer, tt := range tests {
		c := connOf(t, []byte(answer))
		if len(answer) > 0 { // all of it in one read
			if _, err := c.Peek(len(answer)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := NewReader(c).TLSAnswer()
		if got != tt.tls || !errors.Is(err, tt.want) {
			t.Errorf("%q: got %t, %v, want %t, %v", answer, got, err, tt.tls, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "ERROR") {
			t.Errorf("%q: the error shows what came unencrypted: %v", answer, err)
		}
	}
}

func TestTLSAnswerLeavesNothing(t *testing.T) {
	t.Parallel()
	c := connOf(t, []byte("N"), message('Z', "I"))
	r := NewReader(c)
	if _, err := r.TLSAnswer(); err != nil {
		t.Fatal(err)
	}
	if f, err := r.Frame(10); err != nil || !bytes.Equal(f.Body, []byte("I")) {
		t.Error(f, err)
	}
}
