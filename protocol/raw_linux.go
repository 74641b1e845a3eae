//go:build unix

package protocol

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// rawConn returns the means to wait for input without a buffer, nil where there
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

// tryRead reads behind what is in the buffer, or into one that it borrows. It
// returns false when there is nothing to read yet, and then keeps no buffer that
// it borrowed.
func (c *Conn) tryRead(fd uintptr) bool {
	if c.in == nil {
		c.in = borrow()
	}
	n, err := syscall.Read(int(fd), c.in[len(c.in):cap(c.in)])
	for errors.Is(err, syscall.EINTR) {
		n, err = syscall.Read(int(fd), c.in[len(c.in):cap(c.in)])
	}
	if n > 0 {
		c.in = c.in[:len(c.in)+n]
		return true
	}
	if len(c.in) == 0 {
		c.release()
	}
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return false
	case err != nil:
		c.rerr = os.NewSyscallError("read", err)
	default:
		c.rerr = io.EOF
	}
	return true
}

// tryOnce is tryRead without waiting.
func (c *Conn) tryOnce(fd uintptr) bool {
	c.tryRead(fd)
	return true
}
