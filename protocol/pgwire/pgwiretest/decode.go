package pgwiretest

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
)

// Decode returns the line that describes a message.
func (n *Notation) Decode(side Side, f pgwire.Frame) string {
	d := decoder{notation: n, in: protocol.Over(f.Body)}
	if side == Client {
		d.words = append(d.words, pgwire.ClientMessage(f.Type))
		d.client(f.Type)
	} else {
		d.words = append(d.words, pgwire.ServerMessage(f.Type))
		d.server(f.Type)
	}
	if err := d.in.End(); err != nil {
		return fmt.Sprintf("%s malformed %s", d.words[0], quote(append([]byte{}, f.Body...)))
	}
	return strings.Join(d.words, " ")
}

// DecodeStartup returns the line that describes a first packet.
func (n *Notation) DecodeStartup(s *pgwire.Startup) string {
	switch s.Opening {
	case pgwire.OpeningTLS:
		return "SSLRequest"
	case pgwire.OpeningGSS:
		return "GSSENCRequest"
	case pgwire.OpeningCancel:
		return fmt.Sprintf(`CancelRequest %d x"%x"`, s.ProcessID, s.Key)
	case pgwire.OpeningDirectTLS:
		return "DirectTLS"
	}
	words := []string{"Startup"}
	if s.Version != pgwire.Version30 {
		words = append(words, fmt.Sprintf("version=%d.%d", s.Version>>16, s.Version&0xffff))
	}
	for _, p := range s.Parameters {
		words = append(words, p.Name+"="+p.Value)
	}
	return strings.Join(words, " ")
}

// decoder appends the fields of a body to the words of a line.
type decoder struct {
	notation *Notation
	in       protocol.Cursor
	words    []string
}

func (d *decoder) word(s string)  { d.words = append(d.words, s) }
func (d *decoder) quote(b []byte) { d.word(quote(b)) }
func (d *decoder) string()        { d.quote(d.in.CString()) }
func (d *decoder) int32()         { d.word(strconv.Itoa(int(d.in.Int32()))) }

// rest quotes what is left; nothing is an empty text.
func (d *decoder) rest() { d.quote(append([]byte{}, d.in.Rest()...)) }

func (d *decoder) value() []byte {
	size := d.in.Int32()
	if size == -1 {
		return nil
	}
	return append([]byte{}, d.in.Take(int(size))...)
}

func (d *decoder) values() {
	for range d.in.Count(4) {
		d.quote(d.value())
	}
}

func (d *decoder) numbers() {
	for range d.in.Count(4) {
		d.int32()
	}
}

// formats returns a list of format codes as an option holds it.
func (d *decoder) formats(key string) {
	var words []string
	for range d.in.Count(2) {
		words = append(words, strconv.Itoa(int(d.in.Int16())))
	}
	if len(words) > 0 {
		d.word(key + "=" + strings.Join(words, ","))
	}
}

func (d *decoder) client(letter byte) {
	switch letter {
	case pgwire.MsgQuery, pgwire.MsgCopyFail:
		d.string()
	case pgwire.MsgPassword, pgwire.MsgCopyData:
		d.rest()
	case pgwire.MsgParse:
		d.string()
		d.string()
		d.numbers()
	case pgwire.MsgBind:
		d.bind()
	case pgwire.MsgDescribe, pgwire.MsgClose:
		d.word(string(d.in.Take(1)))
		d.string()
	case pgwire.MsgExecute:
		d.string()
		d.int32()
	case pgwire.MsgFunctionCall:
		d.int32()
		formats := decoder{in: d.in}
		formats.formats("formats")
		d.in = formats.in
		d.values()
		d.words = append(d.words, formats.words...)
		if d.in.Uint16() == 1 {
			d.word("result=1")
		}
	}
}

func (d *decoder) bind() {
	d.string()
	d.string()
	formats := decoder{in: d.in}
	formats.formats("formats")
	d.in = formats.in
	d.values()
	d.words = append(d.words, formats.words...)
	d.formats("results")
}

func (d *decoder) server(letter byte) {
	switch letter {
	case pgwire.MsgAuthentication:
		d.authentication()
	case pgwire.MsgBackendKeyData:
		d.int32()
		d.word(fmt.Sprintf(`x"%x"`, d.in.Rest()))
	case pgwire.MsgCommandComplete:
		d.string()
	case pgwire.MsgCopyData:
		d.rest()
	case pgwire.MsgReadyForQuery:
		d.word(string(d.in.Take(1)))
	case pgwire.MsgCopyInResponse, pgwire.MsgCopyOutResponse, pgwire.MsgCopyBothResponse:
		d.copyResponse()
	case pgwire.MsgDataRow:
		d.values()
	case pgwire.MsgErrorResponse, pgwire.MsgNoticeResponse:
		d.diagnostic()
	case pgwire.MsgFunctionCallResponse:
		d.quote(d.value())
	case pgwire.MsgNegotiateProtocolVersion:
		d.int32()
		for n := d.in.Int32(); n > 0 && d.in.Err() == nil; n-- {
			d.string()
		}
	case pgwire.MsgNotificationResponse:
		d.int32()
		d.string()
		d.string()
	case pgwire.MsgParameterDescription:
		d.numbers()
	case pgwire.MsgParameterStatus:
		d.string()
		d.string()
	case pgwire.MsgRowDescription:
		d.rowDescription()
	}
}

func (d *decoder) authentication() {
	switch kind := d.in.Int32(); kind {
	case pgwire.AuthOK:
		d.words[0] += "Ok"
	case pgwire.AuthSASL:
		d.words[0] += "SASL"
		for {
			name := d.in.CString()
			if len(name) == 0 {
				return
			}
			d.quote(name)
		}
	default:
		d.word(strconv.Itoa(int(kind)))
		if d.in.Len() > 0 {
			d.rest()
		}
	}
}

func (d *decoder) copyResponse() {
	d.word([]string{"text", "binary"}[d.in.Uint8()&1])
	n := d.in.Count(2)
	d.in.Take(2 * n)
	d.word(strconv.Itoa(n))
}

// diagnostic prints severity, code and message, then the rest in the order of
// the message. The severity is printed once.
func (d *decoder) diagnostic() {
	var head [3]string
	var rest []string
	for {
		letter := d.in.Uint8()
		if letter == 0 {
			break
		}
		value := d.in.CString()
		switch letter {
		case 'S':
		case 'V':
			head[0] = string(value)
		case 'C':
			head[1] = string(value)
		case 'M':
			head[2] = quote(append([]byte{}, value...))
		default:
			rest = append(rest, keyOf(letter)+"="+quote(append([]byte{}, value...)))
		}
	}
	d.words = append(append(d.words, head[:]...), rest...)
}

func keyOf(letter byte) string {
	for key, l := range diagnosticKeys {
		if l == letter {
			return key
		}
	}
	return string(letter)
}

func (d *decoder) rowDescription() {
	for range d.in.Count(1) {
		word := string(bytes.Clone(d.in.CString()))
		origin := Origin{d.in.Uint32(), d.in.Int16()}
		word += ":" + d.notation.typeName(d.in.Uint32())
		d.in.Int16()
		if origin.Table != 0 {
			word += ":" + d.notation.columnName(origin)
		}
		if modifier := d.in.Int32(); modifier != -1 {
			word += ":typmod=" + strconv.Itoa(int(modifier))
		}
		if d.in.Int16() == 1 {
			word += ":binary"
		}
		d.word(word)
	}
}
