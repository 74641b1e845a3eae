// Package protocol holds what every database wire protocol needs and nothing
// of any one of them: [Cursor] reads the fields of one message body without
// ever leaving it, the Append functions are its mirror, and [Conn] is a
// buffered connection that flushes when its reader is about to wait, gives its
// buffers back while it is idle, can be turned into a TLS connection, and can be
// left to a loop (package loop) that waits for many at once.
//
// A codec built on it (package pgwire) may know messages and values, but no
// SQL, role or mask. Whatever came off the wire is an input: lengths and counts
// are checked against the bytes that are really there before anything is
// allocated for them.
//
// Memory: slices that a Cursor returns alias the body it reads; slices that a
// Conn returns alias its buffer until the next call that reads.
//
// This is the only package that imports encoding/binary.
package protocol
