//go:build !linux

package proxytest

import "syscall"

// Orphanless is Linux's: elsewhere a child outlives a process that is killed.
func Orphanless() *syscall.SysProcAttr { return nil }
