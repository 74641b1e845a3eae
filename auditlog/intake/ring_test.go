package intake

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func openNew(t testing.TB, size int) (*Ring, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "intake")
	r, found, err := Open(path, size)
	if err != nil {
		t.Fatal(err)
	}
	if found.State != nil || len(found.Entries) > 0 {
		t.Fatalf("a new ring holds %+v", found)
	}
	if err := r.Reset(1, []byte("new")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, path
}

func reopen(t *testing.T, path string) Recovered {
	t.Helper()
	r, found, err := Open(path, MinSize)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return found
}

func body(seq uint64) []byte { return bytes.Repeat([]byte{'a' + byte(seq%26)}, int(seq*37%900)) }

func put(t testing.TB, r *Ring, want uint64) {
	t.Helper()
	seq, err := r.Put(int64(want), body(want))
	if err != nil || seq != want {
		t.Fatalf("Put = %d, %v, want %d", seq, err, want)
	}
}

func take(t testing.TB, r *Ring, want uint64) {
	t.Helper()
	e, ok := r.Next()
	if !ok || e.Seq != want || e.Micros != int64(want) || !bytes.Equal(e.Body, body(want)) {
		t.Fatalf("Next = %d (%d bytes), %v, want %d", e.Seq, len(e.Body), ok, want)
	}
}

func TestEntriesComeInOrderOverManyLaps(t *testing.T) {
	r, _ := openNew(t, MinSize)
	in, out := uint64(1), uint64(1)
	for range 3000 {
		for range in % 40 {
			put(t, r, in)
			in++
		}
		put(t, r, in)
		in++
		for out < in {
			take(t, r, out)
			out++
		}
		if _, ok := r.Next(); ok || r.Waiting() || !r.Drained() {
			t.Fatal("an empty ring gives more")
		}
		if err := r.Release([]byte("state")); err != nil {
			t.Fatal(err)
		}
	}
}

// While the consumer keeps up only the start of the file is used: the rest would
// cost memory, and a page fault each time the kernel has written it to disk.
func TestRingStaysAtItsStart(t *testing.T) {
	r, path := openNew(t, MinSize)
	for seq := uint64(1); seq <= 1000; seq++ {
		put(t, r, seq)
		if end := int(r.next.pos%r.cap) + int(units(len(body(seq)))); end > int(r.cap/homeward+units(900)) {
			t.Fatalf("entry %d ends at %d of %d", seq, end, r.cap)
		}
		take(t, r, seq)
		if err := r.Release(nil); err != nil {
			t.Fatal(err)
		}
	}
	put(t, r, 1001)
	if found := reopen(t, path); len(found.Entries) != 1 || found.Entries[0].Seq != 1001 {
		t.Errorf("after a crash the ring holds %+v", found.Entries)
	}
}

func TestFullRingTakesMoreAfterRelease(t *testing.T) {
	r, _ := openNew(t, MinSize)
	n := uint64(1)
	for ; ; n++ {
		if _, err := r.Put(int64(n), body(n)); err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			break
		}
	}
	for i := range n - 1 {
		take(t, r, i+1)
	}
	if _, err := r.Put(0, body(n)); !errors.Is(err, ErrFull) {
		t.Errorf("space was reused before Release: %v", err)
	}
	if err := r.Release(nil); err != nil {
		t.Fatal(err)
	}
	put(t, r, n)
	if _, err := r.Put(0, make([]byte, MinSize/2)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Put of half a ring: %v", err)
	}
}

func TestManyWritersLoseNothing(t *testing.T) {
	r, _ := openNew(t, MinSize)
	const writers, each = 16, 4000
	var wg sync.WaitGroup
	given := make([][]uint64, writers)
	for w := range writers {
		wg.Go(func() {
			for i := 0; i < each; {
				seq, err := r.Put(int64(w), fmt.Appendf(nil, "%d/%d", w, i))
				if errors.Is(err, ErrFull) {
					time.Sleep(time.Microsecond)
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				given[w] = append(given[w], seq)
				i++
			}
		})
	}
	got := make(map[uint64]string)
	for len(got) < writers*each {
		for {
			e, ok := r.Next()
			if !ok {
				break
			}
			got[e.Seq] = string(e.Body)
		}
		if err := r.Release(nil); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	for w := range writers {
		for i, seq := range given[w] {
			if want := fmt.Sprintf("%d/%d", w, i); got[seq] != want {
				t.Fatalf("entry %d is %q, want %q", seq, got[seq], want)
			}
		}
	}
}

func TestOpenGivesBackWhatWasNotReleased(t *testing.T) {
	r, path := openNew(t, MinSize)
	for lap := range uint64(200) {
		put(t, r, 2*lap+1)
		put(t, r, 2*lap+2)
		found := reopen(t, path) // the same pages, as after SIGKILL
		if len(found.Entries) != 2 || found.Next != 2*lap+1 {
			t.Fatalf("lap %d: %d entries from %d", lap, len(found.Entries), found.Next)
		}
		for i, e := range found.Entries {
			want := 2*lap + 1 + uint64(i)
			if e.Seq != want || e.Micros != int64(want) || !bytes.Equal(e.Body, body(want)) {
				t.Errorf("lap %d: entry %d, want %d", lap, e.Seq, want)
			}
		}
		take(t, r, 2*lap+1)
		take(t, r, 2*lap+2)
		state := fmt.Sprint("state", lap)
		if err := r.Release([]byte(state)); err != nil {
			t.Fatal(err)
		}
		if found := reopen(t, path); string(found.State) != state || len(found.Entries) > 0 {
			t.Fatalf("after Release: %q, %d entries", found.State, len(found.Entries))
		}
	}
}

func TestOpenBridgesEntriesThatWereNeverCompleted(t *testing.T) {
	r, path := openNew(t, MinSize)
	for n := uint64(1); n <= 9; n++ {
		put(t, r, n)
	}
	// Number 3 was claimed only, number 6 written in part.
	clear(r.data[int(units(len(body(1)))+units(len(body(2))))*unit:][:int(units(len(body(3))))*unit])
	at := uint64(0)
	for n := uint64(1); n < 6; n++ {
		at += units(len(body(n)))
	}
	r.head(at).complete.Store(0)
	found := reopen(t, path)
	var seqs []uint64
	for _, e := range found.Entries {
		seqs = append(seqs, e.Seq)
	}
	if got, want := fmt.Sprint(seqs), "[1 2 4 5 7 8 9]"; got != want {
		t.Errorf("recovered %s, want %s", got, want)
	}
}

func TestOpenRefusesNothingThatWasSavedInOneSlot(t *testing.T) {
	r, path := openNew(t, MinSize)
	if err := r.Release([]byte("whole")); err != nil {
		t.Fatal(err)
	}
	r.slot(r.generation + 1).generation += 2 // as if killed while writing the older slot
	if found := reopen(t, path); string(found.State) != "whole" {
		t.Errorf("state %q, want the other slot's", found.State)
	}
	for i := range 2 {
		r.slot(uint64(i)).sum++
	}
	if found := reopen(t, path); found.State != nil {
		t.Errorf("state %q out of two broken slots", found.State)
	}
}

func TestNoOldStateIsLeft(t *testing.T) {
	r, path := openNew(t, MinSize)
	for _, state := range []string{"key-one", "key-two"} {
		if err := r.Release([]byte(state)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("key-one")) {
		t.Error("the state before is still in the file")
	}
}

// Positions and numbers are kept in 31 and 32 bits; both turn over.
func TestCountersTurnOver(t *testing.T) {
	r, path := openNew(t, MinSize)
	const seq, pos = 1<<32 - 50, 1<<31 - 3000
	start := uint64(pos - pos%int(r.cap))
	if err := r.Reset(seq, nil); err != nil {
		t.Fatal(err)
	}
	r.next.pos = start
	r.freed.pos.Store(start)
	r.claim.Store(pack(seq, start))
	for n := uint64(seq); n < seq+400; n++ {
		put(t, r, n)
		put(t, r, n+1)
		take(t, r, n)
		if err := r.Release(nil); err != nil {
			t.Fatal(err)
		}
		found := reopen(t, path)
		if len(found.Entries) != 1 || found.Entries[0].Seq != n+1 {
			t.Fatalf("recovered %d entries after %d", len(found.Entries), n)
		}
		n++
		take(t, r, n)
		if err := r.Release(nil); err != nil {
			t.Fatal(err)
		}
	}
	if r.next.pos>>31 == start>>31 {
		t.Errorf("the position went from %d to %d only", start, r.next.pos)
	}
}

func TestSealedRingTakesNothing(t *testing.T) {
	r, _ := openNew(t, MinSize)
	put(t, r, 1)
	if next := r.Seal(); next != 2 {
		t.Errorf("Seal = %d, want 2", next)
	}
	if _, err := r.Put(0, nil); !errors.Is(err, ErrSealed) {
		t.Errorf("Put = %v, want ErrSealed", err)
	}
	if r.Drained() {
		t.Error("drained with an entry inside")
	}
	take(t, r, 1)
	if !r.Drained() {
		t.Error("not drained after the last entry")
	}
}

func TestFileCutShortIsAnErrorAndNoCrash(t *testing.T) {
	r, path := openNew(t, MinSize)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Put(1, body(1)); !errors.Is(err, ErrFault) {
		t.Errorf("Put = %v, want ErrFault", err)
	}
	if err := r.Release(nil); !errors.Is(err, ErrFault) {
		t.Errorf("Release = %v, want ErrFault", err)
	}
	info, err := os.Stat(path)
	if err != nil || r.SameFile(info) {
		t.Errorf("a file cut short is taken for the ring (%v)", err)
	}
}

func TestOpenFails(t *testing.T) {
	if _, _, err := Open(filepath.Join(t.TempDir(), "no", "such"), MinSize); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open in a missing directory: %v", err)
	}
}

func TestPutAllocatesNothing(t *testing.T) {
	r, _ := openNew(t, MinSize)
	b := body(20)
	n := testing.AllocsPerRun(1000, func() {
		if _, err := r.Put(1, b); err != nil {
			t.Fatal(err)
		}
		r.Next()
		if err := r.Release(nil); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPut(b *testing.B) {
	r, _ := openNew(b, 16<<20)
	text := bytes.Repeat([]byte{'x'}, 700)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			for {
				if _, ok := r.Next(); !ok {
					break
				}
			}
			if err := r.Release(nil); err != nil {
				b.Error(err)
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			for {
				if _, err := r.Put(1, text); err == nil {
					break
				}
				time.Sleep(10 * time.Microsecond)
			}
		}
	})
	close(stop)
	<-done
}
