package rewrite

import (
	"sqlveil/masking"
)

// Scope is everything a plan depends on besides the text.
type Scope struct {
	Role       *masking.Role
	Policy     *masking.Policy
	Database   string
	User       string   // whom the server logged in, for "$user"
	SearchPath []string // every schema the server looks in, in order, implicit ones too
	Mode       string   // what the dialect's lexer depends on (MySQL: sql_mode and character set)
	Catalog    Catalog

	path string // SearchPath in one string, once sealed
}

// Seal returns the scope in the form that is cheapest to plan with, for whoever
// plans many statements under the same one.
func (s Scope) Seal() Scope {
	s.path = joinPath(s.SearchPath)
	return s
}

// A Catalog is an immutable snapshot of one database's tables, columns and
// functions. What is in it is known to its dialect alone.
type Catalog interface {
	// Version tells snapshots apart within one process.
	Version() uint64
	// Label is what a column carries under a policy, by its own name, by that of
	// the columns it shares data with, or by a name that it had before.
	Label(*masking.Policy, *TableColumn) (masking.Label, bool)
}

// A Dialect knows the SQL of one engine.
type Dialect interface {
	// Analyse splits text into statements and resolves each. A text that cannot
	// be parsed is one Statement whose Unknown says why. It is a pure function of
	// its arguments and safe for concurrent use.
	Analyse(scope Scope, text string) []*Statement
}

// A Shaper is a Dialect that can write a text without its literals. Texts of one
// shape share their plans where the analysis was LiteralFree.
type Shaper interface {
	// AppendShape appends the text with every literal replaced; ok is false when that
	// cannot be done. Texts which are told apart by anything but literals, white
	// space and comments have different shapes.
	AppendShape(dst []byte, scope Scope, text string) (shape []byte, ok bool)
	// AppendLiterals appends the literals that AppendShape replaces in a text, in their
	// order. One with escapes in it may come as it is written. They may alias the text.
	AppendLiterals(dst []string, scope Scope, text string) []string
}

// A Statement is one analysed statement, before any policy is applied.
type Statement struct {
	Kind        Kind
	Text        string
	Fingerprint string
	Start, End  int

	Columns []ResultColumn
	Results []int // as in Plan
	Rows    bool
	Uses    []Use
	Equals  []Equal
	Flows   []Flow
	Calls   []Call
	Alters  []*TableColumn // every column of the relations that DDL changes
	Unknown []Refusal      // what could not be resolved; each refuses the statement for a masked role
	Effect  Effect
	Copy    *CopyFormat
	Query   *Statement // DECLARE's, EXPLAIN's and PREPARE's own statement
	Writes  []Write
	Short   []Short
	Changes []*TableColumn // every column that values are given to, or deleted with their rows

	Opaque   bool // nothing is known of it
	Routines bool // calls user-written functions
	Inert    bool // runs nothing: EXPLAIN without ANALYZE, DECLARE, PREPARE

	// Instead returns the statement with stand-ins for what can fail depending on
	// a column that hides reports, in places where only the client would see it;
	// nil when there are none, or it cannot be written. Instead itself may be nil.
	Instead func(hides func(*TableColumn) bool) *Statement
	SQL     string // of the statement that Instead returned: what to send

	// LiteralFree says that no literal of the text decided anything above.
	LiteralFree bool
}

// A ResultColumn is one column of a statement's result.
type ResultColumn struct {
	Name  string
	Guess bool // the server may name it otherwise
	Value Value
}

// An Equal is a column that is compared with a constant, by = or IN.
type Equal struct {
	Column   *TableColumn
	Constant Constant
}

// A Flow is data that a statement moves into a column that it writes. A nil
// Target is a place that no label can protect: a new table, a file, a message.
type Flow struct {
	Target *TableColumn
	Value  Value
	Into   string // for people: "table copy", "a file", "public.orders.remark"
}

// A Short is a parameter that an expression adds to other values. It must be no
// longer than LongestShort where these are protected: whether the result is too long
// for the server would tell how long they are.
type Short struct {
	Param  int // from 1
	Beside Value
}

// LongestShort is how many bytes a Short has at most.
const LongestShort = 64 << 10

// A Write is a column of a table that the statement writes, for the write-back
// guard and because a violated constraint quotes the whole row.
type Write struct {
	Target  *TableColumn
	Text    string // what is written, when Literal
	Literal bool
	Param   int // the parameter's number from 1 when the value is one, else 0
}

// A Call is a user-written function whose body was not resolved.
type Call struct {
	Schema, Name string
	Args         Value  // what goes into it
	Why          string // why it was not resolved
}
