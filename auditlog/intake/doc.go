// Package intake is the queue between sessions and the writer of the log, kept
// in a memory-mapped file so that the death of the process empties nothing.
//
// [Ring.Put] copies a body into the file's pages and numbers it. That takes no
// lock and no system call: sessions claim space with one compare-and-swap and
// mark their entry as complete when it is. Once Put has returned the entry is in
// the kernel's page cache and outlives the process. One consumer calls
// [Ring.Next] and, when it has handed on what it got, [Ring.Release], which also
// stores a few bytes of the consumer's own state in one step with the position.
//
// After a crash [Open] gives back that state and every complete entry that was
// not released. An entry which a session was still writing is not among them,
// and its Put had not returned.
//
// Bodies must hold no byte below 0x20 (JSON does not), so that no body can look
// like the head of an entry.
package intake
