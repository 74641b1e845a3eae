package sample

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"

	"sqlveil/proxy/proxytest"
)

// The check digits of numbers printed in the standards' own examples and of
// numbers made of zeros.
func TestCheckDigits(t *testing.T) {
	for _, test := range []struct {
		name string
		got  string
		want string
	}{
		{"resident id with X", residentID("11010519491231002"), "11010519491231002X"},
		{"resident id with a digit", residentID("44052418800101001"), "440524188001010014"},
		{"card of 16", luhn("411111111111111"), "4111111111111111"},
		{"card of 15", luhn("37828224631000"), "378282246310005"},
		{"organisation", organisationCode("MA000000"), "MA0000007"},
		{"organisation with X or 0", organisationCode("00000000"), "000000000"},
		{"credit code", creditCode("91110000MA0000007"), "91110000MA00000077"},
		{"credit code with a letter", creditCode("91110000000000000"), "91110000000000000E"},
		{"uuid", uuid(0, 0), "00000000-0000-4000-8000-000000000000"},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, test.got, test.want)
		}
	}
}

// The data is part of what tests and the README show, so it must not change
// unnoticed, nor differ between machines.
func TestTablesAreTheSameEverywhere(t *testing.T) {
	sum := sha256.New()
	for _, table := range Tables(1, 100) {
		if err := writeCopy(sum, table); err != nil {
			t.Fatal(err)
		}
	}
	const want = "39bc8e342fdd6cab22773e8feeebbe1eba626937fa80fb7958f0df67dfbe31cd"
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		t.Errorf("the data has the digest %s, want %s", got, want)
	}
}

// No row is about somebody who could exist.
func TestNobodyInItExists(t *testing.T) {
	impossible := map[string]*regexp.Regexp{
		"mobile":         regexp.MustCompile(`^(154|161|163|164|168)\d{8}$`),
		"contact_mobile": regexp.MustCompile(`^(154|161|163|164|168)\d{8}$`),
		"id_card":        regexp.MustCompile(`^\d{6}188\d{5}\d{3}[\dX]$`),
		"birth_date":     regexp.MustCompile(`^188\d-`),
		"email":          regexp.MustCompile(`^[a-z.0-9]+@example\.(com|net|org)$`),
		"bank_card":      regexp.MustCompile(`^(620000|411111|555555)\d{10}(\d{3})?$`),
		"credit_code":    regexp.MustCompile(`^91990000MA[0-9A-Z]{8}$`),
		"last_ip":        regexp.MustCompile(`^203\.0\.113\.`),
	}
	for _, table := range Tables(1, 10000) {
		for row := range table.Rows {
			for i, cell := range row {
				if pattern := impossible[table.Columns[i]]; pattern != nil && cell != nil && !pattern.MatchString(*cell) {
					t.Fatalf("%s.%s: %q may be somebody's", table.Name, table.Columns[i], *cell)
				}
			}
		}
	}
}

func TestLoad(t *testing.T) {
	server := proxytest.PostgreSQL(t)
	ctx := context.Background()
	conn, err := server.Connect(ctx, server.Database(t, Database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := Load(ctx, conn, 1, 10000); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]int{
		"SELECT count(*) FROM customers": 10000,
		"SELECT count(*) FROM companies": 1000,
		"SELECT count(*) FROM orders":    30000,
		"SELECT count(*) FROM customers WHERE length(id_card) = 18 AND profile->>'phone' = mobile":                  10000,
		"SELECT count(*) FROM customers c JOIN customer_contacts v USING (id) WHERE v.phone <> c.mobile":            0,
		"SELECT count(DISTINCT tableoid) FROM orders":                                                               2,
		"SELECT sum(companies) FROM region_companies":                                                               1000,
		"SELECT (public.order_total(1) = (SELECT coalesce(sum(amount), 0) FROM orders WHERE customer_id = 1))::int": 1,
		"SELECT count(DISTINCT n) FROM (SELECT name ~ '^[A-Z]' FROM customers) x (n)":                               2,
	} {
		var got int
		if err := conn.QueryRow(ctx, sql).Scan(&got); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", sql, got, err, want)
		}
	}
}

func TestLoadMySQL(t *testing.T) {
	server := proxytest.MariaDB(t)
	ctx := context.Background()
	if err := server.Exec(ctx, "", "CREATE DATABASE "+Database); err != nil {
		t.Fatal(err)
	}
	db, err := server.Open(Database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := LoadMySQL(ctx, db, 1, 1000); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]int{
		"SELECT count(*) FROM customers": 1000,
		"SELECT count(*) FROM companies": 100,
		"SELECT count(*) FROM orders":    3000,
		"SELECT count(*) FROM customers WHERE char_length(id_card) = 18 AND json_value(profile, '$.phone') = mobile": 1000,
		"SELECT count(*) FROM customers WHERE substr(photo, 1, 3) <> x'ffd8ff'":                                      0,
		"SELECT count(*) FROM customers WHERE json_length(tags) <> 2":                                                0,
		"SELECT count(DISTINCT vip) FROM customers":                                                                  2,
		"SELECT count(*) FROM customers WHERE created_at < '2024-01-01' OR hour(created_at) > 23":                    0,
		"SELECT count(*) FROM customers c JOIN customer_contacts v USING (id) WHERE v.phone <> c.mobile":             0,
		"SELECT sum(companies) FROM region_companies":                                                                100,
		"SELECT order_total(1) = (SELECT coalesce(sum(amount), 0) FROM orders WHERE customer_id = 1)":                1,
	} {
		var got int
		if err := db.QueryRowContext(ctx, sql).Scan(&got); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", sql, got, err, want)
		}
	}
}

// Every label of the policy names a column of each schema.
func TestPolicyNamesColumnsOfTheSchema(t *testing.T) {
	label := regexp.MustCompile(`(?m)^  "?(?:crm|\*)\.public\.(\w+)\*?\.(\w+)"?: `)
	found := label.FindAllStringSubmatch(Policy, -1)
	if len(found) < 15 {
		t.Fatalf("only %d labels found", len(found))
	}
	for _, schema := range []string{Schema, mysqlSchema} {
		for _, match := range found {
			_, body, ok := strings.Cut(schema, "CREATE TABLE "+match[1]+" (")
			if !ok || !regexp.MustCompile(`(?m)^\t`+match[2]+` `).MatchString(strings.Split(body, "\n)")[0]) {
				t.Errorf("%s.%s is not in the schema", match[1], match[2])
			}
		}
	}
}
