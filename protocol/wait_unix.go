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

// tryRead reads into a buffer borrowed for the occasion. It returns false, and
// keeps nothing, when there is nothing to read yet.
func (c *Conn) tryRead(fd uintptr) bool {
	buf := borrow()
	n, err := syscall.Read(int(fd), buf[:cap(buf)])
	for errors.Is(err, syscall.EINTR) {
		n, err = syscall.Read(int(fd), buf[:cap(buf)])
	}
	if n > 0 {
		c.in = buf[:n]
		return true
	}
	giveBack(buf)
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
