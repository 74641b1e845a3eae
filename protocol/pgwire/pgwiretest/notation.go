package pgwiretest

import (
	"fmt"
	"sort"
	"strconv"

	"sqlveil/protocol/pgwire"
)

// An Origin is a table column, as a RowDescription names it.
type Origin struct {
	Table     uint32
	Attribute int16
}

// A Notation turns lines into messages and back. Its only content is the names
// that a RowDescription may use: for table columns ("users.email"), and for types
// besides the common ones.
type Notation struct {
	Columns map[string]Origin
	Types   map[string]uint32
}

// Side is who sends a message: the same letter means another message on the
// other side.
type Side uint8

// The two sides.
const (
	Client Side = iota
	Server
)

// common are the types that need no entry in Notation.Types.
var common = map[string]uint32{
	"bool": 16, "bytea": 17, "int8": 20, "int2": 21, "int4": 23, "text": 25, "oid": 26, "json": 114,
	"float4": 700, "float8": 701, "inet": 869, "text[]": 1009, "int4[]": 1007, "bpchar": 1042,
	"varchar": 1043, "date": 1082, "time": 1083, "timestamp": 1114, "timestamptz": 1184,
	"interval": 1186, "numeric": 1700, "record": 2249, "uuid": 2950, "jsonb": 3802,
}

// sizes are the type sizes of a RowDescription that are not -1.
var sizes = map[uint32]int16{
	16: 1, 20: 8, 21: 2, 23: 4, 26: 4, 700: 4, 701: 8, 1082: 4, 1083: 8, 1114: 8, 1184: 8, 1186: 16, 2950: 16,
}

// letters are the messages by their names.
var letters = func() [2]map[string]byte {
	var l [2]map[string]byte
	for side, name := range map[Side]func(byte) string{Client: pgwire.ClientMessage, Server: pgwire.ServerMessage} {
		l[side] = make(map[string]byte)
		for b := range 128 {
			l[side][name(byte(b))] = byte(b)
		}
	}
	return l
}()

func (n *Notation) typeOID(name string) (uint32, bool) {
	if oid, ok := n.Types[name]; ok {
		return oid, true
	}
	if oid, ok := common[name]; ok {
		return oid, true
	}
	oid, err := strconv.ParseUint(name, 10, 32)
	return uint32(oid), err == nil
}

func sizeOf(oid uint32) int16 {
	if size, ok := sizes[oid]; ok {
		return size
	}
	return -1
}

// typeName returns the name of a type, its OID if it has none.
func (n *Notation) typeName(oid uint32) string {
	for _, names := range []map[string]uint32{n.Types, common} {
		for name, o := range names {
			if o == oid {
				return name
			}
		}
	}
	return strconv.FormatUint(uint64(oid), 10)
}

// columnName returns the name of a table column.
func (n *Notation) columnName(o Origin) string {
	var names []string
	for name, known := range n.Columns {
		if known == o {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return fmt.Sprintf("%d.%d", o.Table, o.Attribute)
	}
	sort.Strings(names)
	return names[0]
}
