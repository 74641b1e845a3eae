package rewrite

import (
	"slices"

	"sqlveil/masking"
)

// A Plan is what is decided about one statement for one role: what to send,
// what to do with each result column, and what to remember. It is immutable
// and shared between sessions.
type Plan struct {
	Kind        Kind   // first keyword(s) as PostgreSQL's command tags spell them: "SELECT", "CREATE TABLE AS"
	Text        string // normalised: literals are ?, comments gone; what the audit log keeps
	Fingerprint string // of Text, hexadecimal
	SQL         string // what to send instead of the client's own text, "" for that
	Start, End  int    // where the statement stands in a text of several, in bytes

	Outputs  []Output // the result columns in order; nil when the statement returns none
	Results  []int    // how many of Outputs are each of several results' that it may return; nil: all of them are of one
	Rows     bool     // the statement returns rows (with perhaps no column)
	Routines bool     // the statement calls user-written functions
	Uses     []Use    // everything read anywhere else: predicates, joins, ordering
	Objects  []Object // the labelled columns the statement touches, for the audit log
	Persons  []Person // whom its predicates name, for the audit log

	Masked  bool     // some output carries a mask
	Touches bool     // reads a column the role sees masked: the server's diagnostics may quote it
	Refuse  *Refusal // not nil: answer with this, send nothing

	Effect Effect  // what the statement does to the session's own state
	Guards []Guard // parameters that must not hold a masked value

	Copy *CopyFormat // COPY ... TO STDOUT: how its rows are written; Outputs are its columns
}

// A CopyFormat says how a COPY writes its rows: the options that the statement
// gives, as it gives them. What it leaves out has the server's default.
type CopyFormat struct {
	Format    string // "text", "csv" or "binary"
	Delimiter string
	Null      string
	HasNull   bool // Null is given
	Quote     string
	Escape    string
	Header    bool
	Encoding  string

	ForceQuote    []string // columns, by name
	ForceQuoteAll bool
}

// Quotes says whether the values of a column are always in quotes.
func (f *CopyFormat) Quotes(column string) bool {
	return f.ForceQuoteAll || slices.Contains(f.ForceQuote, column)
}

// A Guard names a parameter that is written into a column which the role sees
// masked: a value that looks like the mask's output must not overwrite the real one.
// One without a mask must be no longer than LongestShort.
type Guard struct {
	Param  int // from 1
	Column string
	Mask   masking.Mask
}

// Check refuses a parameter's value that the guard forbids.
func (g *Guard) Check(text []byte) *Refusal {
	switch {
	case g.Mask != nil && masking.LooksMasked(g.Mask, string(text)):
		return WriteBack(g.Column)
	case g.Mask == nil && len(text) > LongestShort:
		return &Refusal{
			Code: CodeFallible, Message: "a parameter this long may not be put together with column " + g.Column,
			Hint: "Whether the result is too long for the server would tell how long the value is.",
		}
	}
	return nil
}

// An Output is one result column.
type Output struct {
	Name    string
	Guess   bool           // the server may name it otherwise
	Sources []*TableColumn // base table columns the value can depend on
	Derived bool           // some source is not the value itself but goes into it
	Class   *masking.Class // the strictest of the sources' classes, nil when none is labelled
	Mask    masking.Mask   // nil: released as it is
}

// A TableColumn is one column of a base table, as the catalog knows it. It is
// identified by Rel and Att, never by its names, which can change.
type TableColumn struct {
	Rel    uint32 // the table's identity (PostgreSQL: OID)
	Att    int16  // the column's number in it, from 1
	Name   masking.Column
	Type   string         // the declared type's name, as the engine spells it
	Kin    []*TableColumn // inherited or inheriting columns that hold the same data
	System bool           // a system catalog's: never masked for want of a label
	View   bool           // a view's own: its data is that of another column, unless it carries a label itself
}

// A Use is a column standing anywhere but in the output.
type Use struct {
	Column  *TableColumn
	Path    string // into a JSON document, as in Source
	In      string // the clause, lower case: "where", "join", "order by", ...
	Form    Form
	With    *TableColumn // the other side of FormEqualColumn
	Allowed bool         // by the class's use, for the plan's role
}

// Form is how a column is used outside the output.
type Form uint8

const (
	FormOther         Form = iota // anything the other forms do not describe
	FormEqualConstant             // col = constant or parameter, col IN (a short list of them)
	FormIsNull                    // col IS [NOT] NULL
	FormEqualColumn               // col = col, an equality join
)

// An Object is one labelled column in the audit record of a statement.
type Object struct {
	Column   string
	Class    string
	Level    string
	In       string // "output", "written", "write" for what goes into that, or the clause of a Use
	Released string // "clear", "masked" or "withheld"; "" of what is written
}

// A Constant is what a statement compares a column with: a parameter, or a
// literal. Zero is one of which neither is known.
type Constant struct {
	Param int    // the parameter's number from 1
	Text  string // the literal's, without quotes
	Nth   int    // in a plan that texts share which differ in literals: its number among them, from 1
}

// A Person is a value that a predicate asks a column for whose class identifies
// persons.
type Person struct {
	Class    string
	Type     string // the column's, as in [TableColumn]
	Constant Constant
}

// Kind is a statement's command, upper case.
type Kind string

// Effect is what a statement does to the state of its session, once the server
// says that it succeeded.
type Effect struct {
	Path      bool   // the search path (or current database) may be another one afterwards
	Catalog   bool   // tables, columns, functions may have changed (DDL, temporary tables)
	Begin     bool   // starts a transaction
	End       bool   // ends a transaction or goes back to a savepoint
	Opaque    bool   // calls code that may do any of the above
	Prepare   string // SQL PREPARE: the name
	Prepared  string // and the text of the statement it stands for
	Declare   string // DECLARE CURSOR: the name
	Cursor    *Plan  // and the plan of its query
	Fetch     string // FETCH or MOVE: the cursor whose columns are returned
	Execute   string // EXECUTE: the prepared statement that runs
	Into      bool   // the Execute's rows go to a table, not to the client
	Explain   bool   // only explained, not run
	Forget    string // DEALLOCATE or CLOSE: the name, "*" for all
	ForgetAll bool   // DISCARD ALL
	ReadsPath bool   // names were resolved through the search path
	Anywhere  bool   // the text means the same whatever the search path, the mode and the catalog

	Messages  bool            // shows the warnings of the statement before
	Counts    Counts          // what the number of rows that it reports tells
	Outs      int             // values that a procedure puts into parameters: a result of their own, of no protected data
	Numbered  bool            // the number of a row that it reports is one that it chose itself
	Temporary *TemporaryTable // made, on a server that does not list them; nil for none
}

// Counts is how a statement that writes counts its rows.
type Counts uint8

// The ways of counting.
const (
	CountsRows     Counts = iota // each row once
	CountsUpsert                 // MySQL's ON DUPLICATE KEY UPDATE: one for a new row, two for another value, none for the same
	CountsReplaced               // MySQL's REPLACE: one for a new row and for the same row, two for another
	CountsWithin                 // of a CALL: whatever a statement of the procedure counts that writes protected columns
)

// A TemporaryTable names a table of one session.
type TemporaryTable struct{ Schema, Name string }

// A Refusal says why a statement is not sent. Its texts name columns, never values.
type Refusal struct {
	Code     string // "SV103"; stable, listed in the README
	Message  string // without the leading "sqlveil: " and without the code
	Hint     string
	SQLState string // "" for 42501; otherwise the server would have said the same, and Message is in its words
	Position int    // of the fault in the client's text, in characters from 1; 0 when unknown
}

// Error returns the message as a client sees it.
func (r *Refusal) Error() string {
	if r.SQLState != "" {
		return r.Message
	}
	return "sqlveil: " + r.Message + " (" + r.Code + ")"
}
