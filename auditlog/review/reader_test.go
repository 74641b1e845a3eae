package review

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"sqlveil/auditlog"
)

// plainRecord is a record as encoding/json reads it.
type plainRecord struct {
	Seq  uint64
	TS   time.Time
	Kind string
	Ref  uint64
	Sess struct{ ID, Listener, TLS, Client, App string }
	Who  struct{ Login, Role, Person string }
	Stmt struct{ Command, Class, FP, Text, Hash, Sealed string }
	Obj  []Object
	Subj struct {
		N    int64
		Keys []string
	}
	Result struct {
		OK       bool
		SQLState string
		Rows     int64
		US       int64
	}
	Detail map[string]string
}

func line(e *auditlog.Event) []byte {
	text := auditlog.AppendJSON(nil, e)
	return append([]byte(`{"v":1,"seq":77,`), text[len(`{"v":1,`):]...)
}

func checkParse(t *testing.T, text []byte) {
	t.Helper()
	var want plainRecord
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	r, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	objects, err := r.objects()
	if err != nil {
		t.Fatal(err)
	}
	got := plainRecord{Seq: r.Seq, TS: r.Time, Kind: r.Kind, Ref: r.Ref, Sess: r.Session, Who: r.Who, Obj: objects, Detail: r.Detail}
	got.Stmt.Command, got.Stmt.Class, got.Stmt.FP, got.Stmt.Text, got.Stmt.Hash, got.Stmt.Sealed = r.Statement.Command, r.Statement.Class, r.Statement.Fingerprint, r.Statement.Text, r.Statement.Hash, r.Statement.Sealed
	got.Subj.N, got.Subj.Keys = r.Subjects.Count, r.Subjects.Keys
	got.Result.OK, got.Result.SQLState, got.Result.Rows, got.Result.US = r.Result.OK, r.Result.SQLState, r.Result.Rows, r.Result.Micros
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\ngot  %+v\nwant %+v", text, got, want)
	}
}

func fullEvent(text string, n int64) *auditlog.Event {
	return &auditlog.Event{
		Kind: auditlog.QueryEnd, Time: time.Date(2026, 2, 3, 4, 5, 6, 7000, time.UTC), Ref: 5,
		Session:   auditlog.Session{ID: "s", Listener: text, TLS: "1.3", Client: "10.0.0.1:5", Application: text},
		Who:       auditlog.Who{Login: text, Role: "r", Person: text, Verified: true},
		Statement: auditlog.Statement{ID: 3, Command: "SELECT", Class: "READ", Fingerprint: "f", Text: text, Hash: "h", Sealed: []byte(text)},
		Objects:   []auditlog.Object{{Column: text, Class: "c", Level: "l", In: "output", Released: "clear"}},
		Decision:  auditlog.Decision{Verdict: "mask", Masks: []auditlog.MaskedColumn{{Column: text, Mask: "m"}}},
		Result:    auditlog.Result{OK: n%2 == 0, SQLState: "00000", Rows: n, Micros: 9},
		Subjects:  auditlog.Subjects{Count: 2, Keys: []auditlog.SubjectKey{{1}, {2}}},
		Gap:       auditlog.Gap{Count: 3, Reason: text},
		Detail:    []auditlog.Detail{{Key: "k", Value: text}},
	}
}

func TestParseAgreesWithEncodingJSON(t *testing.T) {
	for _, text := range []string{"", "plain", `q"uo\te`, "客户\n\x00\u202e", "\xff"} {
		checkParse(t, line(fullEvent(text, 7)))
	}
}

func FuzzParse(f *testing.F) {
	f.Add("text", int64(4), []byte(`{"kind":"x"}`))
	f.Add("\"\\\xff", int64(-9), []byte(`{"kind":"x","a":[{"b":[1,true,null]}],"c":-5}`))
	f.Fuzz(func(t *testing.T, text string, n int64, rubbish []byte) {
		checkParse(t, line(fullEvent(text, n)))
		// Rubbish must do no harm. Whether it is a record, verify says.
		if r, err := parse(rubbish); err == nil && r.Kind == "" {
			t.Errorf("%q is taken for a record without a kind", rubbish)
		}
	})
}
