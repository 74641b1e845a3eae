package session

import (
	"slices"

	"sqlveil/rewrite"
)

// mostTemporaries bounds the temporary tables that are remembered of a session.
// What is not remembered is not known, and a statement that names it refused.
const mostTemporaries = 256

// temporaries are the temporary tables that a session has made and perhaps dropped
// since, on a server that does not list them. Where they exist, and as what, is
// asked for.
type temporaries []rewrite.TemporaryTable

// note remembers what a statement made.
func (t *temporaries) note(made *rewrite.TemporaryTable) {
	if made != nil && len(*t) < mostTemporaries && !slices.Contains(*t, *made) {
		*t = append(*t, *made)
	}
}

// temporaries returns what the session has made.
func (s *Session) temporaries() []rewrite.TemporaryTable {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.made)
}
