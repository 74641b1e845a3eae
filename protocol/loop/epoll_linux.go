package loop

import (
	"os"
	"syscall"
	"unsafe"
)

// A poller asks the kernel which sockets have something.
type poller struct {
	epoll int
	bell  int // an eventfd that ends a wait
}

// found are the events of one look.
type found [128]syscall.EpollEvent

// happening is what a socket has.
type happening struct {
	in    bool // something to read, or its end
	out   bool // room to write
	ended bool // the peer sends no more, or the connection is broken
}

const (
	bellIndex = -1 // in the place of a socket's index

	// edgeTriggered is syscall.EPOLLET, which is a negative number there.
	edgeTriggered = 1 << 31
)

func (p *poller) open() error {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	bell, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if errno != 0 {
		_ = syscall.Close(epoll) // the other error is told
		return os.NewSyscallError("eventfd2", errno)
	}
	p.epoll, p.bell = epoll, int(bell)
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | edgeTriggered, Fd: bellIndex}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, p.bell, &event))
}

// add asks for all that happens to a socket, each once.
func (p *poller) add(fd int, index, seq uint32) error {
	event := syscall.EpollEvent{
		Events: syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | edgeTriggered,
		Fd:     int32(index), Pad: int32(seq),
	}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, fd, &event))
}

// look returns how many events there are, and waits for the first if it must.
func (p *poller) look(f *found, wait bool) int {
	var n uintptr
	var errno syscall.Errno
	if wait {
		n, _, errno = syscall.Syscall6(syscall.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(f)), uintptr(len(f)), ^uintptr(0), 0, 0)
	} else {
		n, _, errno = syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(f)), uintptr(len(f)), 0, 0, 0)
	}
	if errno != 0 {
		return 0 // interrupted
	}
	return int(n)
}

// event is one that look has found: the socket's place and number, and what it has.
func (f *found) event(i int) (index, seq uint32, h happening) {
	e := &f[i]
	const broken = syscall.EPOLLHUP | syscall.EPOLLERR
	return uint32(e.Fd), uint32(e.Pad), happening{
		in:    e.Events&(syscall.EPOLLIN|syscall.EPOLLRDHUP|broken) != 0,
		out:   e.Events&(syscall.EPOLLOUT|broken) != 0,
		ended: e.Events&(syscall.EPOLLRDHUP|broken) != 0,
	}
}

// one is what is written to an eventfd. Nobody reads it: each write is an event.
var one = [8]byte{1}

// wake ends a wait.
func (p *poller) wake() {
	_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, uintptr(p.bell), uintptr(unsafe.Pointer(&one[0])), uintptr(len(one)))
}
