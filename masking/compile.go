package masking

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Compile checks a Spec and makes a Policy of it. It reports everything that is
// wrong at once; the Policy is nil unless all of that are warnings. The key is
// for keyed masks, 32 random bytes; it may be nil where none is used.
func Compile(spec Spec, key []byte) (*Policy, []Problem) {
	c := &compiler{
		spec:    spec,
		policy:  &Policy{roles: map[string]*Role{}},
		keys:    &keyring{secret: key, masks: map[string]*hmacMask{}},
		classes: map[string]*Class{},
		used:    map[string]bool{},
	}
	c.header(key)
	c.compileClasses()
	c.compileColumns()
	c.compileRoles()
	c.compileCallers()
	c.compileFunctions()
	c.unusedClasses()
	if slices.ContainsFunc(c.problems, func(p Problem) bool { return !p.Warning }) {
		return nil, c.problems
	}
	return c.policy, c.problems
}

// A compiler collects the policy and what is wrong with its Spec.
type compiler struct {
	spec     Spec
	policy   *Policy
	keys     *keyring
	classes  map[string]*Class
	used     map[string]bool // classes that some column or path has
	problems []Problem
}

// place is where in the policy file something stands.
type place []string

func at(keys ...string) place { return keys }

func (p place) and(keys ...string) place { return slices.Concat(p, keys) }

func (p place) index(i int) place { return p.and(strconv.Itoa(i)) }

func (c *compiler) problem(where place, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: where, Message: fmt.Sprintf(format, args...)})
}

func (c *compiler) warn(where place, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: where, Message: fmt.Sprintf(format, args...), Warning: true})
}

// sortedKeys returns the keys of a map in order, so that problems come in the
// same order each time.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// list joins names for a message.
func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// header checks what is not about a class, column, role or caller.
func (c *compiler) header(key []byte) {
	if c.spec.Version != 1 {
		c.problem(at("version"), "version must be 1")
	}
	if key != nil && len(key) != keyLength {
		c.problem(nil, "the masking key has %d bytes, not %d", len(key), keyLength)
	}
	if len(c.spec.Levels) == 0 {
		c.problem(at("levels"), "levels is missing: list them in ascending order of sensitivity")
	}
	for i, name := range c.spec.Levels {
		if name == "" {
			c.problem(at("levels").index(i), "a level needs a name")
		} else if slices.Index(c.spec.Levels, name) < i {
			c.problem(at("levels").index(i), "level %q is listed twice", name)
		}
	}
	switch c.spec.Unlabelled {
	case "visible", "masked":
		c.policy.unlabelledMasked = c.spec.Unlabelled == "masked"
	default:
		c.problem(at("unlabelled"), "unlabelled must be visible or masked: what a role sees of columns that no rule names")
	}
	version, err := specVersion(c.spec)
	if err != nil {
		c.problem(nil, "the policy holds a value that is no plain data: %v", err)
	}
	c.policy.version = version
}

func (c *compiler) compileClasses() {
	for _, name := range sortedKeys(c.spec.Classes) {
		spec, where := c.spec.Classes[name], at("classes", name)
		switch name {
		case systemClass, unlabelledClass:
			c.problem(where, "class %q is built in; give this one another name", name)
			continue
		case "":
			c.problem(where, "a class needs a name")
			continue
		}
		class := &Class{Name: name, LevelName: spec.Level, Subject: spec.Subject}
		class.Level = c.level(where.and("level"), spec.Level)
		class.Use = c.use(where.and("use"), name, spec.Use)
		class.mask = c.mask(where.and("mask"), name, spec.Mask)
		c.addClass(class)
	}
	c.policy.system = c.builtIn(systemClass)
	c.policy.unlabelled = c.builtIn(unlabelledClass)
}

func (c *compiler) builtIn(name string) *Class {
	top := len(c.spec.Levels) - 1
	class := &Class{Name: name, Level: top, mask: Redact}
	if top >= 0 {
		class.LevelName = c.spec.Levels[top]
	}
	c.addClass(class)
	return class
}

func (c *compiler) addClass(class *Class) {
	class.index = len(c.policy.classes)
	c.policy.classes = append(c.policy.classes, class)
	c.classes[class.Name] = class
}

// level returns the place of a level among all, -1 when there is none such.
func (c *compiler) level(where place, name string) int {
	n := slices.Index(c.spec.Levels, name)
	switch {
	case len(c.spec.Levels) == 0: // reported already
	case name == "":
		c.problem(where, "%s is missing; the levels are %s", where[len(where)-1], list(c.spec.Levels))
	case n < 0:
		c.problem(where, "unknown level %q; the levels are %s", name, list(c.spec.Levels))
	}
	return n
}

func (c *compiler) use(where place, class, word string) Use {
	switch word {
	case "", useNames[UseDeny]:
		return UseDeny
	case useNames[UseEquality]:
		return UseEquality
	case useNames[UseMasked]:
		c.problem(where, "use: masked is not supported yet; say deny, equality or raw")
		return UseMasked
	case useNames[UseRaw]:
		c.warn(where, "use: raw lets every role filter, sort and group by the real values of class %q, and so infer them", class)
		return UseRaw
	}
	c.problem(where, "unknown use %q; it is deny, equality, masked or raw", word)
	return UseDeny
}

// mask makes the mask of a class.
func (c *compiler) mask(where place, class string, spec MaskSpec) Mask {
	names := sortedKeys(spec)
	switch len(names) {
	case 0:
		c.problem(where, "mask is missing, as in {redact: {}}; the masks are %s", list(sortedKeys(masks)))
		return Redact
	case 1:
	default:
		c.problem(where, "one mask is wanted, not %d: %s", len(names), list(names))
		return Redact
	}
	name := names[0]
	construct := masks[name]
	if construct == nil {
		c.problem(where.and(name), "unknown mask %q; the masks are %s", name, list(sortedKeys(masks)))
		return Redact
	}
	o := &options{values: spec[name], class: class, keys: c.keys}
	m := construct(o)
	o.finish(name)
	for _, p := range o.problems {
		if p.option == "" {
			c.problem(where.and(name), "%s", p.message)
		} else {
			c.problem(where.and(name, p.option), "mask %s: %s", name, p.message)
		}
	}
	return m
}

// class finds a class by name.
func (c *compiler) class(where place, name string) *Class {
	class := c.classes[name]
	if class == nil {
		c.problem(where, "unknown class %q; the classes are %s", name, list(sortedKeys(c.spec.Classes)))
		return nil
	}
	c.used[name] = true
	return class
}

func (c *compiler) compileColumns() {
	var rules []rule
	seen := map[pattern]string{}
	for _, text := range sortedKeys(c.spec.Columns) {
		where := at("columns", text)
		p, err := parsePattern(text)
		if err != nil {
			c.problem(where, "column %s: %v", text, err)
			continue
		}
		same := p
		same.text = ""
		if first, twice := seen[same]; twice {
			c.problem(where, "column %s names the same columns as %s, so one of them would never be used", text, first)
			continue
		}
		seen[same] = text
		rules = append(rules, rule{pattern: p, label: c.label(where, c.spec.Columns[text])})
	}
	c.policy.columns = newColumns(rules)
}

func (c *compiler) label(where place, spec ColumnSpec) Label {
	switch {
	case spec.Class != "" && spec.JSON != nil, spec.Class == "" && len(spec.JSON) == 0:
		c.problem(where, `a column carries either one class or {json: {"$.path": class}}`)
	case spec.Class != "":
		return Label{class: c.class(where, spec.Class)}
	default:
		return c.documentLabel(where.and("json"), spec.JSON)
	}
	return Label{}
}

func (c *compiler) documentLabel(where place, paths map[string]string) Label {
	b := newShaper()
	root := b.branch()
	parsed := map[string][]step{}
	for _, text := range sortedKeys(paths) {
		class := c.class(where.and(text), paths[text])
		path, err := parsePath(text)
		if err != nil {
			c.problem(where.and(text), "path %s: %v", text, err)
			continue
		}
		parsed[text] = path
		b.grow(root, path, class)
	}
	for _, text := range sortedKeys(parsed) {
		for _, other := range sortedKeys(parsed) {
			same := len(parsed[other]) == len(parsed[text])
			if text == other || same && !slices.Equal(parsed[other], parsed[text]) || same && text < other {
				continue
			}
			if covers(parsed[other], parsed[text]) {
				c.problem(where.and(text), "path %s is never used: all of %s has a class already", text, other)
				break
			}
		}
	}
	return b.shape([]*branch{root}).label()
}

func (c *compiler) compileRoles() {
	for _, name := range sortedKeys(c.spec.Roles) {
		where := at("roles", name)
		if name == "" {
			c.problem(where, "a role needs a name")
			continue
		}
		c.policy.roles[name] = c.role(where, name, c.spec.Roles[name])
	}
}

func (c *compiler) role(where place, name string, spec RoleSpec) *Role {
	r := &Role{name: name, policy: c.policy, masks: make([]Mask, len(c.policy.classes))}
	clearance := c.level(where.and("clearance"), spec.Clearance)
	for _, class := range c.policy.classes {
		if class.Level > clearance {
			r.masks[class.index] = class.mask
		}
	}
	for i, name := range spec.Unmask {
		if class := c.overridden(where.and("unmask").index(i), name); class != nil {
			r.masks[class.index] = nil
		}
	}
	for _, name := range sortedKeys(spec.Masks) {
		here := where.and("masks", name)
		if slices.Contains(spec.Unmask, name) {
			c.problem(here, "class %q is in unmask and in masks of the same role", name)
		}
		mask := c.mask(here, name, spec.Masks[name])
		if class := c.overridden(here, name); class != nil {
			r.masks[class.index] = mask
		}
	}
	r.seesAll = !slices.ContainsFunc(c.policy.classes, func(class *Class) bool {
		unused := class == c.policy.unlabelled && !c.policy.unlabelledMasked
		return r.masks[class.index] != nil && !unused
	})
	return r
}

// overridden finds a class that a role treats in its own way.
func (c *compiler) overridden(where place, name string) *Class {
	class := c.classes[name]
	if class == nil {
		c.problem(where, "unknown class %q; the classes are %s", name, list(sortedKeys(c.spec.Classes)))
	}
	return class
}

func (c *compiler) compileCallers() {
	for i, spec := range c.spec.Callers {
		where := at("callers").index(i)
		r := callerRule{spec: spec, role: c.roleOf(where.and("role"), spec.Role)}
		if spec.Role == "" {
			c.problem(where.and("role"), "role is missing; the roles are %s", list(sortedKeys(c.spec.Roles)))
		}
		for j, text := range spec.Network {
			network, err := parseNetwork(text)
			switch {
			case err != nil:
				c.problem(where.and("network").index(j), "%q is neither an address nor a CIDR block such as 10.0.0.0/8", text)
			case network != network.Masked():
				c.problem(where.and("network").index(j), "%q has bits set behind its prefix; is %s meant?", text, network.Masked())
			}
			r.networks = append(r.networks, network)
		}
		for j, earlier := range c.policy.callers {
			if earlier.covers(r) {
				c.problem(where, "this caller is never reached: callers[%d] above matches everyone that it would", j)
				break
			}
		}
		c.policy.callers = append(c.policy.callers, r)
	}
	c.policy.defaultRole = c.roleOf(at("default_role"), c.spec.DefaultRole)
}

// roleOf finds a role by name; the empty name stands for none.
func (c *compiler) roleOf(where place, name string) *Role {
	r := c.policy.roles[name]
	if r == nil && name != "" {
		c.problem(where, "unknown role %q; the roles are %s", name, list(sortedKeys(c.spec.Roles)))
	}
	return r
}

func (c *compiler) compileFunctions() {
	for i, text := range c.spec.Functions.Trusted {
		where := at("functions", "trusted").index(i)
		parts, err := splitName(text)
		switch {
		case err != nil:
			c.problem(where, "function %s: %v", text, err)
		case len(parts) != 2:
			c.problem(where, "function %s: want schema.function, or database.function for MySQL", text)
		case parts[0].glob || parts[1].glob:
			c.problem(where, "function %s: name each function that is trusted; * is not allowed", text)
		default:
			c.policy.trusted = append(c.policy.trusted, functionName{parts[0].text, parts[1].text})
		}
	}
}

// unusedClasses warns of classes that protect nothing.
func (c *compiler) unusedClasses() {
	for _, name := range sortedKeys(c.spec.Classes) {
		if !c.used[name] && name != systemClass && name != unlabelledClass {
			c.warn(at("classes", name), "class %q is used by no column", name)
		}
	}
}
