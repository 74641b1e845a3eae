package pgsql

// bundledView says whether name is a view over a function of an extension that
// comes with PostgreSQL: its columns are judged here, as the system's are.
func bundledView(extension, name string) bool {
	return extension != "" && bundledViews[extension+"."+name]
}

var bundledViews = map[string]bool{
	"pg_stat_statements.pg_stat_statements":      true,
	"pg_stat_statements.pg_stat_statements_info": true,
	"pg_buffercache.pg_buffercache":              true,
	"pg_buffercache.pg_buffercache_numa":         true,
}
