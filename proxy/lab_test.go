package main

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

// startLab starts the demo's database and gateway for all tests that only read.
var startLab = sync.OnceValues(func() (*postgresLab, error) {
	return newLab(context.Background(), labCustomers)
})

// A postgresLab is a demo whose PostgreSQL tests know.
type postgresLab struct {
	*demo
	server *proxytest.PostgreSQLServer
}

func newLab(ctx context.Context, customers int) (*postgresLab, error) {
	d, err := startDemo(ctx, demoOptions{listen: "127.0.0.1:0", customers: customers, seed: 1}, os.Stderr)
	if err != nil {
		return nil, err
	}
	return &postgresLab{d, d.server.(postgresDemo).PostgreSQLServer}, nil
}

const labCustomers = 10000

func TestMain(m *testing.M) {
	if os.Getenv(runVariable) != "" {
		main()
	}
	code := m.Run()
	if d, err := startLab(); err == nil && d != nil {
		if err := d.close(); err != nil {
			os.Stderr.WriteString("end of the lab: " + err.Error() + "\n")
			code = max(code, 1)
		}
	}
	if err := closeMySQLLab(); err != nil {
		os.Stderr.WriteString("end of the lab with MariaDB: " + err.Error() + "\n")
		code = max(code, 1)
	}
	os.Exit(code)
}

// lab is the demo that tests share.
func lab(t *testing.T) *postgresLab {
	t.Helper()
	d, err := startLab()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// direct is the address of the database itself, through that of the gateway.
func (d *postgresLab) direct(user string) string { return d.server.DSN(user, sample.Database) }

func (d *postgresLab) through(user string) string {
	return proxytest.PostgresDSN(d.address, user, sample.Database)
}

// rawValues are all values of the sample's columns of one kind.
var rawValues = sync.OnceValue(func() map[string]bool {
	columns := []string{"mobile", "contact_mobile", "email", "id_card", "bank_card", "name", "legal_person", "address", "ship_to", "credit_code"}
	values := make(map[string]bool)
	for _, table := range sample.Tables(1, labCustomers) {
		for row := range table.Rows {
			for i, cell := range row {
				if cell != nil && slices.Contains(columns, table.Columns[i]) && !(table.Name == "companies" && table.Columns[i] == "name") {
					values[*cell] = true
				}
			}
		}
	}
	return values
})

// rawShapes find in a text what may be a raw value; only those that are one count.
var rawShapes = []*regexp.Regexp{
	regexp.MustCompile(`\d{16,19}|\d{17}X|\d{11}`),
	regexp.MustCompile(`[a-z]+\.[a-z]+\d+@example\.[a-z]+`),
	regexp.MustCompile(`91990000MA[0-9A-Z]{8}`),
	regexp.MustCompile(`\p{Han}+[路街巷里]\d+号\d+单元\d+室`),
	regexp.MustCompile(`[^\t\n,:|()\[\]{}"]+`), // names: whole fields
}

// rawIn lists the raw protected values in what a client printed, at most five.
func rawIn(text string) []string {
	var found []string
	for _, shape := range rawShapes {
		for _, match := range shape.FindAllString(text, -1) {
			if match = strings.TrimSpace(match); rawValues()[match] && !slices.Contains(found, match) {
				if found = append(found, match); len(found) == 5 {
					return found
				}
			}
		}
	}
	if strings.Contains(text, "ffd8ff") {
		found = append(found, "a photo")
	}
	return found
}

func TestRawInFindsWhatIsRaw(t *testing.T) {
	row := make(map[string]string)
	for _, table := range sample.Tables(1, 10)[1:2] {
		for cells := range table.Rows {
			for i, cell := range cells {
				if cell != nil {
					row[table.Columns[i]] = *cell
				}
			}
		}
	}
	for _, column := range []string{"name", "mobile", "email", "id_card", "bank_card", "address", "profile", "photo"} {
		text := "step\t[[1, \"" + row[column] + "\", null]]"
		if len(rawIn(text)) == 0 {
			t.Errorf("nothing found in %s", text)
		}
	}
	if found := rawIn("step\t[[1, \"154****4013\", \"a***@example.com\", \"诸葛**\"]]"); len(found) > 0 {
		t.Errorf("masked values found: %v", found)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
