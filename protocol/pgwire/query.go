package pgwire

import (
	"bytes"
	"fmt"

	"sqlveil/protocol"
)

// Formats of a value.
const (
	TextFormat   int16 = 0
	BinaryFormat int16 = 1
)

// DecodeQuery returns the text of a Query.
func DecodeQuery(body []byte) ([]byte, error) {
	c := protocol.Over(body)
	sql := c.CString()
	return sql, failed("Query", c.End())
}

// Query writes a Query.
func (w *Writer) Query(sql []byte) error {
	dst, err := w.beginText(MsgQuery, sql, 1)
	if err != nil {
		return err
	}
	return w.End(protocol.AppendCString(dst, sql))
}

// Parse is the message that prepares a statement.
type Parse struct {
	Name  []byte
	Query []byte
	types []byte // the count of parameter types and the types, as they came
}

// Decode makes p the message that body holds, and alias it.
func (p *Parse) Decode(body []byte) error {
	c := protocol.Over(body)
	p.Name, p.Query = c.CString(), c.CString()
	p.types = c.Rest()
	if c.Err() == nil {
		c = protocol.Over(p.types)
		c.Take(c.Count(4) * 4)
	}
	return failed("Parse", c.End())
}

// ParameterTypes appends the type OIDs given for the first parameters to dst;
// zero means not given.
func (p *Parse) ParameterTypes(dst []uint32) []uint32 {
	c := protocol.Over(p.types)
	for range c.Count(4) {
		dst = append(dst, c.Uint32())
	}
	return dst
}

// Parse writes p. Its parameter types are those of the message it was decoded
// from, none when it was not.
func (w *Writer) Parse(p *Parse) error {
	dst, err := w.beginText(MsgParse, p.Query, len(p.Name)+len(p.types)+4)
	if err != nil {
		return err
	}
	dst = protocol.AppendCString(dst, p.Name)
	dst = protocol.AppendCString(dst, p.Query)
	if p.types == nil {
		return w.End(append(dst, 0, 0))
	}
	return w.End(append(dst, p.types...))
}

// beginText begins a message that has sql and more bytes besides.
func (w *Writer) beginText(letter byte, sql []byte, more int) ([]byte, error) {
	if bytes.IndexByte(sql, 0) >= 0 {
		return nil, fmt.Errorf("%s: %w: a zero byte in the text", ClientMessage(letter), protocol.ErrMalformed)
	}
	return w.Begin(letter, len(sql)+more)
}

// Bind is the message that makes a portal of a prepared statement.
type Bind struct {
	Portal           []byte
	Statement        []byte
	ParameterFormats []int16  // none: all are text; one: of all; else one for each
	Parameters       [][]byte // nil is NULL
	ResultFormats    []int16  // as ParameterFormats, for the columns of the result
}

// Decode makes b the message that body holds, and alias it. The slices of b are
// used again.
func (b *Bind) Decode(body []byte) error {
	c := protocol.Over(body)
	b.Portal, b.Statement = c.CString(), c.CString()
	b.ParameterFormats = decodeFormats(&c, b.ParameterFormats[:0])
	b.Parameters = decodeValues(&c, b.Parameters[:0])
	b.ResultFormats = decodeFormats(&c, b.ResultFormats[:0])
	return failed("Bind", c.End())
}

// ResultFormat returns the format of the result column with this index.
func (b *Bind) ResultFormat(column int) int16 { return formatOf(b.ResultFormats, column) }

// ParameterFormat returns the format of the parameter with this index.
func (b *Bind) ParameterFormat(parameter int) int16 { return formatOf(b.ParameterFormats, parameter) }

// formatOf applies the rule for lists of formats. A list that is too short makes
// the server refuse the message, so what is returned for it does not matter.
func formatOf(formats []int16, i int) int16 {
	switch {
	case len(formats) == 1:
		return formats[0]
	case i < len(formats):
		return formats[i]
	default:
		return TextFormat
	}
}

// Bind writes b.
func (w *Writer) Bind(b *Bind) error {
	size := len(b.Portal) + len(b.Statement) + 2*len(b.ParameterFormats) + 2*len(b.ResultFormats) + 8
	for _, p := range b.Parameters {
		size += 4 + len(p)
	}
	dst, err := w.Begin(MsgBind, size)
	if err != nil {
		return err
	}
	dst = protocol.AppendCString(dst, b.Portal)
	dst = protocol.AppendCString(dst, b.Statement)
	dst = appendFormats(dst, b.ParameterFormats)
	dst = protocol.AppendUint16(dst, uint16(len(b.Parameters)))
	for _, p := range b.Parameters {
		dst = appendValue(dst, p)
	}
	return w.End(appendFormats(dst, b.ResultFormats))
}

// An Object is what Describe and Close name.
type Object struct {
	Portal bool // else a prepared statement
	Name   []byte
}

// DecodeObject decodes the body of a Describe or Close.
func DecodeObject(body []byte) (Object, error) {
	c := protocol.Over(body)
	kind := c.Uint8()
	if kind != 'S' && kind != 'P' {
		c.Fail("neither a statement nor a portal")
	}
	o := Object{Portal: kind == 'P', Name: c.CString()}
	return o, failed("Describe or Close", c.End())
}

// DecodeExecute returns the portal that an Execute runs, and after how many rows
// it is suspended; 0 is never.
func DecodeExecute(body []byte) (portal []byte, maxRows int32, err error) {
	c := protocol.Over(body)
	portal, maxRows = c.CString(), c.Int32()
	return portal, maxRows, failed("Execute", c.End())
}

// A FunctionCall runs a function by its OID, past all SQL.
type FunctionCall struct {
	Function     uint32
	Arguments    [][]byte // nil is NULL
	ResultFormat int16
}

// DecodeFunctionCall decodes a FunctionCall.
func DecodeFunctionCall(body []byte) (FunctionCall, error) {
	c := protocol.Over(body)
	f := FunctionCall{Function: c.Uint32()}
	decodeFormats(&c, nil)
	f.Arguments = decodeValues(&c, nil)
	f.ResultFormat = c.Int16()
	return f, failed("FunctionCall", c.End())
}

// DecodeFunctionCallResponse returns what a function returned; nil is NULL. It
// aliases body.
func DecodeFunctionCallResponse(body []byte) ([]byte, error) {
	c := protocol.Over(body)
	value := decodeValue(&c)
	return value, failed("FunctionCallResponse", c.End())
}

// DecodeCopyFail returns why the client gives up a COPY.
func DecodeCopyFail(body []byte) ([]byte, error) {
	c := protocol.Over(body)
	why := c.CString()
	return why, failed("CopyFail", c.End())
}

// decodeFormats appends a counted list of format codes to dst.
func decodeFormats(c *protocol.Cursor, dst []int16) []int16 {
	for range c.Count(2) {
		dst = append(dst, c.Int16())
	}
	return dst
}

// decodeValues appends a counted list of values to dst.
func decodeValues(c *protocol.Cursor, dst [][]byte) [][]byte {
	for range c.Count(4) {
		dst = append(dst, decodeValue(c))
	}
	return dst
}

// decodeValue returns a value behind its length; nil is NULL.
func decodeValue(c *protocol.Cursor) []byte {
	size := c.Int32()
	if size == null {
		return nil
	}
	return c.Take(int(size))
}

// null is the length of NULL.
const null = -1

// appendValue appends a value behind its length; nil is NULL.
func appendValue(dst, value []byte) []byte {
	if value == nil {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	return append(protocol.AppendUint32(dst, uint32(len(value))), value...)
}

func appendFormats(dst []byte, formats []int16) []byte {
	dst = protocol.AppendUint16(dst, uint16(len(formats)))
	for _, f := range formats {
		dst = protocol.AppendUint16(dst, uint16(f))
	}
	return dst
}

// failed names the message that an error is about.
func failed(message string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", message, err)
}
