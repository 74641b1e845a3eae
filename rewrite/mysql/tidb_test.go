package mysql

import "testing"

// A TiDB that is configured to tell another version executes its comments all the
// same.
func TestTiDBUnderAnotherVersion(t *testing.T) {
	l := newLoader()
	version, folds := "|utf8mb4|5.7.25", "2"
	l.server(&row{[]*string{&version, &folds}})
	schema, table, kind, engine := "INFORMATION_SCHEMA", "TIDB_SERVERS_INFO", "SYSTEM VIEW", "MEMORY"
	l.table(&row{[]*string{&schema, &table, &kind, &engine}})
	l.finish()
	if m := parseMode("|utf8mb4|5.7.25", l.catalog.Mode); m.flavour != flavourTiDB {
		t.Errorf("under mode %q the server is of kind %d", l.catalog.Mode, m.flavour)
	}
	if m := parseMode("|utf8mb4|5.7.25", version); m.flavour != flavourMySQL {
		t.Errorf("without its tables it is of kind %d", m.flavour)
	}
}
