package pgsql

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

// catalogs are Catalogs of a test server, as package main wires them.
func (s *testServer) catalogs(t *testing.T) *Catalogs {
	t.Helper()
	c := NewCatalogs(func(ctx context.Context, database string) (Ask, func(), error) {
		conn, err := s.Connect(ctx, database)
		if err != nil {
			return nil, nil, err
		}
		return askOn(conn), func() { conn.Close(context.Background()) }, nil
	})
	t.Cleanup(c.Close)
	return c
}

func got(t *testing.T) func(rewrite.Catalog, error) *Catalog {
	return func(c rewrite.Catalog, err error) *Catalog {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c.(*Catalog)
	}
}

// now is what everybody sees, however slow the machine and thus costly the checks.
func (s *testServer) now(t *testing.T, all *Catalogs) *Catalog {
	t.Helper()
	all.Changed(s.database)
	return got(t)(all.Fresh(context.Background(), s.database))
}

func TestFresh(t *testing.T) {
	ctx := context.Background()
	s := newTestServer(t)
	conn, all := s.session(t), s.catalogs(t)
	first := got(t)(all.Current(ctx, s.database))
	if first.Relation("public", "a") != nil || s.now(t, all) != first || got(t)(all.Current(ctx, s.database)) != first {
		t.Error("a snapshot of its own though nothing changed")
	}
	run(t, conn, "CREATE TABLE a (x int)")
	second := s.now(t, all)
	if second.Relation("public", "a") == nil || second.Version() == first.Version() {
		t.Error("a new table is not seen")
	}
	run(t, conn, "BEGIN; CREATE TABLE b (x int)")
	if s.now(t, all) != second {
		t.Error("uncommitted changes are seen")
	}
	run(t, conn, "COMMIT")
	third := s.now(t, all)
	if third.Relation("public", "b") == nil || third.Fingerprint() == second.Fingerprint() {
		t.Error("a committed change is not seen")
	}
	run(t, conn, "CREATE TABLE c (x int)")
	for end := time.Now().Add(10 * time.Second); got(t)(all.Current(ctx, s.database)).Relation("public", "c") == nil; {
		if time.Now().After(end) {
			t.Fatal("Current does not follow")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestFreshUnknownDatabase(t *testing.T) {
	s := newTestServer(t)
	all := s.catalogs(t)
	if c, err := all.Fresh(context.Background(), "no such database"); err == nil || c != nil {
		t.Errorf("%v, %v", c, err)
	}
}

// TestFreshSurvivesItsConnection ends the catalog account's session on the server.
func TestFreshSurvivesItsConnection(t *testing.T) {
	s := newTestServer(t)
	conn, all := s.session(t), s.catalogs(t)
	s.now(t, all)
	run(t, conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	run(t, conn, "CREATE TABLE a (x int)")
	if s.now(t, all).Relation("public", "a") == nil {
		t.Error("a table made while there was no connection is not seen")
	}
}

func TestLocal(t *testing.T) {
	ctx := context.Background()
	s := newTestServer(t)
	conn, all := s.session(t), s.catalogs(t)
	ask := askOn(conn)
	run(t, conn, "CREATE SCHEMA shop; CREATE TABLE shop.people (name text); SET search_path = shop")
	shared := s.now(t, all)
	if got(t)(all.Local(ctx, s.database, ask)) != shared {
		t.Error("a session with nothing of its own has a snapshot of its own")
	}

	run(t, conn, "BEGIN; INSERT INTO shop.people VALUES ('Ann')")
	if got(t)(all.Local(ctx, s.database, ask)) != shared {
		t.Error("a session that wrote rows has a snapshot of its own")
	}
	run(t, conn, "COMMIT")

	run(t, conn, "CREATE TEMP TABLE people (name int, own int); CREATE TEMP VIEW v AS SELECT own FROM pg_temp.people; CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
	local := got(t)(all.Local(ctx, s.database, ask))
	own := local.Relation("pg_temp", "people")
	if own == nil || !own.Temp || own.Column("own") == nil || local.Relation(local.TempSchema(), "people") != own || local.RelationByOID(own.OID) != own {
		t.Fatalf("temporary table: %+v", own)
	}
	if v := local.Relation("pg_temp", "v"); v.Definition == "" || v.Locked {
		t.Errorf("temporary view: %+v", v)
	}
	if len(local.Functions("pg_temp", "f")) != 1 || len(local.FunctionsNamed("f")) != 1 || local.TypeNamed("pg_temp", "people") == nil || !local.HasSchema("pg_temp") {
		t.Error("temporary function, type or schema is missing")
	}
	if local.base != shared || local.Relation("shop", "people") != shared.Relation("shop", "people") || local.Version() == shared.Version() {
		t.Error("it is not a layer over the shared snapshot")
	}
	if again := got(t)(all.Local(ctx, s.database, ask)); again != local {
		t.Error("the same once more is another snapshot")
	}
	if shared := s.now(t, all); shared.Relation("pg_temp", "people") != nil || shared.TempSchema() != "" || shared.RelationByOID(own.OID) != nil {
		t.Error("the shared snapshot has temporary objects")
	}

	run(t, conn, "BEGIN; ALTER TABLE shop.people RENAME TO folks; CREATE TABLE shop.people (other int)")
	within := got(t)(all.Local(ctx, s.database, ask))
	if within.Relation("shop", "people").Column("other") == nil || within.Relation("shop", "folks") == nil || within.Relation("pg_temp", "people") == nil {
		t.Error("the session's own changes are not seen")
	}
	if s.now(t, all) != shared {
		t.Error("others see them")
	}
	run(t, conn, "ROLLBACK; DISCARD TEMP")
	if after := got(t)(all.Local(ctx, s.database, ask)); after != shared {
		t.Errorf("after the rollback: %v, want %v", after.print, shared.print)
	}
}

func TestLocalTemporaryChild(t *testing.T) {
	ctx := context.Background()
	s := newTestServer(t)
	conn, all := s.session(t), s.catalogs(t)
	run(t, conn, "CREATE TABLE people (name text, note text)")
	p := policyOf(t, map[string]string{"*.public.people.name": "name"})
	run(t, conn, "CREATE TEMP TABLE mine (extra int) INHERITS (public.people)")
	local := got(t)(all.Local(ctx, s.database, askOn(conn)))
	for column, want := range map[string]string{"name": "name", "note": "", "extra": ""} {
		if label := labelName(local.Label(p, &local.Relation("pg_temp", "mine").Column(column).TableColumn)); label != want {
			t.Errorf("mine.%s carries %q, want %q", column, label, want)
		}
	}
}

func TestLocalOfFailedTransaction(t *testing.T) {
	s := newTestServer(t)
	conn, all := s.session(t), s.catalogs(t)
	run(t, conn, "BEGIN")
	_, err := conn.Exec(context.Background(), "SELECT 1/0")
	if err == nil {
		t.Fatal("no error")
	}
	if c, err := all.Local(context.Background(), s.database, askOn(conn)); err == nil || c != nil {
		t.Errorf("%v, %v", c, err)
	}
}

// policyOf is a policy with the classes name (level 1) and secret (level 2).
func policyOf(t *testing.T, columns map[string]string) *masking.Policy {
	t.Helper()
	spec := masking.Spec{
		Version: 1, Levels: []string{"public", "internal", "restricted"},
		Classes: map[string]masking.ClassSpec{
			"name":   {Level: "internal", Mask: masking.MaskSpec{"name": {}}},
			"secret": {Level: "restricted", Mask: masking.MaskSpec{"null": {}}},
		},
		Columns: map[string]masking.ColumnSpec{},
		Roles:   map[string]masking.RoleSpec{"analyst": {Clearance: "public"}}, DefaultRole: "analyst",
		Unlabelled: "visible",
	}
	for pattern, class := range columns {
		spec.Columns[pattern] = masking.ColumnSpec{Class: class}
	}
	p, problems := masking.Compile(spec, nil)
	if p == nil {
		t.Fatal(problems)
	}
	return p
}

// labelName is the class of a label, "" of none.
func labelName(l masking.Label, ok bool) string {
	if !ok {
		return ""
	}
	return l.Classes()[0].Name
}

// A fakeServer answers the queries of a check without a server.
type fakeServer struct {
	checks  atomic.Int64
	moment  atomic.Int64 // changes with every transaction
	prints  atomic.Int64 // changes with the definitions
	latency time.Duration
	down    atomic.Bool
	opened  atomic.Int64
}

func (f *fakeServer) open(context.Context, string) (Ask, func(), error) {
	f.opened.Add(1)
	if f.down.Load() {
		return nil, nil, errDown
	}
	return f.ask, func() {}, nil
}

var errDown = errors.New("the server is down")

func (f *fakeServer) ask(_ context.Context, sql string) ([][]*string, error) {
	if f.down.Load() {
		return nil, errDown
	}
	one := func(n int64) *string { s := time.Duration(n).String(); return &s }
	switch sql {
	case permanentSQL:
		f.checks.Add(1)
		time.Sleep(f.latency)
		row := make([]*string, len(permanentHashes))
		row[0] = one(f.prints.Load())
		return [][]*string{row}, nil
	case serverSQL:
		s := "150000"
		return [][]*string{{&s}}, nil
	case settingsSQL:
		return nil, nil
	}
	for _, step := range steps {
		if sql == permanent.in(step.sql) {
			return nil, nil
		}
	}
	return [][]*string{{one(f.moment.Load())}}, nil
}

func TestFreshSharesChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeServer{latency: 9 * time.Millisecond}
		all := NewCatalogs(f.open)
		defer all.Close()
		got(t)(all.Fresh(t.Context(), "db"))
		f.moment.Add(1)
		before := f.checks.Load()
		done := make(chan struct{})
		for range 100 {
			go func() {
				got(t)(all.Fresh(t.Context(), "db"))
				done <- struct{}{}
			}()
		}
		for range 100 {
			<-done
		}
		if n := f.checks.Load() - before; n > 2 {
			t.Errorf("%d checks for callers who came together", n)
		}
	})
}

// TestFreshBeginsAfterTheQuestion asks while a check is under way.
func TestFreshBeginsAfterTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeServer{latency: 8 * time.Millisecond}
		all := NewCatalogs(f.open)
		defer all.Close()
		first := got(t)(all.Fresh(t.Context(), "db"))
		f.moment.Add(1)
		go all.Fresh(t.Context(), "db")
		time.Sleep(4 * time.Millisecond) // the fingerprint has been asked for
		f.prints.Add(1)
		f.moment.Add(1)
		if got(t)(all.Fresh(t.Context(), "db")) == first {
			t.Error("an answer from before the question")
		}
	})
}

func TestFreshSkipsQuietTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeServer{latency: 9 * time.Millisecond}
		all := NewCatalogs(f.open)
		defer all.Close()
		got(t)(all.Fresh(t.Context(), "db"))
		before := f.checks.Load()
		for range 10 {
			got(t)(all.Fresh(t.Context(), "db"))
			time.Sleep(time.Second)
		}
		if n := f.checks.Load() - before; n != 0 {
			t.Errorf("%d fingerprints though no transaction wrote", n)
		}
	})
}

func TestFreshReusesCostlyChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeServer{latency: 50 * time.Millisecond}
		all := NewCatalogs(f.open)
		defer all.Close()
		first := got(t)(all.Fresh(t.Context(), "db"))
		f.prints.Add(1)
		f.moment.Add(1)
		if got(t)(all.Fresh(t.Context(), "db")) != first {
			t.Error("a costly check is not reused")
		}
		all.Changed("db")
		second := got(t)(all.Fresh(t.Context(), "db"))
		if second == first {
			t.Error("Changed does not forbid reuse")
		}
		f.prints.Add(1)
		f.moment.Add(1)
		time.Sleep(1100 * time.Millisecond)
		if got(t)(all.Fresh(t.Context(), "db")) == second {
			t.Error("it is reused for too long")
		}
	})
}

// A check that had begun when definitions changed is not relied upon.
func TestChangedDuringACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeServer{latency: 50 * time.Millisecond}
		all := NewCatalogs(f.open)
		defer all.Close()
		first := got(t)(all.Fresh(t.Context(), "db"))
		time.Sleep(time.Second)
		f.moment.Add(1)
		done := make(chan rewrite.Catalog)
		go func() { done <- got(t)(all.Fresh(t.Context(), "db")) }()
		time.Sleep(f.latency / 2) // it has asked, and is not answered
		all.Changed("db")
		if <-done != first {
			t.Error("the check saw the change")
		}
		f.prints.Add(1)
		f.moment.Add(1)
		if got(t)(all.Fresh(t.Context(), "db")) == first {
			t.Error("the check is relied upon")
		}
	})
}

func TestCurrentFailsWhenTheServerIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeServer{}
		all := NewCatalogs(f.open)
		defer all.Close()
		got(t)(all.Current(t.Context(), "db"))
		f.down.Store(true)
		time.Sleep(staleAfter / 2)
		got(t)(all.Current(t.Context(), "db"))
		time.Sleep(staleAfter)
		if c, err := all.Current(t.Context(), "db"); !errors.Is(err, errDown) || c != nil {
			t.Errorf("%v, %v", c, err)
		}
		if n := f.opened.Load(); n > 12 {
			t.Errorf("%d attempts to connect in 15 s", n)
		}
		f.down.Store(false)
		time.Sleep(2 * lastBackoff)
		got(t)(all.Current(t.Context(), "db"))
	})
}

func TestIdleDatabasesAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeServer{}
		all := NewCatalogs(f.open)
		defer all.Close()
		first := got(t)(all.Current(t.Context(), "db"))
		time.Sleep(2 * idleAfter)
		f.prints.Add(1)
		f.moment.Add(1)
		before := f.checks.Load()
		time.Sleep(10 * idleAfter)
		if n := f.checks.Load(); n != before {
			t.Errorf("%d checks of a database that nobody uses", n-before)
		}
		if got(t)(all.Current(t.Context(), "db")) == first {
			t.Error("an old snapshot for the first who comes back")
		}
	})
}

func TestClosedCatalogs(t *testing.T) {
	f := &fakeServer{}
	all := NewCatalogs(f.open)
	got(t)(all.Current(t.Context(), "db"))
	all.Close()
	if c, err := all.Fresh(t.Context(), "db"); !errors.Is(err, errCatalogsClosed) || c != nil {
		t.Errorf("%v, %v", c, err)
	}
}
