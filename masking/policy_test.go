package masking

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
)

// crmSpec is the policy that the tests of this package share.
func crmSpec() Spec {
	return Spec{
		Version: 1,
		Levels:  []string{"public", "internal", "confidential", "restricted"},
		Classes: map[string]ClassSpec{
			"person-name": {Level: "confidential", Mask: MaskSpec{"name": nil}, Use: "equality"},
			"mobile":      {Level: "confidential", Mask: MaskSpec{"partial": {"first": 3, "last": 4}}, Use: "equality"},
			"email":       {Level: "confidential", Mask: MaskSpec{"email": {}}},
			"resident-id": {Level: "restricted", Mask: MaskSpec{"partial": {"first": 3, "last": 4}}, Use: "deny", Subject: true},
			"salary":      {Level: "restricted", Mask: MaskSpec{"null": {}}},
			"birth-date":  {Level: "confidential", Mask: MaskSpec{"date": {"to": "year"}}},
			"account":     {Level: "restricted", Mask: MaskSpec{"hmac": {}}},
		},
		Columns: map[string]ColumnSpec{
			"crm.public.customers.name":       {Class: "person-name"},
			"crm.public.customers.mobile":     {Class: "mobile"},
			"crm.public.customers.email":      {Class: "email"},
			"crm.public.customers.salary":     {Class: "salary"},
			"crm.public.customers.birth_date": {Class: "birth-date"},
			"crm.public.customers.account":    {Class: "account"},
			"crm.public.customers.profile":    {JSON: map[string]string{"$.phone": "mobile", "$.contacts[*].mail": "email"}},
			"*.*.*.id_card":                   {Class: "resident-id"},
		},
		Roles: map[string]RoleSpec{
			"analyst": {Clearance: "internal"},
			"support": {
				Clearance: "internal",
				Unmask:    []string{"person-name"},
				Masks:     map[string]MaskSpec{"resident-id": {"partial": {"last": 4}}},
			},
			"dba": {Clearance: "restricted"},
		},
		Callers: []CallerSpec{
			{User: "postgres", Role: "dba"},
			{User: "bi_*", Database: "crm", Network: []string{"10.0.0.0/8"}, Application: "Metabase*", Role: "analyst"},
			{Certificate: "*", Role: "support"},
		},
		Unlabelled: "visible",
		Functions:  FunctionsSpec{Trusted: []string{"public.order_total"}},
	}
}

func compile(t testing.TB, spec Spec) *Policy {
	t.Helper()
	p, problems := Compile(spec, testKey)
	if p == nil {
		t.Fatalf("problems: %v", problems)
	}
	return p
}

func label(t testing.TB, p *Policy, c Column) Label {
	t.Helper()
	l, ok := p.Label(c)
	if !ok {
		t.Fatalf("no label for %v", c)
	}
	return l
}

func customer(column string) Column {
	return Column{Database: "crm", Schema: "public", Table: "customers", Name: column}
}

func TestRoleMask(t *testing.T) {
	p := compile(t, crmSpec())
	for _, test := range []struct{ role, column, value, want string }{
		{"analyst", "mobile", "13800138000", "138****8000"},
		{"analyst", "name", "欧阳修", "欧阳**"},
		{"analyst", "email", "user@example.com", "u***@example.com"},
		{"analyst", "salary", "1000", "NULL"},
		{"analyst", "id_card", "11010519491231002X", "110***********002X"},
		{"support", "id_card", "11010519491231002X", "**************002X"},
		{"support", "name", "欧阳修", "clear"},
		{"dba", "salary", "1000", "clear"},
		{"analyst", "profile", `{"phone": "13800138000"}`, `{"phone": "138****8000"}`},
	} {
		m := p.Role(test.role).Mask(label(t, p, customer(test.column)))
		if got := masked(m, test.value); got != test.want {
			t.Errorf("%s sees %s %q as %q, want %q", test.role, test.column, test.value, got, test.want)
		}
	}
}

// masked is what a mask makes of a text.
func masked(m Mask, text string) string {
	if m == nil {
		return "clear"
	}
	out, ok := Apply(m, nil, []byte(text), Type{Kind: KindText})
	if !ok {
		return "NULL"
	}
	return string(out)
}

func TestMatch(t *testing.T) {
	p := compile(t, crmSpec())
	inside, outside := netip.MustParseAddr("::ffff:10.1.2.3"), netip.MustParseAddr("192.0.2.1")
	for _, test := range []struct {
		name   string
		caller Caller
		want   string
	}{
		{"by user", Caller{User: "postgres", Address: outside}, "dba"},
		{"by everything", Caller{User: "bi_1", Database: "crm", Application: "Metabase v1", Address: inside}, "analyst"},
		{"the wrong network", Caller{User: "bi_1", Database: "crm", Application: "Metabase v1", Address: outside}, ""},
		{"no network", Caller{User: "bi_1", Database: "crm", Application: "Metabase v1"}, ""},
		{"the wrong case", Caller{User: "Postgres"}, ""},
		{"a certificate", Caller{User: "x", CertificateName: "crm-web"}, "support"},
		{"nothing", Caller{User: "x"}, ""},
	} {
		r, ok := p.Match(test.caller)
		got := ""
		if ok {
			got = r.Name()
		}
		if got != test.want {
			t.Errorf("%s: %+v has role %q, want %q", test.name, test.caller, got, test.want)
		}
	}
}

func TestRoleSees(t *testing.T) {
	p := compile(t, crmSpec())
	for _, test := range []struct {
		role, class string
		want        bool
	}{
		{"analyst", "person-name", false},
		{"support", "person-name", true},
		{"support", "resident-id", false},
		{"dba", "resident-id", true},
	} {
		column := map[string]string{"person-name": "name", "resident-id": "id_card"}[test.class]
		class := label(t, p, customer(column)).Class()
		if got := p.Role(test.role).Sees(class); got != test.want {
			t.Errorf("%s sees %s: %v", test.role, test.class, got)
		}
	}
	for role, want := range map[string]bool{"analyst": false, "support": false, "dba": true} {
		if got := p.Role(role).SeesAll(); got != want {
			t.Errorf("%s sees all: %v", role, got)
		}
	}
	if p.Role("nobody") != nil {
		t.Error("there is a role that the policy does not have")
	}
}

// TestMasksOfARole checks that a role's own mask holds even where its clearance
// would do without one.
func TestMasksOfARole(t *testing.T) {
	spec := crmSpec()
	spec.Roles["dba"] = RoleSpec{Clearance: "restricted", Masks: map[string]MaskSpec{"salary": {"round": {"to": 1000}}}}
	p := compile(t, spec)
	dba := p.Role("dba")
	if got := masked(dba.Mask(label(t, p, customer("salary"))), "5432"); got != "5000" {
		t.Errorf("the salary is %s", got)
	}
	if dba.SeesAll() {
		t.Error("the role sees all")
	}
}

func TestBuiltInClasses(t *testing.T) {
	spec := crmSpec()
	p := compile(t, spec)
	for _, c := range []*Class{p.System(), p.Unlabelled()} {
		if c.LevelName != "restricted" || c.Level != 3 || c.Use != UseDeny {
			t.Errorf("%s is %+v", c.Name, c)
		}
		if m := p.Role("support").Mask(LabelOf(c)); m != Redact {
			t.Errorf("%s is masked by %v", c.Name, m)
		}
		if m := p.Role("dba").Mask(LabelOf(c)); m != nil {
			t.Errorf("%s is masked for the dba by %v", c.Name, m)
		}
	}
	if p.UnlabelledMasked() {
		t.Error("unlabelled columns are masked")
	}
	spec.Unlabelled = "masked"
	if !compile(t, spec).UnlabelledMasked() {
		t.Error("unlabelled columns are visible")
	}
}

// TestForeignClass checks that a label that outlived its policy releases nothing.
func TestForeignClass(t *testing.T) {
	old, current := compile(t, crmSpec()), compile(t, crmSpec())
	stale := label(t, old, customer("name"))
	if m := current.Role("dba").Mask(stale); m != Redact {
		t.Errorf("a class of another policy is masked by %v", m)
	}
}

func TestTrusted(t *testing.T) {
	p := compile(t, crmSpec())
	for _, test := range []struct {
		schema, function string
		want             bool
	}{{"public", "order_total", true}, {"public", "ORDER_TOTAL", false}, {"other", "order_total", false}, {"", "order_total", false}} {
		if got := p.Trusted(test.schema, test.function); got != test.want {
			t.Errorf("%s.%s is trusted: %v", test.schema, test.function, got)
		}
	}
}

// TestVersion checks that the version follows the content and nothing else.
func TestVersion(t *testing.T) {
	first := compile(t, crmSpec()).Version()
	if again := compile(t, crmSpec()).Version(); again != first || len(first) != len("sha256:")+64 {
		t.Errorf("the versions of one policy are %s and %s", first, again)
	}
	spec := crmSpec()
	spec.Roles["dba"] = RoleSpec{Clearance: "internal"}
	if other := compile(t, spec).Version(); other == first {
		t.Error("another policy has the same version")
	}
}

// TestKeyDomains checks which columns have tokens in common: those of one class,
// and those whose classes name one domain.
func TestKeyDomains(t *testing.T) {
	spec := crmSpec()
	for class, options := range map[string]map[string]any{"a": nil, "b": {"domain": "x"}, "c": {"domain": "x"}} {
		spec.Classes[class] = ClassSpec{Level: "restricted", Mask: MaskSpec{"hmac": options}}
		spec.Columns["d.s.t."+class] = ColumnSpec{Class: class}
	}
	p := compile(t, spec)
	token := func(column string) string {
		return masked(p.Role("analyst").Mask(label(t, p, Column{"d", "s", "t", column})), "value")
	}
	if token("a") == token("b") || token("b") != token("c") {
		t.Errorf("the tokens are %s, %s and %s", token("a"), token("b"), token("c"))
	}
}

func TestWithoutKey(t *testing.T) {
	spec := crmSpec()
	if p, problems := Compile(spec, nil); p != nil || len(problems) != 1 || problems[0].Message != "hmac needs the masking key: set keys.masking" {
		t.Errorf("without a key: %v", problems)
	}
	if p, problems := Compile(spec, testKey[:31]); p != nil || len(problems) != 1 {
		t.Errorf("with a short key: %v", problems)
	}
	delete(spec.Classes, "account")
	delete(spec.Columns, "crm.public.customers.account")
	if p, problems := Compile(spec, nil); p == nil || len(problems) != 0 {
		t.Errorf("without a keyed mask: %v", problems)
	}
}

// TestProblemPaths checks where problems say that they are. What they say is
// checked with the files of package config.
func TestProblemPaths(t *testing.T) {
	spec := crmSpec()
	spec.Version = 2
	spec.Levels = append(spec.Levels, "public")
	spec.Classes["bad"] = ClassSpec{Level: "x", Mask: MaskSpec{"partial": {"first": "y"}}, Use: "masked"}
	spec.Classes["raw"] = ClassSpec{Level: "public", Mask: MaskSpec{"redact": nil}, Use: "raw"}
	spec.Columns["a.b"] = ColumnSpec{Class: "email"}
	spec.Columns["a.b.c"] = ColumnSpec{JSON: map[string]string{"phone": "mobile", "$.x": "nothing"}}
	spec.Roles["bad"] = RoleSpec{Clearance: "x", Unmask: []string{"nothing"}, Masks: map[string]MaskSpec{"email": {"x": nil}}}
	spec.Callers = append(spec.Callers, CallerSpec{User: "postgres", Network: []string{"x"}, Role: "nobody"})
	spec.DefaultRole = "nobody"
	spec.Unlabelled = ""
	spec.Functions.Trusted = append(spec.Functions.Trusted, "f")
	p, problems := Compile(spec, testKey)
	if p != nil {
		t.Error("it was compiled")
	}
	var got []string
	for _, problem := range problems {
		text := strings.Join(problem.Path, "/")
		if problem.Warning {
			text += " (warning)"
		}
		got = append(got, text)
	}
	want := []string{
		"version", "levels/4", "unlabelled",
		"classes/bad/level", "classes/bad/use", "classes/bad/mask/partial/first",
		"classes/raw/use (warning)",
		"columns/a.b", "columns/a.b.c/json/$.x", "columns/a.b.c/json/phone",
		"roles/bad/clearance", "roles/bad/unmask/0", "roles/bad/masks/email/x",
		"callers/3/role", "callers/3/network/0", "callers/3", "default_role",
		"functions/trusted/1",
		"classes/bad (warning)", "classes/raw (warning)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestCallersCovered checks which callers are never reached.
func TestCallersCovered(t *testing.T) {
	for _, test := range []struct {
		name          string
		first, second CallerSpec
		covered       bool
	}{
		{"the same", CallerSpec{User: "a"}, CallerSpec{User: "a"}, true},
		{"more asked", CallerSpec{User: "a"}, CallerSpec{User: "a", Database: "d"}, true},
		{"less asked", CallerSpec{User: "a", Database: "d"}, CallerSpec{User: "a"}, false},
		{"anybody", CallerSpec{}, CallerSpec{User: "a", Certificate: "c"}, true},
		{"a pattern", CallerSpec{User: "a*"}, CallerSpec{User: "ab*c"}, true},
		{"a narrower one first", CallerSpec{User: "ab*"}, CallerSpec{User: "a*"}, false},
		{"another", CallerSpec{User: "a*"}, CallerSpec{User: "b*"}, false},
		{"any network", CallerSpec{Network: []string{"10.0.0.0/8"}}, CallerSpec{}, false},
		{"inside a network", CallerSpec{Network: []string{"10.0.0.0/8", "::/0"}}, CallerSpec{Network: []string{"10.1.0.0/16", "2001:db8::1"}}, true},
		{"partly outside", CallerSpec{Network: []string{"10.0.0.0/8"}}, CallerSpec{Network: []string{"10.1.0.0/16", "192.0.2.1"}}, false},
		{"a wider network", CallerSpec{Network: []string{"10.1.0.0/16"}}, CallerSpec{Network: []string{"10.0.0.0/8"}}, false},
	} {
		spec := crmSpec()
		test.first.Role, test.second.Role = "dba", "analyst"
		spec.Callers = []CallerSpec{test.first, test.second}
		_, problems := Compile(spec, testKey)
		if got := len(problems) > 0; got != test.covered {
			t.Errorf("%s: %v", test.name, problems)
		}
	}
}

// TestConcurrently uses one policy from several goroutines, for the race detector.
func TestConcurrently(t *testing.T) {
	p := compile(t, crmSpec())
	role := p.Role("analyst")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var dst []byte
			for range 200 {
				for _, column := range []string{"name", "mobile", "email", "account", "profile", "id_card"} {
					l, _ := p.Label(customer(column))
					dst, _ = Apply(role.Mask(l), dst[:0], []byte(`{"phone":"13800138000"}`), Type{Kind: KindText})
				}
			}
		})
	}
	wg.Wait()
}
