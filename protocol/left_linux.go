package protocol

import (
	"crypto/tls"
	"errors"
	"net"
	"syscall"
)

// TCP states in which the peer has said that it sends nothing more, or is gone.
// https://elixir.bootlin.com/linux/v6.1/source/include/net/tcp_states.h
const (
	tcpClose     = 7
	tcpCloseWait = 8
)

// PeerLeft says whether the peer has closed the connection, or it broke, which
// nobody notices who does not read from it. It may be called from anywhere. Where
// that cannot be told it says no.
func (c *Conn) PeerLeft() bool {
	raw := c.descriptor()
	if raw == nil {
		return false
	}
	left := false
	err := raw.Control(func(fd uintptr) { left = hungUp(int(fd)) })
	return left || err != nil // which says that we have closed it
}

// A descriptor gives access to a file descriptor.
type descriptor interface {
	Control(f func(fd uintptr)) error
}

// descriptor is that of the connection, nil where there is none.
func (c *Conn) descriptor() descriptor {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sock != nil {
		return c.sock
	}
	if raw := rawConn(socketOf(c.conn)); raw != nil {
		return raw
	}
	return nil
}

// socketOf is what is beneath TLS.
func socketOf(nc net.Conn) net.Conn {
	for {
		switch over := nc.(type) {
		case *tls.Conn:
			nc = over.NetConn()
		case *wire:
			nc = over.Conn
		default:
			return nc
		}
	}
}

// hungUp asks for the state of a TCP connection, which is the first byte of its
// TCP_INFO; of any other socket only that nothing is left to be read can be seen.
func hungUp(fd int) bool {
	if info, err := syscall.GetsockoptInet4Addr(fd, syscall.IPPROTO_TCP, syscall.TCP_INFO); err == nil {
		return info[0] == tcpClose || info[0] == tcpCloseWait
	}
	var b [1]byte
	n, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	if err != nil {
		return !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
	}
	return n == 0
}
