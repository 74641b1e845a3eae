package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"sqlveil/masking"
)

// A decoder fills Go values from nodes. The keys of a struct are its fields'
// json tags; a key that no field has is a problem.
type decoder struct{ problems []Problem }

// decode fills target, a pointer, and returns all that does not fit.
func decode(n *node, target any) []Problem {
	var d decoder
	d.value(n, reflect.ValueOf(target).Elem())
	return d.problems
}

func (d *decoder) problem(n *node, format string, args ...any) {
	d.problems = append(d.problems, n.problem(fmt.Sprintf(format, args...)))
}

// value fills v, which stays as it is when the file leaves the value out.
func (d *decoder) value(n *node, v reflect.Value) {
	if n.isNull() || n.bad && n.kind == scalar {
		return
	}
	if column, ok := v.Addr().Interface().(*masking.ColumnSpec); ok && n.kind == scalar {
		d.value(n, reflect.ValueOf(&column.Class).Elem()) // a class's name is short for {class: name}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if d.want(n, mapping) {
			d.fields(n, v)
		}
	case reflect.Map:
		if d.want(n, mapping) {
			d.entries(n, v)
		}
	case reflect.Slice:
		if d.want(n, sequence) {
			d.items(n, v)
		}
	default:
		if d.want(n, scalar) {
			d.scalar(n, v)
		}
	}
}

func (d *decoder) want(n *node, kind nodeKind) bool {
	if n.kind != kind {
		d.problem(n, "%s is wanted here, not %s", kindNames[kind], kindNames[n.kind])
	}
	return n.kind == kind
}

func (d *decoder) fields(n *node, v reflect.Value) {
	known := map[string]reflect.Value{}
	var names []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			known[name] = v.Field(i)
			names = append(names, name)
		}
	}
	for _, p := range n.pairs {
		if field, ok := known[p.key.text]; ok {
			d.value(p.value, field)
		} else {
			d.problem(p.key, "unknown key %q; known here: %s", p.key.text, strings.Join(names, ", "))
		}
	}
}

func (d *decoder) entries(n *node, v reflect.Value) {
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.pairs)))
	for _, p := range n.pairs {
		entry := reflect.New(v.Type().Elem()).Elem()
		d.value(p.value, entry)
		v.SetMapIndex(reflect.ValueOf(p.key.text), entry)
	}
}

func (d *decoder) items(n *node, v reflect.Value) {
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		d.value(item, v.Index(i))
	}
}

func (d *decoder) scalar(n *node, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if n.tag != "!!str" {
			d.problem(n, "text is wanted here; put %s in quotes if it is meant as text", n.text)
		}
		v.SetString(n.text)
	case reflect.Int:
		i, err := strconv.Atoi(n.text)
		if n.tag != "!!int" || err != nil {
			d.problem(n, "a whole number is wanted here, not %q", n.text)
		}
		v.SetInt(int64(i))
	case reflect.Bool:
		if n.tag != "!!bool" {
			d.problem(n, "true or false is wanted here, not %q", n.text)
		}
		v.SetBool(strings.EqualFold(n.text, "true"))
	case reflect.Interface:
		d.anything(n, v)
	default:
		panic("config: no decoding for " + v.Type().String())
	}
}

// anything fills an interface: the options of masks, which masking checks.
func (d *decoder) anything(n *node, v reflect.Value) {
	switch n.tag {
	case "!!int":
		i, err := strconv.ParseInt(n.text, 0, 64)
		if err != nil {
			d.problem(n, "%s is no whole number of 64 bits", n.text)
		}
		v.Set(reflect.ValueOf(int(i)))
	case "!!float":
		f, err := strconv.ParseFloat(n.text, 64)
		if err != nil {
			d.problem(n, "%s is no number", n.text)
		}
		v.Set(reflect.ValueOf(f))
	case "!!bool":
		v.Set(reflect.ValueOf(strings.EqualFold(n.text, "true")))
	default:
		v.Set(reflect.ValueOf(n.text))
	}
}
