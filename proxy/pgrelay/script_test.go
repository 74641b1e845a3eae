package pgrelay

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sqlveil/auditlog"
	"sqlveil/masking"
	"sqlveil/protocol/pgwire/pgwiretest"
	"sqlveil/proxy/session"
	"sqlveil/rewrite"
)

// TestScripts plays the conversations of testdata. The lines of a script are
//
//	role NAME           who the client is: analyst or dba; the script then starts after the login
//	plan "SQL" WORDS    what the planner makes of a text; see parsePlan
//	> MESSAGE           the client sends
//	+ MESSAGE           the server gets
//	< MESSAGE           the server sends
//	= MESSAGE           the client gets
//	>+ MESSAGE          the client sends and the server gets
//	<= MESSAGE          the server sends and the client gets
//	tx STATE            of the transaction that settle finds
//	catalog NUMBER      the catalog has this version from now on
//	policy              the policy is replaced by an equal one
//	auditfail           the audit log cannot be written from now on
//	client gone         the client closes its connection
//	server gone         the server closes its connection
//	settle N PATH       the server is asked for the search path, as its Nth question, between two batches
//	settle-in N PATH    the same within a batch
//	= end, + end        the client, the server sees its connection closed
//	audit WORDS         at the end: the records of statements, in order
//
// Names of ours in messages have their random part removed.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i, part := range strings.Split(string(text), "\n----\n") {
				t.Run(strconv.Itoa(i+1), func(t *testing.T) { play(t, part) })
			}
		})
	}
}

// A stage is where a script is played.
type stage struct {
	t              *testing.T
	client, server *pgwiretest.Peer
	planner        *fakePlanner
	audit          *memory
	policy         atomic.Pointer[masking.Policy]
	notation       *pgwiretest.Notation
	relay          *Relay
	srv            *session.Server
	records        []string
	tx             string // state of the transaction for settle
}

func newStage(t *testing.T) *stage {
	st := &stage{
		t: t, tx: "I", planner: &fakePlanner{plans: map[string]*rewrite.Plan{}}, audit: &memory{},
		notation: &pgwiretest.Notation{Columns: map[string]pgwiretest.Origin{
			"person.id":     {Table: 20000, Attribute: 1},
			"person.mobile": {Table: 20000, Attribute: 2},
		}},
	}
	st.planner.version.Store(1)
	st.policy.Store(compiled(t, policySpec))
	server, serverEnd := pgwiretest.Pipe(t, pgwiretest.Server, st.notation)
	client, clientEnd := pgwiretest.Pipe(t, pgwiretest.Client, st.notation)
	st.client, st.server = client, server
	for _, p := range []*pgwiretest.Peer{client, server} {
		if err := p.Conn().SetDeadline(time.Now().Add(pgwiretest.Patience)); err != nil {
			t.Fatal(err)
		}
	}
	st.relay = &Relay{
		Network: "pipe", Address: "server",
		Dial: func(context.Context, string, string) (net.Conn, error) { return serverEnd, nil },
	}
	st.srv = &session.Server{Relay: st.relay, Options: session.Options{
		Listener: "test", Protocol: "postgres", Policy: st.policy.Load, Planner: st.planner, Catalogs: st.planner,
		Audit: st.audit, Log: zerolog.New(zerolog.NewTestWriter(t)), Metrics: &session.Metrics{},
	}}
	l := &oneConn{conn: clientEnd, closed: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- st.srv.Serve(l) }()
	t.Cleanup(func() {
		client.Close()
		server.Close()
		st.srv.Close()
		<-done
	})
	return st
}

// oneConn is a listener with a single connection.
type oneConn struct {
	conn   net.Conn
	given  atomic.Bool
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.given.CompareAndSwap(false, true) {
		return l.conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}
func (l *oneConn) Addr() net.Addr { return nil }

// logIn plays a login without password.
func (st *stage) logIn(user string) {
	startup := fmt.Sprintf(`Startup user=%s database=db`, user)
	st.client.Send(startup)
	st.server.ExpectStartup(startup)
	st.server.Send("AuthenticationOk", `ParameterStatus "server_version" "15.4"`, `ParameterStatus "client_encoding" "UTF8"`,
		`BackendKeyData 4711 x"01020304"`, "ReadyForQuery I")
	st.client.Expect("AuthenticationOk", `ParameterStatus "server_version" "15.4"`, `ParameterStatus "client_encoding" "UTF8"`,
		`BackendKeyData 4711 x"01020304"`, "ReadyForQuery I")
}

func play(t *testing.T, script string) {
	st := newStage(t)
	at := ""
	defer func() {
		if at != "" {
			t.Logf("at %s", at)
		}
	}()
	s := bufio.NewScanner(strings.NewReader(script))
	for n := 1; s.Scan(); n++ {
		line := strings.TrimSpace(s.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		at = fmt.Sprintf("line %d: %s", n, line)
		st.line(word, rest)
	}
	at = ""
	st.checkAudit()
}

func (st *stage) line(word, rest string) {
	switch word {
	case "role":
		st.logIn(rest)
	case "tx":
		st.tx = rest
	case "plan":
		st.planner.add(st.t, rest)
	case ">":
		st.client.Send(rest)
	case "+":
		st.expect(st.server, rest)
	case "<":
		st.server.Send(rest)
	case "=":
		st.expect(st.client, rest)
	case ">+":
		st.client.Send(rest)
		st.expect(st.server, rest)
	case "<=":
		st.server.Send(rest)
		st.expect(st.client, rest)
	case "settle", "settle-in":
		st.settle(word == "settle", strings.Fields(rest))
	case "catalog":
		version, err := strconv.ParseUint(rest, 10, 64)
		if err != nil {
			st.t.Fatal(err)
		}
		st.planner.version.Store(version)
	case "policy":
		st.policy.Store(compiled(st.t, policySpec))
	case "auditfail":
		st.audit.fail.Store(true)
	case "client":
		st.client.Close()
	case "server":
		st.server.Close()
	case "audit":
		st.records = append(st.records, rest)
	default:
		st.t.Fatalf("no such word: %s", word)
	}
}

// settle plays a question for the search path and its answer.
func (st *stage) settle(idle bool, path []string) {
	st.t.Helper()
	name := strconv.Quote("sqlveil_q" + path[0])
	st.expect(st.server, "Parse "+name+" "+strconv.Quote(surroundings))
	st.expect(st.server, "Bind "+name+" "+name)
	st.expect(st.server, "Execute "+name+" 0")
	st.expect(st.server, "Close P "+name)
	st.expect(st.server, "Close S "+name)
	last := "Flush"
	if idle {
		last = "Sync"
	}
	st.expect(st.server, last)
	answers := []string{"ParseComplete", "BindComplete", `DataRow "on"`, `DataRow "UTF8"`}
	for _, schema := range path[1:] {
		answers = append(answers, "DataRow "+strconv.Quote(schema))
	}
	answers = append(answers, `CommandComplete "SELECT 4"`, "CloseComplete", "CloseComplete")
	if idle {
		answers = append(answers, "ReadyForQuery "+st.tx)
	}
	st.server.Send(answers...)
}

var reserved = regexp.MustCompile(`sqlveil_[A-Z0-9]+_`)

func (st *stage) expect(p *pgwiretest.Peer, want string) {
	st.t.Helper()
	if want == "end" {
		p.ExpectEnd()
		return
	}
	if got := reserved.ReplaceAllString(p.Next(), "sqlveil_"); got != want {
		st.t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// checkAudit compares the records of statements.
func (st *stage) checkAudit() {
	if st.records == nil {
		return
	}
	st.client.Close()
	st.server.Close()
	st.srv.Close()
	var got []string
	for _, e := range st.audit.events {
		switch e.Kind {
		case auditlog.QueryBegin, auditlog.QueryRefuse:
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.Kind, e.Statement.Command, e.Decision.Verdict, e.Decision.Code)))
		case auditlog.QueryEnd:
			how := cmp.Or(e.Result.SQLState, e.Result.Ended, "ok")
			got = append(got, fmt.Sprintf("%s %s %s rows=%d masked=%d", e.Kind, e.Statement.Command, how, e.Result.Rows, e.Result.MaskedCells))
		case auditlog.Alert:
			got = append(got, string(e.Kind))
		}
	}
	if g, w := strings.Join(got, "\n"), strings.Join(st.records, "\n"); g != w {
		st.t.Errorf("audit\n%s\nwant\n%s", g, w)
	}
}

// A fakePlanner knows the plans that a script lists, and plays the catalogs too.
type fakePlanner struct {
	mu      sync.Mutex // guards the maps
	plans   map[string]*rewrite.Plan
	cached  map[string][]*rewrite.Plan
	version atomic.Uint64
	fresh   atomic.Int64
}

// add parses
//
//	"SELECT mobile FROM person" SELECT columns=id,mobile! path uses touches
//
// where ! masks a column, and path, catalog, opaque, begin, end, into, forgetall
// and names (it reads names) are effects without, declare=, fetch=, execute=,
// forget= and prepare= effects with a name. "prepared" and "cursor" name other
// plans by their text.
func (f *fakePlanner) add(t testing.TB, line string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cached = nil
	text, rest := unquoted(t, line)
	plan := &rewrite.Plan{Text: text, SQL: text, Fingerprint: "f", Kind: rewrite.Kind(strings.ToUpper(strings.Fields(text)[0]))}
	e := &plan.Effect
	for rest != "" {
		var word string
		word, rest, _ = strings.Cut(strings.TrimSpace(rest), " ")
		key, val, _ := strings.Cut(word, "=")
		switch key {
		case "columns":
			plan.Rows = true
			for name := range strings.SplitSeq(val, ",") {
				plan.Outputs = append(plan.Outputs, f.output(t, name))
				plan.Masked = plan.Masked || strings.HasSuffix(name, "!")
			}
			plan.Touches = plan.Touches || plan.Masked
		case "names":
			e.ReadsPath = true
		case "touches":
			plan.Touches = true
		case "path":
			e.Path = true
		case "catalog":
			e.Catalog = true
		case "opaque":
			e.Opaque = true
		case "begin":
			e.Begin = true
		case "end":
			e.End = true
		case "forgetall":
			e.ForgetAll = true
		case "declare":
			e.Declare = val
			text, rest = unquoted(t, rest)
			e.Cursor = f.plans[text]
		case "prepare":
			e.Prepare = val
			e.Prepared, rest = unquoted(t, rest)
		case "sql":
			plan.SQL, rest = unquoted(t, rest)
		case "fetch":
			e.Fetch, plan.Rows = val, true
		case "execute":
			e.Execute = val
		case "forget":
			e.Forget = val
		case "copy":
			plan.Copy = &rewrite.CopyFormat{Format: val}
		case "guard":
			plan.Guards = []rewrite.Guard{{Param: 1, Column: val, Mask: masking.Redact}}
		case "refuse":
			plan.Refuse = &rewrite.Refusal{Code: val, Message: "not for you", Hint: "Ask."}
		default:
			t.Fatalf("plan: %s", word)
		}
	}
	f.plans[plan.Text] = plan
}

func unquoted(t testing.TB, line string) (text, rest string) {
	t.Helper()
	prefix, err := strconv.QuotedPrefix(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	text, err = strconv.Unquote(prefix)
	if err != nil {
		t.Fatal(err)
	}
	return text, strings.TrimSpace(line)[len(prefix):]
}

func (f *fakePlanner) output(t testing.TB, name string) rewrite.Output {
	column := &rewrite.TableColumn{Type: "text"}
	name, masked := strings.CutSuffix(name, "!")
	o := rewrite.Output{Name: name, Sources: []*rewrite.TableColumn{column}}
	if masked {
		policy := compiled(t, policySpec)
		label, _ := policy.Label(masking.Column{Database: "db", Schema: "public", Table: "person", Name: "mobile"})
		o.Mask = policy.Role("analyst").Mask(label)
	}
	return o
}

// Plan implements session.Planner.
func (f *fakePlanner) Plan(_ rewrite.Scope, text string) []*rewrite.Plan {
	f.mu.Lock()
	defer f.mu.Unlock()
	if plans, ok := f.cached[text]; ok {
		return plans
	}
	if f.cached == nil {
		f.cached = map[string][]*rewrite.Plan{}
	}
	f.cached[text] = f.planAnew(text)
	return f.cached[text]
}

func (f *fakePlanner) planAnew(text string) []*rewrite.Plan {
	var plans []*rewrite.Plan
	start := 0
	for part := range strings.SplitSeq(text, ";") {
		end := start + len(part)
		if trimmed := strings.TrimSpace(part); trimmed != "" {
			plan := &rewrite.Plan{Kind: "UNKNOWN", Refuse: &rewrite.Refusal{Code: "SV200", Message: "no plan for " + trimmed}}
			if known := f.plans[trimmed]; known != nil {
				copied := *known
				plan = &copied
			}
			plan.Start, plan.End = end-len(strings.TrimLeft(part, " ")), end
			plans = append(plans, plan)
		}
		start = end + 1
	}
	return plans
}

// Cached implements session.Planner.
func (f *fakePlanner) Cached(scope rewrite.Scope, text string) ([]*rewrite.Plan, bool) {
	return f.Plan(scope, text), true
}

// Literals implements session.Planner.
func (f *fakePlanner) AppendLiterals([]string, rewrite.Scope, string) []string { return nil }

type fakeCatalog uint64

func (c fakeCatalog) Version() uint64 { return uint64(c) }

// Label knows one column: person.mobile.
func (c fakeCatalog) Label(p *masking.Policy, column *rewrite.TableColumn) (masking.Label, bool) {
	if column.Rel == 20000 && column.Att == 2 {
		return p.Label(masking.Column{Database: "db", Schema: "public", Table: "person", Name: "mobile"})
	}
	return masking.Label{}, false
}

func (f *fakePlanner) Current(context.Context, string) (rewrite.Catalog, error) {
	return fakeCatalog(f.version.Load()), nil
}

func (f *fakePlanner) Known(context.Context, string) (rewrite.Catalog, error) {
	return fakeCatalog(f.version.Load()), nil
}

func (f *fakePlanner) Fresh(context.Context, string) (rewrite.Catalog, error) {
	f.fresh.Add(1)
	return fakeCatalog(f.version.Load()), nil
}

func (f *fakePlanner) Verified(ctx context.Context, database string) (rewrite.Catalog, error) {
	return f.Fresh(ctx, database)
}

func (f *fakePlanner) Local(ctx context.Context, _ string, _ []rewrite.TemporaryTable, ask func(context.Context, string) ([][]*string, error)) (rewrite.Catalog, error) {
	if _, err := ask(ctx, "local catalog"); err != nil {
		return nil, err
	}
	return fakeCatalog(1000), nil
}

func (f *fakePlanner) Changed(string) {}
