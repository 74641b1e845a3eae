package mysql

import (
	"strconv"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"
)

// ModeSQL asks a session for what the meaning of its texts depends on: the
// current database, NULL when there is none, and the Mode of its scope.
const ModeSQL = "SELECT DATABASE(), CONCAT(@@sql_mode, '|', @@character_set_client, ',', @@character_set_connection, '|', VERSION())"

// flavour is the kind of server.
type flavour uint8

const (
	flavourMySQL flavour = iota
	flavourMariaDB
	flavourTiDB
)

// A mode is what the reading of a text depends on besides the text.
type mode struct {
	flavour     flavour
	version     int // 80036, 101119
	ansiQuotes  bool
	noBackslash bool
	pipesConcat bool
	ignoreSpace bool
	highNot     bool
	foreign     string // ORACLE or MSSQL: another grammar
	charset     string // character_set_client, lower case
	connection  string // character_set_connection, likewise; "" when it is not known
}

// modeKey is what a mode is read from.
type modeKey struct{ text, defaults string }

// modes are those in use: clients have few, and ask each text by one of them.
var modes = newModes()

func newModes() *lru.Cache[modeKey, *mode] {
	const inUse = 64
	cache, err := lru.New[modeKey, *mode](inUse)
	if err != nil {
		panic(err) // only a size below 1 fails
	}
	return cache
}

// modeOf is parseMode, which is asked once for a mode in use. What it returns is
// shared and must not be changed.
func modeOf(text, defaults string) *mode {
	key := modeKey{text, defaults}
	if m, ok := modes.Get(key); ok {
		return m
	}
	m := parseMode(text, defaults)
	modes.Add(key, &m)
	return &m
}

// parseMode reads a Scope's Mode: sql_mode, the character sets of the client and of
// the connection, which may be left out when it is the same, and version, separated
// by bars, for instance "ANSI_QUOTES|utf8mb4,latin1|10.11.6-MariaDB". What else is
// left out is the default's.
func parseMode(text, defaults string) mode {
	parts := strings.Split(text, "|")
	for i, d := range strings.Split(defaults, "|") {
		if i >= len(parts) {
			parts = append(parts, d)
		} else if parts[i] == "" && (i > 0 || text == "") {
			parts[i] = d
		}
	}
	for len(parts) < 3 {
		parts = append(parts, "")
	}
	var m mode
	m.setSQLMode(parts[0])
	client, connection, differs := strings.Cut(parts[1], ",")
	if m.charset = charsetName(client); m.charset == "" {
		m.charset = "utf8mb4"
	}
	if m.connection = m.charset; differs {
		m.connection = charsetName(connection)
	}
	m.flavour, m.version = serverVersion(parts[2])
	if saysTiDB(defaults) {
		m.flavour = flavourTiDB
	}
	return m
}

// setSQLMode takes a value of sql_mode.
func (m *mode) setSQLMode(list string) {
	m.ansiQuotes, m.noBackslash, m.pipesConcat, m.ignoreSpace, m.highNot, m.foreign = false, false, false, false, false, ""
	for _, name := range strings.Split(strings.ToUpper(list), ",") {
		switch strings.TrimSpace(name) {
		case "ANSI_QUOTES":
			m.ansiQuotes = true
		case "NO_BACKSLASH_ESCAPES":
			m.noBackslash = true
		case "PIPES_AS_CONCAT":
			m.pipesConcat = true
		case "IGNORE_SPACE":
			m.ignoreSpace = true
		case "HIGH_NOT_PRECEDENCE":
			m.highNot = true
		case "ORACLE", "MSSQL":
			m.foreign = strings.TrimSpace(name)
			m.ansiQuotes, m.pipesConcat, m.ignoreSpace = true, true, true
		case "ANSI", "DB2", "MAXDB", "POSTGRESQL":
			m.ansiQuotes, m.pipesConcat, m.ignoreSpace = true, true, true
		}
	}
}

// serverVersion reads "10.11.6-MariaDB", "5.5.5-10.4.1-MariaDB", "8.0.36",
// "8.0.11-TiDB-v7.5.0" and "mariadb-10.11.6".
func serverVersion(text string) (flavour, int) {
	lower := strings.ToLower(text)
	kind := flavourMySQL
	switch {
	case saysTiDB(text):
		kind = flavourTiDB
	case strings.Contains(lower, "maria"):
		kind = flavourMariaDB
		lower = strings.TrimPrefix(lower, "5.5.5-")
	}
	start := strings.IndexAny(lower, "0123456789")
	if start < 0 {
		return kind, 0
	}
	version := 0
	parts := strings.SplitN(lower[start:], ".", 3)
	for i := range 3 {
		number := 0
		if i < len(parts) {
			digits := strings.IndexFunc(parts[i], func(c rune) bool { return c < '0' || c > '9' })
			if digits < 0 {
				digits = len(parts[i])
			}
			number, _ = strconv.Atoi(parts[i][:digits]) // only digits, "" is 0
		}
		version = version*100 + number
	}
	return kind, version
}
