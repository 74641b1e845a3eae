package sample

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// A Table is one table's data, as text that PostgreSQL's COPY and MariaDB's
// LOAD DATA read: a nil cell is NULL.
type Table struct {
	Name    string
	Columns []string
	Rows    iter.Seq[[]*string]
}

// Tables generates the data: so many customers, a tenth as many companies and
// three times as many orders, in the order in which they must be loaded.
func Tables(seed uint64, customers int) []Table {
	companies := max(1, customers/10)
	return []Table{
		{
			Name: "companies",
			Columns: []string{
				"id", "name", "credit_code", "legal_person", "contact_mobile", "industry", "region", "price", "registered",
			},
			Rows: rows(seed, 1, companies, company),
		},
		{
			Name: "customers",
			Columns: []string{
				"id", "name", "mobile", "email", "id_card", "bank_card", "address", "birth_date", "salary", "budget", "vip",
				"member", "last_ip", "tags", "profile", "photo", "notes", "created_at",
			},
			Rows: rows(seed, 2, customers, customer),
		},
		{
			Name:    "orders",
			Columns: []string{"id", "customer_id", "company_id", "state", "amount", "ship_to", "remark", "placed_at"},
			Rows: rows(seed, 3, 3*customers, func(d dice, id int) []*string {
				return order(d, id, customers, companies)
			}),
		},
	}
}

// rows makes n rows. Each has a generator of its own, so that a row does not
// depend on those before it.
func rows(seed, table uint64, n int, row func(dice, int) []*string) iter.Seq[[]*string] {
	return func(yield func([]*string) bool) {
		for id := 1; id <= n; id++ {
			d := dice{rand.New(rand.NewPCG(seed, table<<32|uint64(id)))}
			if !yield(row(d, id)) {
				return
			}
		}
	}
}

// dice are thrown for every choice.
type dice struct{ *rand.Rand }

func pick[E any](d dice, from []E) E { return from[d.IntN(len(from))] }

// digits returns n random digits.
func (d dice) digits(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = byte('0' + d.IntN(10))
	}
	return string(text)
}

// day is one of the span days from start on.
func (d dice) day(start string, span int) time.Time {
	first, err := time.Parse(time.DateOnly, start)
	if err != nil {
		panic(err) // a constant of this package
	}
	return first.AddDate(0, 0, d.IntN(span))
}

func (d dice) personName() string {
	switch n := d.IntN(20); {
	case n < 13:
		return pick(d, surnames) + pick(d, givenNames)
	case n < 14:
		return pick(d, minorityNames)
	default:
		return pick(d, latinFirst) + " " + pick(d, latinLast)
	}
}

func (d dice) mobile() string { return pick(d, mobilePrefixes) + d.digits(8) }

func (d dice) card() string {
	prefix := pick(d, cardPrefixes)
	return luhn(prefix.digits + d.digits(prefix.length-len(prefix.digits)-1))
}

func (d dice) address(district string) string {
	return fmt.Sprintf("%s%s%d号%d单元%d%02d室", district, pick(d, roads), 1+d.IntN(300), 1+d.IntN(6), 1+d.IntN(30), 1+d.IntN(8))
}

// text makes a cell.
func text(s string) *string { return &s }

// sometimes makes a cell that is NULL once in n times.
func (d dice) sometimes(n int, s string) *string {
	if d.IntN(n) == 0 {
		return nil
	}
	return &s
}

func customer(d dice, id int) []*string {
	place := pick(d, places)
	born := d.day("1880-01-01", 3650)
	mail := fmt.Sprintf("%s.%s%d@%s", letters(pick(d, latinFirst)), letters(pick(d, latinLast)), id, pick(d, mailDomains))
	mobile := d.mobile()
	photo := []byte{0xff, 0xd8, 0xff}
	for range 29 {
		photo = append(photo, byte(d.Uint32()))
	}
	return []*string{
		text(strconv.Itoa(id)),
		text(d.personName()),
		text(mobile),
		d.sometimes(12, mail),
		text(residentID(place.code + born.Format("20060102") + d.digits(3))),
		d.sometimes(5, d.card()),
		text(d.address(place.district)),
		text(born.Format(time.DateOnly)),
		d.sometimes(15, fmt.Sprintf("%d.%02d", 4000+d.IntN(56000), d.IntN(100))),
		text(strconv.Itoa(10000 * (1 + d.IntN(500)))),
		text(strconv.FormatBool(d.IntN(10) == 0)),
		text(uuid(d.Uint64(), d.Uint64())),
		text(fmt.Sprintf("203.0.113.%d", d.IntN(256))),
		d.sometimes(6, "{"+pick(d, tags)+","+pick(d, tags)+"}"),
		text(d.profile(mobile, mail)),
		d.sometimes(3, fmt.Sprintf(`\x%x`, photo)),
		d.sometimes(4, pick(d, remarks)),
		text(d.day("2024-01-01", 900).Add(time.Duration(d.IntN(86400)) * time.Second).Format(time.RFC3339)),
	}
}

// profile is a document with personal data at several depths.
func (d dice) profile(mobile, mail string) string {
	document, err := json.Marshal(map[string]any{
		"phone":    mobile,
		"language": pick(d, []string{"zh", "en"}),
		"contacts": []any{
			map[string]any{"name": d.personName(), "mail": "contact." + mail},
			map[string]any{"name": d.personName(), "mail": nil},
		},
		"visits": d.IntN(50),
	})
	if err != nil {
		panic(err) // a map of strings and numbers
	}
	return string(document)
}

func company(d dice, id int) []*string {
	place := pick(d, places)
	industry := pick(d, industries)
	name := fmt.Sprintf("%s%s%s%d号%s有限公司", place.region, pick(d, companyWords), pick(d, companyWords), id, industry)
	return []*string{
		text(strconv.Itoa(id)),
		text(name),
		text(creditCode("91990000" + organisationCode("MA"+d.digits(6)))),
		text(d.personName()),
		text(d.mobile()),
		text(industry),
		text(place.region),
		text(fmt.Sprintf("%d.00", 1000*(5+d.IntN(3000)))),
		text(d.day("2010-01-01", 5000).Format(time.DateOnly)),
	}
}

func order(d dice, id, customers, companies int) []*string {
	return []*string{
		text(strconv.Itoa(id)),
		text(strconv.Itoa(1 + d.IntN(customers))),
		text(strconv.Itoa(1 + d.IntN(companies))),
		text(pick(d, orderStates)),
		text(fmt.Sprintf("%d.%02d", 100+d.IntN(90000), d.IntN(100))),
		text(d.address(pick(d, places).district)),
		d.sometimes(4, pick(d, remarks)),
		text(d.day("2025-01-01", 700).Add(time.Duration(d.IntN(86400)) * time.Second).Format(time.RFC3339)),
	}
}

// letters keeps the ASCII letters of a name, lower case, for a mail address.
func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if r > 127 || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz", r) {
			return -1
		}
		return r
	}, strings.ToLower(name))
}
