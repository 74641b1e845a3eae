package pgwire

// Kind is the family of a type: what its values mean.
type Kind uint8

// The families. KindOther is everything that is not converted: its values can
// only become NULL.
const (
	KindOther Kind = iota
	KindText
	KindInteger
	KindNumeric
	KindFloat
	KindBool
	KindDate
	KindTime
	KindTimeTZ
	KindTimestamp
	KindTimestampTZ
	KindInterval
	KindUUID
	KindInet
	KindMAC
	KindJSON
	KindBytes
)

// A Type says what the values of a column are and how they stand on the wire.
// The zero Type is a type that is not converted.
type Type struct {
	Kind      Kind
	Bits      int  // KindInteger and KindFloat: 16, 32, 64
	Unsigned  bool // KindInteger
	Length    int  // KindText: most characters, 0 for no limit
	Precision int  // KindNumeric: digits in all, 0 for no limit
	Scale     int  // KindNumeric: digits behind the point
	Array     bool // the values are arrays of the above, of any dimensions

	form form
}

// form is how a value stands in the binary format.
type form uint8

const (
	formNone  form = iota
	formText       // the text itself
	formJSONB      // a version and the text
	formChar       // one byte
	formBool
	formInt2
	formInt4
	formInt8
	formOID
	formFloat4
	formFloat8
	formNumeric
	formMoney // hundredths, or whatever lc_monetary makes of it
	formBytea
	formDate
	formTime
	formTimeTZ
	formTimestamp
	formTimestampTZ
	formInterval
	formUUID
	formInet
	formCIDR
	formMAC
	formMAC8
)

const (
	// typmodHeader is added to the length or precision in a type modifier.
	typmodHeader = 4

	// nameLength is the most that fits a name (NAMEDATALEN - 1).
	nameLength = 63
)

// TypeOf returns the type with this OID and modifier, for the types that every
// server has; others are the zero Type. What a server defines itself and is like
// one of these on the wire (a domain, an enum, citext) is to be asked for by the
// OID of the one that it is like; see also [ArrayOf].
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/catalog/pg_type.dat
func TypeOf(oid uint32, modifier int32) Type {
	t := scalar(oid)
	if t.Kind == KindOther {
		if t = scalar(elementOf(oid)); t.Kind == KindOther {
			return Type{}
		}
		t.Array = true
	}
	t.apply(oid, modifier)
	return t
}

// ArrayOf returns the type of arrays of t.
func ArrayOf(t Type) Type {
	t.Array = t.Kind != KindOther
	return t
}

func scalar(oid uint32) Type {
	switch oid {
	case 25, 1042, 1043, 142, 705: // text, bpchar, varchar, xml, unknown
		return Type{Kind: KindText, form: formText}
	case 19: // name
		return Type{Kind: KindText, Length: nameLength, form: formText}
	case 18: // "char"
		return Type{Kind: KindText, Length: 1, form: formChar}
	case 114: // json
		return Type{Kind: KindJSON, form: formText}
	case 3802: // jsonb
		return Type{Kind: KindJSON, form: formJSONB}
	case 17: // bytea
		return Type{Kind: KindBytes, form: formBytea}
	case 2950: // uuid
		return Type{Kind: KindUUID, form: formUUID}
	case 869: // inet
		return Type{Kind: KindInet, form: formInet}
	case 650: // cidr
		return Type{Kind: KindInet, form: formCIDR}
	case 829: // macaddr
		return Type{Kind: KindMAC, Bits: 48, form: formMAC}
	case 774: // macaddr8
		return Type{Kind: KindMAC, Bits: 64, form: formMAC8}
	}
	if t := number(oid); t.Kind != KindOther {
		return t
	}
	return instant(oid)
}

func number(oid uint32) Type {
	switch oid {
	case 16: // bool
		return Type{Kind: KindBool, form: formBool}
	case 21: // int2
		return Type{Kind: KindInteger, Bits: 16, form: formInt2}
	case 23: // int4
		return Type{Kind: KindInteger, Bits: 32, form: formInt4}
	case 20: // int8
		return Type{Kind: KindInteger, Bits: 64, form: formInt8}
	case 26: // oid
		return Type{Kind: KindInteger, Bits: 32, Unsigned: true, form: formOID}
	case 700: // float4
		return Type{Kind: KindFloat, Bits: 32, form: formFloat4}
	case 701: // float8
		return Type{Kind: KindFloat, Bits: 64, form: formFloat8}
	case 1700: // numeric
		return Type{Kind: KindNumeric, form: formNumeric}
	case 790: // money
		return Type{Kind: KindNumeric, Precision: 18, Scale: moneyScale, form: formMoney}
	}
	return Type{}
}

func instant(oid uint32) Type {
	switch oid {
	case 1082: // date
		return Type{Kind: KindDate, form: formDate}
	case 1083: // time
		return Type{Kind: KindTime, form: formTime}
	case 1266: // timetz
		return Type{Kind: KindTimeTZ, form: formTimeTZ}
	case 1114: // timestamp
		return Type{Kind: KindTimestamp, form: formTimestamp}
	case 1184: // timestamptz
		return Type{Kind: KindTimestampTZ, form: formTimestampTZ}
	case 1186: // interval
		return Type{Kind: KindInterval, form: formInterval}
	}
	return Type{}
}

// elements maps the OIDs of array types to those of their elements.
var elements = map[uint32]uint32{
	143:  142,  // xml
	199:  114,  // json
	651:  650,  // cidr
	775:  774,  // macaddr8
	791:  790,  // money
	1000: 16,   // bool
	1001: 17,   // bytea
	1002: 18,   // "char"
	1003: 19,   // name
	1005: 21,   // int2
	1007: 23,   // int4
	1009: 25,   // text
	1014: 1042, // bpchar
	1015: 1043, // varchar
	1016: 20,   // int8
	1021: 700,  // float4
	1022: 701,  // float8
	1028: 26,   // oid
	1040: 829,  // macaddr
	1041: 869,  // inet
	1115: 1114, // timestamp
	1182: 1082, // date
	1183: 1083, // time
	1185: 1184, // timestamptz
	1187: 1186, // interval
	1231: 1700, // numeric
	1270: 1266, // timetz
	2951: 2950, // uuid
	3807: 3802, // jsonb
}

func elementOf(oid uint32) uint32 { return elements[oid] }

// apply sets what the modifier of a column says.
func (t *Type) apply(oid uint32, modifier int32) {
	if modifier < typmodHeader {
		return
	}
	if element := elementOf(oid); element != 0 {
		oid = element
	}
	m := modifier - typmodHeader
	switch oid {
	case 1042, 1043: // bpchar, varchar
		t.Length = int(m)
	case 1700: // numeric: 16 bits of precision, 11 of a signed scale
		t.Precision = int(m >> 16 & 0xffff)
		t.Scale = int(m&0x7ff^0x400) - 0x400
	}
}
