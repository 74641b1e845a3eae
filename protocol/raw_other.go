//go:build !linux

package protocol

import (
	"net"
	"syscall"
)

// rawConn returns nil: sockets are used through package net here.
func rawConn(net.Conn) syscall.RawConn { return nil }

// tryRead is never called without a RawConn.
func (c *Conn) tryRead(uintptr) bool { return true }

// tryOnce neither.
func (c *Conn) tryOnce(uintptr) bool { return true }

// tryWrite neither.
func (c *Conn) tryWrite(uintptr) bool { return true }

// PeerLeft cannot tell here.
func (c *Conn) PeerLeft() bool { return false }
