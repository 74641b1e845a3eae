// Package anchor hands signed checkpoints of an audit log to places that the
// proxy cannot change afterwards: another directory, a syslog server, a web
// server. Who checks the log against what is kept there finds out a log that was
// rolled back, which nothing in its own directory can tell.
package anchor
