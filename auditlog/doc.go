// Package auditlog remembers every statement, so that nobody can say later that
// it was otherwise.
//
// A session fills an [Event] and calls [Log.Append] twice per statement: with a
// begin before the statement goes to the server, with an end when its result is
// complete. [Open] begins or takes up a log; packages below this one read it:
// verify proves that it is whole, review answers questions.
//
// # The guarantee
//
// When Append returns without an error the record is at least in the operating
// system's hands: the death of the process, SIGKILL included, loses nothing. The
// [Durability] chooses what the death of the machine may cost. A crash can lose
// the end of a statement, never the begin of one that was let through.
//
// When the log cannot be written (disk full, I/O error, directory gone, disk
// not answering) Append fails with [ErrUnavailable] and does not hang,
// [Log.Health] says why within five seconds, and the log goes on by itself when
// the disk does. What was not recorded is recorded: as an audit.gap, or as an
// alert that counts the statements refused.
//
// # How
//
// Append encodes the record and copies it into a memory-mapped queue (package
// intake), which takes no lock, no system call and no allocation. One goroutine
// takes records out in batches, links and authenticates them (package chain),
// and writes them to the growing segment (package segment), which it syncs for those
// who wait, one sync for all of them; another syncs what nobody waits for. Closed
// segments are compressed when little is written. Every minute or 10,000 records the
// Merkle root of the segment is signed, put on record and handed to the [Anchor]s; the
// file "head" has a signature over everything, never older than about a second.
//
// # The record
//
// JSON Lines, keys in fixed order, zero values left out; see [Event] for the
// fields. Times are UTC with microseconds. Texts are free of control characters
// and of bytes that are not UTF-8 (they are escaped), and of values: callers
// hand over normalised statements only. Shortened:
//
//	{"v":1,"seq":184467,"ts":"2026-11-23T08:15:02.113482Z","node":"px-01","boot":"01JD…","kind":"query.end","ref":184466,
//	 "sess":{"id":"01JD…","listener":"crm","proto":"postgres","tls":"1.3","client":"203.0.113.9:51522"},
//	 "who":{"login":"crm_ro","role":"support"},"db":{"server":"10.0.0.5:5432","database":"crm"},
//	 "stmt":{"id":91,"sub":1,"command":"SELECT","class":"READ","fp":"8f3a…","text":"select mobile from customer where id = $1"},
//	 "obj":[{"column":"crm.public.customer.mobile","class":"mobile","level":"confidential","in":"output","released":"masked"}],
//	 "decision":{"verdict":"mask","policy":"sha256:…","masks":[{"col":"mobile","mask":"partial"}]},
//	 "result":{"ok":true,"sqlstate":"00000","rows":1,"us":4120},"prev":"…","mac":"…"}
package auditlog
