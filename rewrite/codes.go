package rewrite

// The refusal codes. They are stable: a code is never given a second meaning.
const (
	CodeClause      = "SV101" // a protected column steers the result outside of WHERE and JOIN
	CodeWhere       = "SV103" // a protected column stands in a condition that its class's use does not allow
	CodeFallible    = "SV105" // an expression over a protected column can fail depending on the value
	CodeMoves       = "SV106" // protected data would land where it is less protected
	CodeKind        = "SV107" // a kind of statement that a role with masks may not run
	CodeWriteBack   = "SV108" // a masked value would be written over the real one
	CodeSetting     = "SV109" // a setting that is not for roles with masks, such as a string syntax or one of the planner
	CodeSyntax      = "SV200" // the statement cannot be parsed
	CodeUnknownName = "SV201" // a relation, column or function that the catalog does not have
	CodeFunction    = "SV202" // a function that reads data by itself
	CodeOpaque      = "SV203" // a user-written function that is not trusted and cannot be resolved
	CodeUnpredicted = "SV204" // names that depend on an earlier statement of the same text
	CodeUnsupported = "SV205" // a construct that is not resolved
	CodeTooComplex  = "SV206" // too long or too deeply nested to be resolved
	CodeMismatch    = "SV301" // the server's result is not the one that was planned
	CodeProtocol    = "SV302" // a protocol message that goes around the masks
	CodeEncoding    = "SV303" // a client encoding that cannot be read safely
	CodeAudit       = "SV401" // the audit log cannot be written
)

// A Code is one row of the table of refusal codes.
type Code struct{ Code, Meaning string }

// Codes lists every refusal code with its meaning, in order, for the README.
func Codes() []Code {
	return []Code{
		{CodeClause, "a protected column steers the result (GROUP BY, ORDER BY, DISTINCT, CASE, ...)"},
		{CodeWhere, "a protected column stands in a condition that its class's `use` does not allow"},
		{CodeFallible, "an expression over a protected column could fail depending on the value, and nothing may stand in for it"},
		{CodeMoves, "protected data would land where it is less protected"},
		{CodeKind, "this kind of statement is not for roles with masks"},
		{CodeWriteBack, "a masked value would be written over the real one"},
		{CodeSetting, "a setting that is not for roles with masks, such as a string syntax or one of the planner"},
		{CodeSyntax, "the statement cannot be parsed"},
		{CodeUnknownName, "a relation, column or function that does not exist"},
		{CodeFunction, "a function that runs SQL or reads tables, files or other sessions by itself"},
		{CodeOpaque, "a user-written function that is not trusted and cannot be resolved"},
		{CodeUnpredicted, "names depend on an earlier statement of the same text: send them one by one"},
		{CodeUnsupported, "a construct that cannot be resolved"},
		{CodeTooComplex, "the statement is too long or too deeply nested"},
		{CodeMismatch, "the server's answer is not the one that was planned"},
		{CodeProtocol, "a protocol message that goes around the masks"},
		{CodeEncoding, "a client encoding that cannot be read safely"},
		{CodeAudit, "the audit log cannot be written"},
	}
}
