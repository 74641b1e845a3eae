package main

import (
	"cmp"
	"hash/crc32"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// elsewhere are the files that say in their text that they need more than one
// server that runs: a restart, a debug build, a replica.
var elsewhere = regexp.MustCompile(`(?i)restart_mysqld|shutdown_server|have_debug|big_test|master-slave|rpl_init|have_valgrind|kill_mysqld|` +
	`--exec.*\$MYSQLD\b|group_replication|have_ndb|wait_until_disconnected`)

// clock are files about who is connected and what the server did when, which no two
// runs share.
var clock = regexp.MustCompile(`(?i)^(.*processlist.*|events.*|kill.*|wait_timeout.*|user_limits.*|.*timezone.*|status.*|sleep.*|perfschema.*|slow_.*|log_.*|shutdown.*)$`)

// link are files about how the client reaches the server.
var link = regexp.MustCompile(`(?i)ssl|tls|compress|protocols|mysqlbinlog|mysqldumpslow|tzinfo`)

// demands are endings of files beside a test that ask for a server with options of
// its own.
var demands = []string{"-master.opt", ".opt", ".cnf", "-master.sh", "-slave.opt", ".combinations"}

// list returns the files of tests that match and can be run against a server that
// runs, in an order that mixes what they are about and is always the same.
func (d *distribution) list(matching *regexp.Regexp) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(d.files, "*.test"))
	if err != nil {
		return nil, err
	}
	var files []string
	for _, path := range paths {
		file := strings.TrimSuffix(filepath.Base(path), ".test")
		if !matching.MatchString(file) || clock.MatchString(file) || link.MatchString(file) || d.demands(file) {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if !elsewhere.Match(text) {
			files = append(files, file)
		}
	}
	slices.SortFunc(files, func(a, b string) int {
		return cmp.Compare(crc32.ChecksumIEEE([]byte(a)), crc32.ChecksumIEEE([]byte(b)))
	})
	return files, nil
}

func (d *distribution) demands(file string) bool {
	return slices.ContainsFunc(demands, func(ending string) bool {
		_, err := os.Stat(filepath.Join(d.files, file+ending))
		return err == nil
	})
}
