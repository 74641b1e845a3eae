package mysql

import (
	"math"
	"slices"
	"strings"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

// What SHOW tells of data: other sessions' statements and the server's
// diagnostics, which quote values. They carry the system's class, being columns
// of no table that a snapshot has.
var (
	shownStatement = &rewrite.TableColumn{
		Name: masking.Column{Database: "information_schema", Table: "PROCESSLIST", Name: "INFO"}, Type: "longtext", System: true, Rel: math.MaxUint32,
	}
	shownMessage = &rewrite.TableColumn{
		Name: masking.Column{Database: "information_schema", Table: "WARNINGS", Name: "Message"}, Type: "varchar(512)", System: true, Rel: math.MaxUint32,
	}
	countedMessages = &rewrite.TableColumn{
		Name: masking.Column{Database: "information_schema", Table: "WARNINGS", Name: "COUNT"}, Type: "bigint", System: true, Rel: math.MaxUint32,
	}
	changedRows = &rewrite.TableColumn{
		Name: masking.Column{Database: "information_schema", Table: "DIAGNOSTICS", Name: "ROW_COUNT"}, Type: "bigint", System: true, Rel: math.MaxUint32,
	}
	shownSecret = &rewrite.TableColumn{
		Name: masking.Column{Database: "mysql", Table: "user", Name: "authentication_string"}, Type: "text", System: true, Rel: math.MaxUint32,
	}
)

// A showing is a form of SHOW that roles with masks may use.
type showing struct {
	phrase  string   // its keywords, behind FULL, GLOBAL and their like
	columns []string // of its result on MySQL 8
	maria   []string // on MariaDB, where they differ
	tidb    []string // on TiDB, likewise
	full    []string // of SHOW FULL, where they differ
	data    map[string]*rewrite.TableColumn
}

func words(list string) []string { return strings.Split(list, ",") }

var (
	columnsOfTable = words("Field,Type,Null,Key,Default,Extra")
	createOfView   = words("View,Create View,character_set_client,collation_connection")
	createOfTable  = words("Table,Create Table")
	createRoutine  = ",sql_mode,Create %,character_set_client,collation_connection,Database Collation"
	routineStatus  = words("Db,Name,Type,Definer,Modified,Created,Security_type,Comment,character_set_client,collation_connection,Database Collation")
	messages       = showing{columns: words("Level,Code,Message"), data: map[string]*rewrite.TableColumn{"Message": shownMessage}}
	// How far the binary log has grown tells whether an UPDATE changed anything.
	logPosition = map[string]*rewrite.TableColumn{
		"File": shownCounter, "Position": shownCounter, "Executed_Gtid_Set": shownCounter, "Log_name": shownCounter, "File_size": shownCounter,
	}
	engineStatus = showing{columns: words("Type,Name,Status"), data: map[string]*rewrite.TableColumn{"Status": shownStatement}}
	profile      = showing{columns: words("Status,Duration")}
	index        = showing{
		columns: words("Table,Non_unique,Key_name,Seq_in_index,Column_name,Collation,Cardinality,Sub_part,Packed,Null,Index_type,Comment,Index_comment,Visible,Expression"),
		maria:   words("Table,Non_unique,Key_name,Seq_in_index,Column_name,Collation,Cardinality,Sub_part,Packed,Null,Index_type,Comment,Index_comment,Ignored"),
		tidb:    words("Table,Non_unique,Key_name,Seq_in_index,Column_name,Collation,Cardinality,Sub_part,Packed,Null,Index_type,Comment,Index_comment,Visible,Expression,Clustered,Global"),
	}
)

// showings lists what roles with masks may show. Longer phrases come first.
//
// https://dev.mysql.com/doc/refman/8.4/en/show.html
// https://mariadb.com/kb/en/show/
var showings = []showing{
	{phrase: "COLUMNS", columns: columnsOfTable, full: words("Field,Type,Collation,Null,Key,Default,Extra,Privileges,Comment")},
	{phrase: "FIELDS", columns: columnsOfTable, full: words("Field,Type,Collation,Null,Key,Default,Extra,Privileges,Comment")},
	{phrase: "INDEX", columns: index.columns, maria: index.maria, tidb: index.tidb},
	{phrase: "INDEXES", columns: index.columns, maria: index.maria, tidb: index.tidb},
	{phrase: "KEYS", columns: index.columns, maria: index.maria, tidb: index.tidb},
	{
		phrase:  "TABLE STATUS",
		columns: words("Name,Engine,Version,Row_format,Rows,Avg_row_length,Data_length,Max_data_length,Index_length,Data_free,Auto_increment,Create_time,Update_time,Check_time,Collation,Checksum,Create_options,Comment"),
		maria:   words("Name,Engine,Version,Row_format,Rows,Avg_row_length,Data_length,Max_data_length,Index_length,Data_free,Auto_increment,Create_time,Update_time,Check_time,Collation,Checksum,Create_options,Comment,Max_index_length,Temporary"),
	},
	{phrase: "OPEN TABLES", columns: words("Database,Table,In_use,Name_locked")},
	{phrase: "CREATE DATABASE", columns: words("Database,Create Database")},
	{phrase: "CREATE SCHEMA", columns: words("Database,Create Database")},
	{phrase: "CREATE VIEW", columns: createOfView},
	{phrase: "CREATE SEQUENCE", columns: createOfTable, tidb: words("Sequence,Create Sequence")},
	{phrase: "CREATE PROCEDURE", columns: words("Procedure" + strings.ReplaceAll(createRoutine, "%", "Procedure"))},
	{phrase: "CREATE FUNCTION", columns: words("Function" + strings.ReplaceAll(createRoutine, "%", "Function"))},
	{phrase: "CREATE TRIGGER", columns: words("Trigger,sql_mode,SQL Original Statement,character_set_client,collation_connection,Database Collation,Created")},
	{phrase: "CREATE EVENT", columns: words("Event,sql_mode,time_zone,Create Event,character_set_client,collation_connection,Database Collation")},
	{phrase: "CREATE USER", columns: words("CREATE USER"), data: map[string]*rewrite.TableColumn{"CREATE USER": shownSecret}},
	{phrase: "VARIABLES", columns: words("Variable_name,Value")},
	{phrase: "STATUS", columns: words("Variable_name,Value")},
	{
		phrase: "PROCESSLIST", columns: words("Id,User,Host,db,Command,Time,State,Info"), maria: words("Id,User,Host,db,Command,Time,State,Info,Progress"),
		data: map[string]*rewrite.TableColumn{"Info": shownStatement},
	},
	{phrase: "WARNINGS", columns: messages.columns, data: messages.data},
	{phrase: "ERRORS", columns: messages.columns, data: messages.data},
	{
		phrase: "COUNT ( * ) WARNINGS", columns: words("@@session.warning_count"), tidb: words("Count"),
		data: map[string]*rewrite.TableColumn{"@@session.warning_count": countedMessages, "Count": countedMessages},
	},
	{
		phrase: "COUNT ( * ) ERRORS", columns: words("@@session.error_count"), tidb: words("Count"),
		data: map[string]*rewrite.TableColumn{"@@session.error_count": countedMessages, "Count": countedMessages},
	},
	{
		phrase: "MASTER STATUS", columns: words("File,Position,Binlog_Do_DB,Binlog_Ignore_DB,Executed_Gtid_Set"),
		maria: words("File,Position,Binlog_Do_DB,Binlog_Ignore_DB"), data: logPosition,
	},
	{phrase: "BINLOG STATUS", columns: words("File,Position,Binlog_Do_DB,Binlog_Ignore_DB"), data: logPosition},
	{phrase: "BINARY LOG STATUS", columns: words("File,Position,Binlog_Do_DB,Binlog_Ignore_DB,Executed_Gtid_Set"), data: logPosition},
	{phrase: "BINARY LOGS", columns: words("Log_name,File_size,Encrypted"), maria: words("Log_name,File_size"), data: logPosition},
	{phrase: "MASTER LOGS", columns: words("Log_name,File_size,Encrypted"), maria: words("Log_name,File_size"), data: logPosition},
	{phrase: "PROFILES", columns: words("Query_ID,Duration,Query"), data: map[string]*rewrite.TableColumn{"Query": shownStatement}},
	{phrase: "ENGINES", columns: words("Engine,Support,Comment,Transactions,XA,Savepoints")},
	{phrase: "STORAGE ENGINES", columns: words("Engine,Support,Comment,Transactions,XA,Savepoints")},
	{phrase: "CHARACTER SET", columns: words("Charset,Description,Default collation,Maxlen")},
	{phrase: "CHARSET", columns: words("Charset,Description,Default collation,Maxlen")},
	{phrase: "COLLATION", columns: words("Collation,Charset,Id,Default,Compiled,Sortlen,Pad_attribute"), maria: words("Collation,Charset,Id,Default,Compiled,Sortlen")},
	{phrase: "PLUGINS", columns: words("Name,Status,Type,Library,License"), tidb: words("Name,Status,Type,Library,License,Version")},
	{phrase: "PRIVILEGES", columns: words("Privilege,Context,Comment")},
	{phrase: "TRIGGERS", columns: words("Trigger,Event,Table,Statement,Timing,Created,sql_mode,Definer,character_set_client,collation_connection,Database Collation")},
	{phrase: "EVENTS", columns: words("Db,Name,Definer,Time zone,Type,Execute at,Interval value,Interval field,Starts,Ends,Status,Originator,character_set_client,collation_connection,Database Collation")},
	{phrase: "PROCEDURE STATUS", columns: routineStatus},
	{phrase: "FUNCTION STATUS", columns: routineStatus},
	{phrase: "PACKAGE STATUS", columns: routineStatus},
	{phrase: "PACKAGE BODY STATUS", columns: routineStatus},
}

// show resolves SHOW. What is not in the list is refused.
func (r *resolver) show(l *level) (columns []column, rows bool) {
	at, full := 1, false
	for ; slices.Contains([]string{"FULL", "GLOBAL", "SESSION", "LOCAL", "EXTENDED"}, r.in.keyword(at)); at++ {
		full = full || r.in.word(at, "FULL")
	}
	switch {
	case r.in.word(at, "DATABASES"), r.in.word(at, "SCHEMAS"):
		return r.shown([]column{{name: "Database"}}, at+1, l), true
	case r.in.word(at, "TABLES"):
		return r.shown(r.tablesShown(at+1, full), at+1, l), true
	case r.in.words(at, "CREATE", "TABLE"):
		return r.createShown(at + 2), true
	case r.in.word(at, "GRANTS"):
		return r.grantsShown(at + 1), true
	case r.in.word(at, "ENGINE") && len(r.in.tokens) == at+3 && (r.in.word(at+2, "STATUS") || r.in.word(at+2, "MUTEX")):
		return engineStatus.result(r.mode, false), true
	case r.in.word(at, "PROFILE") && (at+1 == len(r.in.tokens) || r.in.words(at+1, "FOR", "QUERY")):
		return profile.result(r.mode, false), true
	}
	for _, s := range showings {
		phrase := strings.Fields(s.phrase)
		if s.phrase == "STATUS" && r.in.word(at, "STATUS") && r.in.showsCounters(at+1) {
			s.data = map[string]*rewrite.TableColumn{"Value": shownCounter}
		}
		if r.in.words(at, phrase...) {
			if s.data["Message"] != nil {
				r.st.Effect.Messages = true
			}
			return r.shown(s.result(r.mode, full), at+len(phrase), l), true
		}
	}
	r.refuseKind("SHOW " + r.in.keyword(at))
	return nil, true
}

// result is the result of SHOW on the server.
func (s *showing) result(m *mode, full bool) []column {
	names := s.columns
	if s.maria != nil && m.flavour == flavourMariaDB {
		names = s.maria
	}
	if s.tidb != nil && m.flavour == flavourTiDB {
		names = s.tidb
	}
	if m.flavour == flavourMySQL && m.version < 80000 { // the columns behind are new in 8.0
		switch s.phrase {
		case "INDEX", "INDEXES", "KEYS":
			names = names[:13]
		case "COLLATION":
			names = names[:6]
		case "BINARY LOGS", "MASTER LOGS":
			names = names[:2]
		}
	}
	if full && s.full != nil {
		names = s.full
	}
	var columns []column
	for _, n := range names {
		c := column{name: n}
		if data := s.data[n]; data != nil {
			c.value = value{Value: rewrite.Of(data), exact: true, kind: typeText}
		}
		columns = append(columns, c)
	}
	return columns
}

// tablesShown is SHOW TABLES: its column is named after the database.
func (r *resolver) tablesShown(at int, full bool) []column {
	schema := r.schema
	if r.in.word(at, "FROM") || r.in.word(at, "IN") {
		schema, _ = r.in.identifier(at + 1)
	} else {
		r.st.Effect.ReadsPath = true
	}
	columns := []column{{name: "Tables_in_" + schema}}
	if full {
		columns = append(columns, column{name: "Table_type"})
	}
	return columns
}

// shown applies LIKE, which the first column's name tells of, and WHERE.
func (r *resolver) shown(columns []column, at int, l *level) []column {
	if r.in.find(at, "FROM") < 0 && r.in.find(at, "IN") < 0 {
		r.st.Effect.ReadsPath = true
	}
	if where := r.in.find(at, "WHERE"); where >= 0 {
		in := &level{outer: l, from: &namespace{parts: [][]column{columns}}}
		_, ok := r.conditionPart(where+1, len(r.in.tokens), in)
		if !ok {
			r.unparsed(errForm)
		}
	}
	if like := r.in.find(at, "LIKE"); like >= 0 && like+1 < len(r.in.tokens) && (columns[0].name == "Database" || strings.HasPrefix(columns[0].name, "Tables_in_")) {
		t := r.in.tokens[like+1]
		if t.kind == tokenString {
			columns[0].name += " (" + r.in.raw[t.start+1:t.end-1] + ")"
		}
	}
	return columns
}

// conditionPart resolves a part of the statement, by tokens, that is a condition.
func (r *resolver) conditionPart(from, to int, l *level) (v value, ok bool) {
	r.within("where clause", "where", func() {
		v, ok = r.expression(r.in, from, to, l)
		r.use(v, "where")
	})
	return v, ok
}

// tableAt reads a table's name, with its database or without, at a token.
func (r *resolver) tableAt(at int) (rel *Relation, next int, ok bool) {
	first, ok := r.in.identifier(at)
	if !ok {
		return nil, at, false
	}
	if at+2 < len(r.in.tokens) && r.in.tokens[at+1].kind == tokenDot {
		second, ok := r.in.identifier(at + 2)
		if !ok {
			return nil, at, false
		}
		return r.relation(first, second), at + 3, true
	}
	return r.relation("", first), at + 1, true
}

// createShown is SHOW CREATE TABLE, which shows a view otherwise.
func (r *resolver) createShown(at int) []column {
	names := createOfTable
	rel, _, ok := r.tableAt(at)
	if !ok {
		r.refuseKind("this SHOW CREATE TABLE")
	}
	if rel != nil && (rel.Kind == View || rel.System && strings.EqualFold(rel.Schema, "mysql") && strings.EqualFold(rel.Name, "user") && r.mode.flavour == flavourMariaDB) {
		names = createOfView
	}
	return (&showing{columns: names}).result(r.mode, false)
}

// grantsShown is SHOW GRANTS; MariaDB shows the password's hash with them.
func (r *resolver) grantsShown(at int) []column {
	s := showing{columns: []string{"Grants for " + r.scope.User + "@%"}}
	if at < len(r.in.tokens) && !r.in.word(at+1, "CURRENT_USER") {
		s.data = map[string]*rewrite.TableColumn{s.columns[0]: shownSecret}
	}
	return s.result(r.mode, false)
}
