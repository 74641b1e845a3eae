package loop

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// Take makes a Socket of a connection, which must not be used any more: it is closed
// where that works. It fails for what is no stream socket, as a TLS connection, and
// where there are no loops.
func (t *Task) Take(nc net.Conn) (*Socket, error) {
	if t.loop == nil {
		return nil, errors.ErrUnsupported
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &Socket{loop: t.loop, network: nc.LocalAddr().Network(), local: nc.LocalAddr(), remote: nc.RemoteAddr()}
	s.users.Store(1)
	// The runtime's poller would go on looking at the file descriptor; a copy of it is
	// unknown to it.
	if controlErr := raw.Control(func(fd uintptr) { s.fd, err = duplicate(fd) }); controlErr != nil {
		return nil, controlErr
	}
	if err != nil {
		return nil, err
	}
	if err := t.loop.add(s); err != nil {
		return nil, errors.Join(err, syscall.Close(s.fd))
	}
	if err := nc.Close(); err != nil { // by somebody else before
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// duplicate returns another descriptor of the same file.
func duplicate(fd uintptr) (int, error) {
	other, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(other), nil
}

// free closes the file descriptor, which nobody uses any more.
func (s *Socket) free() {
	s.loop.remove(s)
	_ = syscall.Close(s.fd) // a socket's close fails with nothing that anybody could mend
}

// Read reads into p, which must not be empty. At the end it fails with io.EOF.
func (s *Socket) Read(p []byte) (int, error) {
	n, errno := s.transfer(reading, p)
	switch errno {
	case 0:
		s.drained = n < len(p)
		if n == 0 {
			return 0, io.EOF
		}
		return n, nil
	case syscall.EAGAIN:
		s.drained = true
		return 0, ErrAgain
	}
	return 0, s.broken(reading, errno)
}

// Write writes p, or the beginning of it.
func (s *Socket) Write(p []byte) (int, error) {
	n, errno := s.transfer(writing, p)
	switch errno {
	case 0:
		return n, nil
	case syscall.EAGAIN:
		return 0, ErrAgain
	}
	return 0, s.broken(writing, errno)
}

// traps are the system calls of both directions.
var traps = [2]uintptr{reading: syscall.SYS_READ, writing: syscall.SYS_WRITE}

// transfer reads or writes. The socket does not block, so this bypasses what the
// runtime does around a call that may. It fails with EBADF when the socket is closed,
// and with ETIME when the deadline has passed.
func (s *Socket) transfer(direction int, p []byte) (int, syscall.Errno) {
	if s.late[direction].Load() {
		return 0, syscall.ETIME
	}
	if !s.hold() {
		return 0, syscall.EBADF
	}
	defer s.letGo()
	for {
		n, _, errno := syscall.RawSyscall(traps[direction], uintptr(s.fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// broken is the error of transfer.
func (s *Socket) broken(direction int, errno syscall.Errno) error {
	if err := s.over(direction); err != nil {
		return err
	}
	return s.failed(direction, os.NewSyscallError(operations[direction], errno))
}

// Control calls f with the file descriptor, which f must not keep.
func (s *Socket) Control(f func(fd uintptr)) error {
	if !s.hold() {
		return net.ErrClosed
	}
	defer s.letGo()
	f(uintptr(s.fd))
	return nil
}
