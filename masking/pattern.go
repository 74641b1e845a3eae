package masking

import (
	"cmp"
	"errors"
	"strings"
)

// A pattern names columns: database.schema.table.column for PostgreSQL, and
// database.table.column for MySQL, which has no schemas. Names are written as
// the catalog spells them, upper case and blanks included; a * stands for any
// run of characters within one name. A name in double quotes is taken literally
// and may hold a dot, a star, and a quote written twice.
//
// A pattern of three names matches columns without a schema only. One of four
// whose schema is * matches those, too.
//
// Where several patterns match, the most specific wins: they are compared name
// by name from the right (column, table, schema, database), a literal name
// before one with a star, and of those the one with more literal characters.
type pattern struct {
	database, schema, table, column part
	text                            string // as the file has it
}

// A part is one name of a pattern.
type part struct {
	text string
	glob bool // text has stars that stand for something
}

var anyName = part{text: "*", glob: true}

func (p part) match(name string) bool {
	if p.glob {
		return matchGlob(p.text, name)
	}
	return p.text == name
}

// specificity orders parts from * over partly literal names to literal ones.
func (p part) specificity() int {
	if !p.glob {
		return 1 << 20
	}
	return len(p.text) - strings.Count(p.text, "*")
}

var (
	errPatternParts = errors.New("want database.schema.table.column, or database.table.column for MySQL")
	errPatternEmpty = errors.New("a name in it is empty or begins or ends with a blank; names with unusual characters go in double quotes")
	errPatternQuote = errors.New(`a double quote may only enclose a whole name, as in db."a.b".t.c`)
)

// parsePattern reads a column pattern.
func parsePattern(text string) (pattern, error) {
	parts, err := splitName(text)
	if err != nil {
		return pattern{}, err
	}
	switch len(parts) {
	case 3:
		return pattern{parts[0], part{}, parts[1], parts[2], text}, nil
	case 4:
		return pattern{parts[0], parts[1], parts[2], parts[3], text}, nil
	}
	return pattern{}, errPatternParts
}

// splitName splits a dotted name into its parts.
func splitName(text string) ([]part, error) {
	var parts []part
	for {
		p, rest, err := cutPart(text)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
		if rest == "" {
			return parts, nil
		}
		text = rest[1:]
	}
}

// cutPart reads the first part of a dotted name; rest is empty or begins with a dot.
func cutPart(text string) (p part, rest string, err error) {
	if strings.HasPrefix(text, `"`) {
		return cutQuoted(text[1:])
	}
	name := text
	if dot := strings.IndexByte(text, '.'); dot >= 0 {
		name = text[:dot]
	}
	switch {
	case strings.Contains(name, `"`):
		return p, "", errPatternQuote
	case name == "" || strings.TrimSpace(name) != name:
		return p, "", errPatternEmpty
	}
	return part{text: name, glob: strings.Contains(name, "*")}, text[len(name):], nil
}

func cutQuoted(text string) (p part, rest string, err error) {
	var name strings.Builder
	for {
		piece, after, found := strings.Cut(text, `"`)
		if !found {
			return p, "", errPatternQuote
		}
		name.WriteString(piece)
		if !strings.HasPrefix(after, `"`) {
			rest = after
			break
		}
		name.WriteByte('"')
		text = after[1:]
	}
	switch {
	case rest != "" && rest[0] != '.':
		return p, "", errPatternQuote
	case name.Len() == 0:
		return p, "", errPatternEmpty
	}
	return part{text: name.String()}, rest, nil
}

// quoteName writes a name as one part of a pattern that matches it alone.
func quoteName(name string) string {
	if name != "" && !strings.ContainsAny(name, `."*`) && strings.TrimSpace(name) == name {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func (p pattern) match(c Column) bool {
	return p.column.match(c.Name) && p.table.match(c.Table) && p.database.match(c.Database) && p.matchSchema(c.Schema)
}

func (p pattern) matchSchema(schema string) bool {
	if schema == "" {
		return p.schema == part{} || p.schema == anyName
	}
	return p.schema != part{} && p.schema.match(schema)
}

// literal returns the one column that the pattern matches, if it has no stars.
func (p pattern) literal() (Column, bool) {
	return Column{Database: p.database.text, Schema: p.schema.text, Table: p.table.text, Name: p.column.text},
		!p.database.glob && !p.schema.glob && !p.table.glob && !p.column.glob
}

// moreSpecific is negative when p goes before q.
func (p pattern) moreSpecific(q pattern) int {
	return cmp.Or(
		q.column.specificity()-p.column.specificity(),
		q.table.specificity()-p.table.specificity(),
		q.schema.specificity()-p.schema.specificity(),
		q.database.specificity()-p.database.specificity(),
	)
}
