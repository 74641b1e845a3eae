package loop

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// restless echoes what comes to ours, and rests where it may. It says so on rests, and
// sends the reason of its end.
func restless(ours net.Conn, rests chan<- struct{}) <-chan error {
	done := make(chan error, 1)
	var s *Socket
	echo := func(t *Task) (err error) {
		if s == nil {
			if s, err = t.Take(ours); err != nil {
				return err
			}
		}
		var p [8]byte
		for {
			n, err := s.Read(p[:])
			if err == ErrAgain {
				err = s.AwaitReadOrRest(t)
			} else if err == nil {
				err = write(t, s, p[:n])
			}
			if err != nil {
				return err
			}
		}
	}
	Start(func(t *Task) {
		err := echo(t)
		if err != ErrRest {
			done <- err
			return
		}
		s.Again(t)
		rests <- struct{}{}
	})
	return done
}

// bounce sends a byte and waits for it to come back.
func bounce(t *testing.T, nc net.Conn) {
	t.Helper()
	var p [1]byte
	if err := nc.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write(p[:]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(nc, p[:]); err != nil {
		t.Fatal(err)
	}
}

// A task that waits for long returns, and is called anew when there is something to
// read, or the end.
func TestRest(t *testing.T) {
	ours, theirs := pair(t)
	rests := make(chan struct{}, 1)
	done := restless(ours, rests)
	rest := func() {
		t.Helper()
		for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(time.Millisecond) {
			Rest()
			select {
			case <-rests:
				return
			default:
			}
		}
		t.Fatal("the task does not rest")
	}
	for range 3 {
		rest()
		for range 3 {
			Rest()
		}
		if len(rests) > 0 {
			t.Fatal("a task that rests was called")
		}
		bounce(t, theirs)
	}
	rest()
	theirs.Close()
	if err := <-done; !errors.Is(err, io.EOF) {
		t.Fatalf("the end: %v", err)
	}
}

// Whatever comes while a task goes to rest is not lost.
func TestRestAllTheTime(t *testing.T) {
	ours, theirs := pair(t)
	rests := make(chan struct{}, 1)
	done := restless(ours, rests)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-rests:
			default:
				Rest()
			}
		}
	})
	for i := range 2000 {
		if i%16 == 0 {
			time.Sleep(50 * time.Microsecond)
		}
		bounce(t, theirs)
	}
	theirs.Close()
	if err := <-done; !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
	close(stop)
	wg.Wait()
}
