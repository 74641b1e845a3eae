package mywire

// A FieldType is the type of a column or parameter, as the protocol numbers them.
// https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html
type FieldType uint8

// The types that a client meets.
const (
	TypeDecimal    FieldType = 0x00
	TypeTiny       FieldType = 0x01
	TypeShort      FieldType = 0x02
	TypeLong       FieldType = 0x03
	TypeFloat      FieldType = 0x04
	TypeDouble     FieldType = 0x05
	TypeNull       FieldType = 0x06
	TypeTimestamp  FieldType = 0x07
	TypeLongLong   FieldType = 0x08
	TypeInt24      FieldType = 0x09
	TypeDate       FieldType = 0x0a
	TypeTime       FieldType = 0x0b
	TypeDatetime   FieldType = 0x0c
	TypeYear       FieldType = 0x0d
	TypeVarchar    FieldType = 0x0f
	TypeBit        FieldType = 0x10
	TypeVector     FieldType = 0xf2
	TypeJSON       FieldType = 0xf5
	TypeNewDecimal FieldType = 0xf6
	TypeEnum       FieldType = 0xf7
	TypeSet        FieldType = 0xf8
	TypeTinyBlob   FieldType = 0xf9
	TypeMediumBlob FieldType = 0xfa
	TypeLongBlob   FieldType = 0xfb
	TypeBlob       FieldType = 0xfc
	TypeVarString  FieldType = 0xfd
	TypeString     FieldType = 0xfe
	TypeGeometry   FieldType = 0xff
)

// shape is how a value stands in a binary row.
type shape uint8

const (
	shapeNone   shape = iota // not at all
	shapeFixed               // as many bytes as width says
	shapePacked              // a byte of length, then perhaps fewer bytes than there are fields
	shapeString              // behind a length-encoded length
)

func (t FieldType) shape() shape {
	switch t {
	case TypeNull:
		return shapeNone
	case TypeTiny, TypeShort, TypeYear, TypeLong, TypeInt24, TypeLongLong, TypeFloat, TypeDouble:
		return shapeFixed
	case TypeDate, TypeDatetime, TypeTimestamp, TypeTime:
		return shapePacked
	default:
		return shapeString
	}
}

// width is the size of a value of shapeFixed.
func (t FieldType) width() int {
	switch t {
	case TypeTiny:
		return 1
	case TypeShort, TypeYear:
		return 2
	case TypeLong, TypeInt24, TypeFloat:
		return 4
	default:
		return 8
	}
}

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
	KindDate
	KindTime // up to 838 hours, and negative ones
	KindTimestamp
	KindJSON
	KindBytes
)

// A Type says what the values of a column are.
type Type struct {
	Kind      Kind
	Bits      int  // KindInteger and KindFloat: 8, 16, 24, 32, 64
	Unsigned  bool // KindInteger
	Length    int  // KindText, KindBytes: most characters or bytes, 0 for no limit
	Precision int  // KindNumeric: digits in all, 0 for no limit
	Scale     int  // KindNumeric: digits behind the point
}

// TypeOf returns what the values of the column are.
func (col *Column) TypeOf() Type {
	unsigned := col.Flags&FlagUnsigned != 0
	switch col.Type {
	case TypeTiny:
		return Type{Kind: KindInteger, Bits: 8, Unsigned: unsigned}
	case TypeShort:
		return Type{Kind: KindInteger, Bits: 16, Unsigned: unsigned}
	case TypeYear:
		return Type{Kind: KindInteger, Bits: 16, Unsigned: true}
	case TypeInt24:
		return Type{Kind: KindInteger, Bits: 24, Unsigned: unsigned}
	case TypeLong:
		return Type{Kind: KindInteger, Bits: 32, Unsigned: unsigned}
	case TypeLongLong:
		return Type{Kind: KindInteger, Bits: 64, Unsigned: unsigned}
	case TypeFloat:
		return Type{Kind: KindFloat, Bits: 32}
	case TypeDouble:
		return Type{Kind: KindFloat, Bits: 64}
	case TypeDecimal, TypeNewDecimal:
		return col.decimal(unsigned)
	case TypeDate:
		return Type{Kind: KindDate}
	case TypeTime:
		return Type{Kind: KindTime}
	case TypeDatetime, TypeTimestamp:
		return Type{Kind: KindTimestamp}
	case TypeJSON:
		return Type{Kind: KindJSON}
	case TypeNull, TypeBit, TypeGeometry, TypeVector:
		return Type{}
	default:
		return col.text()
	}
}

// decimal works the precision out of the length, which counts a point and a sign.
func (col *Column) decimal(unsigned bool) Type {
	precision := int(col.Length)
	if col.Decimals > 0 {
		precision--
	}
	if !unsigned {
		precision--
	}
	return Type{Kind: KindNumeric, Precision: max(precision, 0), Scale: int(col.Decimals)}
}

// collationBinary is the collation of what is bytes and not text.
const collationBinary = 63

// text is the type of strings; their length is in bytes of the widest character.
func (col *Column) text() Type {
	if col.Collation == collationBinary && col.Flags&(FlagEnum|FlagSet) == 0 {
		return Type{Kind: KindBytes, Length: int(col.Length)}
	}
	return Type{Kind: KindText, Length: int(col.Length) / maxCharacter(col.Collation)}
}

// maxCharacter returns how many bytes a character may take in the character set
// of a collation. For one that is not listed it returns the least, so that a
// length is rather taken for too large than for too small.
// https://dev.mysql.com/doc/refman/8.4/en/charset-charsets.html
func maxCharacter(collation uint16) int {
	switch {
	case collation == 45, collation == 46, collation >= 224 && collation <= 247, collation >= 255 && collation <= 323:
		return 4 // utf8mb4
	case collation == 33, collation == 83, collation == 76, collation >= 192 && collation <= 223:
		return 3 // utf8mb3
	case collation == 28, collation == 87:
		return 2 // gbk
	default:
		return 1
	}
}
