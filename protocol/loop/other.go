//go:build !linux

package loop

import (
	"errors"
	"net"
)

// Without epoll there are no loops, and sessions wait in the runtime.

type (
	poller    struct{}
	found     struct{}
	happening struct{ in, out, ended bool }
)

func (*poller) open() error                          { return errors.ErrUnsupported }
func (*poller) add(int, uint32, uint32) error        { return errors.ErrUnsupported }
func (*poller) look(*found, bool) int                { return 0 }
func (*poller) wake()                                {}
func (*found) event(int) (uint32, uint32, happening) { return 0, 0, happening{} }
func (s *Socket) free()                              {}
func (s *Socket) Read([]byte) (int, error)           { return 0, errors.ErrUnsupported }
func (s *Socket) Write([]byte) (int, error)          { return 0, errors.ErrUnsupported }
func (s *Socket) Control(func(fd uintptr)) error     { return errors.ErrUnsupported }

// Take always fails.
func (t *Task) Take(net.Conn) (*Socket, error) { return nil, errors.ErrUnsupported }
