package rewrite

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sqlveil/masking"
)

// fakeDialect returns one prepared analysis for every text.
type fakeDialect struct {
	statement Statement
	analysed  int
}

func (d *fakeDialect) Analyse(Scope, string) []*Statement {
	d.analysed++
	st := d.statement
	return []*Statement{&st}
}

func (d *fakeDialect) AppendShape(dst []byte, _ Scope, text string) ([]byte, bool) {
	return append(dst, text[0]), true
}

func (d *fakeDialect) AppendLiterals(dst []string, _ Scope, text string) []string {
	return append(dst, strings.Fields(text)[1:]...)
}

// fakeCatalog labels by name alone.
type fakeCatalog uint64

func (c fakeCatalog) Version() uint64 { return uint64(c) }

func (fakeCatalog) Label(p *masking.Policy, c *TableColumn) (masking.Label, bool) {
	return p.Label(c.Name)
}

func column(name string) *TableColumn {
	return &TableColumn{Rel: 1, Name: masking.Column{Database: "d", Schema: "s", Table: "t", Name: name}}
}

func testScope(t *testing.T, role, unlabelled string) Scope {
	t.Helper()
	class := func(use string) masking.ClassSpec {
		return masking.ClassSpec{Level: "secret", Mask: masking.MaskSpec{"redact": nil}, Use: use}
	}
	person := class("equality")
	person.Subject = true
	policy, problems := masking.Compile(masking.Spec{
		Version: 1, Levels: []string{"open", "secret"}, Unlabelled: unlabelled,
		Classes: map[string]masking.ClassSpec{"deny": class("deny"), "equal": class("equality"), "raw": class("raw"), "person": person},
		Columns: map[string]masking.ColumnSpec{
			"d.s.t.deny": {Class: "deny"}, "d.s.t.equal": {Class: "equal"}, "d.s.t.equal2": {Class: "equal"}, "d.s.t.raw": {Class: "raw"}, "d.s.t.person": {Class: "person"},
		},
		Roles:     map[string]masking.RoleSpec{"clerk": {Clearance: "open"}, "boss": {Clearance: "secret"}},
		Functions: masking.FunctionsSpec{Trusted: []string{"s.trusted"}},
	}, make([]byte, 32))
	for _, p := range problems {
		if !p.Warning {
			t.Fatal(p.Path, p.Message)
		}
	}
	return Scope{Role: policy.Role(role), Policy: policy, Database: "d", SearchPath: []string{"s"}, Catalog: fakeCatalog(1)}
}

func planOf(scope Scope, st Statement) *Plan {
	return NewPlanner(&fakeDialect{statement: st}, 1<<20).Plan(scope, "x")[0]
}

func TestUses(t *testing.T) {
	scope := testScope(t, "clerk", "visible")
	for _, c := range []struct {
		name    string
		use     Use
		refused string
	}{
		{"deny, equality", Use{Column: column("deny"), In: "where", Form: FormEqualConstant}, CodeWhere},
		{"deny, null test", Use{Column: column("deny"), In: "where", Form: FormIsNull}, ""},
		{"deny, order", Use{Column: column("deny"), In: "order by"}, CodeClause},
		{"deny, fallible", Use{Column: column("deny"), In: ClauseFallible}, CodeFallible},
		{"equality with a constant", Use{Column: column("equal"), In: "where", Form: FormEqualConstant}, ""},
		{"equality with another class", Use{Column: column("equal"), In: "join", Form: FormEqualColumn, With: column("free")}, CodeWhere},
		{"equality within the class", Use{Column: column("equal"), In: "join", Form: FormEqualColumn, With: column("equal2")}, ""},
		{"equality class, other form", Use{Column: column("equal"), In: "where"}, CodeWhere},
		{"raw", Use{Column: column("raw"), In: "order by"}, ""},
		{"no label", Use{Column: column("free"), In: "order by"}, ""},
	} {
		p := planOf(scope, Statement{Uses: []Use{c.use}})
		got := ""
		if p.Refuse != nil {
			got = p.Refuse.Code
		}
		if got != c.refused || p.Uses[0].Allowed != (c.refused == "") {
			t.Errorf("%s: refused %q, allowed %v, want %q", c.name, got, p.Uses[0].Allowed, c.refused)
		}
	}
}

func TestARoleThatSeesEverythingIsRefusedNothing(t *testing.T) {
	p := planOf(testScope(t, "boss", "visible"), Statement{
		Columns: []ResultColumn{{Value: Of(column("deny"))}},
		Uses:    []Use{{Column: column("deny"), In: "where"}},
		Unknown: []Refusal{{Code: CodeSyntax}},
		Calls:   []Call{{Schema: "s", Name: "f"}},
		Flows:   []Flow{{Value: Of(column("deny"))}},
		Alters:  []*TableColumn{column("deny")},
	})
	if p.Refuse != nil || p.Masked || p.Outputs[0].Mask != nil {
		t.Errorf("plan = %+v, want nothing refused and nothing masked", p)
	}
	if len(p.Objects) == 0 || p.Objects[0].Released != "clear" {
		t.Errorf("objects = %+v, want the column released in clear", p.Objects)
	}
}

func TestUnlabelledMasked(t *testing.T) {
	scope := testScope(t, "clerk", "masked")
	system := column("oid")
	system.System = true
	p := planOf(scope, Statement{Columns: []ResultColumn{{Value: Of(column("free"))}, {Value: Of(system)}}})
	if p.Outputs[0].Mask == nil || p.Outputs[1].Mask != nil {
		t.Errorf("masks %v, %v, want one for the column without a label and none for the system's", p.Outputs[0].Mask, p.Outputs[1].Mask)
	}
}

func TestDerivedOutputIsRedacted(t *testing.T) {
	p := planOf(testScope(t, "clerk", "visible"), Statement{Columns: []ResultColumn{{Value: Of(column("deny")).Derive()}}})
	if out := p.Outputs[0]; out.Mask != masking.Withheld || !out.Derived {
		t.Errorf("output = %+v, want it withheld, derived", out)
	}
}

func TestTellingNullsAreNull(t *testing.T) {
	value := Of(column("deny")).Derive()
	value.Nulls = true
	p := planOf(testScope(t, "clerk", "visible"), Statement{Columns: []ResultColumn{{Value: value}, {Value: value.Either(Of(column("free")))}}})
	for _, out := range p.Outputs {
		if out.Mask != masking.Null || !out.Derived {
			t.Errorf("output = %+v, want null, derived", out)
		}
	}
}

func TestFlows(t *testing.T) {
	scope := testScope(t, "clerk", "visible")
	for _, c := range []struct {
		name    string
		flow    Flow
		refused bool
	}{
		{"to a new table", Flow{Value: Of(column("deny"))}, true},
		{"to a column without a label", Flow{Target: column("free"), Value: Of(column("deny"))}, true},
		{"to another class", Flow{Target: column("equal"), Value: Of(column("deny"))}, true},
		{"to the same class", Flow{Target: column("equal2"), Value: Of(column("equal"))}, false},
		{"of what is not protected", Flow{Value: Of(column("free"))}, false},
	} {
		if p := planOf(scope, Statement{Flows: []Flow{c.flow}}); (p.Refuse != nil) != c.refused {
			t.Errorf("%s: refusal %v, want %v", c.name, p.Refuse, c.refused)
		}
	}
}

func TestCallsAreTrustedByName(t *testing.T) {
	scope := testScope(t, "clerk", "visible")
	for name, refused := range map[string]bool{"trusted": false, "other": true} {
		if p := planOf(scope, Statement{Calls: []Call{{Schema: "s", Name: name}}}); (p.Refuse != nil) != refused {
			t.Errorf("call of %s: refusal %v, want %v", name, p.Refuse, refused)
		}
	}
}

// Each part of the scope that decides a plan must be part of its key.
func TestPlansAreNotSharedAcrossScopes(t *testing.T) {
	base := testScope(t, "clerk", "visible")
	for name, change := range map[string]func(*Scope){
		"role":     func(s *Scope) { s.Role = s.Policy.Role("boss") },
		"policy":   func(s *Scope) { *s = testScope(t, "clerk", "masked") },
		"database": func(s *Scope) { s.Database = "e" },
		"user":     func(s *Scope) { s.User = "u" },
		"path":     func(s *Scope) { s.SearchPath = []string{"s", "r"} },
		"mode":     func(s *Scope) { s.Mode = "m" },
		"catalog":  func(s *Scope) { s.Catalog = fakeCatalog(2) },
	} {
		dialect := &fakeDialect{}
		planner := NewPlanner(dialect, 1<<20)
		planner.Plan(base, "x")
		planner.Plan(base.Seal(), "x")
		if dialect.analysed != 1 {
			t.Fatalf("the same scope was planned %d times", dialect.analysed)
		}
		other := base
		change(&other)
		if planner.Plan(other, "x"); dialect.analysed != 2 {
			t.Errorf("a scope with another %s got the plan of the first", name)
		}
	}
}

func TestOnlyLiteralFreePlansAreShared(t *testing.T) {
	scope := testScope(t, "clerk", "visible")
	for _, free := range []bool{true, false} {
		dialect := &fakeDialect{statement: Statement{LiteralFree: free}}
		planner := NewPlanner(dialect, 1<<20)
		planner.Plan(scope, "x 1")
		planner.Plan(scope, "x 2")
		if shared := dialect.analysed == 1; shared != free {
			t.Errorf("literal free %v: analysed %d times", free, dialect.analysed)
		}
	}
}

// Whom a predicate names is told by the number of the literal where texts share a
// plan; where it cannot be told which literal it is, they share none.
func TestPersonsOfSharedPlans(t *testing.T) {
	scope := testScope(t, "clerk", "visible")
	for _, c := range []struct {
		text   string
		asked  []Constant
		want   []Constant
		shared bool
	}{
		{"x a b", []Constant{{Text: "b"}}, []Constant{{Nth: 2}}, true},
		{"x a b", []Constant{{Text: "b"}, {Param: 3}, {Text: "a"}}, []Constant{{Nth: 2}, {Param: 3}, {Nth: 1}}, true},
		{"x a a", []Constant{{Text: "a"}}, []Constant{{Text: "a"}}, false},
		{"x E'a' b", []Constant{{Text: "a"}}, []Constant{{Text: "a"}}, false},
		{"x a b", []Constant{{Text: "b"}, {Text: "b"}}, []Constant{{Nth: 2}}, true},
	} {
		dialect := &fakeDialect{statement: Statement{LiteralFree: true}}
		for _, asked := range c.asked {
			dialect.statement.Equals = append(dialect.statement.Equals, Equal{column("person"), asked}, Equal{column("equal"), asked})
		}
		planner := NewPlanner(dialect, 1<<20)
		plan := planner.Plan(scope, c.text)[0]
		var got []Constant
		for _, p := range plan.Persons {
			got = append(got, p.Constant)
		}
		planner.Plan(scope, "x other literals")
		if !slices.Equal(got, c.want) || (dialect.analysed == 1) != c.shared {
			t.Errorf("%s: got %+v of %d analyses, want %+v and shared %v", c.text, got, dialect.analysed, c.want, c.shared)
		}
	}
}

func TestCachedPlanCostsNoAllocation(t *testing.T) {
	scope := testScope(t, "clerk", "visible").Seal()
	planner := NewPlanner(&fakeDialect{}, 1<<20)
	planner.Plan(scope, "x")
	if n := testing.AllocsPerRun(100, func() { planner.Cached(scope, "x") }); n > 0 {
		t.Errorf("a cached plan costs %v allocations", n)
	}
}

// TestPlansAreRememberedInBoundedMemory plans ever other texts, long and short.
func TestPlansAreRememberedInBoundedMemory(t *testing.T) {
	scope := testScope(t, "clerk", "visible").Seal()
	for _, length := range []int{10, 1000, largestCached - 10} {
		const size = cacheShards * 4 * largestCached
		dialect := &fakeDialect{}
		planner := NewPlanner(dialect, size)
		text := func(i int) string { return fmt.Sprintf("%*d", length, i) }
		texts := 4 * size / length
		if length < 100 {
			texts = 4 * size / entryOverhead
		}
		for i := range texts {
			planner.Plan(scope, text(i))
		}
		held, remembered := 0, 0
		for i := range planner.plans.shards {
			shard := &planner.plans.shards[i]
			sum := 0
			for _, k := range shard.plans.Keys() {
				found, _ := shard.plans.Peek(k)
				sum += sizeOf(k, found.plans)
			}
			if sum != shard.held || sum > shard.most {
				t.Errorf("texts of %d bytes: a shard holds %d bytes, counts %d, may hold %d", length, sum, shard.held, shard.most)
			}
			held += sum
			remembered += shard.plans.Len()
		}
		if held < size/2 || remembered >= texts {
			t.Errorf("texts of %d bytes: %d of %d in %d bytes of %d", length, remembered, texts, held, size)
		}
		if _, ok := planner.Cached(scope, text(texts-1)); !ok {
			t.Errorf("texts of %d bytes: the last is forgotten", length)
		}
	}
}

// brokenDialect fails on every text.
type brokenDialect struct{}

func (brokenDialect) Analyse(Scope, string) []*Statement { panic("a fault") }

func TestAFaultOfADialectRefuses(t *testing.T) {
	planner := NewPlanner(brokenDialect{}, 1<<20)
	if p := planner.Plan(testScope(t, "clerk", "visible"), "x")[0]; p.Refuse == nil {
		t.Error("a role with masks is not refused")
	}
	if p := planner.Plan(testScope(t, "boss", "visible"), "x")[0]; p.Refuse != nil {
		t.Errorf("a role that sees everything is refused: %v", p.Refuse)
	}
}
