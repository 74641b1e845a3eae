// Package auditlogtest makes audit logs for tests and measurements: a company
// of made-up people who work with made-up customers, day after day.
package auditlogtest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"sqlveil/auditlog"
)

// The size of the company.
const (
	people    = 200
	tables    = 60
	statement = 3000 // different ones
	customers = 500_000
	perHour   = 1500 // sessions
)

// Begin is when the first generated record happens: a Monday.
var Begin = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// A Company makes events. Its zero value is not ready; see [New].
type Company struct {
	random  *rand.Rand
	hasher  *auditlog.SubjectHasher
	now     time.Time
	shapes  []shape
	session uint64
	event   auditlog.Event
}

// a shape is a statement as the applications of the company have it.
type shape struct {
	statement auditlog.Statement
	objects   []auditlog.Object
	masks     []auditlog.MaskedColumn
	verdict   string
	code      string
	reads     bool
}

var classes = []struct{ name, level string }{
	{"person-name", "confidential"},
	{"mobile", "confidential"},
	{"email", "confidential"},
	{"resident-id", "restricted"},
	{"salary", "restricted"},
	{"birth-date", "confidential"},
	{"address", "confidential"},
	{"bank-account", "restricted"},
}

var roles = []string{"support", "analyst", "sales", "finance", "dba"}

// New returns a company whose every act follows from the seed.
func New(l *auditlog.Log, seed uint64) *Company {
	c := &Company{random: rand.New(rand.NewPCG(seed, 1)), hasher: l.NewSubjectHasher(), now: Begin}
	for i := range statement {
		c.shapes = append(c.shapes, c.newShape(i))
	}
	return c
}

func (c *Company) newShape(i int) shape {
	table := fmt.Sprintf("crm.public.table%02d", i%tables)
	s := shape{verdict: "pass", reads: true, statement: auditlog.Statement{
		Protocol: "extended", Command: "SELECT", Class: "READ", Sub: 1,
		Fingerprint: fmt.Sprintf("%016x", c.random.Uint64()),
		Text:        fmt.Sprintf("select c.id, c.name, c.mobile, o.total from %s c join orders o on o.customer = c.id where c.region = ? and c.id = ? -- %d", table, i),
	}}
	switch {
	case i%50 == 7:
		s.statement.Command, s.statement.Class, s.reads = "ALTER TABLE", "DDL", false
	case i%10 == 3:
		s.statement.Command, s.statement.Class, s.reads = "UPDATE", "WRITE", false
	}
	for k := range i % 4 {
		class := classes[(i+k)%len(classes)]
		o := auditlog.Object{Column: table + "." + class.name, Class: class.name, Level: class.level, In: "output", Released: "clear"}
		if i%3 != 0 {
			o.Released, s.verdict = "masked", "mask"
			s.masks = append(s.masks, auditlog.MaskedColumn{Column: class.name, Mask: "partial"})
		}
		s.objects = append(s.objects, o)
	}
	if i%100 == 99 {
		s.verdict, s.code = "refuse", "SV103"
	}
	s.statement.Length = len(s.statement.Text)
	return s
}

// Fill appends at least n records, without waiting for any.
func (c *Company) Fill(l *auditlog.Log, n int) error {
	for n > 0 {
		done, err := c.work(l)
		if err != nil {
			return err
		}
		n -= done
	}
	return nil
}

// work is one session.
func (c *Company) work(l *auditlog.Log) (records int, err error) {
	c.now = c.now.Add(time.Duration(c.random.Int64N(int64(2 * time.Hour / perHour))))
	if hour := c.now.Hour(); hour >= 20 && c.random.IntN(50) > 0 { // the night is quiet
		c.now = c.now.Add(11 * time.Hour)
	}
	c.session++
	person := c.random.IntN(people)
	e := &c.event
	e.Session = auditlog.Session{
		ID: fmt.Sprintf("01JD%022d", c.session), Listener: "crm", Protocol: "postgres", TLS: "1.3",
		Client: fmt.Sprintf("10.1.%d.%d:%d", person/100, person%100, 1024+c.random.IntN(60000)), Application: []string{"crm-web 4.2", "metabase", "psql"}[person%3],
	}
	if person%40 == 0 {
		e.Session.TLS = ""
	}
	e.Who = auditlog.Who{Login: fmt.Sprintf("user%02d", person%80), Role: roles[person%len(roles)], Person: fmt.Sprintf("person%03d", person)}
	e.Database = auditlog.Database{Server: "10.0.0.5:5432", Engine: "PostgreSQL 17.2", Name: "crm"}
	add := func(kind auditlog.Kind) (seq uint64) {
		if err != nil {
			return 0
		}
		e.Kind, e.Time = kind, c.now
		records++
		seq, err = l.Append(e, false)
		return seq
	}
	e.Reset()
	add(auditlog.SessionStart)
	for i := range 1 + c.random.IntN(40) {
		c.statement(e, uint64(i+1), add)
	}
	e.Reset()
	add(auditlog.SessionEnd)
	return records, err
}

func (c *Company) statement(e *auditlog.Event, id uint64, add func(auditlog.Kind) uint64) {
	c.now = c.now.Add(time.Duration(c.random.IntN(3000)) * time.Microsecond)
	s := &c.shapes[min(c.random.IntN(statement), c.random.IntN(statement))]
	e.Reset()
	e.Statement, e.Statement.ID = s.statement, id
	e.Objects = append(e.Objects, s.objects...)
	e.Decision.Verdict, e.Decision.Code, e.Decision.Policy = s.verdict, s.code, "sha256:0123456789abcdef"
	e.Decision.Masks = append(e.Decision.Masks, s.masks...)
	if s.verdict == "refuse" {
		add(auditlog.QueryRefuse)
		return
	}
	begin := add(auditlog.QueryBegin)
	took := int64(200 + c.random.IntN(5000))
	c.now = c.now.Add(time.Duration(took) * time.Microsecond)
	e.Reset()
	e.Ref, e.Statement.ID, e.Statement.Fingerprint = begin, id, s.statement.Fingerprint
	e.Result = auditlog.Result{OK: true, SQLState: "00000", Micros: took}
	if c.random.IntN(50) == 0 {
		e.Result = auditlog.Result{SQLState: "40001", Micros: took}
	} else if s.reads && len(s.objects) > 0 {
		rows := 1 + c.random.IntN(3)
		e.Result.Rows, e.Result.Bytes = int64(rows), int64(rows*180)
		e.Subjects.Count = rows
		for range rows {
			e.Subjects.Keys = append(e.Subjects.Keys, c.Subject(c.random.IntN(customers)))
		}
	}
	add(auditlog.QueryEnd)
}

// Subject is the key of a customer by number.
func (c *Company) Subject(customer int) auditlog.SubjectKey {
	return c.hasher.Key("customer-id", fmt.Appendf(nil, "%d", customer))
}
