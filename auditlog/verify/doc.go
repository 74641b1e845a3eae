// Package verify proves that a log is whole, from its files and public keys
// alone.
//
// [Directory] reads every segment and reports what is wrong, each [Finding]
// with its segment and line: changed, deleted, inserted, reordered, duplicated,
// truncated and unsigned lines, missing and exchanged segments, and, against a
// checkpoint kept elsewhere, a directory that was rolled back. With an auditor's
// key it checks the MACs as well. [Prove] makes a [Proof] that one record is in
// the log, to be checked without the rest.
package verify
