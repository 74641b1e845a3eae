package auditlog

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sqlveil/auditlog/segment"
)

func TestEveryLookIsOnRecord(t *testing.T) {
	for name, dir := range map[string]string{
		"short path": t.TempDir(),
		"long path":  filepath.Join(t.TempDir(), strings.Repeat("long", 30)),
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Directory: dir, Node: "px-01", IntakeBytes: 1 << 20}
			look := Request{Look: &Look{Command: "search", Query: "user=ann", Rows: 7}}
			l := openLog(t, o)
			if err := Ask(o, look); err != nil { // through the process that writes
				t.Error(err)
			}
			if err := Ask(o, Request{RotateKey: true}); err != nil {
				t.Error(err)
			}
			if err := Ask(o, Request{Hold: &Hold{Name: "a", Reason: "b"}}); err != nil {
				t.Error(err)
			}
			if holds, err := Holds(dir); err != nil || len(holds) != 1 || holds[0].By != userName(os.Getuid()) || holds[0].Set.IsZero() {
				t.Errorf("holds %+v, %v", holds, err)
			}
			if err := Ask(o, Request{Lift: "x"}); err == nil || !strings.Contains(err.Error(), `"x"`) {
				t.Errorf("lifting what is not there: %v", err)
			}
			if err := Ask(o, Request{}); err == nil {
				t.Error("an empty request is carried out")
			}
			closeLog(t, l)
			if err := Ask(o, look); err != nil { // by itself
				t.Error(err)
			}
			all := records(t, dir)
			if count(all, AuditRead) != 2 || count(all, LegalHold) != 1 || count(all, ChainKey) != 2 {
				t.Errorf("records %+v", all)
			}
			for _, r := range all {
				if r.Kind == AuditRead && r.Detail["query"] != "user=ann" {
					t.Errorf("record %+v", r)
				}
			}
			mustVerify(t, dir)
		})
	}
}

func TestControlSurvivesRubbish(t *testing.T) {
	l := openLog(t, Options{})
	for _, rubbish := range []string{"", "\n", "{", "[]\n", `{"look":5}` + "\n", strings.Repeat("x", 2*requestLimit)} {
		conn, err := net.DialTimeout("unix", l.path(segment.SocketFile), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(rubbish)) // the log may hang up before all is written
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := Ask(Options{Directory: l.options.Directory}, Request{Look: &Look{Command: "tail"}}); err != nil {
		t.Error(err)
	}
	conn, err := dialControl(l.options.Directory) // says nothing: must not hold up Close
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	within(t, 2*time.Second, "Close", func() { closeLog(t, l) })
}
