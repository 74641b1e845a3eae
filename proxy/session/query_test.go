package session

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sqlveil/auditlog"
	"sqlveil/masking"
	"sqlveil/rewrite"
)

// A bench is a session with everything around it faked.
type bench struct {
	*Session
	policy   *masking.Policy
	planner  planner
	catalogs catalogs
	wire     wire
	audit    audit
	metrics  Metrics
}

// planner plans a text by its first word: "ok", "names", "unknown", "refused" ...
type planner struct{ planned int }

func (p *planner) Plan(_ rewrite.Scope, text string) []*rewrite.Plan {
	p.planned++
	plan := &rewrite.Plan{Kind: "SELECT", Text: text, SQL: text}
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "names":
		plan.Effect.ReadsPath = true
	case "unknown":
		plan.Refuse = &Refusal{Code: rewrite.CodeUnknownName, Message: "unknown"}
	case "refused":
		plan.Refuse = &Refusal{Code: rewrite.CodeWhere, Message: "refused"}
	case "path":
		plan.Effect.Path = true
	case "column":
		plan.Rows, plan.Outputs = true, []rewrite.Output{{Name: "a"}}
	case "prepare":
		plan.Effect.Prepare, plan.Effect.Prepared = "s", rest
	case "protected":
		plan.Objects = []rewrite.Object{{Column: "db.s.t.secret"}}
	case "fault":
		panic("a fault")
	case "execute":
		plan.Effect.Execute = rest
	}
	return []*rewrite.Plan{plan}
}

func (p *planner) AppendLiterals([]string, rewrite.Scope, string) []string { return nil }

func (p *planner) Cached(scope rewrite.Scope, text string) ([]*rewrite.Plan, bool) {
	if strings.HasSuffix(text, "new") {
		return nil, false
	}
	return p.Plan(scope, text), true
}

type catalog uint64

func (c catalog) Version() uint64 { return uint64(c) }

func (c catalog) Label(p *masking.Policy, column *rewrite.TableColumn) (masking.Label, bool) {
	return p.Label(masking.Column{Database: "db", Schema: "s", Table: "t", Name: map[int16]string{1: "secret", 2: "plain"}[column.Att]})
}

type catalogs struct {
	version uint64
	calls   []string
	asked   func() // when Fresh, Verified or Local is called, if not nil
	err     error
}

func (c *catalogs) get(call string) (rewrite.Catalog, error) {
	if c.err != nil {
		return nil, c.err
	}
	if call != "current" {
		c.calls = append(c.calls, call)
		if c.asked != nil {
			c.asked()
		}
	}
	return catalog(c.version), nil
}

func (c *catalogs) Current(context.Context, string) (rewrite.Catalog, error) { return c.get("current") }

func (c *catalogs) Known(context.Context, string) (rewrite.Catalog, error) { return c.get("current") }

func (c *catalogs) Fresh(context.Context, string) (rewrite.Catalog, error) { return c.get("fresh") }

func (c *catalogs) Verified(context.Context, string) (rewrite.Catalog, error) {
	return c.get("verified")
}

func (c *catalogs) Changed(string) { c.calls = append(c.calls, "changed") }

func (c *catalogs) Local(context.Context, string, []rewrite.TemporaryTable, func(context.Context, string) ([][]*string, error)) (rewrite.Catalog, error) {
	return c.get("local")
}

type wire struct {
	calls    []string
	standing Standing
	around   Surroundings
	err      error
}

func (w *wire) Drain(context.Context) (Standing, error) {
	w.calls = append(w.calls, "drain")
	return w.standing, nil
}

func (w *wire) Ask(context.Context, string) ([][]*string, error) { return nil, w.err }

func (w *wire) Surroundings(context.Context) (Surroundings, error) {
	w.calls = append(w.calls, "ask")
	return w.around, w.err
}

type audit struct {
	events []auditlog.Event
	waits  []auditlog.Kind // of the events that have to be on disk
	err    error
}

func (a *audit) Append(e *auditlog.Event, strict bool) (uint64, error) {
	if a.err != nil {
		return 0, a.err
	}
	if strict {
		a.waits = append(a.waits, e.Kind)
	}
	kept := *e // whose slices are used again
	kept.Objects = slices.Clone(e.Objects)
	kept.Decision.Masks = slices.Clone(e.Decision.Masks)
	kept.Subjects.Keys = slices.Clone(e.Subjects.Keys)
	kept.Detail = slices.Clone(e.Detail)
	a.events = append(a.events, kept)
	return uint64(len(a.events)), nil
}

// AppendThen never has anybody wait.
func (a *audit) AppendThen(e *auditlog.Event, strict bool, _ func(error)) (uint64, bool, error) {
	seq, err := a.Append(e, strict)
	return seq, false, err
}

func (a *audit) kinds() string {
	var s []string
	for _, e := range a.events {
		s = append(s, string(e.Kind))
	}
	return strings.Join(s, " ")
}

func newBench(t *testing.T, user string) *bench {
	t.Helper()
	policy, problems := masking.Compile(masking.Spec{
		Version: 1, Levels: []string{"public", "secret"}, Unlabelled: "visible",
		Classes: map[string]masking.ClassSpec{"secret": {Level: "secret", Mask: masking.MaskSpec{"redact": {}}}},
		Columns: map[string]masking.ColumnSpec{"*.*.*.secret": {Class: "secret"}},
		Roles:   map[string]masking.RoleSpec{"masked": {Clearance: "public"}, "open": {Clearance: "secret"}},
		Callers: []masking.CallerSpec{{User: "masked", Role: "masked"}, {User: "open", Role: "open"}},
	}, bytes.Repeat([]byte{1}, 32))
	if policy == nil {
		t.Fatal(problems)
	}
	b := &bench{policy: policy, catalogs: catalogs{version: 1}}
	b.Session = newSession(&Options{
		Policy: func() *masking.Policy { return b.policy }, Planner: &b.planner, Catalogs: &b.catalogs,
		Audit: &b.audit, Log: zerolog.Nop(), Metrics: &b.metrics,
	}, "client")
	if err := b.Login(Login{Caller: masking.Caller{User: user, Database: "db"}}, &b.wire); err != nil {
		t.Fatal(err)
	}
	if err := b.Started("engine 1"); err != nil {
		t.Fatal(err)
	}
	b.audit.events = nil
	return b
}

// settled returns a session that knows its search path.
func settled(t *testing.T) *bench {
	b := newBench(t, "masked")
	b.prepare(t, "names")
	b.wire.calls, b.catalogs.calls, b.planner.planned, b.audit.events = nil, nil, 0, nil
	return b
}

func (b *bench) prepare(t *testing.T, text string) *Prepared {
	t.Helper()
	p, err := b.Prepare(context.Background(), text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

func (b *bench) run(t *testing.T, text string, o Outcome) {
	t.Helper()
	q, err := b.Begin(b.prepare(t, text), 0, Simple, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.End(q, o)
}

func TestLoginWithoutRole(t *testing.T) {
	b := newBench(t, "open")
	s := newSession(b.options, "client")
	if err := s.Login(Login{Caller: masking.Caller{User: "nobody"}}, &b.wire); !errors.Is(err, ErrNoRole) {
		t.Errorf("got %v", err)
	}
	if got := b.audit.kinds(); got != "auth.fail" {
		t.Errorf("on record: %s", got)
	}
}

// A login that fails waits for the disk, one that succeeds does not: what it is
// followed by does, where it touches anything protected.
func TestWhatWaitsForTheDisk(t *testing.T) {
	b := newBench(t, "masked")
	b.run(t, "names", Succeeded)
	if got := b.audit.waits; len(got) > 0 {
		t.Errorf("a login and a statement over nothing protected waited: %v", got)
	}
	b.run(t, "protected", Succeeded)
	b.LoginFailed(masking.Caller{}, StateInvalidAuthorization, "")
	if got, want := b.audit.waits, []auditlog.Kind{auditlog.QueryBegin, auditlog.AuthFail}; !slices.Equal(got, want) {
		t.Errorf("%v waited, want %v", got, want)
	}
}

// When the server is asked, and when it is not.
func TestPrepareAsks(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		before     func(t *testing.T, b *bench)
		wire       string
		catalogs   string
	}{
		{"known", "names", nil, "", ""},
		{"a text not seen before", "names new", nil, "", "fresh"},
		{"a name that is unknown", "unknown", nil, "", "fresh"},
		{"the search path was changed", "names", func(t *testing.T, b *bench) { b.run(t, "path", Succeeded) }, "drain ask", ""},
		{"it was to be changed, and was not", "names", func(t *testing.T, b *bench) { b.run(t, "path", Outcome{SQLState: "22023"}) }, "", ""},
		{"nothing that reads names", "ok", func(t *testing.T, b *bench) { b.run(t, "path", Succeeded) }, "", ""},
		{"a change is in flight", "names", func(t *testing.T, b *bench) {
			if _, err := b.Begin(b.prepare(t, "path"), 0, Simple, nil); err != nil {
				t.Fatal(err)
			}
		}, "drain", ""},
		{"the catalog has changed", "names", func(_ *testing.T, b *bench) { b.catalogs.version = 2 }, "drain ask", ""},
		{"the server told of a change", "names", func(_ *testing.T, b *bench) { b.PathChanged() }, "drain ask", ""},
		{"a temporary table came", "names", func(_ *testing.T, b *bench) { b.wire.around.Own = true; b.PathChanged() }, "drain ask", "local"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := settled(t)
			if tt.before != nil {
				tt.before(t, b)
			}
			_, err := b.Prepare(context.Background(), tt.text)
			var refusal *Refusal
			if err != nil && !errors.As(err, &refusal) {
				t.Fatal(err)
			}
			if got := strings.Join(b.wire.calls, " "); got != tt.wire {
				t.Errorf("asked %q, want %q", got, tt.wire)
			}
			if got := strings.Join(b.catalogs.calls, " "); got != tt.catalogs {
				t.Errorf("catalogs %q, want %q", got, tt.catalogs)
			}
		})
	}
}

func TestPrepareStandings(t *testing.T) {
	b := newBench(t, "masked")
	b.wire.standing = Skipping
	if _, err := b.Prepare(context.Background(), "names"); !errors.Is(err, ErrSkipped) {
		t.Errorf("a batch that failed: %v", err)
	}
	b.wire.standing = Failed
	if p := b.prepare(t, "refused"); p.Rows(0) {
		t.Error("a statement in a failed transaction has rows")
	}
	b.wire.standing, b.wire.err = Ready, &ServerError{"57014", "canceled"}
	_, err := b.Prepare(context.Background(), "names")
	var refusal *Refusal
	if !errors.As(err, &refusal) || StateOf(refusal) != "57014" || refusal.Error() != "canceled" {
		t.Errorf("a question that failed: %v", err)
	}
	b.wire.err = nil
	b.prepare(t, "names")
	if got := strings.Join(b.wire.calls, " "); !strings.HasSuffix(got, "ask drain ask") {
		t.Errorf("the failed question is not asked again: %s", got)
	}
}

func TestRefusedIsOnRecord(t *testing.T) {
	b := settled(t)
	_, err := b.Prepare(context.Background(), "refused")
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Code != rewrite.CodeWhere {
		t.Fatalf("got %v", err)
	}
	if got := b.audit.kinds(); got != "query.refuse" || b.audit.events[0].Decision.Code != rewrite.CodeWhere {
		t.Errorf("on record: %s %+v", got, b.audit.events)
	}
	// Nobody who sees everything is refused anything, and nothing is asked for them.
	open := newBench(t, "open")
	for _, text := range []string{"refused", "unknown", "names", "names new", "execute nothing"} {
		open.prepare(t, text)
	}
	if len(open.wire.calls) > 0 {
		t.Errorf("asked: %v", open.wire.calls)
	}
}

func TestWithoutCatalog(t *testing.T) {
	b := newBench(t, "masked")
	b.catalogs.err = errors.New("down")
	_, err := b.Prepare(context.Background(), "names")
	var refusal *Refusal
	if !errors.As(err, &refusal) || StateOf(refusal) != StateIOError {
		t.Errorf("got %v", err)
	}
	open := newBench(t, "open")
	open.catalogs.err = errors.New("down")
	open.run(t, "SELECT 1", Succeeded)
	if e := open.audit.events[0]; e.Statement.Command != "SELECT" || e.Statement.Hash == "" {
		t.Errorf("on record: %+v", e.Statement)
	}
}

func TestWithoutAudit(t *testing.T) {
	b := newBench(t, "open")
	p := b.prepare(t, "ok")
	b.audit.err = auditlog.ErrUnavailable
	_, err := b.Begin(p, 0, Simple, nil)
	var refusal *Refusal
	if !errors.As(err, &refusal) || StateOf(refusal) != StateIOError {
		t.Errorf("got %v", err)
	}
}

func TestSpare(t *testing.T) {
	b := newBench(t, "open")
	q, err := b.Begin(b.prepare(t, "ok"), 0, Simple, nil)
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a statement that runs was given back")
			}
		}()
		b.Spare(q)
	}()
	q.Rows = 7
	b.End(q, Succeeded)
	b.Spare(q)
	again, err := b.Begin(b.prepare(t, "ok"), 0, Extended, nil)
	if err != nil {
		t.Fatal(err)
	}
	if again != q || again.Rows != 0 || again.Done() {
		t.Errorf("the spare was not used, or not as new: %+v", again)
	}
	if third, err := b.Begin(b.prepare(t, "ok"), 0, Simple, nil); err != nil || third == q {
		t.Errorf("one for two statements: %v", err)
	}
}

func TestEndTwice(t *testing.T) {
	b := newBench(t, "open")
	q, err := b.Begin(b.prepare(t, "ok"), 0, Simple, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.End(q, Succeeded)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	b.End(q, Succeeded)
}

func TestDescribe(t *testing.T) {
	b := settled(t)
	p := b.prepare(t, "column")
	var mismatch *MismatchError
	if _, err := b.Describe(p, 0, make([]Origin, 2)); !errors.As(err, &mismatch) || mismatch.Planned != 1 || mismatch.Got != 2 {
		t.Errorf("two columns: %v", err)
	}
	if _, err := b.Describe(p, 1, make([]Origin, 1)); !errors.As(err, &mismatch) || mismatch.Planned != 0 {
		t.Errorf("a second statement: %v", err)
	}
	for _, tt := range []struct {
		origin Origin
		masked bool
	}{{Origin{}, false}, {Origin{1, 2}, false}, {Origin{1, 1}, true}} {
		masks, err := b.Describe(p, 0, []Origin{tt.origin})
		if err != nil || (masks != nil && masks[0] != nil) != tt.masked {
			t.Errorf("%v: %v %v", tt.origin, masks, err)
		}
	}
	if got := b.audit.kinds(); got != "alert alert alert" {
		t.Errorf("on record: %s", got)
	}
	// After a mismatch the catalog is compared with the server before the next plan.
	b.prepare(t, "names")
	if got := strings.Join(b.catalogs.calls, " "); got != "fresh" {
		t.Errorf("catalogs: %s", got)
	}
}

func TestRenew(t *testing.T) {
	b := settled(t)
	p := b.prepare(t, "names")
	if got, err := b.Renew(context.Background(), p); got != p || err != nil {
		t.Errorf("nothing has changed: %p %p %v", p, got, err)
	}
	b.run(t, "path", Succeeded)
	got, err := b.Renew(context.Background(), p)
	if got == p || err != nil {
		t.Errorf("another search path: %v", err)
	}
	if again, err := b.Rejudge(t.Context(), got); again != got || err != nil {
		t.Errorf("the same policy: %v", err)
	}
	other := newBench(t, "masked")
	b.policy = other.policy
	if again, err := b.Rejudge(t.Context(), got); again == got || err != nil {
		t.Errorf("another policy: %v", err)
	}
}

func TestExecute(t *testing.T) {
	b := settled(t)
	b.run(t, "prepare column", Succeeded)
	if p := b.prepare(t, "execute s"); !p.Rows(0) {
		t.Error("EXECUTE does not return what its statement returns")
	}
	b.run(t, "prepare refused", Succeeded)
	var refusal *Refusal
	if _, err := b.Prepare(context.Background(), "execute s"); !errors.As(err, &refusal) || refusal.Code != rewrite.CodeWhere {
		t.Errorf("a refused statement: %v", err)
	}
	b.run(t, "prepare execute s", Succeeded)
	if _, err := b.Prepare(context.Background(), "execute s"); !errors.As(err, &refusal) || refusal.Code != rewrite.CodeUnpredicted {
		t.Errorf("a statement that executes itself: %v", err)
	}
}

// A fault of the planner refuses one statement.
func TestPlannerFault(t *testing.T) {
	b := settled(t)
	var refusal *Refusal
	if _, err := b.Prepare(context.Background(), "fault new"); !errors.As(err, &refusal) || refusal.Code != rewrite.CodeUnsupported {
		t.Errorf("got %v", err)
	}
	newBench(t, "open").run(t, "fault", Succeeded)
	if n := b.metrics.Panics.Load(); n != 1 {
		t.Errorf("%d faults counted", n)
	}
}

// A session that asks the server about definitions may not hold up the others of its
// loop meanwhile.
func TestAsksAside(t *testing.T) {
	b := settled(t)
	aside := 0
	b.aside = func() { aside++ }
	b.prepare(t, "names")
	if aside != 0 || len(b.catalogs.calls) != 0 {
		t.Errorf("a text known before: %d times aside, asked %q", aside, b.catalogs.calls)
	}
	b.catalogs.asked = func() {
		if aside == 0 {
			t.Error("asked on the loop")
		}
	}
	b.prepare(t, "names new")
	if len(b.catalogs.calls) == 0 {
		t.Error("nothing was asked about a new text")
	}
	for _, own := range []bool{false, true} {
		aside, b.catalogs.calls, b.wire.around.Own = 0, nil, own
		b.state.catalogDirty, b.state.pathDirty = true, true
		b.prepare(t, "names")
		if len(b.catalogs.calls) == 0 {
			t.Errorf("own definitions %v: nothing was asked", own)
		}
	}
}
