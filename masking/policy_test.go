package masking

import (
	"net/netip"
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
