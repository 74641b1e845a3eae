//go:build !unix

package protocol

import (
	"net"
	"syscall"
)

// rawConn returns nil: waiting without a buffer is not done here.
func rawConn(net.Conn) syscall.RawConn { return nil }

// tryRead is never called without a RawConn.
func (c *Conn) tryRead(uintptr) bool { return true }

// tryOnce neither.
func (c *Conn) tryOnce(uintptr) bool { return true }
