package pgrelay

import (
	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// error deals with an ErrorResponse that answers an entry of the client's.
func (d *down) error(e *entry) error {
	body, err := d.in.Body(maxReply)
	if err != nil {
		return err
	}
	diagnostic, err := pgwire.DecodeDiagnostic(body)
	if err != nil {
		return err
	}
	outcome := session.Outcome{SQLState: diagnostic.Code}
	if e.refusal != nil {
		outcome.SQLState = session.StateOf(e.refusal)
	}
	quotes := d.quotes(e)
	if e.kind.prepares() && e.refusal == nil && !e.probe && e.prepared != nil {
		d.session.Failed(e.prepared, diagnostic.Code)
	}
	d.endStatement(e, outcome)
	e.at++
	d.endAll(e, session.Outcome{Ended: "skipped"})
	d.session.BatchFailed()
	d.columns, d.copy = nil, nil
	switch {
	case d.muted:
		return nil
	case e.refusal != nil && diagnostic.Severity == pgwire.SeverityError:
		return d.refused(e.refusal)
	case quotes:
		return d.out.ErrorResponse(sanitised(diagnostic, d.altered(e)))
	}
	return d.in.CopyTo(d.out)
}

// notice deals with a NoticeResponse, which may come at any time.
func (d *down) notice() error {
	if d.entry == nil {
		d.entry = d.flight.head()
	}
	if !d.quotes(d.entry) {
		return d.in.CopyTo(d.out)
	}
	body, err := d.in.Body(maxReply)
	if err != nil {
		return err
	}
	diagnostic, err := pgwire.DecodeDiagnostic(body)
	if err != nil {
		return err
	}
	return d.out.NoticeResponse(sanitised(diagnostic, d.altered(d.entry)))
}

// quotes says whether a diagnostic of the server may quote a protected value:
// because of the statement being answered, or because of one before in the same
// transaction, whose constraints are perhaps checked only now.
func (d *down) quotes(e *entry) bool {
	if e == nil || e.refusal != nil {
		return d.touched
	}
	if e.prepared == nil || e.own != nil {
		return d.touched
	}
	if e.prepared.Open() {
		return false
	}
	for i := e.at; i < max(e.prepared.Len(), e.at+1); i++ {
		if e.prepared.Touches(i) {
			return true
		}
	}
	return d.touched
}

// altered says whether the server was sent another text than the client's, in
// which a position means nothing to the client.
func (d *down) altered(e *entry) bool {
	return e != nil && e.prepared != nil && e.prepared.SQL() != e.prepared.Text
}

// sanitised is a diagnostic without anything that can quote a value. Names of
// objects and the position in the client's text stay.
func sanitised(from *pgwire.Diagnostic, altered bool) *pgwire.Diagnostic {
	to := &pgwire.Diagnostic{
		Severity: from.Severity, Localized: from.Localized, Code: from.Code,
		Message: generic(from.Code), Hint: "The server's own words may quote protected data and are withheld.",
		Schema: from.Schema, Table: from.Table, Column: from.Column,
		DataType: from.DataType, Constraint: from.Constraint,
	}
	if !altered {
		to.Position = from.Position
	}
	return to
}

// generic is a text for a SQLSTATE that quotes nothing. Any code can come with
// any text: functions may raise what they like.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func generic(code string) string {
	if text, ok := conditions[code]; ok {
		return text
	}
	if len(code) == 5 {
		if text, ok := classes[code[:2]]; ok {
			return text
		}
	}
	return "error in the server"
}

var conditions = map[string]string{
	"22001": "value too long",
	"22003": "value out of range",
	"22004": "null value not allowed",
	"22007": "invalid datetime format",
	"22008": "datetime field overflow",
	"22012": "division by zero",
	"22P02": "invalid text representation",
	"22P05": "untranslatable character",
	"23502": "not-null constraint violated",
	"23503": "foreign key constraint violated",
	"23505": "unique constraint violated",
	"23514": "check constraint violated",
	"23P01": "exclusion constraint violated",
	"25001": "not possible in a transaction",
	"25006": "cannot execute in a read-only transaction",
	"25P02": "current transaction is aborted, commands ignored until end of transaction block",
	"26000": "prepared statement does not exist",
	"34000": "cursor does not exist",
	"40001": "could not serialize access",
	"40P01": "deadlock detected",
	"42501": "permission denied",
	"42601": "syntax error",
	"42703": "column does not exist",
	"42883": "function does not exist",
	"42P01": "relation does not exist",
	"42P05": "prepared statement already exists",
	"55P03": "could not obtain lock",
	"57014": "canceling statement due to user request or timeout",
	"57P01": "terminating connection due to administrator command",
	"P0001": "exception raised",
}

var classes = map[string]string{
	"00": "notice",
	"01": "warning",
	"02": "no data",
	"08": "connection exception",
	"0A": "feature not supported",
	"21": "cardinality violation",
	"22": "data exception",
	"23": "integrity constraint violation",
	"25": "invalid transaction state",
	"28": "invalid authorization specification",
	"2B": "dependent objects still exist",
	"38": "external routine exception",
	"39": "external routine invocation exception",
	"40": "transaction rollback",
	"42": "syntax error or access rule violation",
	"44": "WITH CHECK OPTION violation",
	"53": "insufficient resources",
	"54": "program limit exceeded",
	"55": "object not in prerequisite state",
	"57": "operator intervention",
	"58": "system error",
	"P0": "error in a function",
	"XX": "internal error",
}
