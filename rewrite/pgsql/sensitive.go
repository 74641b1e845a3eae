package pgsql

import (
	_ "embed" // the list of columns below
	"strings"
	"sync"
)

//go:embed system_columns.txt
var systemColumnsText string

// systemColumns holds, for each relation of the system that has been judged,
// its columns: true for those that hold data or secrets.
var systemColumns = sync.OnceValue(func() map[string]map[string]bool {
	relations := map[string]map[string]bool{}
	for line := range strings.Lines(systemColumnsText) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		columns := make(map[string]bool, len(words)-1)
		for _, word := range words[1:] {
			name, marked := strings.CutPrefix(word, "!")
			columns[name] = marked
		}
		relations[words[0]] = columns
	}
	return relations
})

// bundledView says whether name is a view of an extension that comes with
// PostgreSQL: its columns are judged one by one, as the system's are, instead of
// its query being resolved.
func bundledView(extension, name string) bool {
	return extension != "" && systemColumns()[extension+"/"+name] != nil
}

// sensitive says whether a column of a relation of the system carries the class
// of data that no policy needs to name. What nobody has judged does.
func (r *Relation) sensitive(column string) bool {
	if !r.System {
		return false
	}
	key := r.Schema + "." + r.Name
	if r.Extension != "" {
		key = r.Extension + "/" + r.Name
	}
	marked, known := systemColumns()[key][column]
	return marked || !known
}
