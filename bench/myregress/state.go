package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// A state is what a test may leave behind.
type state struct {
	settings map[string]string // global variables
	drop     map[string]string // databases, users and roles, and how each is dropped
}

const (
	listDatabases = "SELECT schema_name, CONCAT('DROP DATABASE `', REPLACE(schema_name, '`', '``'), '`') FROM information_schema.schemata"
	listUsers     = "SELECT CONCAT(user, '@', host), CONCAT('DROP USER ', QUOTE(user), '@', QUOTE(host)) FROM mysql.user"
	listRoles     = "SELECT user, CONCAT('DROP ROLE ', QUOTE(user)) FROM mysql.user WHERE is_role = 'Y' AND user <> 'PUBLIC'" // MariaDB
	noRoles       = " WHERE is_role = 'N'"
)

// state reads the server's.
func (s *server) state(ctx context.Context) (state, error) {
	found := state{settings: make(map[string]string), drop: make(map[string]string)}
	if err := s.pairs(ctx, "SHOW GLOBAL VARIABLES", found.settings); err != nil {
		return found, err
	}
	lists := []string{listDatabases, listUsers}
	if !s.of.ofMySQL() {
		lists = []string{listDatabases, listUsers + noRoles, listRoles}
	}
	for _, list := range lists {
		if err := s.pairs(ctx, list, found.drop); err != nil {
			return found, err
		}
	}
	return found, nil
}

// pairs reads a result of two columns.
func (s *server) pairs(ctx context.Context, query string, into map[string]string) error {
	rows, err := s.root.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		into[key] = value
	}
	return rows.Err()
}

// reset removes what a test has left behind, so that each run starts from the same
// place. A server that a test has ended is started again.
func (s *server) reset(ctx context.Context) error {
	select {
	case <-s.ended:
		if err := errors.Join(s.stop(), s.start(ctx)); err != nil {
			return err
		}
	default:
	}
	now, err := s.state(ctx)
	if err != nil {
		return err
	}
	connection, err := s.root.Conn(ctx)
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := connection.ExecContext(ctx, "SET sql_log_bin = 0, foreign_key_checks = 0, lock_wait_timeout = 10"); err != nil {
		return err
	}
	for name, drop := range now.drop {
		if _, was := s.new.drop[name]; !was {
			if _, err := connection.ExecContext(ctx, drop); err != nil {
				return fmt.Errorf("%s: %w", drop, err)
			}
		}
	}
	if err := s.restore(ctx, connection, now.settings); err != nil {
		return err
	}
	_, err = connection.ExecContext(ctx, "CREATE DATABASE test; FLUSH STATUS")
	return err
}

// restore gives the global variables the values back that they had.
func (s *server) restore(ctx context.Context, connection *sql.Conn, now map[string]string) error {
	for name, value := range s.new.settings {
		if now[name] == value || strings.HasPrefix(name, "gtid") {
			continue
		}
		_, err := connection.ExecContext(ctx, "SET GLOBAL "+name+" = "+literal(value))
		var refused *mysql.MySQLError
		if err != nil && !errors.As(err, &refused) {
			return fmt.Errorf("restore %s: %w", name, err)
		} // what cannot be set a test has not set either: it changes by itself
	}
	return nil
}

var number = regexp.MustCompile(`^-?[0-9]+([.][0-9]+)?$`)

// literal is a value as SET takes it.
func literal(value string) string {
	if number.MatchString(value) {
		return value
	}
	return "'" + strings.NewReplacer("\\", "\\\\", "'", "''").Replace(value) + "'"
}
