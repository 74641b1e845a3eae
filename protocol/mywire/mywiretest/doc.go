// Package mywiretest plays one side of a MySQL conversation from lines of text,
// for tests of what stands in the middle. A line is the name of a packet and its
// fields:
//
//	Greeting version=8.4.0 thread=7
//	Login user=ann database=shop response=x"00ff"
//	Query "SELECT email FROM users"
//	Columns 2
//	Column email:var_string:shop.users.email
//	Column n:long:unsigned
//	Row "ann@example.com" NULL
//	BinaryRow var_string="ann@example.com" long=42 datetime=NULL
//	EOF status=2
//	OK affected=1 info="..."
//	ERR 1142 42000 "no"
//	Execute 1 long=42 var_string="x"
//
// Both sides write the same lines: [Notation.Encode] has all of them. A [Peer]
// sends lines, and expects them by comparing bytes, over any connection.
package mywiretest
