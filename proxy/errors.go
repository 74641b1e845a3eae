package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/jackc/pgx/v5/pgconn"
)

// plainError says what a DBA needs to know of an error that a library wrapped
// in a story of its own.
func plainError(err error) error {
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		return prefixed(err, fmt.Errorf("the server says: %s (%s)", answer.Message, answer.Code))
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return prefixed(err, fmt.Errorf("the server's certificate is not signed by the authority in tls.ca: %w", unknown))
	}
	if host, ok := errors.AsType[x509.HostnameError](err); ok {
		return prefixed(err, fmt.Errorf("the server's certificate is for another host: %w", host))
	}
	if connect, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return prefixed(err, innermost(connect))
	}
	return err
}

// A placeError says where something went wrong; plainError keeps it.
type placeError struct {
	place string // "listener crm: server 127.0.0.1:5432"
	err   error
}

// Error names the place first.
func (e *placeError) Error() string { return e.place + ": " + e.err.Error() }

// Unwrap returns what went wrong.
func (e *placeError) Unwrap() error { return e.err }

// prefixed keeps the place of the error that plain replaces.
func prefixed(err, plain error) error {
	if place, ok := errors.AsType[*placeError](err); ok {
		return &placeError{place.place, plain}
	}
	return plain
}

// innermost is the system's own word where there is one: "connection refused".
func innermost(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if call, ok := errors.AsType[*os.SyscallError](op); ok {
			return call.Err
		}
		return op.Err
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}
