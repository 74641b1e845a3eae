package myrelay

import (
	"regexp"
	"strconv"
	"sync"

	"sqlveil/proxy/session"
)

// threads knows which session has which number at the server. The numbers pass
// through to the clients, so KILL means the same on either side of the proxy.
type threads struct {
	mu       sync.Mutex
	sessions map[uint32]*session.Session
}

func (ts *threads) put(thread uint32, s *session.Session) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.sessions == nil {
		ts.sessions = make(map[uint32]*session.Session)
	}
	ts.sessions[thread] = s
}

func (ts *threads) remove(thread uint32, s *session.Session) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.sessions[thread] == s {
		delete(ts.sessions, thread)
	}
}

// find returns the session with a number, nil when it is none of ours.
func (ts *threads) find(thread uint32) *session.Session {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.sessions[thread]
}

// killText finds the number in the usual forms of KILL. The others are on record as
// statements of who sends them, like these, but not with whom they meet.
// https://mariadb.com/docs/server/reference/sql-statements/administrative-sql-statements/kill
var killText = regexp.MustCompile(`(?i)^\s*KILL\s+(?:HARD\s+|SOFT\s+|TIDB\s+)?(?:CONNECTION\s+|QUERY\s+)?(\d+)[\s;]*$`)

// meets returns the session that a KILL is for, nil when it is none of ours, or the
// text no KILL. That is found out before it is sent: afterwards it may be gone.
func (c *conn) meets(p *session.Prepared) *session.Session {
	if p.Len() != 1 || p.Keyword(0) != "KILL" {
		return nil
	}
	m := killText.FindStringSubmatch(p.Text)
	if m == nil {
		return nil
	}
	thread, err := strconv.ParseUint(m[1], 10, 32)
	if err != nil {
		return nil // no number of a session
	}
	c.session.Metrics().Cancels.Add(1)
	if target := c.relay.threads.find(uint32(thread)); target != c.session {
		return target
	}
	return nil
}
