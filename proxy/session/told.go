package session

import (
	"sqlveil/auditlog"
	"sqlveil/rewrite"
)

// A told is what the records of a statement say of it each time that it is carried
// out, encoded. Most texts are carried out once: it is encoded the second time.
type told struct {
	plan *rewrite.Plan
	how  string
	text []byte // of plan, sent like this; nil until the second time
}

// again returns how a statement is described, to share: nil the first time. It is
// called on the up side.
func (t *told) again(q *Query, s *auditlog.Statement) []byte {
	if t.plan != q.plan || t.how != q.how {
		*t = told{plan: q.plan, how: q.how}
		return nil
	}
	if t.text == nil {
		t.text = auditlog.AppendKnown(nil, s)
	}
	return t.text
}
