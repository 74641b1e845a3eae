package protocol

import "errors"

var (
	// ErrMalformed says that a message is not what its specification allows.
	ErrMalformed = errors.New("malformed message")

	// ErrTooLarge says that a message, or a part of it, exceeds a limit of ours.
	ErrTooLarge = errors.New("message too large")

	// ErrPlaintextAfterTLSRequest says that the peer sent more bytes before the
	// TLS handshake that it asked for. Whoever sits in between could have put
	// them there to be taken for encrypted ones (CVE-2021-23214).
	ErrPlaintextAfterTLSRequest = errors.New("unencrypted bytes after the request for TLS")
)

// A FlushError says that a read did not even start because the bytes waiting
// for the paired connection (see [Conn.FlushOnWait]) could not be written.
type FlushError struct{ Err error }

func (e *FlushError) Error() string { return "flush before read: " + e.Err.Error() }

// Unwrap returns the error of the write.
func (e *FlushError) Unwrap() error { return e.Err }
