package masking

import "strings"

// A Column names one table column, in the spelling of the catalog. Schema is
// empty for MySQL, where the database is the schema.
type Column struct{ Database, Schema, Table, Name string }

// String returns the column as a policy would name it: crm.public.orders.id.
func (c Column) String() string {
	var b strings.Builder
	for _, name := range [...]string{c.Database, c.Schema, c.Table, c.Name} {
		if name == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(quoteName(name))
	}
	return b.String()
}

// Kind is the family of a column's type: what a value must look like to be valid.
type Kind uint8

const (
	KindOther Kind = iota // unknown: only NULL is safe
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
	KindInet // inet and cidr
	KindMAC
	KindJSON
	KindBytes
)

// Type is a column's type as far as masks need it.
type Type struct {
	Kind      Kind
	Bits      int  // KindInteger and KindFloat: 16, 32, 64
	Unsigned  bool // KindInteger
	Length    int  // KindText, KindBytes: most characters or bytes, 0 for no limit
	Precision int  // KindNumeric: digits in all, 0 for no limit
	Scale     int  // KindNumeric: digits behind the point
}
