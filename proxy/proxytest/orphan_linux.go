package proxytest

import "syscall"

// orphanless lets the kernel kill a child when the process that started it dies.
func orphanless() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
