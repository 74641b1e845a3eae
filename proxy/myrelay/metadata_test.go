package myrelay

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
)

// cached is what a client agrees on that keeps the descriptions of columns.
const cached = mywire.CapMariaDBCacheMetadata | mywire.CapMariaDBExtendedMetadata | mywire.CapPSMultiResults

// whole returns the packets of a whole answer to an execution.
func (c *rawClient) whole() [][]byte {
	c.t.Helper()
	var all [][]byte
	take := func() []byte {
		all = append(all, c.next())
		return all[len(all)-1]
	}
	for {
		first := take()
		var status mywire.Status
		switch first[0] {
		case 0xff:
			return all
		case 0:
			ok, err := mywire.DecodeOK(first, c.agreed)
			if err != nil {
				c.t.Fatal(err)
			}
			status = ok.Status
		default:
			n, told, err := mywire.DecodeColumnCount(first, c.agreed)
			if err != nil {
				c.t.Fatal(err)
			}
			for range n {
				if told {
					take()
				}
			}
			if !c.agreed.Has(mywire.CapDeprecateEOF) {
				take()
			}
			last := take()
			for last[0] == 0 {
				last = take()
			}
			if last[0] == 0xff {
				return all
			}
			status = c.end(last)
		}
		if !status.Has(mywire.StatusMoreResults) {
			return all
		}
	}
}

// made prepares a text and returns the number of the statement.
func (c *rawClient) made(text string) mywire.PrepareOK {
	c.t.Helper()
	c.send(mywire.AppendText(nil, mywire.ComStmtPrepare, []byte(text)))
	body := c.next()
	made, err := mywire.DecodePrepareOK(body)
	if err != nil {
		c.t.Fatalf("%s: %v: %q", text, err, body)
	}
	for _, n := range []uint16{made.Parameters, made.Columns} {
		c.definitions(int(n))
	}
	return made
}

// Columns that the server does not describe again are those that it described
// before, masks and all.
func TestCachedMetadata(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "stored programs") {
		return
	}
	r.exec("USE " + r.database + `; CREATE TABLE changing (a int); INSERT INTO changing VALUES (7);
		CREATE PROCEDURE thrice() BEGIN SELECT id, mobile FROM person WHERE id = 1; SELECT id, mobile FROM person WHERE id = 2; SELECT id, name FROM person WHERE id = 3; END`)
	untold := 0
	for _, agreed := range []mywire.Capabilities{cached, cached | mywire.CapDeprecateEOF} {
		direct, open, masked := r.rawAt(r.Addr(), "dba", agreed), r.raw("dba", agreed), r.raw("analyst", agreed)
		for _, text := range []string{
			"SELECT id, mobile FROM person WHERE id < 3 ORDER BY id", "SELECT * FROM changing", "CALL thrice()", "SELECT 1", "SHOW COLUMNS FROM person", "SELECT nothing()",
		} {
			if strings.Contains(text, "nothing") {
				r.exec("USE " + r.database + "; ALTER TABLE changing MODIFY a varchar(10)")
				text = "SELECT * FROM changing"
			}
			made := map[*rawClient]mywire.PrepareOK{}
			for _, c := range []*rawClient{direct, open, masked} {
				made[c] = c.made(text)
			}
			for again := range 3 {
				var answers [][][]byte
				for _, c := range []*rawClient{direct, open, masked} {
					c.send(append(mywire.AppendStatement(nil, mywire.ComStmtExecute, made[c].Statement), 0, 1, 0, 0, 0))
					answers = append(answers, c.whole())
				}
				what := fmt.Sprintf("capabilities %x, %s, time %d", agreed, text, again)
				if !slices.EqualFunc(answers[0], answers[1], bytes.Equal) {
					t.Errorf("%s: got %q, directly %q", what, answers[1], answers[0])
				}
				if n, told, err := mywire.DecodeColumnCount(answers[2][0], agreed); err == nil && n > 0 && !told {
					untold++
				}
				if len(answers[2]) != len(answers[0]) {
					t.Errorf("%s: masked %q, directly %q", what, answers[2], answers[0])
				}
				shown := bytes.Join(answers[2], nil)
				if mobiles := strings.Contains(text, "mobile") || strings.Contains(text, "thrice"); mobiles != bytes.Contains(shown, []byte("138****0001")) || bytes.Contains(shown, []byte("13800000001")) {
					t.Errorf("%s: %q", what, shown)
				}
			}
		}
		r.exec("USE " + r.database + "; ALTER TABLE changing MODIFY a int")
	}
	if untold == 0 {
		t.Error("the server described all columns")
	}
}
