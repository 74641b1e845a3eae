package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// runHere runs a command in this process.
func runHere(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, problems bytes.Buffer
	code = run(t.Context(), args, &out, &problems)
	return out.String(), problems.String(), code
}

func TestCommandLine(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		want string // in one of the outputs
	}{
		{[]string{"--help"}, exitOK, "Available Commands"},
		{nil, exitOK, "Available Commands"},
		{[]string{"version"}, exitOK, "sqlveil "},
		{[]string{"bogus"}, exitUsage, `unknown command "bogus"`},
		{[]string{"serve", "--bogus"}, exitUsage, "unknown flag: --bogus, see sqlveil serve --help"},
		{[]string{"serve", "more"}, exitUsage, "sqlveil serve wants 0 arguments, got 1"},
		{[]string{"explain"}, exitUsage, "sqlveil explain wants 1 argument SQL, got 0"},
	} {
		stdout, stderr, code := runHere(t, test.args...)
		if code != test.code || !strings.Contains(stdout+stderr, test.want) {
			t.Errorf("sqlveil %v: exit code %d, %q %q, want %d and %q", test.args, code, stdout, stderr, test.code, test.want)
		}
	}
}

func TestKeygenMakesKeysThatLoad(t *testing.T) {
	s := newSite(t, "127.0.0.1:5432")
	first, _, _ := runHere(t, "keygen")
	second, _, _ := runHere(t, "keygen")
	if first == second {
		t.Error("two keys are the same")
	}
	writeFile(t, s.file("masking.key"), first)
	if out, problems, code := runHere(t, "check", "--offline", "-c", s.config); code != exitOK {
		t.Errorf("check: exit code %d, %s%s", code, out, problems)
	}
}

func TestCheckListsEveryProblem(t *testing.T) {
	s := newSite(t, "127.0.0.1:5432")
	s.replace(t, "sqlveil.yaml", "protocol: postgres", "protocol: oracle")
	s.replace(t, "policy.yaml", "use: equality}", "use: perhaps}")
	s.replace(t, "policy.yaml", "default_role: \"\"", "default_role: nobody")
	_, stderr, code := runHere(t, "check", "-c", s.config)
	if code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"sqlveil.yaml:3:", "oracle", "policy.yaml:5:", "perhaps", "nobody"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("check does not say %q:\n%s", want, stderr)
		}
	}
	if lines := strings.Count(stderr, "\n"); lines != 3 {
		t.Errorf("%d lines, want 3:\n%s", lines, stderr)
	}
}

// The JSON of explain is read by other programs: its shape does not change.
func TestExplainJSON(t *testing.T) {
	s := newSite(t, lab(t).server.Addr())
	for _, test := range []struct{ role, sql, want string }{
		{"analyst", "SELECT name AS n, upper(mobile) AS m, count(*) OVER () AS c FROM customers WHERE mobile = '15400000000'", `{"statements":[{
			"kind":"SELECT","verdict":"mask","columns":[
				{"name":"n","sources":["crm.public.customers.name"],"derivation":"plain","class":"person-name","mask":"name"},
				{"name":"m","sources":["crm.public.customers.mobile"],"derivation":"derived","class":"mobile","mask":"redact"},
				{"name":"c","sources":[],"derivation":"none"}],
			"uses":[{"column":"crm.public.customers.mobile","in":"where","allowed":true}],
			"sql":"SELECT name AS n, upper(mobile) AS m, count(*) OVER () AS c FROM customers WHERE mobile = '15400000000'"}]}`},
		{"dba", "SELECT salary FROM customers", `{"statements":[{
			"kind":"SELECT","verdict":"pass","columns":[
				{"name":"salary","sources":["crm.public.customers.salary"],"derivation":"plain","class":"salary"}],
			"uses":[],"sql":"SELECT salary FROM customers"}]}`},
	} {
		stdout, stderr, code := runHere(t, "explain", "-c", s.config, "--listener", "crm", "--database", "crm", "--role", test.role, "--json", test.sql)
		if code != exitOK {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		var got, want any
		if err := errors.Join(json.Unmarshal([]byte(stdout), &got), json.Unmarshal([]byte(test.want), &want)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%swant\n%s", test.sql, stdout, test.want)
		}
	}
}

func TestExplainRefusal(t *testing.T) {
	s := newSite(t, lab(t).server.Addr())
	stdout, _, code := runHere(t, "explain", "-c", s.config, "--database", "crm", "--role", "analyst", "SELECT name FROM customers ORDER BY salary")
	for _, want := range []string{"SELECT: refuse", "SV101", "crm.public.customers.salary", "order by", "no"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("explain does not say %q:\n%s", want, stdout)
		}
	}
	if code != exitOK {
		t.Errorf("exit code %d: to explain a refusal is no failure", code)
	}
}

func TestPolicyTests(t *testing.T) {
	s := newSite(t, lab(t).server.Addr())
	const suite = `config: sqlveil.yaml
listener: crm
database: crm
cases:
  - {role: analyst, sql: "SELECT name, mobile AS m, id FROM customers", expect: {verdict: mask, columns: {name: name, m: partial, id: ""}}}
  - {role: analyst, sql: SELECT name FROM customers ORDER BY salary, expect: {verdict: refuse, code: SV101}}
  - {role: dba, sql: SELECT * FROM customers, expect: {verdict: pass}}
`
	writeFile(t, s.file("policy_test.yaml"), suite)
	if stdout, stderr, code := runHere(t, "test", s.file("policy_test.yaml")); code != exitOK || stdout != "3 cases as expected\n" {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	s.replace(t, "policy_test.yaml", "m: partial", "m: email, x: name")
	s.replace(t, "policy_test.yaml", "verdict: refuse, code: SV101", "verdict: mask")
	stdout, stderr, code := runHere(t, "test", s.file("policy_test.yaml"))
	for _, want := range []string{
		`case 1, analyst: SELECT name, mobile AS m, id FROM customers: column m has the mask "partial", want "email"`,
		`case 1, analyst: SELECT name, mobile AS m, id FROM customers: there is no result column x`,
		`case 2, analyst: SELECT name FROM customers ORDER BY salary: verdict refuse SV101, want mask`,
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, stdout)
		}
	}
	if code != exitFailed || stderr != "sqlveil: 2 of 3 cases failed\n" {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	s.replace(t, "policy_test.yaml", "cases:", "case:")
	if _, stderr, code := runHere(t, "test", s.file("policy_test.yaml")); code != exitFailed || !strings.Contains(stderr, "policy_test.yaml:4:1: ") {
		t.Errorf("a wrong file: exit code %d, %q", code, stderr)
	}
}

// demo --once is what a newcomer runs: it must end well, and leave nothing.
func TestDemoOnce(t *testing.T) {
	for name, test := range map[string]struct {
		flags []string
		want  []string
	}{
		"PostgreSQL": {nil, []string{"psql 'postgres://analyst:", "analyst: ERROR: sqlveil: column crm.public.customers.salary"}},
		"MariaDB":    {[]string{"--mysql"}, []string{"mariadb --host=127.0.0.1 --port=", "analyst: ERROR 1142 (42000): sqlveil: column crm.customers.salary"}},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := runHere(t, append([]string{"demo", "--once", "--listen", "127.0.0.1:0", "--customers", "200"}, test.flags...)...)
			if code != exitOK {
				t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
			}
			for _, want := range append(test.want,
				"Starting "+name+" and making 200 customers",
				"  name        令狐**                               令狐欣怡                             令狐欣怡\n",
				"(SV101)", "Every value above is what the policy says",
			) {
				if !strings.Contains(stdout, want) {
					t.Errorf("the demo does not show %q:\n%s", want, stdout)
				}
			}
		})
	}
}

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "令狐**": 6, "Łucja": 5, "（全）": 6, "e\u0301": 1, "🦊": 2} {
		if got := width(text); got != want {
			t.Errorf("width of %q is %d, want %d", text, got, want)
		}
	}
}

// check looks at the databases: what the policy misses there is a warning.
func TestCheckComparesWithDatabases(t *testing.T) {
	d := lab(t)
	s := newSite(t, d.server.Addr())
	s.replace(t, "policy.yaml", "  crm.public.customers.salary: salary\n", "  crm.public.customers.wages: salary\n")
	stdout, stderr, code := runHere(t, "check", "-c", s.config)
	line := 0
	for i, text := range strings.Split(readFile(t, s.file("policy.yaml")), "\n") {
		if strings.Contains(text, "wages") {
			line = i + 1
		}
	}
	for _, want := range []string{
		fmt.Sprintf("policy.yaml:%d:31: warning: no column is called crm.public.customers.wages\n", line),
		"warning: crm.public.customers.salary looks like an income and has no label\n",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("check does not say %q:\n%s", want, stderr)
		}
	}
	if code != exitOK || !strings.Contains(stdout, "is in order, 2 warnings") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}

func TestSensitiveNames(t *testing.T) {
	for name, want := range map[string]string{
		"mobile": "a phone number", "contactMobile": "a phone number", "手机号码": "a phone number", "sfzh": "an identity number",
		"Full Name": "a person's name", "IBAN": "a bank account", "panel": "", "emailed_at": "", "expansion": "", "id": "", "amount": "",
	} {
		if got := sensitiveName(name); got != want {
			t.Errorf("%s looks like %q, want %q", name, got, want)
		}
	}
}
