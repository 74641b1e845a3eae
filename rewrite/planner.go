package rewrite

import (
	"slices"
	"sync"
	"unsafe"

	"sqlveil/masking"
)

// A Planner decides what becomes of each statement, and remembers it. It is
// safe for concurrent use.
type Planner struct {
	dialect Dialect
	shaper  Shaper // nil when the dialect is none
	plans   *cache
	shapes  sync.Pool // of *[]byte, for one shape each
}

// NewPlanner returns a Planner for one dialect that remembers texts and their plans
// in about size bytes.
func NewPlanner(dialect Dialect, size int) *Planner {
	shaper, _ := dialect.(Shaper)
	return &Planner{dialect: dialect, shaper: shaper, plans: newCache(size)}
}

// Cached returns the plans of a text that was planned before under the same
// scope; ok is false when there are none. It keeps nothing of the text.
func (p *Planner) Cached(scope Scope, text string) (plans []*Plan, ok bool) {
	key := keyOf(&scope, text)
	if plans, ok = p.plans.get(key); ok {
		return plans, true
	}
	shape, _ := p.shapes.Get().(*[]byte)
	if shape == nil {
		shape = new([]byte)
	}
	defer p.shapes.Put(shape)
	if *shape, ok = p.appendShape((*shape)[:0], scope, text); !ok {
		return nil, false
	}
	key.shape, key.text = true, unsafe.String(unsafe.SliceData(*shape), len(*shape)) // a key that is asked for is not kept
	return p.plans.get(key)
}

// Plan returns one Plan for each statement of the text; an empty text has none.
// The slice and the plans are shared and must not be changed.
func (p *Planner) Plan(scope Scope, text string) []*Plan {
	if plans, ok := p.Cached(scope, text); ok {
		return plans
	}
	statements := p.analyse(scope, text)
	plans := make([]*Plan, len(statements))
	for i, st := range statements {
		plans[i] = decide(scope, st)
	}
	key := keyOf(&scope, text)
	if len(plans) == 1 && statements[0].LiteralFree && plans[0].Refuse == nil && plans[0].SQL == "" {
		if shape, ok := p.appendShape(nil, scope, text); ok && p.share(scope, plans[0], text) {
			key.shape, key.text = true, string(shape)
			p.plans.put(key, plans)
			return plans
		}
	}
	p.plans.put(key, plans)
	return plans
}

// analyse contains the faults of a dialect: a statement that it stumbles over is
// one that is not understood.
func (p *Planner) analyse(scope Scope, text string) (statements []*Statement) {
	defer func() {
		if fault := recover(); fault != nil {
			statements = []*Statement{{
				Kind: "UNKNOWN", End: len(text), Rows: true, Opaque: true,
				Effect: Effect{Path: true, Catalog: true, Opaque: true},
				Unknown: []Refusal{{
					Code: CodeUnsupported, Message: "the statement could not be resolved: an internal error",
					Hint: "Please report it, with the statement.",
				}},
			}}
		}
	}()
	return p.dialect.Analyse(scope, text)
}

// appendShape appends what stands for a text among those that differ from it only
// in literals, and share plans.
func (p *Planner) appendShape(dst []byte, scope Scope, text string) (shape []byte, ok bool) {
	if p.shaper == nil || len(text) > largestCached {
		return dst, false
	}
	return p.shaper.AppendShape(dst, scope, text)
}

// decide applies the policy to one analysed statement.
func decide(scope Scope, st *Statement) *Plan {
	d := decision{scope: scope, open: scope.Role.SeesAll(), plan: &Plan{
		Kind: st.Kind, Text: st.Text, Fingerprint: st.Fingerprint, Start: st.Start, End: st.End,
		Rows: st.Rows, Results: st.Results, Effect: st.Effect, Copy: st.Copy,
	}}
	d.statement(st)
	if why := d.plan.Refuse; why != nil && why.Code == CodeFallible && st.Instead != nil {
		return d.instead(st)
	}
	return d.plan
}

// instead is the plan of a statement in which what can fail gives way to
// stand-ins, if that helps. To the audit log it is the client's statement.
func (d *decision) instead(st *Statement) *Plan {
	other := st.Instead(d.hides)
	if other == nil {
		return d.plan
	}
	plan := decide(d.scope, other)
	if plan.Refuse != nil {
		return d.plan
	}
	plan.SQL = other.SQL
	plan.Uses = slices.DeleteFunc(d.plan.Uses, func(u Use) bool { return !u.Allowed })
	plan.Objects = slices.DeleteFunc(d.plan.Objects, func(o Object) bool { return o.In == ClauseFallible })
	return plan
}

// hides says whether some class of a column is masked for the role.
func (d *decision) hides(c *TableColumn) bool {
	for _, p := range d.protections(Source{Column: c}, false) {
		for _, class := range p.label.Classes() {
			if !d.scope.Role.Sees(class) {
				return true
			}
		}
	}
	return false
}

// A decision is the work on one plan.
type decision struct {
	scope Scope
	open  bool // the role sees everything: only the audit's objects are wanted
	plan  *Plan
}

func (d *decision) statement(st *Statement) {
	if st.Query != nil {
		d.inner(st)
	}
	for _, u := range st.Unknown {
		d.refuse(&u)
	}
	for _, c := range st.Calls {
		d.call(c)
	}
	for _, c := range st.Columns {
		d.plan.Outputs = append(d.plan.Outputs, d.output(c))
	}
	d.plan.Routines = st.Routines
	for _, fallible := range []bool{false, true} { // where both refuse, the clause says more
		for _, u := range st.Uses {
			if (u.In == ClauseFallible) == fallible {
				d.use(u)
			}
		}
	}
	for _, e := range st.Equals {
		d.equal(e)
	}
	for _, f := range st.Flows {
		d.flow(f)
	}
	for _, w := range st.Writes {
		d.write(w)
	}
	for _, s := range st.Short {
		d.short(s)
	}
	for _, c := range st.Changes {
		for _, p := range d.protections(Source{Column: c}, false) {
			for _, class := range p.label.Classes() {
				d.object(c, class, ClauseWritten, nil)
			}
		}
	}
	for _, c := range st.Alters {
		d.alter(c)
	}
}

// inner plans the statement that EXPLAIN, DECLARE or PREPARE speaks of: what
// would refuse it refuses the whole.
func (d *decision) inner(st *Statement) {
	plan := decide(d.scope, st.Query)
	d.refuse(plan.Refuse)
	d.plan.Touches = d.plan.Touches || plan.Touches
	d.plan.Uses = append(d.plan.Uses, plan.Uses...)
	d.plan.Guards = append(d.plan.Guards, plan.Guards...)
	if st.Effect.Declare != "" {
		d.plan.Effect.Cursor = plan
	}
	d.plan.Persons = append(d.plan.Persons, plan.Persons...)
	if !st.Inert {
		d.plan.Objects = append(d.plan.Objects, plan.Objects...)
	}
	// A plan shows no data, but for the counts of ANALYZE and the result of a
	// function that the server works out while planning.
	if st.Effect.Explain && plan.Touches && (!st.Inert || st.Query.Routines) {
		d.refuse(&Refusal{
			Code: CodeKind, Message: "EXPLAIN of a statement over protected columns with ANALYZE or user-written functions is not for role " + d.scope.Role.Name(),
			Hint: "Use EXPLAIN without ANALYZE, on a statement without such functions.",
		})
	}
}

// refuse keeps the first refusal of a role with masks.
func (d *decision) refuse(why *Refusal) {
	if why != nil && d.plan.Refuse == nil && !d.open {
		d.plan.Refuse = why
	}
}

// A protection is one label that a source brings along.
type protection struct {
	column  *TableColumn
	label   masking.Label
	derived bool
	member  bool // it is a piece of a document that is one value to the policy
}

// protections returns the label of one source, nothing when it has none.
func (d *decision) protections(s Source, derived bool) []protection {
	label, ok := d.label(s.Column)
	if !ok {
		return nil
	}
	member := s.Path != "" && label.Class() != nil
	if s.Path != "" {
		label = label.At(s.Path)
	}
	return []protection{{s.Column, label, derived || member, member}}
}

func (d *decision) label(c *TableColumn) (masking.Label, bool) {
	label, ok := d.scope.Catalog.Label(d.scope.Policy, c)
	if c.Rel == 0 { // a table that this text makes: the catalog has not seen it yet
		label, ok = d.scope.Policy.Label(c.Name)
	}
	if ok {
		return label, true
	}
	if d.scope.Policy.UnlabelledMasked() && !c.System {
		return masking.LabelOf(d.scope.Policy.Unlabelled()), true
	}
	return masking.Label{}, false
}

func (d *decision) output(c ResultColumn) Output {
	out := Output{Name: c.Name, Guess: c.Guess, Derived: len(c.Value.Derived) > 0}
	for s, derived := range c.Value.Sources {
		protections := d.protections(s, derived)
		if s.Column.View && len(protections) == 0 {
			continue
		}
		out.Sources = append(out.Sources, s.Column)
		for _, p := range protections {
			mask := d.scope.Role.Mask(p.label)
			if mask != nil && p.derived {
				mask, out.Derived = masking.Withheld, true
				if c.Value.Nulls || p.member { // which member there is tells something, too
					mask = masking.Null
				}
			}
			out.Mask = strictest(out.Mask, mask)
			for _, class := range p.label.Classes() {
				if out.Class == nil || class.Level > out.Class.Level {
					out.Class = class
				}
				d.object(p.column, class, "output", mask)
			}
		}
	}
	if out.Mask != nil {
		d.plan.Masked, d.plan.Touches = true, true
	}
	return out
}

func strictest(a, b masking.Mask) masking.Mask {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return masking.Strictest(a, b)
}

// object adds one labelled column to what the audit log keeps, once a place.
func (d *decision) object(c *TableColumn, class *masking.Class, in string, mask masking.Mask) {
	released := "masked"
	switch {
	case in == ClauseWritten:
		released = ""
	case d.scope.Role.Sees(class):
		released = "clear"
	case in != "output":
		released = "withheld"
	case mask == masking.Null:
		released = "withheld"
	}
	o := Object{Column: c.Name.String(), Class: class.Name, Level: class.LevelName, In: in, Released: released}
	for _, have := range d.plan.Objects {
		if have == o {
			return
		}
	}
	d.plan.Objects = append(d.plan.Objects, o)
}

func (d *decision) use(u Use) {
	u.Allowed = true
	protections := d.protections(Source{Column: u.Column, Path: u.Path}, false)
	if u.Column.View && len(protections) == 0 {
		return
	}
	for _, p := range protections {
		for _, class := range p.label.Classes() {
			d.object(p.column, class, u.In, nil)
			if d.scope.Role.Sees(class) {
				continue
			}
			d.plan.Touches = true
			if p.derived && class.Use != masking.UseRaw || !d.allows(class, u) {
				u.Allowed = false
				d.refuse(useRefusal(d.scope.Role, p.column, class, u.In))
			}
		}
	}
	d.plan.Uses = append(d.plan.Uses, u)
}

// allows is policy.md's `use` rule. IS NULL is allowed to every class: a masked
// result shows NULL as NULL, and count(x) is released.
func (d *decision) allows(class *masking.Class, u Use) bool {
	if class.Use == masking.UseRaw || u.Form == FormIsNull {
		return true
	}
	if class.Use != masking.UseEquality {
		return false
	}
	switch u.Form {
	case FormEqualConstant:
		return true
	case FormEqualColumn:
		label, ok := d.label(u.With)
		return ok && label.Class() == class
	}
	return false
}

func (d *decision) flow(f Flow) {
	target, labelled := masking.Label{}, false
	if f.Target != nil {
		target, labelled = d.label(f.Target)
	}
	for s, derived := range f.Value.Sources {
		for _, p := range d.protections(s, derived) {
			for _, class := range p.label.Classes() {
				d.object(p.column, class, "write", nil)
				if d.scope.Role.Sees(class) {
					continue
				}
				d.plan.Touches = true
				// The class does not protect what is made of a value: of '4567' || 'x' the
				// mask shows the beginning, and a NULL or a key that collides tells, too.
				if !labelled || target.Class() != class || p.derived {
					d.refuse(&Refusal{
						Code: CodeMoves, Message: "column " + p.column.Name.String() + " may not be copied to " + f.Into + " by role " + d.scope.Role.Name(),
						Hint: "Data of class " + class.Name + " may only move as it is, to a column of the same class.",
					})
				}
			}
		}
	}
}

func (d *decision) write(w Write) {
	label, ok := d.label(w.Target)
	if !ok || d.open {
		return
	}
	mask := d.scope.Role.Mask(label)
	if mask == nil {
		return
	}
	d.plan.Touches = true // a violated constraint quotes the row
	if w.Param > 0 {
		d.plan.Guards = append(d.plan.Guards, Guard{Param: w.Param, Column: w.Target.Name.String(), Mask: mask})
		return
	}
	if w.Literal && masking.LooksMasked(mask, w.Text) {
		d.refuse(WriteBack(w.Target.Name.String()))
	}
}

// short guards a parameter that stands beside protected values.
func (d *decision) short(s Short) {
	for source, derived := range s.Beside.Sources {
		for _, p := range d.protections(source, derived) {
			if d.scope.Role.Mask(p.label) != nil {
				d.plan.Guards = append(d.plan.Guards, Guard{Param: s.Param, Column: p.column.Name.String()})
				return
			}
		}
	}
}

// WriteBack refuses a masked value that would be written over the real one.
func WriteBack(column string) *Refusal {
	return &Refusal{
		Code: CodeWriteBack, Message: "a masked value may not be written to column " + column,
		Hint: "The value looks like what the mask shows. Leave the column out of the statement to keep what is stored.",
	}
}

func (d *decision) alter(c *TableColumn) {
	for _, p := range d.protections(Source{Column: c}, false) {
		for _, class := range p.label.Classes() {
			if d.scope.Role.Sees(class) {
				continue
			}
			d.refuse(&Refusal{
				Code: CodeMoves, Message: "a table with protected column " + p.column.Name.String() + " may not be changed by role " + d.scope.Role.Name(),
				Hint: "Definitions of tables with protected columns are changed by a role that sees them.",
			})
		}
	}
}

func (d *decision) call(c Call) {
	if d.scope.Policy.Trusted(c.Schema, c.Name) {
		return
	}
	d.refuse(&Refusal{
		Code: CodeOpaque, Message: "function " + c.Schema + "." + c.Name + " may read protected data: " + c.Why,
		Hint: "If it releases nothing protected, list it under functions.trusted in the policy.",
	})
}

func useRefusal(role *masking.Role, c *TableColumn, class *masking.Class, in string) *Refusal {
	r := &Refusal{Code: CodeClause, Message: "column " + c.Name.String() + " may not be used in " + clauseName(in) + " by role " + role.Name()}
	switch in {
	case "where", "join", "having", "on", "filter":
		r.Code = CodeWhere
	case ClauseFallible:
		r.Code = CodeFallible
		r.Message = "an expression over column " + c.Name.String() + " can fail depending on its value and may not be used by role " + role.Name()
	}
	if class.Use == masking.UseEquality {
		r.Hint = "Class " + class.Name + " allows column = constant, IN (at most 100 constants), IS NULL and equality joins within the class."
	} else {
		r.Hint = "Class " + class.Name + " may be selected (masked), counted and tested for NULL, and used nowhere else."
	}
	return r
}

// ClauseWritten is the place of a column of which a statement changes values.
const ClauseWritten = "written"

// ClauseFallible is the place of a column in an expression that can fail: the
// error itself would tell something about the value.
const ClauseFallible = "fallible expression"

func clauseName(in string) string {
	upper := []byte(in)
	for i, b := range upper {
		if 'a' <= b && b <= 'z' {
			upper[i] = b - 'a' + 'A'
		}
	}
	return string(upper)
}
