package mysql

import "regexp"

// anywhere matches texts that mean the same in every database and under every
// sql_mode and character set: questions about what the statement before has left.
// They are to be answered before anything else is asked in the session, since any
// statement takes the place of the one before.
//
// https://dev.mysql.com/doc/refman/8.4/en/information-functions.html
var anywhere = regexp.MustCompile(`(?i)^\s*(?:` +
	`SHOW\s+(?:COUNT\s*\(\s*\*\s*\)\s*)?(?:WARNINGS|ERRORS)(?:\s+LIMIT\s+\d+(?:\s*,\s*\d+)?)?` +
	`|SELECT\s+` + leftValue + `(?:\s*,\s*` + leftValue + `)*(?:\s+LIMIT\s+\d+)?` +
	`)\s*;?\s*$`)

const leftValue = `(?:(?:FOUND_ROWS|ROW_COUNT|LAST_INSERT_ID|CONNECTION_ID)\(\s*\)|@@[a-z0-9_.]+)(?:(?:\s+AS)?\s+[a-z0-9_]+)?`
