package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sqlveil/rewrite/mysql"
)

// TestDocuments makes more tables with documents than are asked about at once.
func TestDocuments(t *testing.T) {
	catalogs, conn := openCatalogs(t, "docs")
	var all []string
	for i := range 250 {
		all = append(all, fmt.Sprintf("CREATE TABLE t%d (id INT, data JSON, also JSON) ENGINE=MyISAM", i))
	}
	run(t, conn, append(all,
		"CREATE TABLE `it's \\ \"Größe\" %s` (`a`` b` JSON)", "CREATE TABLE plain (note LONGTEXT, bin LONGTEXT COLLATE utf8mb4_bin, number INT)",
		"CREATE TABLE checked (own VARCHAR(50) CHECK (json_valid(own)))", "CREATE VIEW seen AS SELECT data FROM t0",
	)...)
	c := fresh(t, catalogs)
	run(t, conn, "DROP DATABASE docs")
	for i := range 250 {
		wantType(t, c, fmt.Sprintf("t%d", i), "data", "json")
		wantType(t, c, fmt.Sprintf("t%d", i), "also", "json")
		wantType(t, c, fmt.Sprintf("t%d", i), "id", "int(11)")
	}
	wantType(t, c, "it's \\ \"Größe\" %s", "a` b", "json")
	wantType(t, c, "plain", "bin", "longtext")
	wantType(t, c, "checked", "own", "varchar(50)")
}

func wantType(t *testing.T, c *mysql.Catalog, table, column, want string) {
	t.Helper()
	rel := c.Relation("docs", table)
	if rel == nil {
		t.Fatalf("no table %s", table)
	}
	if got := rel.Column(column).Type; got != want {
		t.Errorf("%s.%s is %s, want %s", table, column, got, want)
	}
}

// TestOnlyDocumentsAreOpened: about the checks of other tables than those which may
// have documents nothing is asked.
func TestOnlyDocumentsAreOpened(t *testing.T) {
	_, conn := openCatalogs(t, "plain")
	run(t, conn, "CREATE TABLE undocumented (note LONGTEXT, name VARCHAR(20))")
	ask, asked := askOf(conn), 0
	_, err := mysql.Load(t.Context(), func(ctx context.Context, sql string) ([][]*string, error) {
		if strings.Contains(sql, "CHECK_CONSTRAINTS") {
			asked++
			if strings.Contains(sql, fmt.Sprintf("%x", "undocumented")) || !strings.Contains(sql, "TABLE_NAME = ") {
				t.Errorf("asked: %.1000s", sql)
			}
		}
		return ask(ctx, sql)
	})
	if err != nil || asked == 0 {
		t.Errorf("%v; asked %d times", err, asked)
	}
}

// TestCheckGoesOn lets the caller give up who has definitions read: whoever comes
// next need not have it done anew.
func TestCheckGoesOn(t *testing.T) {
	db := firm(t)
	ask := askOf(db)
	asked, proceed := make(chan struct{}), make(chan struct{})
	opened := 0
	catalogs := mysql.NewCatalogs(func(context.Context) (mysql.Ask, func(), error) {
		opened++
		return func(ctx context.Context, sql string) ([][]*string, error) {
			if strings.Contains(sql, "information_schema.SCHEMATA") && strings.HasPrefix(sql, "SELECT SCHEMA_NAME") {
				close(asked) // a second time it panics
				<-proceed
			}
			return ask(ctx, sql)
		}, func() {}, nil
	})
	t.Cleanup(catalogs.Close)
	ctx, giveUp := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := catalogs.Fresh(ctx, "")
		left <- err
	}()
	<-asked
	giveUp()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who gives up is told %v", err)
	}
	close(proceed)
	if c, err := catalogs.Known(t.Context(), ""); err != nil || c.(*mysql.Catalog).Relation("firm", "person") == nil || opened != 1 {
		t.Errorf("the next is told %v, %v; opened %d times", c, err, opened)
	}
}
