package anchor_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sqlveil/auditlog"
	"sqlveil/auditlog/anchor"
	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
	"sqlveil/auditlog/verify"
)

const note = "sqlveil-audit/x/1\n3\nabc+/=\n\n— sqlveil-audit AAAA+/==\n"

func open(t *testing.T, address string) anchor.Anchor {
	t.Helper()
	a, err := anchor.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func publish(t *testing.T, a anchor.Anchor) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := a.Publish(ctx, []byte(note)); err != nil {
		t.Error(err)
	}
}

func mustHold(t *testing.T, text []byte) {
	t.Helper()
	notes := anchor.Notes(text)
	if len(notes) != 1 || string(notes[0]) != note {
		t.Errorf("kept %q, the notes in it are %q", text, notes)
	}
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	a := open(t, "file://"+dir)
	publish(t, a)
	publish(t, a)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, files[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	mustHold(t, text)
	if err := open(t, "file:///no/such/directory").Publish(context.Background(), []byte(note)); err == nil {
		t.Error("a missing directory keeps checkpoints")
	}
}

func TestWebhook(t *testing.T) {
	var got []byte
	status := http.StatusNoContent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	defer server.Close()
	a := open(t, server.URL+"/in?token=secret")
	publish(t, a)
	mustHold(t, got)
	for _, status = range []int{http.StatusInternalServerError, http.StatusFound} {
		err := a.Publish(context.Background(), []byte(note))
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("status %d: %v", status, err)
		}
	}
	server.Close()
	if err := a.Publish(context.Background(), []byte(note)); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("no server: %v", err)
	}
	if strings.Contains(a.String(), "secret") {
		t.Errorf("the name %s holds a secret", a)
	}
}

func TestSyslogOverDatagrams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for network, address := range map[string]string{"udp": "127.0.0.1:0", "unixgram": path} {
		server, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		url := "syslog://" + path
		if network == "udp" {
			url = "syslog://" + server.LocalAddr().String()
		}
		publish(t, open(t, url))
		buf := make([]byte, 4096)
		if err := server.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := server.ReadFrom(buf)
		if err != nil || !bytes.HasPrefix(buf[:n], []byte("<109>1 20")) || bytes.ContainsRune(buf[:n], '\n') {
			t.Errorf("%s: %q, %v", network, buf[:n], err)
		}
		mustHold(t, buf[:n])
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSyslogOverTCP(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	got := make(chan []byte, 1)
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		text, _ := io.ReadAll(conn)
		got <- text
	}()
	publish(t, open(t, "syslog+tcp://"+server.Addr().String()))
	text := <-got
	var length int
	if _, err := fmt.Sscanf(string(text), "%d <109>", &length); err != nil || length != len(text)-len(fmt.Sprint(length))-1 {
		t.Errorf("%q: %v", text, err)
	}
	mustHold(t, text)
}

func TestOpenRefuses(t *testing.T) {
	for _, address := range []string{"", "ftp://x", "syslog://host", "%", "syslog+tcp://host", "file://relative/path", "file:", "https:///path", "https://u:secret@h:x/"} {
		if a, err := anchor.Open(address); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%q) = %v, %v", address, a, err)
		}
	}
}

// A log hands its checkpoints to anchors by itself, says on record when one is
// down, and what is kept convicts a directory that was rolled back.
func TestAnchoredLog(t *testing.T) {
	kept, dir := t.TempDir(), t.TempDir()
	gone := filepath.Join(t.TempDir(), "gone")
	l, err := auditlog.Open(auditlog.Options{
		Directory: dir, CheckpointEvery: 50 * time.Millisecond,
		Anchors: []auditlog.Anchor{open(t, "file://"+kept), open(t, "file://"+gone)},
	})
	if err != nil {
		t.Fatal(err)
	}
	write := func() {
		t.Helper()
		before, err := os.ReadDir(kept)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if _, err := l.Append(&auditlog.Event{Kind: auditlog.Alert}, true); err != nil {
				t.Fatal(err)
			}
			if after, err := os.ReadDir(kept); err != nil || len(after) > len(before) {
				return
			}
		}
		t.Fatal("no checkpoint reached the anchor")
	}
	write()
	down := func() (n int) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, segment.Name(1)+segment.Plain))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(text, []byte(`"kind":"audit.sink.down"`))
	}
	for deadline := time.Now().Add(10 * time.Second); down() == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no record says that an anchor is down")
		}
	}
	yesterday := t.TempDir()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(yesterday, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if l, err = auditlog.Open(auditlog.Options{Directory: dir, CheckpointEvery: 50 * time.Millisecond, Anchors: []auditlog.Anchor{open(t, "file://"+kept)}}); err != nil {
		t.Fatal(err)
	}
	write()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	verifier, err := chain.LoadVerifier(filepath.Join(dir, segment.KeyDirectory, chain.VerifyFile))
	if err != nil {
		t.Fatal(err)
	}
	o := verify.Options{Verifier: verifier}
	files, err := os.ReadDir(kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(kept, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		o.Anchored = append(o.Anchored, anchor.Notes(text)...)
	}
	for where, whole := range map[string]bool{dir: true, yesterday: false} {
		report, err := verify.Directory(context.Background(), where, o)
		if err != nil || report.OK() != whole {
			t.Errorf("%s: %v, %v, want whole %v", where, report.Findings, err, whole)
		}
	}
	if n := down(); n != 1 {
		t.Errorf("%d records say that an anchor is down, want 1", n)
	}
}
