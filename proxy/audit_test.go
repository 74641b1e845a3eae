package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sqlveil/auditlog"
	"sqlveil/auditlog/auditlogtest"
	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/review"
	"sqlveil/auditlog/segment"
)

// audited makes a small log and returns its directory.
func audited(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	l, err := auditlog.Open(auditlog.Options{Directory: dir, Node: "px-01", SealText: true, SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := auditlogtest.New(l, 1).Fill(l, 400); err != nil {
		t.Fatal(err)
	}
	sealed, err := l.NewSealer().Seal(nil, "select '老张'")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []auditlog.Event{
		{
			Kind: auditlog.QueryBegin, Time: time.Date(2026, 11, 21, 3, 0, 0, 0, time.Local),
			Who:       auditlog.Who{Login: "crm_ro", Role: "support", Person: "张伟"},
			Statement: auditlog.Statement{Command: "SELECT", Fingerprint: "fp", Text: "select 客户 from t where a = ?", Sealed: sealed},
			Objects:   []auditlog.Object{{Column: "crm.public.t.mobile", Class: "mobile", Level: "confidential", In: "output", Released: "clear"}},
			Subjects:  auditlog.Subjects{Count: 1, Keys: []auditlog.SubjectKey{l.NewSubjectHasher().Key("mobile", []byte("13800138000"))}},
		},
		{Kind: auditlog.AuthFail, Session: auditlog.Session{Application: "=cmd()\x1b[2J"}, Who: auditlog.Who{Login: "=evil"}},
	} {
		if _, err := l.Append(&e, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// audit runs an audit command and returns what it printed.
func audit(t *testing.T, wantCode int, args ...string) (stdout string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(context.Background(), append([]string{"audit"}, args...), &out, &errs); code != wantCode {
		t.Fatalf("audit %q: exit status %d, want %d\n%s%s", args, code, wantCode, out.String(), errs.String())
	}
	return out.String() + errs.String()
}

func mustContain(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in\n%s", w, text)
		}
	}
}

// A directory that holds no log is not made one by looking into it.
func TestAuditOfNoLog(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{"search"}, {"tail"}, {"show", "1"}, {"verify"}, {"prove", "1"}, {"hold", "x"}, {"rotate-key"}, {"export"}, {"index"}, {"who-saw", "1"}, {"no-tls"},
	} {
		mustContain(t, audit(t, 1, append(args, "-d", dir)...), "holds no audit log")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("%d files were made (%v)", len(files), err)
	}
}

func TestAuditVerifyAndProve(t *testing.T) {
	dir := audited(t)
	keys := filepath.Join(dir, segment.KeyDirectory)
	mustContain(t, audit(t, exitOK, "verify", dir), "the log is whole")
	mustContain(t, audit(t, exitOK, "verify", dir, "--auditor", filepath.Join(keys, chain.AuditorFile)), "authentication codes")
	mustContain(t, audit(t, exitOK, "verify", dir, "--json"), `"findings":[]`)

	proof := filepath.Join(t.TempDir(), "proof.json")
	if err := os.WriteFile(proof, []byte(audit(t, exitOK, "prove", "-d", dir, "5")), 0o600); err != nil {
		t.Fatal(err)
	}
	mustContain(t, audit(t, exitOK, "prove", "--check", proof, "--key", filepath.Join(keys, chain.VerifyFile)), "the record is in the log", `"seq":5,`)
	other := audited(t)
	audit(t, exitFailed, "prove", "--check", proof, "--key", filepath.Join(other, segment.KeyDirectory, chain.VerifyFile))
	audit(t, exitFailed, "prove", "-d", dir, "999999")
	audit(t, exitUsage, "prove", "-d", dir, "five")
	audit(t, exitUsage, "prove", "-d", dir)
	audit(t, exitUsage, "verify", "a", "b")
	audit(t, exitFailed, "verify", filepath.Join(dir, "missing"))

	files, err := segment.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	last := files[len(files)-1].Path
	text, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(last, bytes.Replace(text, []byte("crm_ro"), []byte("crm_rw"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	mustContain(t, audit(t, exitFailed, "verify", dir), "was changed", filepath.Base(files[len(files)-1].Name), "not on record")
}

func TestAuditQuestions(t *testing.T) {
	dir := audited(t)
	out := audit(t, exitOK, "search", "-d", dir, "--user", "张伟")
	mustContain(t, out, "张伟", "select 客户 from t where a = ?", "clear", "1 row", "2026-11-21 03:00:00")
	if lines := strings.Split(out, "\n"); width(lines[0][:strings.Index(lines[0], "verdict")]) != width(lines[1][:strings.Index(lines[1], "clear")])-(strings.Index(lines[0], "released")-strings.Index(lines[0], "verdict")) {
		t.Errorf("the columns are not aligned:\n%s", out)
	}
	mustContain(t, audit(t, exitOK, "who-saw", "-d", dir, "13800138000"), "张伟", "crm.public.t.mobile clear", "1 row")
	mustContain(t, audit(t, exitOK, "who-saw", "-d", dir, "13800138001"), "0 rows")
	mustContain(t, audit(t, exitOK, "off-hours", "-d", dir, "--since", "2026-11-21", "--until", "2026-11-22"), "张伟", "1 row")
	mustContain(t, audit(t, exitOK, "clear-reads", "-d", dir, "--user", "张伟"), "mobile", "1 row")
	mustContain(t, audit(t, exitOK, "export", "-d", dir, "--kind", "query.begin", "--since", "2026-11-21"), `"person":"张伟"`, `"mac":"`)
	mustContain(t, audit(t, exitOK, "export", "-d", dir, "--format", "csv", "--since", "2026-11-21"), "number,time,kind")
	for _, command := range []string{"released", "first-access", "refused", "bursts", "changes", "shared-logins", "no-tls", "unresolved", "enumeration"} {
		audit(t, exitOK, command, "-d", dir)
	}
	for _, wrong := range [][]string{
		{"search", "--since", "soon"},
		{"search", "-o", "xml"},
		{"released", "--per", "month"},
		{"off-hours", "--from", "noon"},
		{"export", "--format", "pdf"},
		{"who-saw"},
		{"search", "--copy", "extra"},
	} {
		audit(t, exitUsage, append(wrong, "-d", dir)...)
	}
	mustContain(t, audit(t, exitOK, "verify", dir), "the log is whole")
}

func TestAuditOutputIsInert(t *testing.T) {
	dir := audited(t)
	table := audit(t, exitOK, "search", "-d", dir, "--kind", "auth.fail")
	mustContain(t, table, "=evil", "1 row")
	for _, format := range []string{"csv", "json", "table"} {
		if out := audit(t, exitOK, "search", "-d", dir, "-o", format, "--kind", "auth.fail"); strings.ContainsRune(out, 0x1b) {
			t.Errorf("%s obeys the log: %q", format, out)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(audit(t, exitOK, "search", "-d", dir, "-o", "csv", "--kind", "auth.fail"))).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][3] != "'=evil" {
		t.Errorf("CSV %q, %v", rows, err)
	}
	for line := range strings.Lines(audit(t, exitOK, "search", "-d", dir, "-o", "json", "--limit", "5")) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil || row["number"] == nil {
			t.Errorf("JSON %q: %v", line, err)
		}
	}
}

func TestAuditShowAndTail(t *testing.T) {
	dir := audited(t)
	rows := audit(t, exitOK, "search", "-d", dir, "--user", "张伟", "-o", "json")
	var row struct{ Number uint64 }
	if err := json.Unmarshal([]byte(rows), &row); err != nil {
		t.Fatal(err)
	}
	number := strconv.FormatUint(row.Number, 10)
	if out := audit(t, exitOK, "show", "-d", dir, number); strings.Contains(out, "老张") {
		t.Errorf("the original is shown without the auditor's key:\n%s", out)
	}
	mustContain(t, audit(t, exitOK, "show", "-d", dir, number, "--auditor", filepath.Join(dir, segment.KeyDirectory, chain.AuditorFile)), "original: select '老张'", `"kind": "query.begin"`)
	mustContain(t, audit(t, exitOK, "tail", "-d", dir, "-n", "3"), "audit.read", "seq="+number)
	mustContain(t, audit(t, exitOK, "tail", "-d", dir, "-n", "1", "-o", "json"), `"kind":"audit.read"`)
	mustContain(t, audit(t, exitOK, "tail", "-d", dir, "-n", "1", "-o", "csv"), "audit.read")
}

func TestEveryAuditCommandIsOnRecord(t *testing.T) {
	dir := audited(t)
	commands := [][]string{
		{"tail"},
		{"search"},
		{"show", "3"},
		{"who-saw", "4711"},
		{"export"},
		{"prove", "3"},
		{"verify"},
	}
	for _, q := range questions() {
		if q.Name() != "unused-grants" { // asks for a configuration
			commands = append(commands, []string{q.Name()})
		}
	}
	for _, command := range commands {
		audit(t, exitOK, append(command, "-d", dir)...)
	}
	rows := audit(t, exitOK, "search", "-d", dir, "--kind", "audit.read", "--limit", "0", "-o", "csv")
	for _, command := range commands {
		mustContain(t, rows, "command="+command[0])
	}
	if strings.Contains(rows, "4711") {
		t.Errorf("the record of a look holds the value asked about:\n%s", rows)
	}
	before := strings.Count(rows, ",audit.read,")
	audit(t, exitOK, "search", "-d", dir, "--copy")
	if after := strings.Count(audit(t, exitOK, "search", "-d", dir, "--kind", "audit.read", "--limit", "0", "-o", "csv"), ",audit.read,"); after != before+1 {
		t.Errorf("%d looks on record, want %d: --copy is not to record", after, before+1)
	}
}

func TestAuditHoldAndKeys(t *testing.T) {
	dir := audited(t)
	audit(t, exitOK, "hold", "-d", dir, "case-7", "--reason", "court", "--from", "2026-01-01")
	mustContain(t, audit(t, exitOK, "hold", "-d", dir), "case-7", "court", "2026-01-01")
	audit(t, exitOK, "hold", "-d", dir, "case-7", "--lift")
	audit(t, exitFailed, "hold", "-d", dir, "case-7", "--lift")
	audit(t, exitOK, "rotate-key", "-d", dir)
	mustContain(t, audit(t, exitOK, "verify", dir, "--auditor", filepath.Join(dir, segment.KeyDirectory, chain.AuditorFile)), "the log is whole")

	out, auditor := filepath.Join(t.TempDir(), "keys"), filepath.Join(t.TempDir(), "auditor.key")
	mustContain(t, audit(t, exitOK, "keygen", "--out", out, "--auditor", auditor), chain.KeyName)
	audit(t, exitFailed, "keygen", "--out", out, "--auditor", auditor)
	audit(t, exitUsage, "keygen")
}

func TestGrantsOfAPolicy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	policy := `
version: 1
levels: [public, internal, confidential, restricted]
classes:
  mobile: {level: confidential, mask: {partial: {first: 3, last: 4}}}
  salary: {level: restricted, mask: {"null": {}}}
columns: {"*.*.*.mobile": mobile, "*.*.*.salary": salary}
roles:
  analyst: {clearance: internal}
  support: {clearance: internal, unmask: [mobile]}
  dba: {clearance: restricted}
callers: [{user: "*", role: analyst}]
`
	if err := os.WriteFile(path, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	grants, err := grantsOf(path)
	want := []review.Grant{{Role: "dba", Class: "mobile"}, {Role: "dba", Class: "salary"}, {Role: "support", Class: "mobile"}}
	if err != nil || len(grants) != len(want) {
		t.Fatalf("grants %v, %v", grants, err)
	}
	for i := range want {
		if grants[i] != want[i] {
			t.Errorf("grant %v, want %v", grants[i], want[i])
		}
	}
}

func TestParseMoment(t *testing.T) {
	now := time.Date(2026, 11, 23, 16, 15, 2, 0, time.FixedZone("CST", 8*3600))
	for text, want := range map[string]string{
		"now":                       "2026-11-23T16:15:02+08:00",
		"today":                     "2026-11-23T00:00:00+08:00",
		"yesterday":                 "2026-11-22T00:00:00+08:00",
		"7d":                        "2026-11-16T16:15:02+08:00",
		"90m":                       "2026-11-23T14:45:02+08:00",
		"2026-11-01":                "2026-11-01T00:00:00+08:00",
		"2026-11-01 10:30":          "2026-11-01T10:30:00+08:00",
		"2026-11-01T10:30:00Z":      "2026-11-01T10:30:00Z",
		"2026-11-01T10:30:00+02:00": "2026-11-01T10:30:00+02:00",
	} {
		got, err := parseMoment(text, now)
		if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%q is %s, %v, want %s", text, got.Format(time.RFC3339), err, want)
		}
	}
	for _, text := range []string{"soon", "-5m", "-7d", "23.11.2026", "2026-13-01"} {
		if got, err := parseMoment(text, now); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}

func TestBar(t *testing.T) {
	got := bar("verify", 25, 100, 10*time.Second)
	if want := "\r\x1b[Kverify [#######.......................]  25%, 30s left"; got != want {
		t.Errorf("bar %q, want %q", got, want)
	}
	if got := bar("verify", 100, 100, time.Second); got != "\r\x1b[K" {
		t.Errorf("the last bar is %q", got)
	}
	if progress(new(bytes.Buffer), "x") != nil {
		t.Error("a bar is drawn in a file")
	}
}
