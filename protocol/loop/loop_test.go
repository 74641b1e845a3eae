package loop

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// pair returns both ends of a TCP connection.
func pair(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if ours, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if theirs, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}

// task runs f as a task and returns what it returns, in time.
func task(t testing.TB, f func(*Task) error) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	Start(func(task *Task) { done <- f(task) })
	return done
}

// read reads once, waiting for it.
func read(t *Task, s *Socket, p []byte) (int, error) {
	for {
		n, err := s.Read(p)
		if err != ErrAgain {
			return n, err
		}
		if err := s.AwaitRead(t); err != nil {
			return 0, err
		}
	}
}

// write writes all of p, waiting for room.
func write(t *Task, s *Socket, p []byte) error {
	for len(p) > 0 {
		n, err := s.Write(p)
		p = p[n:]
		switch {
		case err == ErrAgain:
			if err := s.AwaitWrite(t); err != nil {
				return err
			}
		case err != nil:
			return err
		}
	}
	return nil
}

// echo sends back what comes until the peer is done.
func echo(t *Task, nc net.Conn) error {
	s, err := t.Take(nc)
	if err != nil {
		return err
	}
	defer s.Close()
	p := make([]byte, 1+rand.IntN(4096))
	for {
		n, err := read(t, s, p)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := write(t, s, p[:n]); err != nil {
			return err
		}
	}
}

// What goes through many sockets at once comes back whole, in order, to whom it
// belongs, whatever pieces it comes in and however slowly it is read.
func TestMany(t *testing.T) {
	const sockets, size = 100, 1 << 18
	var wg sync.WaitGroup
	for i := range sockets {
		ours, theirs := pair(t)
		done := task(t, func(task *Task) error { return echo(task, ours) })
		random := rand.New(rand.NewPCG(uint64(i), 1))
		sent := make([]byte, size)
		for j := range sent {
			sent[j] = byte(random.Uint32())
		}
		wg.Go(func() {
			rest := sent
			for len(rest) > 0 {
				n := min(len(rest), 1+random.IntN(1<<16))
				if _, err := theirs.Write(rest[:n]); err != nil {
					t.Error(err)
				}
				rest = rest[n:]
			}
			if err := theirs.(*net.TCPConn).CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			got, err := io.ReadAll(theirs)
			if err != nil || string(got) != string(sent) {
				t.Errorf("socket %d: %d bytes came back, and not the %d that were sent: %v", i, len(got), size, err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// A peer that leaves is noticed by who waits to read, also behind unread data.
func TestPeerLeaves(t *testing.T) {
	ours, theirs := pair(t)
	if _, err := theirs.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	err := <-task(t, func(task *Task) error {
		s, err := task.Take(ours)
		if err != nil {
			return err
		}
		defer s.Close()
		var p [64]byte
		if n, err := read(task, s, p[:]); err != nil || string(p[:n]) != "last words" {
			return fmt.Errorf("read %q: %w", p[:n], err)
		}
		_, err = read(task, s, p[:])
		return err
	})
	if err != io.EOF {
		t.Errorf("at the end: %v, want EOF", err)
	}
}

// Who waits is woken by Close and by deadlines, whenever they come.
func TestWoken(t *testing.T) {
	for name, tt := range map[string]struct {
		wake func(*Socket) error
		want error
	}{
		"close":           {(*Socket).Close, net.ErrClosed},
		"past deadline":   {func(s *Socket) error { return s.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"future deadline": {func(s *Socket) error { return s.SetDeadline(time.Now().Add(time.Millisecond)) }, os.ErrDeadlineExceeded},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", waiting already ", late), func(t *testing.T) {
				ours, _ := pair(t)
				taken := make(chan *Socket, 1)
				done := task(t, func(task *Task) error {
					s, err := task.Take(ours)
					if err != nil {
						return err
					}
					defer s.Close()
					if late {
						taken <- s
					} else if err := tt.wake(s); err != nil {
						return err
					}
					var p [1]byte
					_, err = read(task, s, p[:])
					return err
				})
				if late {
					s := <-taken
					for s.in.state.Load() != waiting {
						time.Sleep(time.Millisecond)
					}
					if err := tt.wake(s); err != nil {
						t.Fatal(err)
					}
				}
				if err := <-done; !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		}
	}
}

// A deadline that was taken back does not count, and neither does the timer of it.
func TestDeadlineMoved(t *testing.T) {
	ours, theirs := pair(t)
	err := <-task(t, func(task *Task) error {
		s, err := task.Take(ours)
		if err != nil {
			return err
		}
		defer s.Close()
		for range 100 {
			if err := errors.Join(s.SetDeadline(time.Now().Add(time.Microsecond)), s.SetDeadline(time.Time{})); err != nil {
				return err
			}
		}
		if _, err := theirs.Write([]byte("x")); err != nil {
			return err
		}
		var p [1]byte
		_, err = read(task, s, p[:])
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// The peer of a full socket that is given up does not hold up its writer.
func TestWriteDeadline(t *testing.T) {
	ours, _ := pair(t)
	err := <-task(t, func(task *Task) error {
		s, err := task.Take(ours)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			return err
		}
		return write(task, s, make([]byte, 64<<20))
	})
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want %v", err, os.ErrDeadlineExceeded)
	}
}

// A socket that is closed while others read and write it harms nobody who gets its
// file descriptor next.
func TestCloseInUse(t *testing.T) {
	for range 200 {
		ours, theirs := pair(t)
		taken := make(chan *Socket, 1)
		done := task(t, func(task *Task) error {
			s, err := task.Take(ours)
			if err != nil {
				return err
			}
			taken <- s
			for {
				if err := write(task, s, []byte("stray")); err != nil {
					return nil
				}
			}
		})
		go func() { _, _ = io.Copy(io.Discard, theirs) }() // until it is closed
		(<-taken).Close()
		next, peer := pair(t)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		next.Close()
		if stray, err := io.ReadAll(peer); err != nil || len(stray) > 0 {
			t.Fatalf("another connection got %q: %v", stray, err)
		}
	}
}

// A task that blocks without saying so does not hold up the others for good, even
// one for whom it waits.
func TestRelief(t *testing.T) {
	var held sync.Mutex
	held.Lock()
	unlocked := make(chan struct{})
	done := task(t, func(first *Task) error {
		var bell Bell
		first.Start(func(*Task) {
			held.Lock() // until the other has had its turn
			defer held.Unlock()
			close(unlocked)
		})
		first.Start(func(*Task) { bell.Ring() })
		bell.Wait(first)
		held.Unlock()
		return nil
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	<-unlocked
}

// Leaders may be relieved at any moment, in the middle of whatever they do.
func TestRelievedAtAnyTime(t *testing.T) {
	over := make(chan struct{})
	var relieving sync.WaitGroup
	relieving.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				for _, l := range all() {
					l.mu.Lock()
					seen := l.turns
					l.mu.Unlock()
					l.relieve(&seen)
				}
			}
		}
	})
	t.Run("many", TestMany)
	t.Run("bell", TestBell)
	close(over)
	relieving.Wait()
}

// A leader who was relieved while it slept passes on what woke it, also when its
// successor sleeps by then.
func TestWokenInPlaceOfAnother(t *testing.T) {
	l := &Loop{}
	if err := l.poll.open(); err != nil {
		t.Fatal(err)
	}
	turns := 0
	l.term, l.asleep = 1, true // the successor waits in the kernel
	l.post(l.task(func(*Task) { turns++ }))
	var events found
	if l.poll.look(&events, false) == 0 {
		t.Fatal("the bell was not rung")
	}
	l.poll.wake() // what post rang reaches the one that was relieved
	if l.gather(0, &events) {
		t.Fatal("it still leads")
	}
	if l.poll.look(&events, false) == 0 {
		t.Error("its successor sleeps on")
	}
}

// Without loops a connection is left as it is, and tasks run all the same.
func TestWithoutLoops(t *testing.T) {
	var none *Loop
	ours, theirs := pair(t)
	defer ours.Close()
	done := make(chan error)
	go none.task(func(task *Task) {
		if _, err := task.Take(ours); !errors.Is(err, errors.ErrUnsupported) {
			done <- fmt.Errorf("Take: %w", err)
			return
		}
		task.Pause()
		_, err := ours.Write([]byte("x"))
		done <- err
	}).turn(true)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var p [1]byte
	if _, err := io.ReadFull(theirs, p[:]); err != nil {
		t.Error(err)
	}
}

// Aside takes a task away from the loop until it waits again.
func TestAside(t *testing.T) {
	err := <-task(t, func(task *Task) error {
		for range 10 {
			task.Pause()
			if task.alone {
				return errors.New("after a wait the task is not with its loop")
			}
			task.Aside()
			if !task.alone {
				return errors.New("the task has no goroutine of its own")
			}
			task.Aside()
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// No ring is lost, from wherever it comes.
func TestBell(t *testing.T) {
	const rings = 20000
	var bell, back Bell
	var rung, heard sync.WaitGroup
	rung.Add(1)
	heard.Add(2)
	Start(func(t *Task) {
		t.Start(func(other *Task) {
			defer heard.Done()
			rung.Done()
			for range rings {
				back.Wait(other)
				bell.Ring()
			}
		})
		defer heard.Done()
		for range rings {
			back.Ring()
			bell.Wait(t)
		}
	})
	rung.Wait()
	heard.Wait()
}

// An exchange allocates nothing.
func TestAllocations(t *testing.T) {
	ours, theirs := pair(t)
	done := task(t, func(task *Task) error { return echo(task, ours) })
	var p [1]byte
	allocated := testing.AllocsPerRun(1000, func() {
		if _, err := theirs.Write(p[:]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(theirs, p[:]); err != nil {
			t.Fatal(err)
		}
	})
	if allocated > 0 {
		t.Errorf("%v allocations an exchange, want none", allocated)
	}
	theirs.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
