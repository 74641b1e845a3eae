package auditlog

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

var kills = flag.Int("kills", 12, "how often TestKilledProcessLosesNothing kills")

// The test binary run with this variable is the process that gets killed.
const killedVariable = "AUDITLOG_KILLED_DIRECTORY"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedVariable); dir != "" {
		if err := appendForever(dir, Durability(os.Getenv("AUDITLOG_KILLED_DURABILITY"))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// appendForever is a proxy with 32 sessions whose server is a pipe: what is
// written there was let through.
func appendForever(dir string, d Durability) error {
	l, err := Open(Options{Directory: dir, Node: "px-01", Durability: d, SegmentBytes: 1 << 20, IntakeBytes: 1 << 20})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for s := range 32 {
		go func() {
			e := sample()
			e.Session.ID = strconv.Itoa(s)
			for n := 0; ; n++ {
				e.Kind, e.Ref = QueryBegin, 0
				e.Statement.Text = fmt.Sprintf("select %d from t%d", n, s)
				seq, err := l.Append(e, n%4 == 0)
				if err != nil {
					failed <- err
				}
				if _, err := fmt.Printf("%d %d %d\n", seq, n, s); err != nil {
					failed <- err
				}
				e.Kind, e.Ref = QueryEnd, seq
				if _, err := l.Append(e, false); err != nil {
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

func TestKilledProcessLosesNothing(t *testing.T) {
	for i := range *kills {
		d := []Durability{Spool, Classified, Strict}[i%3]
		if i%30 == 0 && i > 0 {
			t.Logf("%d kills", i)
		}
		killOnce(t, t.TempDir(), d, 1+rand.IntN(3))
	}
}

// killOnce kills several processes that write one log, one after the other,
// and compares what they let through with what the log says.
func killOnce(t *testing.T, dir string, d Durability, times int) {
	t.Helper()
	through := make(map[uint64]string)
	for range times {
		killAt(t, dir, d, through)
	}
	l, err := Open(Options{Directory: dir, Node: "px-01"})
	if err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	checkThrough(t, dir, through)
}

func killAt(t *testing.T, dir string, d Durability, through map[uint64]string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killedVariable+"="+dir, "AUDITLOG_KILLED_DURABILITY="+string(d))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var read sync.WaitGroup
	first := make(chan struct{})
	read.Go(func() {
		in := bufio.NewReader(out)
		for n := 0; ; n++ {
			line, err := in.ReadString('\n')
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				return
			}
			if n == 0 {
				close(first)
			}
			var seq, number, session uint64
			if _, err := fmt.Sscanf(line, "%d %d %d\n", &seq, &number, &session); err != nil {
				t.Errorf("%q: %v", line, err)
			}
			through[seq] = fmt.Sprintf("select %d from t%d", number, session)
		}
	})
	select {
	case <-first:
		time.Sleep(time.Duration(rand.IntN(80_000)) * time.Microsecond)
	case <-time.After(10 * time.Second):
		t.Error("the process lets nothing through")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	read.Wait()
	if err := cmd.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
}

func checkThrough(t *testing.T, dir string, through map[uint64]string) {
	t.Helper()
	begun := make(map[uint64]string)
	missing := make(map[uint64]bool)
	last := uint64(0)
	all := records(t, dir)
	for _, r := range all {
		for seq := last + 1; seq < r.Seq; seq++ {
			missing[seq] = true
		}
		last = r.Seq
		switch r.Kind {
		case QueryBegin:
			begun[r.Seq] = r.Stmt.Text
		case AuditGap:
			for seq := r.Gap.From; seq <= r.Gap.To; seq++ {
				delete(missing, seq)
			}
		}
	}
	for seq, text := range through {
		if begun[seq] != text {
			t.Errorf("%s: statement %q was let through as %d, the log says %q", dir, text, seq, begun[seq])
		}
	}
	if len(missing) > 0 {
		t.Errorf("%s: numbers %v are missing and no gap says why", dir, missing)
	}
	if t.Failed() {
		keep := filepath.Join(os.TempDir(), "auditlog-"+strconv.Itoa(os.Getpid()))
		if err := os.CopyFS(keep, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("the log is kept in %s", keep)
	}
}
