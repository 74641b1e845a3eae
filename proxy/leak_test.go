package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

// A leakCase is a block of testdata/leak: its comment and its statements.
type leakCase struct {
	name       string
	statements []string
}

func leakCases(t *testing.T, file string) []leakCase {
	t.Helper()
	var cases []leakCase
	for block := range strings.SplitSeq(readFile(t, "testdata/leak/"+file), "\n\n") {
		var c leakCase
		for line := range strings.SplitSeq(strings.TrimSpace(block), "\n") {
			if name, ok := strings.CutPrefix(line, "-- "); ok {
				c.name += name
			} else {
				c.statements = append(c.statements, line)
			}
		}
		if len(c.statements) > 0 {
			if c.name == "" {
				c.name = cut(c.statements[0])
			}
			cases = append(cases, c)
		}
	}
	return cases
}

// leakLab is a lab whose analyst the database itself refuses nothing.
func leakLab(t *testing.T) *postgresLab {
	t.Helper()
	d, err := newLab(t.Context(), 300)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	if err := d.server.Exec(t.Context(), "postgres", "ALTER ROLE analyst SUPERUSER; ALTER ROLE dba SUPERUSER"); err != nil {
		t.Fatal(err)
	}
	return d
}

// The ways to send a statement.
var ways = []string{"simple", "extended", "binary"}

// An outcome is all that a client is told about the statements of a case.
type outcome struct {
	text    string   // everything, for searching
	columns []string // of each result
	rows    int
	errors  []string // SQLSTATEs
}

// play runs a case's statements in a session of its own.
func (c *leakCase) play(t *testing.T, address, user, way string) *outcome {
	t.Helper()
	config, err := pgconn.ParseConfig(proxytest.PostgresDSN(address, user, sample.Database))
	if err != nil {
		t.Fatal(err)
	}
	o := new(outcome)
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { o.text += fmt.Sprintln(n.Message, n.Detail, n.Hint, n.Where) }
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { o.text += n.Payload + "\n" }
	conn, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, statement := range c.statements {
		if err := o.add(t.Context(), conn, statement, way); err != nil {
			o.failed(err)
		}
	}
	return o
}

func (o *outcome) failed(err error) {
	state := "no SQLSTATE"
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		state = server.Code
		o.text += fmt.Sprintln(server.Message, server.Detail, server.Hint, server.Where, server.InternalQuery, server.ColumnName, server.ConstraintName)
	} else {
		o.text += err.Error() + "\n"
	}
	o.errors = append(o.errors, state)
}

// add runs one statement and keeps what comes back.
func (o *outcome) add(ctx context.Context, conn *pgconn.PgConn, statement, way string) error {
	if strings.HasPrefix(statement, "COPY") && strings.HasSuffix(strings.TrimRight(statement, ")"), "TO STDOUT") || strings.Contains(statement, "TO STDOUT (") {
		var out bytes.Buffer
		_, err := conn.CopyTo(ctx, &out, statement)
		o.text += out.String()
		o.rows += strings.Count(out.String(), "\n")
		return err
	}
	if way == "simple" || strings.Contains(statement, "; ") {
		results := conn.Exec(ctx, statement)
		for results.NextResult() {
			o.read(results.ResultReader())
		}
		return results.Close()
	}
	formats := []int16{0}
	if way == "binary" {
		formats[0] = 1
	}
	reader := conn.ExecParams(ctx, statement, nil, nil, nil, formats)
	o.read(reader)
	_, err := reader.Close()
	return err
}

func (o *outcome) read(reader *pgconn.ResultReader) {
	for _, field := range reader.FieldDescriptions() {
		o.columns = append(o.columns, fmt.Sprint(field.Name, field.DataTypeOID))
	}
	for reader.NextRow() {
		o.rows++
		for _, cell := range reader.Values() {
			o.text += string(cell) + "\t"
		}
		o.text += "\n"
	}
}

// raw lists the raw values in an outcome, as they are and under the disguises
// that SQL has at hand.
func (o *outcome) raw() []string {
	found := rawIn(o.text)
	for _, disguise := range []func(string) string{reversed, joined, unhex, unbase64} {
		found = append(found, rawIn(disguise(o.text))...)
	}
	return found
}

func reversed(text string) string {
	runes := []rune(text)
	slices.Reverse(runes)
	return string(runes)
}

// joined puts the characters of one-character rows together.
func joined(text string) string { return strings.NewReplacer("\n", "", "\t", "").Replace(text) }

var hexRun = regexp.MustCompile(`(?:[0-9a-f]{2}){8,}`)

func unhex(text string) string {
	return hexRun.ReplaceAllStringFunc(text, func(run string) string {
		decoded, err := hex.DecodeString(run)
		if err != nil {
			return run
		}
		return string(decoded) + "\n"
	})
}

var base64Run = regexp.MustCompile(`[A-Za-z0-9+/]{12,}={0,2}`)

func unbase64(text string) string {
	return base64Run.ReplaceAllStringFunc(text, func(run string) string {
		decoded, err := base64.StdEncoding.DecodeString(run)
		if err != nil {
			return run
		}
		return string(decoded) + "\n"
	})
}

// No attack shows an analyst a raw value, in whichever way it is sent.
func TestLeakAttacks(t *testing.T) {
	d := leakLab(t)
	t.Cleanup(func() { _ = os.Remove("/tmp/sqlveil-leak-test") }) // what the attacks by COPY write directly
	leaky, total := 0, 0
	for _, c := range leakCases(t, "attacks.txt") {
		direct := c.play(t, d.server.Addr(), "dba", "simple")
		if len(direct.raw()) == 0 {
			t.Errorf("%s: nothing raw even directly, so this attack tells nothing: %s", c.name, cut(direct.text))
		}
		for _, way := range ways {
			total++
			o := c.play(t, d.address, "analyst", way)
			if found := o.raw(); len(found) > 0 {
				leaky++
				t.Errorf("%s, %s: raw values %q in %s", c.name, way, found, cut(o.text))
			}
		}
	}
	t.Logf("leaks %d/%d", leaky, total)
}

// A right guess and a wrong one look the same to an analyst.
func TestLeakPairs(t *testing.T) {
	d := leakLab(t)
	for _, c := range leakCases(t, "pairs.txt") {
		for _, way := range ways {
			right := (&leakCase{statements: c.statements[:1]}).play(t, d.address, "analyst", way)
			wrong := (&leakCase{statements: c.statements[1:]}).play(t, d.address, "analyst", way)
			if right.rows != wrong.rows || !slices.Equal(right.errors, wrong.errors) || len(right.errors) == 0 && right.text != wrong.text {
				t.Errorf("%s, %s: a right guess gives %d rows, %v %s, a wrong one %d rows, %v %s", c.name, way,
					right.rows, right.errors, cut(right.text), wrong.rows, wrong.errors, cut(wrong.text))
			}
		}
	}
}

// What an analyst needs works.
func TestUsefulStatements(t *testing.T) {
	d := leakLab(t)
	for _, c := range leakCases(t, "useful.txt") {
		for _, way := range ways {
			direct := c.play(t, d.server.Addr(), "dba", way)
			masked := c.play(t, d.address, "analyst", way)
			if len(direct.errors) > 0 {
				t.Errorf("%s, %s: directly it fails: %v %s", c.name, way, direct.errors, direct.text)
			}
			if !slices.Equal(masked.errors, direct.errors) || !slices.Equal(masked.columns, direct.columns) || masked.rows != direct.rows {
				t.Errorf("%s, %s: %d rows of %v, %v, want %d of %v; %s", c.name, way, masked.rows, masked.columns, masked.errors, direct.rows, direct.columns, cut(masked.text))
			}
			if found := masked.raw(); len(found) > 0 {
				t.Errorf("%s, %s: raw values %q", c.name, way, found)
			}
		}
	}
}
