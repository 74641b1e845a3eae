package session

import (
	"context"
	"reflect"
	"slices"
	"unicode/utf8"

	"sqlveil/rewrite"
)

// A reading is what the server read a text under when it prepared it, where it
// keeps to that. It does for the database, and for settings as long as it has no
// reason to read the text again.
//
// https://dev.mysql.com/doc/refman/8.4/en/statement-caching.html
type reading struct {
	path []string
	mode string
}

// over is a scope with the reading's names and settings; nil leaves it as it is.
func (r *reading) over(scope *rewrite.Scope) *rewrite.Scope {
	if r == nil || scope == nil || r.mode == scope.Mode && slices.Equal(r.path, scope.SearchPath) {
		return scope
	}
	then := *scope
	then.SearchPath, then.Mode = r.path, r.mode
	then = then.Seal()
	return &then
}

// replan plans what the server has prepared, under the names of now or those that it
// was prepared under, as the server does. Where that is not known, or the settings
// of now may make another statement of the text, a role with masks is refused.
func (s *Session) replan(ctx context.Context, p *Prepared) (*Prepared, error) {
	q, err := s.plan(ctx, p.Text, p.made)
	if err != nil || !s.around.Kept {
		return q, err
	}
	q.made = p.made
	if s.role.SeesAll() || s.readsAlike(q) {
		return q, nil
	}
	for i, plan := range q.plans {
		s.set(q, i, refused(plan, rereadRefusal()))
	}
	return q, nil
}

// readsAlike says whether the server still makes the same of a text that it has
// prepared, whether it reads it again or not. It may have read it under any
// settings since, each of which has been asked about here.
func (s *Session) readsAlike(p *Prepared) bool {
	if p.made == nil {
		return !s.needs(p.Text, p.plans)
	}
	if p.made.mode == s.around.Mode {
		return true
	}
	now := (&reading{p.made.path, s.around.Mode}).over(p.now)
	return plain(p.Text) && reflect.DeepEqual(s.planText(now, p.Text), s.planText(p.scope, p.Text))
}

// plain says whether a text is made of the same words and literals under every
// setting and in every character set in which texts are read.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
