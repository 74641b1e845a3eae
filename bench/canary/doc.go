// Canary asks whether a role with masks learns anything of a protected value, of
// a real PostgreSQL behind a real sqlveil. Two questions, two databases:
//
// Canaries. Every protected cell holds a token, a value that nothing else holds.
// Whatever the statement, no piece of a token may be in the bytes that come back,
// in any spelling that [search] knows. The role may use the values as it likes
// (use: raw), so that most statements run.
//
// Twins. Two databases differ in protected cells only, and those show and may be
// used for nothing. Whatever the statement, the answers must be the same, byte
// for byte: rows and their number, descriptions, tags, errors. Half of the
// statements guess at a value which one twin has, in every place that may steer
// something (guesses.txt).
//
// The statements are a generator's (grammar.txt has the expressions), sent in
// every [way] that the protocol has, and sqlsmith's. A [recorder] between client
// and proxy reads along. A part of the statements goes to the server directly,
// too, and must show tokens and differences there: a run in which nothing runs
// proves nothing, and fails.
//
// What is not asked: how long an answer takes, what the ends of a type's range,
// infinite dates and arrays of several dimensions make fail, and how many
// different values there are, which is released. EXPLAIN and the order of rows
// that nobody orders depend on how much room rows take; before a difference
// counts, it is looked for again in tables without dead rows.
package main
