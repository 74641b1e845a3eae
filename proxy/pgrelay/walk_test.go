package pgrelay

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"sqlveil/auditlog"
)

// What a walk sends: results that have a protected and a clear column of one type in
// the same place, statements that fail, and SQL that makes and forgets names.
var (
	walkTexts = []string{
		"SELECT secret AS x FROM twin ORDER BY id LIMIT 3", "SELECT clear AS x FROM twin ORDER BY id LIMIT 3",
		"SELECT secret, clear FROM twin ORDER BY id LIMIT 4", "SELECT clear, secret FROM twin ORDER BY id LIMIT 4",
		"SELECT secret FROM twin WHERE id = 2", "SELECT secret FROM twin WHERE id = 3",
		"UPDATE twin SET clear = clear WHERE id = 1 RETURNING secret, clear",
		"SELECT 1 / (id - 2), secret FROM twin ORDER BY id", "SELECT absent FROM twin", "SELECT secret FROM twin WHERE secret > 'a'",
	}
	walkQueries = []string{
		"BEGIN", "COMMIT", "ROLLBACK", "DISCARD ALL", "DEALLOCATE ALL", "EXECUTE s", "FETCH 2 FROM c", "FETCH 1 FROM p",
		"PREPARE s AS SELECT clear AS x FROM twin ORDER BY id", "DECLARE c CURSOR WITH HOLD FOR SELECT secret, clear FROM twin", "CLOSE c",
		"SET search_path = other", "RESET ALL", "COPY (SELECT clear, secret FROM twin) TO STDOUT",
	}
)

// A walk is a client that sends messages in any order.
type walk struct {
	*rand.Rand
	pg    *pgproto3.Frontend
	shown int // masked values that it was sent
}

func (w *walk) among(words ...string) string { return words[w.IntN(len(words))] }

// sendAny sends a message, and mostly what usually follows it.
func (w *walk) sendAny() {
	statement, portal := w.among("", "", "s", "t"), w.among("", "", "p", "c")
	switch w.IntN(12) {
	case 0, 1, 2:
		w.pg.Send(&pgproto3.Close{ObjectType: 'S', Name: statement})
		w.pg.Send(&pgproto3.Parse{Name: statement, Query: w.among(walkTexts...)})
		w.run(portal, statement)
	case 3, 4:
		w.run(portal, statement)
	case 5:
		w.pg.Send(&pgproto3.Execute{Portal: portal})
	case 6:
		w.pg.Send(&pgproto3.Close{ObjectType: 'P', Name: portal})
	case 7:
		w.pg.Send(&pgproto3.Flush{})
	case 8, 9:
		w.pg.Send(&pgproto3.Sync{})
	default:
		w.pg.Send(&pgproto3.Sync{})
		w.pg.Send(&pgproto3.Query{String: w.among(walkTexts...)})
		w.pg.Send(&pgproto3.Query{String: w.among(walkTexts...) + "; " + w.among(walkQueries...)})
		w.pg.Send(&pgproto3.Query{String: w.among(walkQueries...)})
	}
}

func (w *walk) run(portal, statement string) {
	formats := [][]int16{nil, {1}, {1, 0}}[w.IntN(3)]
	w.pg.Send(&pgproto3.Bind{DestinationPortal: portal, PreparedStatement: statement, ResultFormatCodes: formats})
	if w.IntN(3) == 0 {
		w.pg.Send(&pgproto3.Describe{ObjectType: 'P', Name: portal})
	}
	w.pg.Send(&pgproto3.Execute{Portal: portal, MaxRows: uint32(w.IntN(3))})
}

// receive reads up to the answer of an empty Query.
func (w *walk) receive(t *testing.T) {
	for empty := false; ; {
		m, err := w.pg.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *pgproto3.DataRow:
			w.see(t, bytes.Join(m.Values, nil))
		case *pgproto3.CopyData:
			w.see(t, m.Data)
		case *pgproto3.EmptyQueryResponse:
			empty = true
		case *pgproto3.ReadyForQuery:
			if empty {
				return
			}
		}
	}
}

func (w *walk) see(t *testing.T, row []byte) {
	w.shown += bytes.Count(row, []byte("[redacted]"))
	if bytes.Contains(row, []byte("hidden")) {
		t.Errorf("a protected value is sent: %q", row)
	}
}

// TestMessagesInAnyOrder sends messages by chance, many of them without waiting. No
// protected value comes through, each statement on record ends there once, and the
// records count what the client was sent.
func TestMessagesInAnyOrder(t *testing.T) {
	r := newRig(t)
	r.exec(`CREATE TABLE twin (id int, secret text, clear text);
		CREATE TABLE other.twin (id int, clear text, secret text);
		INSERT INTO twin SELECT i, 'hidden', 'open' FROM generate_series(1, 6) i;
		INSERT INTO other.twin SELECT i, 'open', 'hidden' FROM generate_series(1, 6) i;
		GRANT ALL ON ALL TABLES IN SCHEMA public, other TO public`)
	shown := 0
	const walks = 40
	for seed := range uint64(walks) {
		w := &walk{Rand: rand.New(rand.NewPCG(seed, 1)), pg: r.connect("analyst").PgConn().Frontend()}
		for range 5 {
			for range 12 {
				w.sendAny()
			}
			w.pg.Send(&pgproto3.Sync{})
			w.pg.Send(&pgproto3.Query{})
			if err := w.pg.Flush(); err != nil {
				t.Fatal(err)
			}
			if w.receive(t); t.Failed() {
				t.Fatalf("walk %d", seed)
			}
		}
		w.pg.Send(&pgproto3.Terminate{})
		if err := w.pg.Flush(); err != nil {
			t.Fatal(err)
		}
		shown += w.shown
	}
	eventually(t, "the ends", func() bool { return len(r.audit.of(auditlog.SessionEnd)) == walks })
	r.checkEnds(t, shown)
}

// checkEnds checks that what begins on record ends there once, and how many masked
// cells that makes.
func (r *rig) checkEnds(t *testing.T, masked int) {
	r.audit.mu.Lock()
	defer r.audit.mu.Unlock()
	open := map[uint64]auditlog.Statement{}
	counted := int64(0)
	for i, e := range r.audit.events {
		switch begun, ok := open[e.Ref]; {
		case e.Kind == auditlog.QueryBegin:
			open[uint64(i+1)] = e.Statement
		case e.Kind != auditlog.QueryEnd || e.Ref == 0: // what failed before it was executed has no begin
		case !ok:
			t.Errorf("record %d ends nothing", i+1)
		case begun.ID != e.Statement.ID || begun.Sub != e.Statement.Sub || begun.Fingerprint != e.Statement.Fingerprint:
			t.Errorf("record %d ends another statement: %+v", i+1, begun)
		}
		delete(open, e.Ref)
		counted += e.Result.MaskedCells
	}
	for _, s := range open {
		t.Errorf("%s has no end", strings.TrimSpace(s.Text))
	}
	if counted != int64(masked) || masked == 0 {
		t.Errorf("%d masked cells are on record, %d were sent", counted, masked)
	}
}
