// Package review answers questions about an audit log quickly.
//
// An [Index] is made from the segments of a log, at any time and as often as
// wanted: it holds nothing that is not in them. [Open] brings it up to date and
// reads it; [Keep] does the same while a proxy serves. [Index.Search] finds
// statements, [Index.WhoSaw] those that concerned a person, and each of the other
// methods answers one question of an auditor with a [Table].
//
// # How it is stored
//
// One SQLite file. Rows (a statement with its outcome, or another record) come
// in blocks of 8192 in the order of the log; a block has one blob per column,
// strings replaced by numbers from a dictionary. A search reads the columns it
// has conditions on, block by block, and the rest only where something matches,
// so that ten million records are looked through in a fraction of a second
// whatever the conditions are. Keys of persons are kept sorted, in sixteen
// buckets per block.
package review
