// Package chain makes records of a log provable: it links lines, authenticates
// them, and signs what stands so far.
//
// A line is one JSON object whose last two members are made here:
//
//	{"v":1,"seq":7,"ts":"…","node":"…","boot":"…","kind":"…", … ,"prev":"<64 hex>","mac":"<32 hex>"}
//
// prev is the SHA-256 of the whole line before it, without its line end. mac is
// HMAC-SHA256, cut to 16 bytes, over the SHA-256 of everything in front of
// `,"mac"`, under a key that is replaced by its own SHA-256 with every sequence
// number: who takes the key of record n can write records from n on, and can
// change none before (Bellare and Yee, "Forward Integrity for Secure Audit
// Logs", 1997). A [Link] does both.
//
// The lines of one segment are also the leaves of a Merkle tree (RFC 6962; the
// leaf's data is the line's SHA-256). A [Checkpoint] is its root in a signed
// note (C2SP tlog-checkpoint). It is what anyone with the public key can check,
// what an anchor outside keeps, and what an inclusion proof ends in.
//
// https://www.rfc-editor.org/rfc/rfc6962#section-2.1
// https://c2sp.org/tlog-checkpoint
package chain
