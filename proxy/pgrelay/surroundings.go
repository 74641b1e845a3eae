package pgrelay

import (
	"context"
	"strings"
	"sync/atomic"

	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// surroundings asks for what the meaning of a text depends on, in one column:
// two settings, then the schemas in the order in which the server looks in them.
const surroundings = `SELECT pg_catalog.unnest(pg_catalog.array_cat(` +
	`ARRAY[pg_catalog.current_setting('standard_conforming_strings'), pg_catalog.current_setting('client_encoding')], ` +
	`pg_catalog.current_schemas(true)::pg_catalog.text[]))`

// temporarySchema begins the name of a session's own schema.
const temporarySchema = "pg_temp_"

// Surroundings implements [session.Wire]. A query that asks for all of it is the first
// that the server plans in many sessions, and costs it as much as the client's own.
// Between two batches the path alone is asked for, past all SQL, and the settings are
// those that the server has reported.
func (u *up) Surroundings(ctx context.Context) (session.Surroundings, error) {
	if u.open || u.down.settings.mode.Load() == nil {
		return u.surroundings(ctx)
	}
	path, err := u.path()
	if err != nil {
		return session.Surroundings{}, err
	}
	// Settings are reported before the ReadyForQuery behind what changed them.
	return around(path, *u.down.settings.mode.Load()), nil
}

// path asks for the search path between two batches.
func (u *up) path() ([]string, error) {
	u.session.Metrics().Questions.Add(1)
	q := &question{idle: true}
	e := u.flight.blank(functionCall)
	e.own = q
	if _, err := u.flight.push(e); err != nil {
		return nil, err
	}
	if err := u.out.FunctionCall(&currentSchemas); err != nil {
		return nil, err
	}
	if err := u.answered(q); err != nil {
		return nil, err
	}
	path, err := pgwire.DecodeNames(q.value)
	if err != nil {
		return nil, errNoPath
	}
	return path, nil
}

// currentSchemas calls pg_catalog.current_schemas(true). The function's number is the
// same in all releases.
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/catalog/pg_proc.dat
var currentSchemas = pgwire.FunctionCall{Function: 1403, Arguments: [][]byte{{1}}, ResultFormat: pgwire.BinaryFormat}

// errNoPath says that the answer is not what was asked for.
var errNoPath = &session.ServerError{SQLState: session.StateInternalError, Message: "sqlveil: the search path could not be asked for"}

// surroundings asks for everything at once.
func (u *up) surroundings(ctx context.Context) (session.Surroundings, error) {
	rows, err := u.Ask(ctx, surroundings)
	if err != nil {
		return session.Surroundings{}, err
	}
	var texts []string
	for _, row := range rows {
		if len(row) == 1 && row[0] != nil {
			texts = append(texts, *row[0])
		}
	}
	if len(texts) < 2 {
		return session.Surroundings{}, errNoPath
	}
	return around(texts[2:], mode(texts[0], texts[1])), nil
}

func around(path []string, mode string) session.Surroundings {
	s := session.Surroundings{Path: path, Mode: mode}
	for _, schema := range path {
		s.Own = s.Own || strings.HasPrefix(schema, temporarySchema)
	}
	return s
}

// mode is what the lexer depends on, "" for what is usual.
func mode(conforming, encoding string) string {
	var m []string
	if conforming != "on" {
		m = append(m, "standard_conforming_strings=off")
	}
	if encoding != "UTF8" {
		m = append(m, "client_encoding="+encoding)
	}
	return strings.Join(m, " ")
}

// settings are those that a text's meaning depends on, as the server reports them. The
// down pump notes them, the login before it.
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-ASYNC
type settings struct {
	conforming, encoding string                 // "" until it is reported
	mode                 atomic.Pointer[string] // nil until both are
}

// note notes that one of them has been reported.
func (s *settings) note(setting *string, value string) {
	*setting = value
	if s.conforming == "" || s.encoding == "" {
		return
	}
	m := mode(s.conforming, s.encoding)
	s.mode.Store(&m)
}
