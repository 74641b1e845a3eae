package pgsql

// A functionJudgement is what the resolver asks about a function it cannot look into.
type functionJudgement struct {
	known    bool
	refused  bool
	sink     bool
	fallible bool
	choice   bool
	returns  string
}

func judgeFunction(schema, name, extension string) functionJudgement { return functionJudgement{known: true} }
func judgeOperator(name string) functionJudgement                   { return functionJudgement{known: true} }
func castTotal(from, to string) bool                                 { return false }
func castKeepsText(from, to string) bool                             { return isTextType(from) && isTextType(to) }
