package protocol

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// rawConn returns the means to read and write the socket itself, nil where there
// are none.
func rawConn(nc net.Conn) syscall.RawConn {
	switch nc := nc.(type) {
	case *net.TCPConn:
		return rawOf(nc)
	case *net.UnixConn:
		return rawOf(nc)
	}
	return nil
}

func rawOf(sc syscall.Conn) syscall.RawConn {
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil // closed already: the ordinary Read will say so
	}
	return raw
}

// transfer reads into p or writes it, whichever trap says. The sockets of package
// net do not block, so this bypasses what the runtime does around a call that
// may: when a thread loses its processor in the middle of such a call, which on a
// busy machine every other write does, the runtime's monitor takes that for
// waiting, starts another thread in its place and keeps looking every 20
// microseconds. That cost as much as the reads and writes themselves.
func transfer(trap, fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// tryRead reads behind what is in the buffer, or into one that it borrows. It
// returns false when there is nothing to read yet, and then keeps no buffer that
// it borrowed.
func (c *Conn) tryRead(fd uintptr) bool {
	if c.in == nil {
		c.in = borrow(c.filled)
	}
	n, errno := transfer(syscall.SYS_READ, fd, c.in[len(c.in):cap(c.in)])
	if errno == 0 && n > 0 {
		c.in = c.in[:len(c.in)+n]
		return true
	}
	if len(c.in) == 0 {
		c.release()
	}
	switch errno {
	case 0:
		c.rerr = io.EOF
	case syscall.EAGAIN:
		return false
	default:
		c.rerr = c.failed("read", errno)
	}
	return true
}

// tryOnce is tryRead without waiting.
func (c *Conn) tryOnce(fd uintptr) bool {
	c.tryRead(fd)
	return true
}

// tryWrite writes what is unsent. It returns false when the socket takes no more
// for now.
func (c *Conn) tryWrite(fd uintptr) bool {
	for len(c.unsent) > 0 {
		n, errno := transfer(syscall.SYS_WRITE, fd, c.unsent)
		switch errno {
		case 0:
			c.unsent = c.unsent[n:]
		case syscall.EAGAIN:
			return false
		default:
			c.werr = c.failed("write", errno)
			return true
		}
	}
	return true
}

// failed is the error of a call in the form that package net gives it.
func (c *Conn) failed(op string, errno syscall.Errno) error {
	return &net.OpError{
		Op: op, Net: c.conn.LocalAddr().Network(), Source: c.conn.LocalAddr(), Addr: c.conn.RemoteAddr(),
		Err: os.NewSyscallError(op, errno),
	}
}
