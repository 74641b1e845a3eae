package review

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sqlveil/auditlog"
	"sqlveil/auditlog/auditlogtest"
	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
)

// monday is 2026-11-23, ten o'clock where the tests run.
var monday = time.Date(2026, 11, 23, 10, 0, 0, 0, time.Local)

// A diary writes a log for a test, a statement or record at a time.
type diary struct {
	t      *testing.T
	dir    string
	log    *auditlog.Log
	now    time.Time
	hasher *auditlog.SubjectHasher
}

func newDiary(t *testing.T) *diary {
	t.Helper()
	d := &diary{t: t, dir: t.TempDir(), now: monday}
	d.reopen()
	return d
}

func (d *diary) reopen() {
	d.t.Helper()
	var err error
	if d.log, err = auditlog.Open(auditlog.Options{Directory: d.dir, Durability: auditlog.Spool, SegmentBytes: 128 << 10, IntakeBytes: 1 << 20}); err != nil {
		d.t.Fatal(err)
	}
	d.hasher = d.log.NewSubjectHasher()
}

func (d *diary) close() {
	d.t.Helper()
	if err := d.log.Close(); err != nil {
		d.t.Fatal(err)
	}
}

func (d *diary) append(e *auditlog.Event) uint64 {
	d.t.Helper()
	d.now = d.now.Add(time.Second)
	e.Time = d.now
	seq, err := d.log.Append(e, false)
	if err != nil {
		d.t.Fatal(err)
	}
	return seq
}

// person is somebody at work.
func person(name string) auditlog.Event {
	return auditlog.Event{
		Session:  auditlog.Session{ID: "s-" + name, Listener: "crm", TLS: "1.3", Client: "10.0.0.7:4000", Application: "crm-web"},
		Who:      auditlog.Who{Login: "crm_ro", Role: "support", Person: name},
		Database: auditlog.Database{Server: "db:5432", Name: "crm"},
	}
}

// reads is a statement over a column, with its outcome.
func (d *diary) reads(who auditlog.Event, table, class, released string, rows int, customers ...string) uint64 {
	d.t.Helper()
	e := who
	e.Kind = auditlog.QueryBegin
	e.Statement = auditlog.Statement{Command: "SELECT", Class: "READ", Fingerprint: "fp-" + table + class, Text: "select " + class + " from " + table + " where id = ?", Length: 40}
	e.Objects = []auditlog.Object{{Column: table + "." + class, Class: class, Level: "confidential", In: "output", Released: released}}
	e.Decision.Verdict = map[string]string{"clear": "pass", "masked": "mask"}[released]
	seq := d.append(&e)
	end := who
	end.Kind, end.Ref = auditlog.QueryEnd, seq
	end.Result = auditlog.Result{OK: true, SQLState: "00000", Rows: int64(rows), Bytes: int64(100 * rows), Micros: 500}
	end.Subjects.Count = len(customers)
	for _, c := range customers {
		end.Subjects.Keys = append(end.Subjects.Keys, d.hasher.Key("customer-id", []byte(c)))
	}
	d.append(&end)
	return seq
}

func (d *diary) refused(who auditlog.Event, code string) uint64 {
	e := who
	e.Kind = auditlog.QueryRefuse
	e.Statement = auditlog.Statement{Command: "SELECT", Fingerprint: "fp-refused", Text: "select secret"}
	e.Decision = auditlog.Decision{Verdict: "refuse", Code: code, Reason: "because"}
	return d.append(&e)
}

// index closes the log and opens its index.
func (d *diary) index() *Index {
	d.t.Helper()
	d.close()
	return openIndex(d.t, d.dir)
}

func openIndex(t *testing.T, dir string) *Index {
	t.Helper()
	x, err := Open(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func seqs(rows []Row) (all []uint64) {
	for _, r := range rows {
		all = append(all, r.Seq)
	}
	return all
}

func search(t *testing.T, x *Index, f Filter) []Row {
	t.Helper()
	rows, err := x.Search(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestSearchFindsByEveryField(t *testing.T) {
	d := newDiary(t)
	ann, bob := person("ann"), person("bob")
	bob.Who.Role, bob.Who.Login, bob.Session.Application, bob.Session.Client = "analyst", "bi_1", "metabase", "[2001:db8::1]:5"
	bob.Why = auditlog.Why{Purpose: "complaint", Ticket: "C-1"}
	a := d.reads(ann, "crm.public.customer", "mobile", "masked", 1)
	b := d.reads(bob, "crm.public.orders", "email", "clear", 3)
	c := d.refused(ann, "SV103")
	x := d.index()
	for name, want := range map[string]struct {
		f    Filter
		seqs []uint64
	}{
		"all statements": {Filter{Kind: "query.*"}, []uint64{c, b, a}},
		"no chain":       {Filter{}, []uint64{c, b, a}},
		"chain":          {Filter{Kind: "chain.key"}, []uint64{1}},
		"oldest":         {Filter{Kind: "query.*", Oldest: true}, []uint64{a, b, c}},
		"limit":          {Filter{Kind: "query.*", Limit: 2}, []uint64{c, b}},
		"person":         {Filter{User: "bob"}, []uint64{b}},
		"login":          {Filter{User: "crm_ro"}, []uint64{c, a}},
		"pattern":        {Filter{User: "bi_*"}, []uint64{b}},
		"no pattern":     {Filter{User: "bi_?"}, nil},
		"role":           {Filter{Role: "analyst"}, []uint64{b}},
		"table":          {Filter{Table: "crm.public.customer"}, []uint64{a}},
		"end of a table": {Filter{Table: "orders"}, []uint64{b}},
		"part of a name": {Filter{Table: "rders"}, nil},
		"class":          {Filter{Class: "mobile"}, []uint64{a}},
		"verdict":        {Filter{Verdict: "refuse"}, []uint64{c}},
		"code":           {Filter{Code: "SV1*"}, []uint64{c}},
		"fingerprint":    {Filter{Fingerprint: "fp-refused"}, []uint64{c}},
		"session":        {Filter{Session: "s-bob"}, []uint64{b}},
		"application":    {Filter{Application: "meta*"}, []uint64{b}},
		"address":        {Filter{Address: "2001:db8::1"}, []uint64{b}},
		"command":        {Filter{Command: "SELECT", User: "ann"}, []uint64{c, a}},
		"text":           {Filter{Text: "FROM crm.public.O"}, []uint64{b}},
		"since":          {Filter{Since: monday.Add(3 * time.Second), Kind: "query.*"}, []uint64{c, b}},
		"until":          {Filter{Until: monday.Add(3 * time.Second)}, []uint64{a}},
		"both":           {Filter{User: "ann", Class: "email"}, nil},
	} {
		if got := seqs(search(t, x, want.f)); !slices.Equal(got, want.seqs) {
			t.Errorf("%s (%s): %v, want %v", name, want.f.String(), got, want.seqs)
		}
	}
	r := search(t, x, Filter{User: "bob"})[0]
	if r.Login != "bi_1" || r.Rows != 3 || r.Bytes != 300 || !r.OK || !r.Done || r.SQLState != "00000" || r.Released() != "clear" || r.Micros != 500 ||
		r.Purpose != "complaint" || r.Ticket != "C-1" || r.Database != "crm" || !strings.Contains(r.Text, "select email") || !r.Time.Equal(monday.Add(3*time.Second)) {
		t.Errorf("row %+v", r)
	}
}

func TestWhoSaw(t *testing.T) {
	d := newDiary(t)
	a := d.reads(person("ann"), "crm.public.customer", "mobile", "masked", 2, "4711", "4712")
	d.reads(person("ann"), "crm.public.customer", "mobile", "clear", 1, "4713")
	b := d.reads(person("bob"), "crm.public.customer", "mobile", "clear", 1, "4711")
	key := d.hasher.Key("customer-id", []byte("4711"))
	other := d.hasher.Key("customer-id", []byte("1"))
	x := d.index()
	for name, c := range map[string]struct {
		keys []auditlog.SubjectKey
		f    Filter
		want []uint64
	}{
		"all":      {[]auditlog.SubjectKey{key}, Filter{}, []uint64{b, a}},
		"filtered": {[]auditlog.SubjectKey{key}, Filter{User: "ann"}, []uint64{a}},
		"limited":  {[]auditlog.SubjectKey{key}, Filter{Limit: 1}, []uint64{b}},
		"nobody":   {[]auditlog.SubjectKey{other}, Filter{}, nil},
		"two keys": {[]auditlog.SubjectKey{other, key}, Filter{Oldest: true}, []uint64{a, b}},
	} {
		rows, err := x.WhoSaw(context.Background(), c.keys, c.f)
		if err != nil || !slices.Equal(seqs(rows), c.want) {
			t.Errorf("%s: %v, %v, want %v", name, seqs(rows), err, c.want)
		}
	}
	rows, err := x.WhoSaw(context.Background(), []auditlog.SubjectKey{key}, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	table := fmt.Sprint(WhoSawTable(rows).Rows)
	if !strings.Contains(table, "crm.public.customer.mobile clear") || !strings.Contains(table, "crm.public.customer.mobile masked") {
		t.Errorf("table %s", table)
	}
}

// columnsIn prints columns of a table.
func columnsIn(t *testing.T, table *Table, err error, names ...string) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, row := range table.Rows {
		var line []string
		for _, name := range names {
			i := slices.Index(table.Columns, name)
			if i < 0 {
				t.Fatalf("no column %s in %v", name, table.Columns)
			}
			line = append(line, fmt.Sprint(row[i]))
		}
		lines = append(lines, strings.Join(line, " "))
	}
	return strings.Join(lines, "; ")
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestQuestions(t *testing.T) {
	ctx := context.Background()
	d := newDiary(t)
	ann, bob := person("ann"), person("bob")
	ann.Why.Purpose = "billing"
	bob.Session.TLS, bob.Session.Client = "", "10.9.0.1:77"
	for _, who := range []auditlog.Event{ann, bob} {
		who.Kind = auditlog.SessionStart
		d.append(&who)
	}
	var customers []string
	for i := range 30 {
		customers = append(customers, fmt.Sprint(i))
	}
	d.reads(ann, "crm.public.customer", "mobile", "clear", 30, customers...)
	for _, c := range customers[:20] {
		d.reads(bob, "crm.public.orders", "email", "masked", 1, c)
	}
	var refused []uint64
	for range 3 {
		refused = append(refused, d.refused(bob, "SV205"))
	}
	ddl := ann
	ddl.Kind = auditlog.QueryBegin
	ddl.Statement = auditlog.Statement{Command: "ALTER TABLE", Class: "DDL", Fingerprint: "fp-ddl", Text: "alter table t add c int"}
	ddl.Decision.Verdict = "pass"
	changed := d.append(&ddl)
	policy := auditlog.Event{Kind: auditlog.PolicyLoad}
	loaded := d.append(&policy)
	unreadable := bob
	unreadable.Kind, unreadable.Statement = auditlog.QueryRefuse, auditlog.Statement{Hash: "00", Length: 4}
	unreadable.Decision.Verdict = "refuse"
	odd := d.append(&unreadable)
	d.now = monday.Add(12 * time.Hour)
	night := d.reads(bob, "crm.public.customer", "mobile", "masked", 1)
	d.now = monday.Add(-24 * time.Hour)
	sunday := d.reads(ann, "crm.public.customer", "mobile", "masked", 1)
	x := d.index()

	table, err := x.Released(ctx, Filter{}, true, 25, 0)
	want(t, "released per session", columnsIn(t, table, err, "user", "session", "rows", "persons"), "ann s-ann 31 30")
	table, err = x.Released(ctx, Filter{}, false, 0, 15)
	want(t, "released per day", columnsIn(t, table, err, "user", "rows", "persons"), "ann 30 30; bob 21 20")

	rows, err := x.OffHours(ctx, Filter{}, Hours{8 * time.Hour, 20 * time.Hour})
	if err != nil || !slices.Equal(seqs(rows), []uint64{sunday, night}) {
		t.Errorf("off hours: %v, %v", seqs(rows), err)
	}

	table, err = x.FirstAccess(ctx, Filter{Since: monday.Add(11 * time.Hour)})
	want(t, "first access at night", columnsIn(t, table, err, "first", "of", "user"), "table crm.public.customer bob")
	table, err = x.FirstAccess(ctx, Filter{})
	if n := len(table.Rows); err != nil || n != 6 {
		t.Errorf("first access: %d rows, %v: %v", n, err, table.Rows)
	}

	rows, err = x.Refused(ctx, Filter{Code: "SV205", Oldest: true})
	if err != nil || !slices.Equal(seqs(rows), refused) {
		t.Errorf("refused: %v, %v, want %v", seqs(rows), err, refused)
	}
	table, err = x.Bursts(ctx, Filter{}, 3, 5*time.Second)
	want(t, "bursts", columnsIn(t, table, err, "user", "errors"), "bob 4")
	table, err = x.Bursts(ctx, Filter{}, 3, time.Second)
	want(t, "bursts in a second", columnsIn(t, table, err, "user"), "")

	rows, err = x.Changes(ctx, Filter{})
	if err != nil || !slices.Equal(seqs(rows), []uint64{loaded, changed}) {
		t.Errorf("changes: %v, %v", seqs(rows), err)
	}
	rows, err = x.Unresolved(ctx, Filter{})
	if err != nil || len(rows) != 4 || rows[0].Seq != odd {
		t.Errorf("unresolved: %v, %v", seqs(rows), err)
	}

	table, err = x.ClearReads(ctx, Filter{})
	want(t, "clear reads", columnsIn(t, table, err, "user", "purpose", "class", "statements", "rows", "persons"), "ann billing mobile 1 30 30")
	table, err = x.UnusedGrants(ctx, Filter{}, []Grant{{"support", "mobile"}, {"support", "email"}})
	want(t, "unused grants", columnsIn(t, table, err, "role", "class"), "support email")
	table, err = x.NoTLS(ctx, Filter{})
	want(t, "no TLS", columnsIn(t, table, err, "account", "address", "sessions"), "crm_ro 10.9.0.1 1")
	table, err = x.SharedLogins(ctx, Filter{Since: monday, Until: monday.Add(time.Hour)}, 9)
	want(t, "shared logins", columnsIn(t, table, err, "account", "persons", "addresses"), "crm_ro 2 2")
	table, err = x.Enumeration(ctx, Filter{}, 15, time.Minute)
	want(t, "enumeration", columnsIn(t, table, err, "user", "persons"), "ann 30; bob 20")
	table, err = x.Enumeration(ctx, Filter{User: "bob"}, 15, 10*time.Second)
	want(t, "enumeration in ten seconds", columnsIn(t, table, err, "user"), "")
}

// An index that was made at once and one that grew with the log are the same.
func TestIndexGrowsWithTheLog(t *testing.T) {
	dir := t.TempDir()
	o := auditlog.Options{Directory: dir, Durability: auditlog.Spool, SegmentBytes: 2 << 20}
	for i := range uint64(3) {
		l, err := auditlog.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := auditlogtest.New(l, i).Fill(l, 13_000); err != nil {
			t.Fatal(err)
		}
		openIndex(t, dir) // while the log is written
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		openIndex(t, dir)
	}
	grown := search(t, openIndex(t, dir), Filter{})
	x, err := Open(context.Background(), dir, Options{Path: filepath.Join(t.TempDir(), "index")})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	fresh := search(t, x, Filter{})
	if len(grown) != len(fresh) || len(fresh) < 15_000 {
		t.Fatalf("%d rows in the grown index, %d in the fresh one", len(grown), len(fresh))
	}
	for i := range fresh {
		if a, b := fmt.Sprint(grown[i]), fmt.Sprint(fresh[i]); a != b {
			t.Fatalf("row %d is %s in the grown index, %s in the fresh one", i, a, b)
		}
		if strings.HasPrefix(fresh[i].Kind, "query.begin") && !fresh[i].Done {
			t.Errorf("row %d has no outcome: %+v", i, fresh[i])
		}
	}
}

func TestLateOutcomeFindsItsRow(t *testing.T) {
	d := newDiary(t)
	e := person("ann")
	e.Kind = auditlog.QueryBegin
	begin := d.append(&e)
	for range blockRows + 10 {
		other := person("bob")
		other.Kind = auditlog.AuthOK
		d.append(&other)
	}
	d.close()
	if r := search(t, openIndex(t, d.dir), Filter{User: "ann"}); len(r) != 1 || r[0].Done {
		t.Fatalf("rows %+v", r)
	}
	d.reopen()
	e.Kind, e.Ref, e.Result = auditlog.QueryEnd, begin, auditlog.Result{Ended: "client gone", Rows: 7}
	e.Subjects = auditlog.Subjects{Count: 1, Keys: []auditlog.SubjectKey{{1, 2, 3}}}
	d.append(&e)
	x := d.index()
	if r := search(t, x, Filter{User: "ann"}); len(r) != 1 || !r[0].Done || r[0].Ended != "client gone" || r[0].Rows != 7 {
		t.Errorf("rows %+v", r)
	}
	if r, err := x.WhoSaw(context.Background(), []auditlog.SubjectKey{{1, 2, 3}}, Filter{}); err != nil || len(r) != 1 {
		t.Errorf("who saw: %+v, %v", r, err)
	}
}

func TestIndexOfAnotherLogIsMadeAnew(t *testing.T) {
	d, other := newDiary(t), newDiary(t)
	d.reads(person("ann"), "t", "mobile", "clear", 1)
	other.reads(person("bob"), "t", "mobile", "clear", 1)
	d.index()
	other.close()
	copyFile(t, filepath.Join(d.dir, segment.IndexFile), filepath.Join(other.dir, segment.IndexFile))
	if r := search(t, openIndex(t, other.dir), Filter{Kind: "query.*"}); len(r) != 1 || r[0].Person != "bob" {
		t.Errorf("rows %+v", r)
	}
	if err := os.WriteFile(filepath.Join(d.dir, segment.IndexFile), []byte("this is no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := search(t, openIndex(t, d.dir), Filter{Kind: "query.*"}); len(r) != 1 || r[0].Person != "ann" {
		t.Errorf("rows %+v", r)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDeletedSegmentsLeaveTheIndex(t *testing.T) {
	d := newDiary(t)
	for range 3 * blockRows {
		e := person("ann")
		e.Kind = auditlog.AuthOK
		d.append(&e)
	}
	d.index()
	files, err := segment.List(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	half := files[len(files)/2]
	for _, f := range files {
		if f.Name < half.Name {
			if err := os.Remove(f.Path); err != nil {
				t.Fatal(err)
			}
		}
	}
	rows := search(t, openIndex(t, d.dir), Filter{Oldest: true})
	if first := rows[0].Seq; first < blockRows || segment.Name(first) > half.Name {
		t.Errorf("the oldest row is %d, the oldest segment %s", first, half.Name)
	}
}

// Keep follows the log; others bring the index up to date, or delete it, in
// between its turns.
func TestKeepFollowsTheLog(t *testing.T) {
	d := newDiary(t)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- Keep(ctx, d.dir, Options{}) }()
	path := filepath.Join(d.dir, segment.IndexFile)
	var want []uint64
	for range 3 {
		want = append(want, d.reads(person("ann"), "t", "mobile", "clear", 1))
		eventually(t, func() bool { // without being asked to
			return slices.Equal(indexed(t, path), want)
		})
		want = append(want, d.reads(person("ann"), "t", "mobile", "clear", 1))
		eventually(t, func() bool { // when asked, what is in the log by then
			x := openIndex(t, d.dir)
			defer x.Close()
			return slices.Equal(seqs(search(t, x, Filter{User: "ann", Oldest: true})), want)
		})
		if err := Remove(ctx, d.dir, Options{}); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	d.close()
}

// indexed are the statements of ann that an index has, as it stands there.
func indexed(t *testing.T, path string) []uint64 {
	t.Helper()
	ctx := context.Background()
	s, err := openStore(ctx, path, false)
	if err != nil {
		return nil // not yet made, or just being made
	}
	x := &Index{store: s, words: make(map[uint64]string), texts: make(map[uint64]string), sets: make(map[uint64][]Object)}
	defer x.Close()
	if x.zones, err = s.zones(ctx); err != nil {
		return nil
	}
	return seqs(search(t, x, Filter{User: "ann", Oldest: true}))
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 15 s")
		}
	}
}

func TestLinesStoryAndTail(t *testing.T) {
	d := newDiary(t)
	var all []uint64
	for range 500 {
		all = append(all, d.reads(person("ann"), "t", "mobile", "clear", 1))
	}
	d.close()
	var got []uint64
	err := Lines(context.Background(), d.dir, []uint64{all[400], all[3], 99999, all[3], all[250]}, func(line []byte) error {
		l, err := chain.Parse(line)
		got = append(got, l.Seq)
		return err
	})
	if err != nil || !slices.Equal(got, []uint64{all[3], all[250], all[400]}) {
		t.Errorf("Lines gave %v, %v", got, err)
	}
	for _, seq := range []uint64{all[7], all[7] + 1} {
		lines, err := Story(context.Background(), d.dir, seq)
		if err != nil || len(lines) != 2 || !strings.Contains(string(lines[0]), "query.begin") || !strings.Contains(string(lines[1]), "query.end") {
			t.Errorf("story of %d: %s, %v", seq, lines, err)
		}
	}
	if _, err := Story(context.Background(), d.dir, 99999); err == nil {
		t.Error("there is a story of nothing")
	}
	d.reopen()
	ctx, stop := context.WithCancel(context.Background())
	lines := make(chan string, 10_000)
	done := make(chan error)
	go func() {
		done <- Tail(ctx, d.dir, 5, true, func(line []byte) error { lines <- string(line); return nil })
	}()
	for range 5 {
		<-lines
	}
	for range 400 { // over more than one segment
		d.reads(person("bob"), "t", "mobile", "clear", 1)
	}
	seen := 0
	for deadline := time.After(15 * time.Second); seen < 800; {
		select {
		case line := <-lines:
			if strings.Contains(line, `"person":"bob"`) {
				seen++
			}
		case <-deadline:
			t.Fatalf("only %d lines were followed", seen)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	d.close()
}
