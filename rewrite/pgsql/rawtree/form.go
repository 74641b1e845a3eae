package rawtree

import (
	"reflect"
	"strings"
	"sync"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A form is how messages of one type are written: an object with a member for each
// field that is not zero, in the order of the fields.
type form struct {
	message reflect.Type   // a struct
	fields  func() []field // worked out when first asked for: most types are never seen
}

// A field is a member of an object.
type field struct {
	name    string
	index   int                               // where it, or the choice that it belongs to, stands in the struct
	wrapper reflect.Type                      // where it stands in a choice: a struct of one field; else nil
	read    func(d *decoder, v reflect.Value) // reads its value into v
}

// known is the form of a tree, and what a node in one may be, by name.
var known = sync.OnceValues(func() (tree *form, node map[string]field) {
	m := former{made: map[protoreflect.FullName]*form{}}
	node = map[string]field{}
	for _, f := range m.form(new(pg.Node).ProtoReflect()).fields() {
		node[f.name] = f
	}
	return m.form(new(pg.ParseResult).ProtoReflect()), node
})

// A former makes forms of descriptions. It is safe for concurrent use.
type former struct {
	mu   sync.Mutex // guards made
	made map[protoreflect.FullName]*form
}

// form is the one of a message's type.
func (m *former) form(message protoreflect.Message) *form {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := message.Descriptor().FullName()
	if f, ok := m.made[name]; ok {
		return f
	}
	f := &form{
		message: reflect.TypeOf(message.Interface()).Elem(),
		fields:  sync.OnceValue(func() []field { return m.fields(message.New()) }),
	}
	m.made[name] = f
	return f
}

// fields are those of an empty message's type.
func (m *former) fields(message protoreflect.Message) []field {
	var all []field
	into := reflect.ValueOf(message.Interface()).Elem()
	places := placesOf(into.Type())
	described := message.Descriptor().Fields()
	for i := range described.Len() {
		d := described.Get(i)
		read := m.reader(message.NewField(d), d)
		if read == nil {
			continue
		}
		f := field{name: d.JSONName(), index: places[d.Name()], read: read}
		if choice := d.ContainingOneof(); choice != nil {
			message.Set(d, message.NewField(d))
			f.index = places[choice.Name()]
			f.wrapper = into.Field(f.index).Elem().Type().Elem()
		}
		all = append(all, f)
	}
	return all
}

// placesOf tells where the fields and the choices of a message stand in its struct,
// by the names that their tags give them.
func placesOf(message reflect.Type) map[protoreflect.Name]int {
	places := map[protoreflect.Name]int{}
	for i := range message.NumField() {
		tag := message.Field(i).Tag
		if choice, ok := tag.Lookup("protobuf_oneof"); ok {
			places[protoreflect.Name(choice)] = i
		}
		for part := range strings.SplitSeq(tag.Get("protobuf"), ",") {
			if name, ok := strings.CutPrefix(part, "name="); ok {
				places[protoreflect.Name(name)] = i
			}
		}
	}
	return places
}

// reader reads one field, of which empty is a value; nil for one that the grammar
// never fills, such as sets of numbers: who writes it anyway writes something unknown.
func (m *former) reader(empty protoreflect.Value, described protoreflect.FieldDescriptor) func(*decoder, reflect.Value) {
	kind := described.Kind()
	switch {
	case described.IsList() && kind == protoreflect.MessageKind:
		return list(m.form(empty.List().NewElement().Message()))
	case described.IsList():
		return nil
	case kind == protoreflect.MessageKind:
		f := m.form(empty.Message())
		if f.message == nodeType {
			return func(d *decoder, v reflect.Value) { v.Set(reflect.ValueOf(d.node())) }
		}
		return func(d *decoder, v reflect.Value) { v.Set(d.message(f)) }
	case kind == protoreflect.EnumKind:
		return enum(described.Enum().Values())
	case kind == protoreflect.StringKind:
		return func(d *decoder, v reflect.Value) { v.SetString(d.string()) }
	case kind == protoreflect.BoolKind:
		return func(d *decoder, v reflect.Value) { v.SetBool(d.bool()) }
	case kind == protoreflect.Int32Kind:
		return func(d *decoder, v reflect.Value) { v.SetInt(d.number(32)) }
	case kind == protoreflect.Uint32Kind:
		return func(d *decoder, v reflect.Value) { v.SetUint(d.unsigned(32)) }
	case kind == protoreflect.Int64Kind:
		return func(d *decoder, v reflect.Value) { v.SetInt(d.number(64)) }
	}
	return nil
}

var nodeType = reflect.TypeFor[pg.Node]()

// list reads messages of one form.
func list(f *form) func(*decoder, reflect.Value) {
	if f.message == nodeType {
		return func(d *decoder, v reflect.Value) { *v.Addr().Interface().(*[]*pg.Node) = d.nodes() }
	}
	return func(d *decoder, v reflect.Value) {
		d.array(func() { v.Set(reflect.Append(v, d.message(f))) })
	}
}

// enum reads the name of a number.
func enum(values protoreflect.EnumValueDescriptors) func(*decoder, reflect.Value) {
	numbers := map[string]int64{}
	for i := range values.Len() {
		numbers[string(values.Get(i).Name())] = int64(values.Get(i).Number())
	}
	return func(d *decoder, v reflect.Value) {
		number, ok := numbers[d.name()]
		if !ok {
			d.fail("a value of " + v.Type().Name())
		}
		v.SetInt(number)
	}
}
