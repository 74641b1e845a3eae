package mywire

import "sqlveil/protocol"

// Flags of COM_STMT_BULK_EXECUTE.
const (
	bulkResults = 1 << 6 // a result with what each row did, where [CapMariaDBBulkResults] is agreed
	bulkTypes   = 1 << 7 // the types of the parameters are given
)

// What stands before a parameter in a row of COM_STMT_BULK_EXECUTE.
const (
	bulkValue   = 0
	bulkNull    = 1
	bulkDefault = 2 // of the column
	bulkIgnore  = 3 // leave the column as it is
)

// DecodeBulk makes e the execution with each row of parameters in turn that body,
// COM_STMT_BULK_EXECUTE, holds, and calls f with it. The statement has as many
// parameters as count. A parameter that stands for a column's default or for what
// is there already is NULL. The first error of f ends it.
// https://mariadb.com/docs/server/reference/clientserver-protocol/3-binary-protocol-prepared-statements/com_stmt_bulk_execute
func (e *Execute) DecodeBulk(body []byte, count int, f func() error) error {
	c := command(body, ComStmtBulkExecute)
	e.Statement, e.Cursor = c.Uint32LE(), false
	flags := c.Uint16LE()
	if flags&^(bulkResults|bulkTypes) != 0 || count == 0 {
		c.Fail("flags of another kind, or no parameters")
	}
	if flags&bulkTypes != 0 {
		e.takeTypes(&c, count, false)
	}
	if len(e.Parameters) != count {
		c.Fail("parameters without types")
	}
	for c.Err() == nil && c.Len() > 0 {
		e.takeRow(&c)
		if c.Err() != nil {
			break
		}
		if err := f(); err != nil {
			return err
		}
	}
	return failed("COM_STMT_BULK_EXECUTE", c.End())
}

// takeRow takes a row of parameters.
func (e *Execute) takeRow(c *protocol.Cursor) {
	for i := range e.Parameters {
		p := &e.Parameters[i]
		p.Value, p.Null, p.Long = nil, true, false
		switch c.Uint8() {
		case bulkValue:
			if p.Null = p.Type == TypeNull; !p.Null {
				p.Value = takeValue(c, p.Type)
			}
		case bulkNull, bulkDefault, bulkIgnore:
		default:
			c.Fail("a parameter of an unknown kind")
		}
	}
}
