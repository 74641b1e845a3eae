// Package bench measures what sqlveil costs, and whether it changes anything.
//
// The benchmarks of this package stand beside floors: what the same work costs
// with nothing of ours in it. Read a figure as a ratio to its floor, since both
// are taken in the same run on the same machine. "make micro" runs them and has
// benchstat compare them with those of before, which bench/results/micro.txt keeps.
//
// Programs measure the whole, in front of servers that they start:
//
//	bench/load     the same work directly, through sqlveil, through PgBouncer and
//	               HAProxy and through the floors, in turn: processor time,
//	               latency, throughput, memory, and what grows with what; -soak
//	               for hours; -guard for counts that a busy machine does not change
//	bench/regress  PostgreSQL's own regression files, directly and through sqlveil
//	bench/myregress  the tests that come with MariaDB and MySQL, directly and through sqlveil
//	bench/canary   statements of a generator and of sqlsmith for PostgreSQL, looking
//	               for what roles with masks may not see and not learn
//	bench/mycanary  generated statements for MariaDB, looking for what roles with masks may not learn
//
// What the figures do not say: client, proxy and server share the machine here,
// so the proxy takes processor time from the server that it would not take
// elsewhere, and a network between them would hide most of the added latency.
package bench
