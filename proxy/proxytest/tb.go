package proxytest

import "fmt"

// TB is the part of testing.TB used here. Being an interface of our own, it
// keeps package testing out of the program, whose demo uses this package too.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// A MissingError says which program was not found and how to get it.
type MissingError struct {
	Program string // "initdb"
	Looked  string // where it was looked for
	Install string // the command that installs it on Debian
}

// Error names the program, the places and the command.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%s not found in %s; install it with: %s", e.Program, e.Looked, e.Install)
}

// Password returns the password of a user that AddUser made.
func Password(user string) string { return user + "-secret" }
