package main

import (
	"fmt"
	"syscall"

	"sqlveil/proxy/session"
)

const (
	// filesEach is how many files a session has open: its two connections.
	filesEach = 2
	// filesOwn is how many are left for the audit log and its index, the catalogs and
	// the admin server. Were sessions to take them, the log could not be written.
	filesOwn = 100
)

// openRoom returns room for as many sessions as the files that the process may have
// open suffice for. The runtime has raised the limit as far as the system lets it.
func openRoom() (*session.Room, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil, fmt.Errorf("the limit of open files: %w", err)
	}
	const unlimited = 1 << 30
	if limit.Cur < filesOwn+filesEach {
		return nil, fmt.Errorf("the limit of open files is %d, at least %d are needed (ulimit -n)", limit.Cur, filesOwn+filesEach)
	}
	return session.NewRoom(int(min(limit.Cur, unlimited)-filesOwn) / filesEach), nil
}
