package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sqlveil/proxy/proxytest"
)

// A suite is the regression files, laid out as pg_regress wants them.
type suite struct {
	source   string     // src/test/regress of the server's source
	library  string     // the directory of regress.so
	schedule [][]string // groups of files that run at the same time
	version  string     // of the server, "15"
}

// sources gets the server's sources into cache if they are not there, and
// returns its version and where they are.
func sources(ctx context.Context, cache string) (version, directory string, err error) {
	version, err = serverVersion(ctx)
	if err != nil {
		return "", "", err
	}
	directory, err = filepath.Abs(filepath.Join(cache, version))
	if err != nil {
		return "", "", err
	}
	if _, err := os.Stat(filepath.Join(directory, "regress.so")); err != nil {
		fmt.Fprintf(os.Stderr, "getting Debian's sources of postgresql-%s into %s\n", version, directory)
		if err := fetch(ctx, directory, version); err != nil {
			return "", "", fmt.Errorf("get the sources: %w", err)
		}
	}
	return version, directory, nil
}

// openSuite lays the sources out in work, where the server may read them.
func openSuite(ctx context.Context, cache, work string) (*suite, error) {
	version, cache, err := sources(ctx, cache)
	if err != nil {
		return nil, err
	}
	s := &suite{source: filepath.Join(work, "regress"), library: work, version: version}
	for from, to := range map[string]string{"src/test/regress": s.source, "regress.so": filepath.Join(work, "regress.so")} {
		if err := command(ctx, "", "cp", "-r", filepath.Join(cache, from), to); err != nil {
			return nil, err
		}
	}
	if err := command(ctx, "", "chmod", "-R", "a+rwX", work); err != nil { // the server writes results there
		return nil, err
	}
	s.schedule, err = readSchedule(filepath.Join(s.source, "parallel_schedule"))
	return s, err
}

// serverVersion is the major version of the server that is installed.
func serverVersion(ctx context.Context) (string, error) {
	program, err := proxytest.PostgresProgram("postgres")
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, program, "--version").Output() // postgres (PostgreSQL) 15.20 (Debian ...)
	fields := strings.Fields(string(out))
	if err != nil || len(fields) < 3 {
		return "", fmt.Errorf("%s --version: %v %q", program, err, out)
	}
	major, _, _ := strings.Cut(fields[2], ".")
	return major, nil
}

// fetch downloads the server's source package, unpacks its tests and compiles
// regress.so, the C functions that they use. apt's own lists are left alone.
const fetch15 = `set -eu
version=$1
apt="apt-get -q -o Dir::Etc::SourceList=$PWD/sources.list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$PWD/lists -o APT::Sandbox::User=root"
mkdir -p lists/partial
. /etc/os-release
for suite in "$VERSION_CODENAME" "$VERSION_CODENAME-updates"; do
	echo "deb http://deb.debian.org/debian $suite main"
	echo "deb-src http://deb.debian.org/debian $suite main"
done > sources.list
echo "deb http://deb.debian.org/debian-security $VERSION_CODENAME-security main" >> sources.list
echo "deb-src http://deb.debian.org/debian-security $VERSION_CODENAME-security main" >> sources.list
$apt update
for v in $(apt-cache -o Dir::Etc::SourceList=$PWD/sources.list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$PWD/lists showsrc "postgresql-$version" | sed -n 's/^Version: //p'); do
	$apt source --download-only "postgresql-$version=$v" && break
done
tar xjf postgresql-"$version"_*.orig.tar.bz2 --strip-components=1 --wildcards '*/src/test/regress'
$apt download "postgresql-server-dev-$version"
dpkg -x postgresql-server-dev-"$version"_*.deb headers
gcc -O1 -w -shared -fPIC -Iheaders/usr/include/postgresql/"$version"/server -Iheaders/usr/include/postgresql/internal -o regress.so src/test/regress/regress.c
rm -rf lists headers *.deb
`

func fetch(ctx context.Context, cache, version string) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	return command(ctx, cache, "bash", "-c", fetch15, "fetch", version)
}

// command runs a command; its output is part of the error.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
		return fmt.Errorf("%s: %w: %s", name, err, bytes.Join(lines[max(0, len(lines)-5):], []byte("; ")))
	}
	return nil
}

// readSchedule reads the groups of a schedule.
func readSchedule(path string) ([][]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var groups [][]string
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		if files, ok := strings.CutPrefix(lines.Text(), "test:"); ok {
			groups = append(groups, strings.Fields(files))
		}
	}
	if len(groups) == 0 {
		return nil, errors.New("the schedule is empty")
	}
	return groups, nil
}

// isExpected says whether an output is one of those that upstream expects.
func (s *suite) isExpected(file string, output []byte) bool {
	for _, suffix := range []string{"", "_1", "_2", "_3", "_4"} {
		want, err := os.ReadFile(filepath.Join(s.source, "expected", file+suffix+".out"))
		if err == nil && bytes.Equal(want, output) {
			return true
		}
	}
	return false
}
