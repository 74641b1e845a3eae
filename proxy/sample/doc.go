// Package sample makes the data that the demo, the tests and the benchmarks
// work on: the customers, companies for transfer and orders of a business that
// does not exist.
//
// [Tables] generates it, the same from the same seed on every machine; [Load]
// fills a PostgreSQL database with it, [LoadMySQL] one of MariaDB or MySQL. Schema, policy and the program's
// configuration for it are the embedded files beside this one.
//
// Nothing in it is about anybody. Resident ids have valid check digits and a
// birth in the 1880s; mobile numbers begin with prefixes that the Chinese
// numbering plan has not given out; cards begin with issuer numbers meant for
// tests and e-mail addresses are at example.com, .net and .org; company codes
// name a region that does not exist.
package sample
