package masking

import (
	"fmt"
	"testing"
)

// A maskCase is a value, what a mask makes of it, "NULL" for NULL.
type maskCase struct {
	name, text, want string
}

func checkMask(t *testing.T, m Mask, typ Type, cases []maskCase) {
	t.Helper()
	for _, c := range cases {
		out, ok := Apply(m, nil, []byte(c.text), typ)
		got := string(out)
		if !ok {
			got = "NULL"
		}
		if got != c.want {
			t.Errorf("%s: %s of %q is %q, want %q", c.name, m.Name(), c.text, got, c.want)
		}
	}
}

func TestNeutral(t *testing.T) {
	for _, test := range []struct {
		typ  Type
		want string
	}{
		{Type{Kind: KindOther}, "NULL"},
		{Type{Kind: KindText}, "[redacted]"},
		{Type{Kind: KindText, Length: 10}, "[redacted]"},
		{Type{Kind: KindText, Length: 9}, "***"},
		{Type{Kind: KindText, Length: 2}, "*"},
		{Type{Kind: KindInteger, Bits: 16}, "0"},
		{Type{Kind: KindNumeric, Precision: 10, Scale: 2}, "0.00"},
		{Type{Kind: KindNumeric, Precision: 2, Scale: 2}, "0.00"},
		{Type{Kind: KindNumeric, Precision: 5, Scale: -2}, "0"},
		{Type{Kind: KindNumeric}, "0"},
		{Type{Kind: KindFloat, Bits: 64}, "0"},
		{Type{Kind: KindBool}, "f"},
		{Type{Kind: KindDate}, "1970-01-01"},
		{Type{Kind: KindTime}, "00:00:00"},
		{Type{Kind: KindTimeTZ}, "00:00:00+00"},
		{Type{Kind: KindTimestamp}, "1970-01-01 00:00:00"},
		{Type{Kind: KindTimestampTZ}, "1970-01-01 00:00:00+00"},
		{Type{Kind: KindInterval}, "00:00:00"},
		{Type{Kind: KindUUID}, "00000000-0000-0000-0000-000000000000"},
		{Type{Kind: KindInet}, "0.0.0.0"},
		{Type{Kind: KindMAC}, "00:00:00:00:00:00"},
		{Type{Kind: KindJSON}, "{}"},
		{Type{Kind: KindBytes}, `\x`},
		{Type{Kind: KindBytes, Length: 1}, "NULL"},
		{Type{Kind: KindBytes + 1}, "NULL"},
	} {
		checkMask(t, Redact, test.typ, []maskCase{{fmt.Sprintf("%+v", test.typ), "anything", test.want}})
	}
}

func TestPartial(t *testing.T) {
	mobile := partial{first: 3, last: 4, char: '*'}
	checkMask(t, mobile, Type{Kind: KindText, Length: 20}, []maskCase{
		{"a mobile number", "13800138000", "138****8000"},
		{"a resident id", "11010519491231002X", "110***********002X"},
		{"padded by char(20)", "13800138000         ", "138****8000         "},
		{"twice masked", "138****8000", "[redacted]"},
		{"too short", "1380013800", "[redacted]"},
		{"empty", "", "[redacted]"},
		{"blanks", "     ", "[redacted]"},
		{"characters, not bytes", "北京市海淀区中关村大街一号", "北京市******大街一号"},
		{"no UTF-8", "138\xff0013\xfe8000", "[redacted]"},
		{"a zero byte", "138\x0000138000", "138*****8000"},
		{"a zero byte that would remain", "1\x008001380001", "[redacted]"},
	})
	checkMask(t, partial{first: 1, char: '*'}, Type{Kind: KindText}, []maskCase{
		{"two characters", "张三", "张*"},
		{"one", "张", "[redacted]"},
		{"half", "ab", "a*"},
	})
	checkMask(t, partial{first: 6, last: 4, char: '#'}, Type{Kind: KindText}, []maskCase{
		{"a card number", "6222020000000007", "622202######0007"},
		{"two thirds are too much", "622202000007", "[redacted]"},
	})
	for _, typ := range []Type{{Kind: KindInteger, Bits: 64}, {Kind: KindNumeric}} {
		checkMask(t, mobile, typ, []maskCase{{"a number", "13800138000", "0"}})
	}
	checkMask(t, mobile, Type{Kind: KindOther}, []maskCase{{"an unknown type", "13800138000", "NULL"}})
}

func TestEmail(t *testing.T) {
	checkMask(t, email{}, Type{Kind: KindText}, []maskCase{
		{"an address", "user@example.com", "u***@example.com"},
		{"one letter", "a@b.cn", "***@b.cn"},
		{"two", "ab@b.cn", "a***@b.cn"},
		{"a Chinese one", "张三@例子.中国", "张***@例子.中国"},
		{"a quoted @", `"a@b"@example.com`, `"***@example.com`},
		{"blanks around", " user@example.com ", "u***@example.com"},
		{"already masked", "u***@example.com", "[redacted]"},
		{"no @", "example.com", "[redacted]"},
		{"nothing before it", "@example.com", "[redacted]"},
		{"nothing behind it", "user@", "[redacted]"},
		{"no domain", "user@localhost", "[redacted]"},
		{"an empty label", "user@example..com", "[redacted]"},
		{"two addresses", "user@example.com, other@example.org", "[redacted]"},
		{"with a name", "User <user@example.com>", "[redacted]"},
		{"a password behind it", "user@example.com:secret", "[redacted]"},
	})
	checkMask(t, email{}, Type{Kind: KindText, Length: 7}, []maskCase{
		{"a narrow column", "ab@b.cn", "a*@b.cn"},
		{"too narrow", "abc@bb.cn", "***"},
	})
}

func TestName(t *testing.T) {
	checkMask(t, personName{}, Type{Kind: KindText}, []maskCase{
		{"two characters", "张三", "张**"},
		{"three", "张三丰", "张**"},
		{"a compound surname", "欧阳修", "欧阳**"},
		{"nothing but one", "欧阳", "欧**"},
		{"four characters of surname", "爱新觉罗溥仪", "爱新觉罗**"},
		{"in traditional characters", "歐陽修", "歐陽**"},
		{"one character", "张", "[redacted]"},
		{"too long for a name", "北京市海淀区中关村", "[redacted]"},
		{"with a dot", "阿卜杜拉·测试", "阿卜杜拉·**"},
		{"with another dot", "阿卜杜拉•测试•测试", "阿卜杜拉·**"},
		{"with a dot at the end", "阿卜杜拉·", "[redacted]"},
		{"Latin", "John Smith", "J*** S***"},
		{"many words", "Ana María del Carmen", "A*** M*** d*** C***"},
		{"initials", "J. Smith", "*** S***"},
		{"surname first", "Smith, John", "S*** J***"},
		{"an apostrophe", "O'Brien", "O***"},
		{"Cyrillic", "Иван Петров", "И*** П***"},
		{"Hangul", "김민수", "김***"},
		{"mixed", "张三 Smith", "张*** S***"},
		{"an address", "1 Main Street", "[redacted]"},
		{"a sentence", "one two three four five six seven", "[redacted]"},
		{"empty", "", "[redacted]"},
		{"masked", "欧阳**", "[redacted]"},
	})
	checkMask(t, personName{}, Type{Kind: KindText, Length: 5}, []maskCase{
		{"a narrow column", "Li Na", "L* N*"},
		{"too narrow", "A B C", "* * *"},
	})
	checkMask(t, personName{}, Type{Kind: KindText, Length: 2}, []maskCase{
		{"a narrow column", "张三", "张*"},
	})
}

func TestDate(t *testing.T) {
	to := func(p period) Mask { return date{to: p} }
	for _, kind := range []Kind{KindDate, KindText} {
		checkMask(t, to(month), Type{Kind: kind}, []maskCase{
			{"a date", "1990-05-17", "1990-05-01"},
			{"before Christ", "0044-03-15 BC", "0044-03-01 BC"},
			{"a leap day before Christ", "0005-02-29 BC", "0005-02-01 BC"},
			{"the far future", "123456-12-31", "123456-12-01"},
		})
	}
	checkMask(t, to(year), Type{Kind: KindDate}, []maskCase{
		{"a date", "1990-05-17", "1990-01-01"},
		{"the first of a year", "1990-01-01", "1970-01-01"},
		{"infinity", "infinity", "1970-01-01"},
		{"minus infinity", "-infinity", "1970-01-01"},
		{"DateStyle German", "17.05.1990", "1970-01-01"},
		{"DateStyle SQL", "05/17/1990", "1970-01-01"},
		{"DateStyle Postgres", "05-17-1990", "1970-01-01"},
		{"MySQL's zero date", "0000-00-00", "1970-01-01"},
		{"MySQL's month alone", "1990-05-00", "1970-01-01"},
		{"no day of the calendar", "1990-02-30", "1970-01-01"},
		{"no leap year", "1900-02-29", "1970-01-01"},
	})
	checkMask(t, to(quarter), Type{Kind: KindDate}, []maskCase{
		{"the first quarter", "1990-03-31", "1990-01-01"},
		{"the last quarter", "1990-12-31", "1990-10-01"},
	})
	checkMask(t, to(hour), Type{Kind: KindTimestampTZ}, []maskCase{
		{"a zone", "1990-05-17 13:14:15.678901+08", "1990-05-17 13:00:00+08"},
		{"half an hour of zone", "1990-05-17 13:14:15-03:30", "1990-05-17 13:00:00-03:30"},
		{"the time before zones", "1890-05-17 13:14:15+08:05:43", "1890-05-17 13:00:00+08:05:43"},
		{"before Christ", "0044-03-15 13:14:15+00 BC", "0044-03-15 13:00:00+00 BC"},
		{"the full hour", "1990-05-17 13:00:00+08", "1970-01-01 00:00:00+00"},
		{"DateStyle Postgres", "Thu May 17 13:14:15 1990 CST", "1970-01-01 00:00:00+00"},
	})
	checkMask(t, to(day), Type{Kind: KindTimestamp}, []maskCase{
		{"a timestamp", "1990-05-17 13:14:15", "1990-05-17 00:00:00"},
		{"a date alone", "1990-05-17", "1970-01-01 00:00:00"},
	})
	checkMask(t, to(year), Type{Kind: KindText}, []maskCase{
		{"ISO 8601", "1990-05-17T13:14:15Z", "1990-01-01T00:00:00Z"},
		{"without seconds", "1990-05-17 13:14", "1990-01-01 00:00:00"},
		{"more than a date", "born 1990-05-17", "[redacted]"},
		{"more behind it", "1990-05-17 in Beijing", "[redacted]"},
	})
	checkMask(t, to(hour), Type{Kind: KindTimeTZ}, []maskCase{{"a time", "13:14:15+08", "13:00:00+08"}})
	checkMask(t, to(year), Type{Kind: KindTime}, []maskCase{{"a time has no year", "13:14:15", "00:00:00"}})
	checkMask(t, to(year), Type{Kind: KindInterval}, []maskCase{{"an interval", "3 days", "00:00:00"}})
}

func TestRound(t *testing.T) {
	step := func(text string) Mask {
		d, ok := parseDecimal([]byte(text))
		if !ok {
			t.Fatalf("no decimal: %s", text)
		}
		return round{to: d}
	}
	checkMask(t, step("1000"), Type{Kind: KindInteger, Bits: 16}, []maskCase{
		{"up", "5600", "6000"},
		{"down", "5432", "5000"},
		{"half", "5500", "6000"},
		{"negative", "-5600", "-6000"},
		{"to zero", "-300", "0"},
		{"a multiple", "5000", "0"},
		{"zero", "0", "0"},
		{"no room above", "32767", "32000"},
		{"no room below", "-32768", "-32000"},
	})
	checkMask(t, step("1000"), Type{Kind: KindInteger, Bits: 64}, []maskCase{
		{"too many digits", "9223372036854775807", "0"},
		{"as many as fit", "999999999999999999", "999999999999999000"},
	})
	checkMask(t, step("1000"), Type{Kind: KindNumeric, Precision: 6, Scale: 2}, []maskCase{
		{"cents", "5432.10", "5000.00"},
		{"no room above", "9999.99", "9000.00"},
		{"NaN", "NaN", "0.00"},
	})
	checkMask(t, step("0.25"), Type{Kind: KindNumeric, Precision: 6, Scale: 2}, []maskCase{
		{"quarters", "1.30", "1.25"},
		{"a multiple", "1.50", "0.00"},
	})
	checkMask(t, step("0.25"), Type{Kind: KindNumeric, Precision: 6, Scale: 1}, []maskCase{
		{"a step finer than the column", "1.3", "0.0"},
		{"one that fits", "1.1", "1.0"},
	})
	checkMask(t, step("1000"), Type{Kind: KindFloat, Bits: 64}, []maskCase{
		{"a float", "5432.1", "5000"},
		{"a multiple as all that large are", "1.2345678e+20", "0"},
		{"with an exponent", "1.23456789012345678e+17", "1.23456789012346e+17"},
		{"NaN", "NaN", "0"},
		{"Infinity", "-Infinity", "0"},
	})
	checkMask(t, step("1000"), Type{Kind: KindText}, []maskCase{
		{"a number as text", "5432", "5000"},
		{"something else", "5432 yuan", "[redacted]"},
	})
	checkMask(t, step("1000"), Type{Kind: KindDate}, []maskCase{{"a date", "1990-05-17", "1970-01-01"}})
}

// TestHMACVectors fixes what hmac makes of a value. Tokens are joined across
// databases and releases: these may never change.
func TestHMACVectors(t *testing.T) {
	m := testKeyring().mask("account", tokenLength)
	for _, test := range []struct {
		typ        Type
		text, want string
	}{
		{Type{Kind: KindText}, "13800138000", "bxwas5izpeyg2md5hx2zfax2fv"},
		{Type{Kind: KindText}, "13800138000    ", "bxwas5izpeyg2md5hx2zfax2fv"},
		{Type{Kind: KindText}, "欧阳修", "cg6cpjd2g7nij4iyz2vjswef7c"},
		{Type{Kind: KindText}, "", "diowc6atyzhwhm73vc4ybzkzau"},
		{Type{Kind: KindText, Length: 12}, "13800138000", "bxwas5izpeyg"},
		{Type{Kind: KindInteger, Bits: 32}, "42", "1533817585"},
		{Type{Kind: KindInteger, Bits: 64, Unsigned: true}, "42", "299784723979055857"},
		{Type{Kind: KindNumeric, Precision: 10, Scale: 2}, "42.00", "84786757"},
		{Type{Kind: KindFloat, Bits: 64}, "42", "3350679467602673"},
		{Type{Kind: KindUUID}, "123e4567-e89b-12d3-a456-426614174000", "d00f2b3e-e6b2-87e4-a003-9541da5dbb72"},
		{Type{Kind: KindBytes}, `\x00ff`, `\x19eb3371f837ba1f531c300eb5388681`},
		{Type{Kind: KindJSON}, `"13800138000"`, `"bxwas5izpeyg2md5hx2zfax2fv"`},
		{Type{Kind: KindBool}, "t", "f"},
		{Type{Kind: KindDate}, "1990-05-17", "1970-01-01"},
		{Type{Kind: KindText, Length: 7}, "13800138000", "***"},
	} {
		checkMask(t, m, test.typ, []maskCase{{fmt.Sprintf("%+v", test.typ), test.text, test.want}})
	}
}
