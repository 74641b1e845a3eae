package mywiretest

import (
	"fmt"
	"strings"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
)

// A Notation turns lines into packets.
type Notation struct {
	// Agreed is what both sides offered. It goes into Greeting and Login too.
	Agreed mywire.Capabilities
}

// Common are capabilities that most clients and servers agree on.
const Common = mywire.CapMySQL | mywire.CapProtocol41 | mywire.CapTransactions | mywire.CapSecureConnection |
	mywire.CapPluginAuth | mywire.CapLenencAuth | mywire.CapConnectWithDB | mywire.CapMultiStatements |
	mywire.CapMultiResults | mywire.CapPSMultiResults | mywire.CapDeprecateEOF

// Challenge is the one of a Greeting that names none.
const Challenge = "abcdefghijklmnopqrst"

// types are the types of columns and parameters, by MySQL's own names.
var types = map[string]mywire.FieldType{
	"decimal": mywire.TypeNewDecimal, "tiny": mywire.TypeTiny, "short": mywire.TypeShort, "long": mywire.TypeLong,
	"float": mywire.TypeFloat, "double": mywire.TypeDouble, "null": mywire.TypeNull, "timestamp": mywire.TypeTimestamp,
	"longlong": mywire.TypeLongLong, "int24": mywire.TypeInt24, "date": mywire.TypeDate, "time": mywire.TypeTime,
	"datetime": mywire.TypeDatetime, "year": mywire.TypeYear, "bit": mywire.TypeBit, "json": mywire.TypeJSON,
	"blob": mywire.TypeBlob, "var_string": mywire.TypeVarString, "string": mywire.TypeString, "geometry": mywire.TypeGeometry,
}

// commands are the lines of a client that hold nothing but a text or nothing at all.
var commands = map[string]mywire.Command{
	"Quit": mywire.ComQuit, "InitDB": mywire.ComInitDB, "Prepare": mywire.ComStmtPrepare, "Statistics": mywire.ComStatistics,
	"Ping": mywire.ComPing, "ResetConnection": mywire.ComResetConnection, "Debug": mywire.ComDebug,
	"BinlogDump": mywire.ComBinlogDump, "ProcessInfo": mywire.ComProcessInfo,
}

// IsCommand says whether a line is a command of a client, which has the number 0.
func IsCommand(line string) bool {
	name, _, _ := strings.Cut(line, " ")
	switch name {
	case "Query", "Execute", "Fetch", "Close", "Reset", "LongData", "SetOption", "FieldList", "ChangeUser", "Command":
		return true
	}
	_, ok := commands[name]
	return ok
}

// Encode returns the body of the packet that line describes.
func (n *Notation) Encode(line string) ([]byte, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	f := split(rest)
	var body []byte
	switch c, ok := commands[name]; {
	case ok:
		var text []byte
		if len(f.words) > 0 {
			text = f.bytes()
		}
		body = mywire.AppendText(nil, c, text)
	case IsCommand(line):
		body = n.command(name, f)
	default:
		body = n.other(name, f)
	}
	if err := f.end(); err != nil {
		return nil, fmt.Errorf("%s: %w", line, err)
	}
	return body, nil
}

// command encodes a client's command that has fields.
func (n *Notation) command(name string, f *fields) []byte {
	switch name {
	case "Query":
		q := mywire.Query{Text: f.bytes()}
		return q.Append(nil, n.Agreed)
	case "Close":
		return mywire.AppendStatement(nil, mywire.ComStmtClose, uint32(f.number()))
	case "Reset":
		return mywire.AppendStatement(nil, mywire.ComStmtReset, uint32(f.number()))
	case "Fetch":
		b := mywire.AppendStatement(nil, mywire.ComStmtFetch, uint32(f.number()))
		return protocol.AppendUint32LE(b, uint32(f.number()))
	case "LongData":
		b := mywire.AppendStatement(nil, mywire.ComStmtSendLongData, uint32(f.number()))
		b = protocol.AppendUint16LE(b, uint16(f.number()))
		return append(b, f.bytes()...)
	case "SetOption":
		return protocol.AppendUint16LE([]byte{byte(mywire.ComSetOption)}, uint16(f.number()))
	case "FieldList":
		return protocol.AppendCString([]byte{byte(mywire.ComFieldList)}, f.bytes())
	case "Command": // any, by its number
		return append([]byte{byte(f.number())}, f.bytes()...)
	case "ChangeUser":
		return n.changeUser(f)
	default:
		return n.execute(f)
	}
}

func (n *Notation) changeUser(f *fields) []byte {
	u := mywire.ChangeUser{
		User:      []byte(f.option("user", "")),
		Database:  []byte(f.option("database", "")),
		Response:  []byte(f.option("response", "")),
		Plugin:    f.option("plugin", "mysql_native_password"),
		Collation: 45,
	}
	body, err := u.Append(nil, n.Agreed)
	if err != nil {
		f.fail("%w", err)
	}
	return body
}

// execute encodes a statement's number and its parameters, as type=value.
func (n *Notation) execute(f *fields) []byte {
	flags := byte(f.parse(f.option("cursor", "0")))
	b := mywire.AppendStatement(nil, mywire.ComStmtExecute, uint32(f.number()))
	b = append(b, flags, 1, 0, 0, 0)
	if len(f.words) == 0 {
		return b
	}
	nulls := make([]byte, (len(f.words)+7)/8)
	var typed, values []byte
	for i := 0; len(f.words) > 0; i++ {
		w := f.next()
		typed = protocol.AppendUint16LE(typed, uint16(types[w.key]))
		if w.value == nil {
			nulls[i/8] |= 1 << (i % 8)
			continue
		}
		values = appendValue(values, w, f)
	}
	b = append(append(b, nulls...), 1)
	return append(append(b, typed...), values...)
}

// appendValue appends a value in the binary form of its type.
func appendValue(dst []byte, w word, f *fields) []byte {
	t, ok := types[w.key]
	if !ok {
		f.fail("no type %s", w.key)
		return dst
	}
	col := mywire.Column{Type: t, Collation: 45, Decimals: 6}
	value, ok := mywire.NewCodec(&col, true).AppendValue(nil, w.value)
	switch {
	case !ok:
		f.fail("%q is no %s", w.value, w.key)
		return dst
	case t == mywire.TypeDate, t == mywire.TypeTime, t == mywire.TypeDatetime, t == mywire.TypeTimestamp:
		return append(append(dst, byte(len(value))), value...)
	case t <= mywire.TypeInt24 && t != mywire.TypeDecimal, t == mywire.TypeYear:
		return append(dst, value...)
	default:
		return protocol.AppendLenencString(dst, value)
	}
}

// other encodes what is no command.
func (n *Notation) other(name string, f *fields) []byte {
	switch name {
	case "Raw":
		return f.bytes()
	case "Greeting":
		return n.greeting(f)
	case "Login", "SSLRequest":
		return n.login(name, f)
	case "AuthSwitch":
		s := mywire.AuthSwitch{Plugin: f.text(), Challenge: f.bytes()}
		return s.Append(nil)
	case "AuthMore":
		return mywire.AppendAuthMore(nil, f.bytes())
	case "OK":
		ok := mywire.OK{
			AffectedRows: f.parse(f.option("affected", "0")), InsertID: f.parse(f.option("id", "0")),
			Status: mywire.Status(f.parse(f.option("status", "2"))), Warnings: uint16(f.parse(f.option("warnings", "0"))),
			Info: []byte(f.option("info", "")),
		}
		return mywire.AppendOK(nil, ok, n.Agreed, f.option("end", "") != "")
	case "EOF":
		return mywire.AppendEOF(nil, mywire.Status(f.parse(f.option("status", "2"))))
	case "ERR":
		e := mywire.Error{Code: uint16(f.number()), State: f.text(), Message: f.text()}
		return e.Append(nil)
	case "LocalFile":
		return append([]byte{0xfb}, f.bytes()...)
	default:
		return n.result(name, f)
	}
}

// result encodes the packets of a result.
func (n *Notation) result(name string, f *fields) []byte {
	switch name {
	case "Columns":
		return protocol.AppendLenenc(nil, f.number())
	case "Column":
		col := column(f)
		return col.Append(nil)
	case "Row":
		var b []byte
		for len(f.words) > 0 {
			if v := f.bytes(); v != nil {
				b = protocol.AppendLenencString(b, v)
			} else {
				b = append(b, 0xfb)
			}
		}
		return b
	case "BinaryRow":
		return binaryRow(f)
	case "PrepareOK":
		p := mywire.PrepareOK{
			Columns:    uint16(f.parse(f.option("columns", "0"))),
			Parameters: uint16(f.parse(f.option("parameters", "0"))),
		}
		p.Statement = uint32(f.number())
		return p.Append(nil)
	default:
		f.fail("no such packet")
		return nil
	}
}

// binaryRow encodes type=value fields.
func binaryRow(f *fields) []byte {
	nulls := make([]byte, (len(f.words)+9)/8)
	var values []byte
	for i := 2; len(f.words) > 0; i++ {
		w := f.next()
		if w.value == nil {
			nulls[i/8] |= 1 << (i % 8)
			continue
		}
		values = appendValue(values, w, f)
	}
	return append(append([]byte{0}, nulls...), values...)
}

// column reads name:type or name:type(decimals), and perhaps
// :database.table.column, :unsigned, :binary.
func column(f *fields) mywire.Column {
	parts := strings.Split(f.text(), ":")
	if len(parts) < 2 {
		f.fail("a column without type")
		return mywire.Column{}
	}
	name, decimals, _ := strings.Cut(strings.TrimSuffix(parts[1], ")"), "(")
	t, ok := types[name]
	if !ok {
		f.fail("no type %s", name)
	}
	col := mywire.Column{Name: []byte(parts[0]), Type: t, Collation: 45, Length: 1020}
	if decimals != "" {
		col.Decimals = uint8(f.parse(decimals))
	}
	for _, p := range parts[2:] {
		names := strings.Split(p, ".")
		switch {
		case p == "unsigned":
			col.Flags |= mywire.FlagUnsigned
		case p == "binary":
			col.Collation = 63
		case len(names) == 3:
			col.Database, col.OriginalTable, col.OriginalName = []byte(names[0]), []byte(names[1]), []byte(names[2])
			col.Table = col.OriginalTable
		default:
			f.fail("neither unsigned, binary nor database.table.column: %s", p)
		}
	}
	return col
}

func (n *Notation) greeting(f *fields) []byte {
	g := mywire.Greeting{
		Version:      f.option("version", "8.4.0"),
		ThreadID:     uint32(f.parse(f.option("thread", "7"))),
		Challenge:    []byte(f.option("challenge", Challenge)),
		Capabilities: n.Agreed | mywire.Capabilities(f.parse(f.option("also", "0"))),
		Collation:    45,
		Status:       mywire.StatusAutocommit,
		Plugin:       f.option("plugin", "mysql_native_password"),
	}
	return g.Append(nil)
}

func (n *Notation) login(name string, f *fields) []byte {
	l := mywire.Login{
		Capabilities: n.Agreed | mywire.Capabilities(f.parse(f.option("also", "0"))),
		MaxPacket:    1 << 24,
		Collation:    45,
		User:         []byte(f.option("user", "")),
		Response:     []byte(f.option("response", "")),
		Database:     []byte(f.option("database", "")),
		Plugin:       f.option("plugin", "mysql_native_password"),
	}
	if name == "SSLRequest" {
		l.Capabilities |= mywire.CapSSL
		return l.AppendSSLRequest(nil)
	}
	body, err := l.Append(nil)
	if err != nil {
		f.fail("%w", err)
	}
	return body
}
