package pgrelay

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"sqlveil/protocol/loop"
	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// letters are all messages that a server can send.
var letters = []byte{
	pgwire.MsgAuthentication, pgwire.MsgBackendKeyData, pgwire.MsgBindComplete, pgwire.MsgCloseComplete, pgwire.MsgCommandComplete,
	pgwire.MsgCopyBothResponse, pgwire.MsgCopyData, pgwire.MsgCopyDone, pgwire.MsgCopyInResponse, pgwire.MsgCopyOutResponse,
	pgwire.MsgDataRow, pgwire.MsgEmptyQueryResponse, pgwire.MsgErrorResponse, pgwire.MsgFunctionCallResponse,
	pgwire.MsgNegotiateProtocolVersion, pgwire.MsgNoData, pgwire.MsgNoticeResponse, pgwire.MsgNotificationResponse,
	pgwire.MsgParameterDescription, pgwire.MsgParameterStatus, pgwire.MsgParseComplete, pgwire.MsgPortalSuspended,
	pgwire.MsgReadyForQuery, pgwire.MsgRowDescription, '?',
}

var kindNames = [kinds]string{"Query", "Parse", "Bind", "Describe S", "Describe P", "Execute", "Close", "Sync", "FunctionCall"}

// TestMoves walks every message in every state, and compares what it does with
// what the protocol's documentation says.
func TestMoves(t *testing.T) {
	want := map[string]string{
		"Query":        "C> G. H. W. d. c. D. E! I> T. Z$",
		"Parse":        "1$ E!",
		"Bind":         "2$ E!",
		"Describe S":   "t. T$ n$ E!",
		"Describe P":   "T$ n$ E!",
		"Execute":      "D. G. H. W. d. c. C$ I$ s$ E!",
		"Close":        "3$ E!",
		"Sync":         "Z$ E!",
		"FunctionCall": "V. E! Z$",
	}
	signs := map[move]string{wrong: "?", goesOn: ".", step: ">", ends: "$", fails: "!"}
	for k := range kinds {
		expected := map[string]bool{}
		for _, w := range splitWords(want[kindNames[k]]) {
			expected[w] = true
		}
		for _, letter := range letters {
			got := fmt.Sprintf("%c%s", letter, signs[moves[k][letter]])
			if moves[k][letter] != wrong && !expected[got] {
				t.Errorf("%s: %s (%s) is not what the protocol says", kindNames[k], got, pgwire.ServerMessage(letter))
			}
			if moves[k][letter] == wrong && slices.ContainsFunc(splitWords(want[kindNames[k]]), func(w string) bool { return w[0] == letter && w[1] != '?' }) {
				t.Errorf("%s: %s is wrong, but the protocol allows it", kindNames[k], pgwire.ServerMessage(letter))
			}
			if anytime(letter) && moves[k][letter] != wrong {
				t.Errorf("%s: %s may come at any time and so cannot answer", kindNames[k], pgwire.ServerMessage(letter))
			}
		}
		if moves[k][pgwire.MsgErrorResponse] != fails {
			t.Errorf("%s cannot fail", kindNames[k])
		}
	}
}

func splitWords(s string) (words []string) {
	for i := 0; i+1 < len(s); i += 3 {
		words = append(words, s[i:i+2])
	}
	return words
}

// queue pushes entries of these kinds and returns them.
func queue(t *testing.T, f *flight, ks ...kind) []*entry {
	t.Helper()
	var entries []*entry
	for _, k := range ks {
		e := f.blank(k)
		if queued, err := f.push(e); !queued || err != nil {
			t.Fatalf("%s: queued %v, %v", kindNames[k], queued, err)
		}
		entries = append(entries, e)
	}
	return entries
}

func TestFailBatch(t *testing.T) {
	for k := range kinds {
		if !k.batched() {
			continue
		}
		t.Run(kindNames[k], func(t *testing.T) {
			f := newFlight()
			entries := queue(t, f, k, bind, query, execute, syncBatch, parse)
			dropped := f.failBatch(nil)
			if !slices.Equal(dropped, entries[:4]) {
				t.Errorf("dropped %d entries, want the four before the Sync", len(dropped))
			}
			if f.head() != entries[4] || f.ignoring() {
				t.Error("the Sync is not answered next")
			}
		})
	}
}

// Without a Sync in the queue what follows is skipped until one comes.
func TestSkipping(t *testing.T) {
	f := newFlight()
	queue(t, f, parse, bind)
	f.failBatch(nil)
	if !f.ignoring() {
		t.Fatal("the server skips")
	}
	skipped := f.blank(execute)
	if queued, err := f.push(skipped); queued || err != nil {
		t.Errorf("queued %v, %v", queued, err)
	}
	if got := f.skipped(); len(got) != 1 || got[0] != skipped {
		t.Errorf("%d entries were not queued", len(got))
	}
	queue(t, f, syncBatch)
	if f.ignoring() {
		t.Error("after a Sync nothing is skipped")
	}
}

// A queue that is never empty holds no more than what is in flight.
func TestFlightOfALongPipeline(t *testing.T) {
	f := newFlight()
	const inFlight, all = 10, 10000
	entries := queue(t, f, slices.Repeat([]kind{execute}, inFlight)...)
	for range all {
		if f.head() != entries[0] {
			t.Fatal("not the message that was sent first")
		}
		f.pop()
		entries = append(entries[1:], queue(t, f, execute)...)
	}
	if held := cap(f.entries); held > 8*inFlight {
		t.Errorf("room for %d messages is held, %d are in flight", held, inFlight)
	}
}

// With many messages in flight the client waits until half of them are answered,
// unless the server waits for the client.
func TestThin(t *testing.T) {
	for name, tt := range map[string]struct {
		meanwhile func(f *flight)
		left      int
	}{
		"answered": {func(f *flight) {
			for range maxFlight / 2 {
				f.pop()
			}
		}, maxFlight / 2},
		"COPY":         {func(f *flight) { f.copyStarts() }, maxFlight},
		"failed batch": {func(f *flight) { f.failBatch(nil) }, 0},
		"session over": {func(f *flight) { f.end(errDraining) }, maxFlight},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlight()
			queue(t, f, slices.Repeat([]kind{execute}, maxFlight)...)
			done := make(chan struct{})
			loop.Start(func(task *loop.Task) {
				f.up = task
				f.thin()
				close(done)
			})
			for !waits(f) {
				select {
				case <-done:
					t.Fatal("it did not wait")
				default:
					runtime.Gosched()
				}
			}
			tt.meanwhile(f)
			<-done
			if left := len(f.entries) - f.first; left != tt.left {
				t.Errorf("%d messages are in flight, want %d", left, tt.left)
			}
		})
	}
}

// waits says whether the up pump waits for answers.
func waits(f *flight) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waiting
}

func TestDrain(t *testing.T) {
	result := func(f *flight) chan string {
		done := make(chan string, 1)
		loop.Start(func(t *loop.Task) {
			f.up = t
			standing, err := f.drain()
			done <- fmt.Sprint(standing, " ", err)
		})
		return done
	}
	wait := func(t *testing.T, done chan string, want string) {
		t.Helper()
		select {
		case got := <-done:
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Error("it waits for ever")
		}
	}
	ready, skipping, failed := fmt.Sprint(session.Ready, " <nil>"), fmt.Sprint(session.Skipping, " <nil>"), fmt.Sprint(session.Failed, " <nil>")
	t.Run("nothing in flight", func(t *testing.T) { wait(t, result(newFlight()), ready) })
	t.Run("answered", func(t *testing.T) {
		f := newFlight()
		queue(t, f, parse, bind)
		done := result(f)
		f.pop()
		f.pop()
		wait(t, done, ready)
	})
	t.Run("failed batch", func(t *testing.T) {
		f := newFlight()
		queue(t, f, parse, bind)
		done := result(f)
		f.failBatch(nil)
		wait(t, done, skipping)
	})
	t.Run("failed transaction", func(t *testing.T) {
		f := newFlight()
		queue(t, f, query)
		done := result(f)
		f.ready(pgwire.TxFailed)
		f.pop()
		wait(t, done, failed)
		f.succeeded()
		wait(t, result(f), ready)
	})
	t.Run("COPY waits for the client", func(t *testing.T) {
		f := newFlight()
		queue(t, f, query)
		done := result(f)
		f.copyStarts()
		wait(t, done, fmt.Sprint(session.Ready, " ", errCopying))
	})
	t.Run("the session ends", func(t *testing.T) {
		f := newFlight()
		queue(t, f, query)
		done := result(f)
		f.end(errors.New("over"))
		wait(t, done, fmt.Sprint(session.Ready, " over"))
	})
}

// What has to do with a portal and was never sent keeps the portal as well, until
// the down pump has ended it: it would end the statement of the next portal.
func TestPortalOfSkipped(t *testing.T) {
	f := newFlight()
	f.skipping = true
	b := &portal{}
	e := f.blank(execute)
	e.portal = b
	if queued, err := f.push(e); queued || err != nil {
		t.Fatalf("push: %v %v", queued, err)
	}
	if b.landed(f) {
		t.Error("the portal is used again before what was skipped has ended")
	}
	d := down{conn: &conn{flight: f}}
	if d.endSkipped("skipped"); !b.landed(f) {
		t.Error("the portal is never used again")
	}
}

func TestStopping(t *testing.T) {
	f := newFlight()
	queue(t, f, query)
	if f.stop() {
		t.Error("idle with a Query in flight")
	}
	if _, err := f.push(f.blank(query)); !errors.Is(err, errDraining) {
		t.Errorf("got %v", err)
	}
	if f.pop(); f.proceed() {
		t.Error("the session goes on")
	}
}

// The flight queue allocates nothing once it has its size.
func TestFlightAllocates(t *testing.T) {
	f := newFlight()
	if n := testing.AllocsPerRun(100, func() {
		for _, k := range []kind{parse, bind, describePortal, execute, syncBatch} {
			if _, err := f.push(f.blank(k)); err != nil {
				t.Fatal(err)
			}
		}
		for e := f.head(); e != nil; e = f.head() {
			f.pop()
			f.release(e)
		}
	}); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}
