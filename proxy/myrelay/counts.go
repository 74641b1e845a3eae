package myrelay

import (
	"fmt"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/session"
)

// recount takes out of an OK what tells whether a row that was written had the
// values already. It returns false when that makes no difference.
func (c *conn) recount(a *answer, ok *mywire.OK) bool {
	counts, numbered := a.prepared.Counts(a.at)
	before := *ok
	switch {
	case counts == session.CountsWithin: // whatever its last statement counted
		ok.AffectedRows, ok.InsertID, ok.Info = 0, 0, nil
	case counts == session.CountsUpsert:
		c.countUpsert(a, ok, numbered)
	case counts == session.CountsReplaced:
		ok.AffectedRows, ok.Info = c.records(a, ok.Info), nil
	case a.rows > 0: // the server does not tell how many rows were met
		ok.AffectedRows, ok.Info = a.rows, nil
	default:
		return c.matchedRows(ok)
	}
	return ok.AffectedRows != before.AffectedRows || ok.InsertID != before.InsertID || len(before.Info) > 0
}

// upserted is what a row counts that ON DUPLICATE KEY UPDATE found to be there.
const upserted = 2

// countUpsert lets a row that was there count as changed. Among several rows those
// that were new cannot be told from those that were the same: each counts as one.
// https://dev.mysql.com/doc/refman/8.4/en/insert-on-duplicate.html
func (c *conn) countUpsert(a *answer, ok *mywire.OK, numbered bool) {
	records := c.records(a, ok.Info)
	inserted := ok.AffectedRows == 1 && (!c.agreed.Has(mywire.CapFoundRows) || ok.InsertID != 0 && !numbered)
	ok.Info = nil
	switch {
	case records == 1 && inserted:
		return
	case records == 1:
		ok.AffectedRows = upserted
	default:
		ok.AffectedRows = records
	}
	if !numbered {
		ok.InsertID = 0 // that of a row which changed, or none
	}
}

// insertInfo is how what the server tells of several rows begins (ER_INSERT_INFO,
// ER_LOAD_INFO).
const insertInfo = "Records: %d "

// records is how many rows a statement was to write.
func (c *conn) records(a *answer, info []byte) uint64 {
	if a.rows > 0 {
		return a.rows
	}
	var n uint64
	if _, err := fmt.Sscanf(string(c.unmeasured(info)), insertInfo, &n); err != nil {
		return 1 // of one row it tells nothing
	}
	return n
}

// unmeasured is the text of an OK without its length, which servers send also where
// the end of the text is that of the packet.
func (c *conn) unmeasured(info []byte) []byte {
	if !c.agreed.Has(mywire.CapSessionTrack) && len(info) > 0 && int(info[0]) == len(info)-1 {
		return info[1:]
	}
	return info
}

// updateInfo is what the server tells of an UPDATE (ER_UPDATE_INFO).
const updateInfo = "Rows matched: %d  Changed: %d  Warnings: %d"

// matchedRows makes an UPDATE count the rows that it matched in place of those
// that it changed. It returns false when that makes no difference.
func (c *conn) matchedRows(ok *mywire.OK) bool {
	info := c.unmeasured(ok.Info)
	var matched, changed uint64
	var warnings int
	if n, err := fmt.Sscanf(string(info), updateInfo, &matched, &changed, &warnings); err != nil || n != 3 {
		return false
	}
	if matched == changed && ok.AffectedRows == matched {
		return false
	}
	measured := len(info) < len(ok.Info)
	ok.AffectedRows = matched
	ok.Info = fmt.Appendf(nil, updateInfo, matched, matched, warnings)
	if measured {
		ok.Info = protocol.AppendLenencString(nil, ok.Info)
	}
	return true
}
