package mywire

import "sqlveil/protocol"

// A Parameter is a value that a client sends beside a text, in the form of a
// cell of a binary row.
type Parameter struct {
	Name     []byte
	Type     FieldType
	Unsigned bool
	Null     bool
	Long     bool   // came in COM_STMT_SEND_LONG_DATA
	Value    []byte // without its length
}

// AppendText appends the text form of the parameter's value to dst.
func (p Parameter) AppendText(dst []byte) ([]byte, bool) {
	col := Column{Type: p.Type, Decimals: maxDecimals}
	if p.Unsigned {
		col.Flags = FlagUnsigned
	}
	return NewCodec(&col, true).AppendText(dst, p.Value)
}

// maxParameters is the most that a statement has.
const maxParameters = 1<<16 - 1

// unsignedType is the bit of a parameter's type that makes it unsigned.
const unsignedType = 1 << 15

// decodeAttributes appends the attributes of a COM_QUERY to dst.
func decodeAttributes(c *protocol.Cursor, dst []Parameter) []Parameter {
	count := c.LenencCount(0)
	if c.Lenenc() != 1 {
		c.Fail("more than one set of attributes")
	}
	if count == 0 || c.Err() != nil {
		return dst
	}
	if count > maxParameters {
		c.Fail("a count exceeds what is possible")
		return dst
	}
	nulls := c.Take((count + 7) / 8)
	if c.Uint8() != 1 {
		c.Fail("attributes without types")
	}
	return decodeParameters(c, dst, count, nulls, true)
}

// decodeParameters appends as many parameters as count to dst: first all types,
// with names if named, then the values.
func decodeParameters(c *protocol.Cursor, dst []Parameter, count int, nulls []byte, named bool) []Parameter {
	dst = decodeTypes(c, dst, count, named)
	decodeValues(c, dst, nulls)
	return dst
}

func decodeTypes(c *protocol.Cursor, dst []Parameter, count int, named bool) []Parameter {
	for range count {
		if c.Err() != nil {
			return dst
		}
		t := c.Uint16LE()
		p := Parameter{Type: FieldType(t), Unsigned: t&unsignedType != 0}
		if named {
			p.Name = c.LenencString()
		}
		dst = append(dst, p)
	}
	return dst
}

func decodeValues(c *protocol.Cursor, parameters []Parameter, nulls []byte) {
	for i := range parameters {
		p := &parameters[i]
		p.Value = nil
		p.Null = c.Err() == nil && nulls[i/8]>>(i%8)&1 != 0 || p.Type == TypeNull
		if !p.Null && !p.Long && c.Err() == nil {
			p.Value = takeValue(c, p.Type)
		}
	}
}

// An Execute is COM_STMT_EXECUTE. It is decoded into the one before of the same
// statement, since a client gives the types of the parameters only once.
type Execute struct {
	Statement  uint32
	Cursor     bool // rows wait for COM_STMT_FETCH
	Parameters []Parameter
}

// Flags of an Execute.
const (
	executeCursor = 0x07 // any kind of cursor
	executeCount  = 0x08 // the number of parameters is given
)

// AsksForCursor says whether an Execute with these flags wants its rows to wait for
// COM_STMT_FETCH.
func AsksForCursor(flags byte) bool { return flags&executeCursor != 0 }

// Decode makes e the command that body holds, and alias it. The statement has as
// many parameters as count; those of which Long is set have been sent before.
func (e *Execute) Decode(body []byte, count int, agreed Capabilities) error {
	c := command(body, ComStmtExecute)
	e.Statement = c.Uint32LE()
	flags := c.Uint8()
	e.Cursor = AsksForCursor(flags)
	if c.Uint32LE() != 1 {
		c.Fail("not one iteration")
	}
	named := agreed.Has(CapQueryAttributes)
	if count > 0 || named && flags&executeCount != 0 {
		e.decodeParameters(&c, count, named)
	}
	return failed("COM_STMT_EXECUTE", c.End())
}

func (e *Execute) decodeParameters(c *protocol.Cursor, count int, named bool) {
	if named {
		given := c.Lenenc()
		if given < uint64(count) || given > maxParameters {
			c.Fail("a count that does not fit")
			return
		}
		if count = int(given); count == 0 {
			return
		}
	}
	nulls := c.Take((count + 7) / 8)
	if c.Uint8() == 1 {
		e.takeTypes(c, count, named)
	}
	if len(e.Parameters) != count {
		c.Fail("parameters without types")
	}
	if c.Err() == nil {
		decodeValues(c, e.Parameters, nulls)
	}
}

// takeTypes replaces the types, but not what is known of long data.
func (e *Execute) takeTypes(c *protocol.Cursor, count int, named bool) {
	long := make([]bool, len(e.Parameters))
	for i, p := range e.Parameters {
		long[i] = p.Long
	}
	e.Parameters = decodeTypes(c, e.Parameters[:0], count, named)
	for i := range min(len(long), len(e.Parameters)) {
		e.Parameters[i].Long = long[i]
	}
}

// SetLong notes that a parameter, of as many as count, came in
// COM_STMT_SEND_LONG_DATA. COM_STMT_RESET and an execution undo it: [Execute.Reset].
func (e *Execute) SetLong(parameter uint16, count int) {
	for len(e.Parameters) < count && count <= maxParameters {
		e.Parameters = append(e.Parameters, Parameter{Type: TypeNull})
	}
	if int(parameter) < len(e.Parameters) {
		e.Parameters[parameter].Long = true
	}
}

// Reset forgets long data.
func (e *Execute) Reset() {
	for i := range e.Parameters {
		e.Parameters[i].Long = false
	}
}
