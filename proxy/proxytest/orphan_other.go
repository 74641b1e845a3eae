//go:build !linux

package proxytest

import "syscall"

// orphanless is Linux's: elsewhere a child outlives a process that is killed.
func orphanless() *syscall.SysProcAttr { return nil }
