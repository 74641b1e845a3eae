package pgrelay

import (
	"io"
	"net"
	"testing"

	"github.com/rs/zerolog"

	"sqlveil/auditlog"
	"sqlveil/masking"
	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
	"sqlveil/protocol/pgwire/pgwiretest"
	"sqlveil/proxy/session"
	"sqlveil/rewrite"
)

// discard is an audit log that keeps nothing.
type discard struct{}

func (discard) Append(*auditlog.Event, bool) (uint64, error) { return 1, nil }

func (discard) AppendThen(*auditlog.Event, bool, func(error)) (uint64, bool, error) {
	return 1, false, nil
}

// A circuit is a client, a proxy and a server that gives one answer again and again.
type circuit struct {
	b       testing.TB
	client  net.Conn
	request []byte
	answer  []byte
	got     int // bytes that one answer has at the client
	buf     []byte
}

// newCircuit logs a client in and returns it ready for b.N round trips.
func newCircuit(b testing.TB, user, plan string, request, answer []string) *circuit {
	b.Helper()
	planner := &fakePlanner{plans: map[string]*rewrite.Plan{}}
	planner.version.Store(1)
	planner.add(b, plan)
	policy := compiled(b, policySpec)
	l := &circuit{b: b, buf: make([]byte, 1<<20)}
	notation := &pgwiretest.Notation{}
	for _, line := range request {
		l.request = append(l.request, encode(b, notation, pgwiretest.Client, line)...)
	}
	for _, line := range answer {
		l.answer = append(l.answer, encode(b, notation, pgwiretest.Server, line)...)
	}
	server := listen(b)
	go l.serve(server)
	proxy := listen(b)
	srv := &session.Server{
		Relay: &Relay{Network: "tcp", Address: server.Addr().String()},
		Options: session.Options{
			Policy: func() *masking.Policy { return policy }, Planner: planner, Catalogs: planner,
			Audit: discard{}, Log: zerolog.Nop(), Metrics: &session.Metrics{},
		},
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(proxy) }()
	client, err := net.Dial("tcp", proxy.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		client.Close()
		srv.Close()
		<-done
	})
	l.client = client
	l.write(pgwire.AppendStartup(nil, pgwire.Version30, []pgwire.Parameter{{Name: "user", Value: user}}))
	l.readUntilReady()
	l.write(l.request)
	l.got = l.readUntilReady()
	return l
}

func listen(b testing.TB) net.Listener {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return l
}

func encode(b testing.TB, n *pgwiretest.Notation, side pgwiretest.Side, line string) []byte {
	b.Helper()
	m, err := n.Encode(side, line)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func (l *circuit) write(p []byte) {
	if _, err := l.client.Write(p); err != nil {
		l.b.Fatal(err)
	}
}

// readUntilReady reads one answer and returns its length.
func (l *circuit) readUntilReady() int {
	total := 0
	for {
		n, err := l.client.Read(l.buf[total:])
		if err != nil {
			l.b.Fatal(err)
		}
		total += n
		if total >= 6 && l.buf[total-6] == pgwire.MsgReadyForQuery && l.buf[total-2] == 5 {
			return total
		}
	}
}

// serve plays the server: it lets anybody in, answers a question for the search
// path, and everything else by the answer.
func (l *circuit) serve(listener net.Listener) {
	nc, err := listener.Accept()
	if err != nil {
		return
	}
	defer nc.Close()
	c := protocol.NewConn(nc)
	in, out := pgwire.NewReader(c), pgwire.NewWriter(c)
	if _, err := in.Startup(); err != nil {
		return
	}
	for _, write := range []func() error{
		out.AuthenticationOK, func() error { return out.ReadyForQuery(pgwire.TxIdle) }, out.Flush,
	} {
		if write() != nil {
			return
		}
	}
	c.FlushOnWait(c)
	ours := false
	for {
		h, err := in.Next()
		if err != nil {
			return
		}
		switch h.Type {
		case pgwire.MsgParse:
			body, err := in.Body(1 << 20)
			if err != nil {
				return
			}
			ours = len(body) > 7 && string(body[:7]) == "sqlveil"
		case pgwire.MsgQuery:
			err = out.Write(l.answer)
		case pgwire.MsgSync:
			if ours {
				err = answerQuestion(out)
				ours = false
			} else {
				err = out.Write(l.answer)
			}
		}
		if err != nil {
			return
		}
	}
}

func answerQuestion(out *pgwire.Writer) error {
	for _, err := range []error{
		out.ParseComplete(), out.BindComplete(), out.DataRow([][]byte{[]byte("on")}), out.DataRow([][]byte{[]byte("UTF8")}),
		out.CommandComplete("SELECT 2"), out.CloseComplete(), out.CloseComplete(), out.ReadyForQuery(pgwire.TxIdle),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// turn is one round trip; it allocates nothing itself.
func (l *circuit) turn() {
	l.write(l.request)
	if _, err := io.ReadFull(l.client, l.buf[:l.got]); err != nil {
		l.b.Fatal(err)
	}
}

func (l *circuit) run(b *testing.B) {
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		l.turn()
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	simple := []string{`Query "SELECT id, mobile FROM person"`}
	extended := []string{`Parse "" "SELECT id, mobile FROM person"`, `Bind "" ""`, `Describe P ""`, `Execute "" 0`, `Sync`}
	row := `DataRow "1" "13800000001"`
	for _, bb := range []struct {
		name            string
		user, plan      string
		request, answer []string
	}{
		{
			"simple/open", "dba", "columns=id,mobile names", simple,
			[]string{`RowDescription id:int4 mobile:text`, row, `CommandComplete "SELECT 1"`, `ReadyForQuery I`},
		},
		{
			"simple/masked", "analyst", "columns=id,mobile! names", simple,
			[]string{`RowDescription id:int4 mobile:text`, row, `CommandComplete "SELECT 1"`, `ReadyForQuery I`},
		},
		{
			"simple/nothing masked", "analyst", "columns=id,mobile names", simple,
			[]string{`RowDescription id:int4 mobile:text`, row, `CommandComplete "SELECT 1"`, `ReadyForQuery I`},
		},
		{
			"extended/open", "dba", "columns=id,mobile names", extended,
			[]string{`ParseComplete`, `BindComplete`, `RowDescription id:int4 mobile:text`, row, `CommandComplete "SELECT 1"`, `ReadyForQuery I`},
		},
		{
			"extended/masked", "analyst", "columns=id,mobile! names", extended,
			[]string{`ParseComplete`, `BindComplete`, `RowDescription id:int4 mobile:text`, row, `CommandComplete "SELECT 1"`, `ReadyForQuery I`},
		},
	} {
		b.Run(bb.name, func(b *testing.B) {
			newCircuit(b, bb.user, `"SELECT id, mobile FROM person" `+bb.plan, bb.request, bb.answer).run(b)
		})
	}
}

func BenchmarkRows(b *testing.B) {
	const rows = 1000
	request := []string{`Query "SELECT * FROM person"`}
	row := `DataRow "1" "13800000001" "name" "a longer text of some forty characters.." "2024-01-01" "42" "3.14" "t"`
	answer := []string{`RowDescription id:int4 mobile:text a:text b:text c:text d:text e:text f:text`}
	for range rows {
		answer = append(answer, row)
	}
	answer = append(answer, `CommandComplete "SELECT 1000"`, `ReadyForQuery I`)
	for _, bb := range []struct{ name, user, columns string }{
		{"open", "dba", "id,mobile,a,b,c,d,e,f"},
		{"nothing masked", "analyst", "id,mobile,a,b,c,d,e,f"},
		{"1 of 8 masked", "analyst", "id,mobile!,a,b,c,d,e,f"},
		{"3 of 8 masked", "analyst", "id,mobile!,a!,b!,c,d,e,f"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			l := newCircuit(b, bb.user, `"SELECT * FROM person" names columns=`+bb.columns, request, answer)
			l.run(b)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
