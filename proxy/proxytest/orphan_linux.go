package proxytest

import "syscall"

// Orphanless lets the kernel kill a child when the process that started it dies.
func Orphanless() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
