package mysql

import "testing"

// Only texts whose meaning nothing can change are answered without asking what
// their names mean.
func TestAnywhere(t *testing.T) {
	for text, want := range map[string]bool{
		"SHOW WARNINGS":                                   true,
		"show  errors limit 1, 2 ;":                       true,
		"SHOW COUNT(*) WARNINGS":                          true,
		"SELECT FOUND_ROWS()":                             true,
		"select last_insert_id() as id, row_count( ) n":   true,
		"SELECT @@session.warning_count LIMIT 1":          true,
		"SELECT found_rows ()":                            false, // may be a stored function
		"SELECT FOUND_ROWS() FROM person":                 false,
		"SELECT LAST_INSERT_ID(id)":                       false,
		"SELECT FOUND_ROWS() AS 'n'":                      false,
		"SELECT FOUND_ROWS() /*!50000 , mobile */":        false,
		"SELECT FOUND_ROWS(), mobile":                     false,
		"SELECT FOUND_ROWS(); SELECT mobile FROM person":  false,
		"SHOW WARNINGS; SHOW TABLES":                      false,
		"SELECT @@warning_count, (SELECT id FROM person)": false,
	} {
		if got := anywhere.MatchString(text); got != want {
			t.Errorf("%s: got %t, want %t", text, got, want)
		}
	}
}
