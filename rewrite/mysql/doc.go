// Package mysql resolves the SQL of MySQL, MariaDB and TiDB for package rewrite.
//
// [Dialect] analyses statements against a [*Catalog], which is read from the
// server's information_schema. A text goes through three hands: the lexer cuts
// it into tokens as that server would, in the session's sql_mode and character
// set, with executable comments resolved; what TiDB's parser does not know but
// ordinary clients use (RETURNING, SELECT ... INTO, stored programs) is cut out
// or refused by its keywords; the rest is parsed and resolved.
//
// https://dev.mysql.com/doc/refman/8.4/en/sql-statements.html
// https://mariadb.com/kb/en/sql-statements/
package mysql
