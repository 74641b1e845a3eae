// Package proxytest starts what sqlveil stands between: real PostgreSQL and
// MariaDB servers in temporary directories on free ports, and the certificates
// they need. Tests, benchmarks and `sqlveil demo` share it, after the manner of
// net/http/httptest.
//
// [PostgreSQL] and [MariaDB] give a test the server of its test binary, started
// once; [StartPostgreSQL] and [StartMariaDB] start one of your own, to be closed
// by you. Where SQLVEIL_MYSQL_BIN names other programs, MariaDB is a MySQL, a TiDB
// or another version of MariaDB. A server never outlives the process that started
// it, not even when that is killed: see [process].
//
// The servers are tuned to be quick and forgetful (no fsync), listen on
// 127.0.0.1 and a unix socket, speak TLS with a certificate of [Authority], and
// as root run as an unprivileged user, because neither server starts as root.
//
// A program that is missing is an error which names it and the command that
// installs it; nothing here skips a test.
package proxytest
