package pgwiretest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
)

// Encode returns the bytes of the message that line describes.
func (n *Notation) Encode(side Side, line string) ([]byte, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	fields, err := split(rest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", line, err)
	}
	e := encoder{notation: n, fields: fields}
	if e.packet(name) {
		return e.done(line)
	}
	letter, ok := letters[side][name]
	if strings.HasPrefix(name, "Authentication") {
		letter, ok = pgwire.MsgAuthentication, side == Server
	}
	if !ok {
		return nil, fmt.Errorf("%s: no such message", line)
	}
	if side == Client {
		e.client(name)
	} else {
		e.server(name)
	}
	body, err := e.done(line)
	message := protocol.AppendUint32([]byte{letter}, uint32(len(body)+4))
	return append(message, body...), err
}

// encoder appends the fields of a line to a body.
type encoder struct {
	notation *Notation
	fields   []field
	body     []byte
	err      error
}

func (e *encoder) done(line string) ([]byte, error) {
	if e.err == nil && len(e.fields) > 0 {
		e.fail("too many fields")
	}
	if e.err != nil {
		return nil, fmt.Errorf("%s: %w", line, e.err)
	}
	return e.body, nil
}

func (e *encoder) fail(why string) {
	if e.err == nil {
		e.err = errors.New(why)
	}
	e.fields = nil
}

// next returns the next field.
func (e *encoder) next() []byte {
	if len(e.fields) == 0 {
		e.fail("too few fields")
		return nil
	}
	v := e.fields[0].value
	e.fields = e.fields[1:]
	return v
}

// option returns the value of a field with a key.
func (e *encoder) option(key string) (string, bool) {
	for i, f := range e.fields {
		if f.key == key {
			e.fields = append(e.fields[:i:i], e.fields[i+1:]...)
			return string(f.value), true
		}
	}
	return "", false
}

func (e *encoder) string()       { e.body = protocol.AppendCString(e.body, e.next()) }
func (e *encoder) raw()          { e.body = append(e.body, e.next()...) }
func (e *encoder) byte(b byte)   { e.body = append(e.body, b) }
func (e *encoder) int16(v int)   { e.body = protocol.AppendUint16(e.body, uint16(v)) }
func (e *encoder) int32(v int64) { e.body = protocol.AppendUint32(e.body, uint32(v)) }

// number returns the next field as a number.
func (e *encoder) number() int64 {
	s := string(e.next())
	v, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		e.fail(s + " is no number")
	}
	return v
}

// values appends all fields that are left behind their count.
func (e *encoder) values() {
	e.int16(len(e.fields))
	for range len(e.fields) {
		v := e.next()
		if v == nil {
			e.int32(-1)
			continue
		}
		e.int32(int64(len(v)))
		e.body = append(e.body, v...)
	}
}

// numbers appends all fields that are left behind their count, as OIDs.
func (e *encoder) numbers() {
	e.int16(len(e.fields))
	for range len(e.fields) {
		e.int32(e.number())
	}
}

// formats appends the list of format codes that an option holds.
func (e *encoder) formats(list string) {
	if list == "" {
		e.int16(0)
		return
	}
	words := strings.Split(list, ",")
	e.int16(len(words))
	for _, w := range words {
		v, err := strconv.Atoi(w)
		if err != nil {
			e.fail(w + " is no format")
		}
		e.int16(v)
	}
}

// packet encodes what has no letter, and Raw.
func (e *encoder) packet(name string) bool {
	switch name {
	case "Raw":
		e.raw()
	case "SSLRequest":
		e.body = pgwire.AppendSSLRequest(nil)
	case "GSSENCRequest":
		e.body = []byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30}
	case "CancelRequest":
		e.body = pgwire.AppendCancelRequest(nil, uint32(e.number()), e.next())
	case "Startup":
		e.startup()
	default:
		return false
	}
	return true
}

func (e *encoder) startup() {
	version := pgwire.Version30
	if v, ok := e.option("version"); ok {
		var major, minor uint32
		if _, err := fmt.Sscanf(v, "%d.%d", &major, &minor); err != nil {
			e.fail(v + " is no version")
		}
		version = major<<16 | minor
	}
	var parameters []pgwire.Parameter
	for _, f := range e.fields {
		name, value := f.key, string(f.value)
		if name == "" {
			name, value, _ = strings.Cut(value, "=") // a name such as _pq_.x
		}
		parameters = append(parameters, pgwire.Parameter{Name: name, Value: value})
	}
	e.fields = nil
	e.body = pgwire.AppendStartup(nil, version, parameters)
}

func (e *encoder) client(name string) {
	switch name {
	case "Query", "CopyFail":
		e.string()
	case "PasswordMessage", "CopyData":
		e.raw()
	case "Parse":
		e.string()
		e.string()
		e.numbers()
	case "Bind":
		formats, _ := e.option("formats")
		results, _ := e.option("results")
		e.string()
		e.string()
		e.formats(formats)
		e.values()
		e.formats(results)
	case "Describe", "Close":
		e.raw()
		e.string()
	case "Execute":
		e.string()
		e.int32(e.number())
	case "FunctionCall":
		formats, _ := e.option("formats")
		result, _ := e.option("result")
		e.int32(e.number())
		e.formats(formats)
		e.values()
		e.byte(0)
		e.byte(byte(len(result))) // result=1 is binary, none is text
	}
}

func (e *encoder) server(name string) {
	switch name {
	case "Authentication":
		e.int32(e.number())
		if len(e.fields) > 0 {
			e.raw()
		}
	case "AuthenticationOk":
		e.int32(pgwire.AuthOK)
	case "AuthenticationSASL":
		e.int32(pgwire.AuthSASL)
		for len(e.fields) > 0 {
			e.string()
		}
		e.byte(0)
	case "BackendKeyData":
		e.int32(e.number())
		e.raw()
	case "CommandComplete":
		e.string()
	case "CopyData", "ReadyForQuery":
		e.raw()
	case "CopyInResponse", "CopyOutResponse", "CopyBothResponse":
		e.copyResponse()
	case "DataRow":
		e.values()
	case "ErrorResponse", "NoticeResponse":
		e.diagnostic()
	case "FunctionCallResponse":
		e.values()
		e.body = e.body[2:] // one value, no count
	case "NegotiateProtocolVersion":
		e.int32(e.number())
		e.int32(int64(len(e.fields)))
		for len(e.fields) > 0 {
			e.string()
		}
	case "NotificationResponse":
		e.int32(e.number())
		e.string()
		e.string()
	case "ParameterDescription":
		e.numbers()
	case "ParameterStatus":
		e.string()
		e.string()
	case "RowDescription":
		e.rowDescription()
	}
}

func (e *encoder) copyResponse() {
	format := string(e.next())
	if format != "text" && format != "binary" {
		e.fail(format + " is neither text nor binary")
	}
	code := 0
	if format == "binary" {
		code = 1
	}
	columns := e.number()
	e.byte(byte(code))
	e.int16(int(columns))
	for range columns {
		e.int16(code)
	}
}

// diagnosticKeys are the letters of the fields that have a key.
var diagnosticKeys = map[string]byte{
	"detail": 'D', "hint": 'H', "position": 'P', "internal_position": 'p', "internal_query": 'q', "where": 'W',
	"schema": 's', "table": 't', "column": 'c', "data_type": 'd', "constraint": 'n', "file": 'F', "line": 'L',
	"routine": 'R',
}

func (e *encoder) diagnostic() {
	severity := e.next()
	e.body = protocol.AppendCString(append(e.body, 'S'), severity)
	e.body = protocol.AppendCString(append(e.body, 'V'), severity)
	e.byte('C')
	e.string()
	e.byte('M')
	e.string()
	for _, f := range e.fields {
		letter, ok := diagnosticKeys[f.key]
		if !ok {
			e.fail("no field " + f.key)
			return
		}
		e.body = protocol.AppendCString(append(e.body, letter), f.value)
	}
	e.fields = nil
	e.byte(0)
}

func (e *encoder) rowDescription() {
	e.int16(len(e.fields))
	for range len(e.fields) {
		e.column(string(e.next()))
	}
}

// column appends name:type, and perhaps :table.column, perhaps :binary, perhaps
// :typmod=7.
func (e *encoder) column(word string) {
	parts := strings.Split(word, ":")
	if len(parts) < 2 {
		e.fail(word + " has no type")
		return
	}
	oid, ok := e.notation.typeOID(parts[1])
	if !ok {
		e.fail("no type " + parts[1])
	}
	var origin Origin
	modifier, format := int64(-1), 0
	for _, p := range parts[2:] {
		typmod, isModifier := strings.CutPrefix(p, "typmod=")
		switch {
		case p == "binary":
			format = 1
		case isModifier:
			modifier, _ = strconv.ParseInt(typmod, 10, 32)
		default:
			if origin, ok = e.notation.Columns[p]; !ok {
				e.fail("no column " + p)
			}
		}
	}
	e.body = protocol.AppendCString(e.body, parts[0])
	e.int32(int64(origin.Table))
	e.int16(int(origin.Attribute))
	e.int32(int64(oid))
	e.int16(int(sizeOf(oid)))
	e.int32(modifier)
	e.int16(format)
}
